#include "support/udp_peer.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "system_failure.hpp"

namespace troupe::testing {

namespace {

constexpr int datagram_patience_ms = 10'000;

std::pair<sockaddr_storage, socklen_t> address(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0)
    system_failure("udp_peer", "not an address");
  std::pair<sockaddr_storage, socklen_t> result{{}, found->ai_addrlen};
  std::memcpy(&result.first, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  return result;
}

std::uint16_t port_of(const sockaddr_storage& a) {
  sockaddr_in in; // the port is at the same place in both families
  std::memcpy(&in, &a, sizeof in);
  return ntohs(in.sin_port);
}

} // namespace

udp_peer::udp_peer(const std::string& host, std::uint16_t port) : host_(host) {
  const auto [at, length] = address(host, port);
  fd_ = ::socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0 || ::bind(fd_, reinterpret_cast<const sockaddr*>(&at), length) != 0)
    system_failure("udp_peer", "bind");
}

udp_peer::~udp_peer() {
  ::close(fd_);
}

std::uint16_t udp_peer::port() const {
  sockaddr_storage at{};
  socklen_t length = sizeof at;
  ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &length);
  return port_of(at);
}

void udp_peer::send(std::uint16_t port, std::string_view data, const std::string& host) {
  const auto [to, length] = address(host.empty() ? host_ : host, port);
  if (::sendto(fd_, data.data(), data.size(), 0, reinterpret_cast<const sockaddr*>(&to), length)
      != static_cast<ssize_t>(data.size()))
    system_failure("udp_peer", "send");
}

std::string udp_peer::receive() {
  pollfd watched{.fd = fd_, .events = POLLIN, .revents = 0};
  if (::poll(&watched, 1, datagram_patience_ms) != 1)
    throw std::runtime_error("udp_peer: nothing came");
  std::vector<char> data(65536);
  sockaddr_storage from{};
  socklen_t length = sizeof from;
  const auto n =
    ::recvfrom(fd_, data.data(), data.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
  if (n < 0)
    system_failure("udp_peer", "receive");
  from_ = port_of(from);
  return {data.data(), static_cast<std::size_t>(n)};
}

bool udp_peer::readable() const {
  pollfd watched{.fd = fd_, .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, 0) == 1;
}

void udp_peer::set_receive_buffer(int bytes) {
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

std::uint16_t unused_udp_port() {
  return udp_peer{}.port();
}

} // namespace troupe::testing
