#include "support/client.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "system_failure.hpp"

namespace troupe::testing {

client::client(std::uint16_t port, const std::string& host) {
  sockaddr_storage to{};
  socklen_t length;
  if (host.find(':') == std::string::npos) {
    auto& in = reinterpret_cast<sockaddr_in&>(to);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    ::inet_pton(AF_INET, host.c_str(), &in.sin_addr);
    length = sizeof in;
  } else {
    auto& in = reinterpret_cast<sockaddr_in6&>(to);
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    ::inet_pton(AF_INET6, host.c_str(), &in.sin6_addr);
    length = sizeof in;
  }
  fd_ = ::socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0 || ::connect(fd_, reinterpret_cast<sockaddr*>(&to), length) != 0) {
    const auto error = errno;
    close();
    errno = error;
    system_failure("client", "connect");
  }
}

client::client(client&& other) noexcept : fd_(std::exchange(other.fd_, -1)), reset_(other.reset_) {}

client::~client() {
  close();
}

bool client::wait(short events) const {
  pollfd p{.fd = fd_, .events = events, .revents = 0};
  return ::poll(&p, 1, 10'000) > 0;
}

void client::send(std::string_view data) {
  while (!data.empty()) {
    if (!wait(POLLOUT))
      system_failure("client", "the peer does not read");
    data.remove_prefix(send_some(data));
  }
}

std::size_t client::send_some(std::string_view data) {
  const auto n = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n >= 0)
    return static_cast<std::size_t>(n);
  if (errno != EAGAIN)
    system_failure("client", "send");
  return 0;
}

std::string client::receive(std::size_t size) {
  std::string result(size, '\0');
  for (std::size_t got = 0; got < size;) {
    if (!wait(POLLIN))
      system_failure("client", "nothing comes");
    const auto n = ::recv(fd_, result.data() + got, size - got, 0);
    if (n <= 0)
      system_failure("client", "the end came early");
    got += static_cast<std::size_t>(n);
  }
  return result;
}

std::string client::line() {
  std::string result;
  while (!result.ends_with("\r\n"))
    result += receive(1);
  return result;
}

std::string client::rest() {
  std::string result;
  char buffer[65536];
  for (;;) {
    if (!wait(POLLIN))
      system_failure("client", "the end does not come");
    const auto n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n < 0 && errno == ECONNRESET)
      reset_ = true;
    if (n <= 0)
      return result;
    result.append(buffer, static_cast<std::size_t>(n));
  }
}

void client::shut_write() {
  ::shutdown(fd_, SHUT_WR);
}

void client::reset() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

void client::close() {
  if (fd_ >= 0)
    ::close(std::exchange(fd_, -1));
}

void client::set_receive_buffer(int bytes) {
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

} // namespace troupe::testing
