#include "support/unix_peer.hpp"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "system_failure.hpp"

namespace troupe::testing {

namespace {

constexpr int patience = 10'000;
constexpr auto path_at = offsetof(sockaddr_un, sun_path);

socklen_t fill(sockaddr_un& at, const std::string& name) {
  at = {};
  at.sun_family = AF_UNIX;
  name.copy(at.sun_path, sizeof at.sun_path);
  const bool is_path = name[0] != '\0';
  return static_cast<socklen_t>(path_at + name.size() + (is_path ? 1 : 0));
}

} // namespace

unix_peer::unix_peer(const std::string& name)
  : name_(name), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un at;
  if (!fd_)
    system_failure("unix_peer", "socket");
  if (!name.empty()
      && ::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&at), fill(at, name)) != 0)
    system_failure("unix_peer", "bind");
}

unix_peer::~unix_peer() {
  if (!name_.empty() && name_[0] != '\0')
    ::unlink(name_.c_str());
}

void unix_peer::connect(const std::string& to) {
  sockaddr_un at;
  if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&at), fill(at, to)) != 0)
    system_failure("unix_peer", "connect");
}

int unix_peer::send(const std::string& to, std::string_view data, int descriptor) {
  sockaddr_un at;
  iovec piece{const_cast<char*>(data.data()), data.size()};
  alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_name = &at;
  message.msg_namelen = fill(at, to);
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    auto* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  return ::sendmsg(fd_.get(), &message, 0) < 0 ? errno : 0;
}

std::string unix_peer::receive() {
  if (!readable(patience))
    throw std::runtime_error("unix_peer: nothing came");
  thread_local std::vector<char> data(
    600'000); // not cleared each time: it costs more than the rest
  sockaddr_un from;
  socklen_t length = sizeof from;
  const auto n =
    ::recvfrom(fd_.get(), data.data(), data.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
  if (n < 0)
    system_failure("unix_peer", "receive");
  from_.assign(from.sun_path, length > path_at ? length - path_at : 0);
  if (!from_.empty() && from_[0] != '\0')
    from_.resize(std::strlen(from_.c_str()));
  return {data.data(), static_cast<std::size_t>(n)};
}

bool unix_peer::readable(int patience_ms) const {
  pollfd watched{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, patience_ms) == 1;
}

} // namespace troupe::testing
