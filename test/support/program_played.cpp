#include "support/program_played.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <stdexcept>

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "system_failure.hpp"

namespace troupe::testing {

namespace {

using troupe::detail::unique_fd;

bool readable(int fd) {
  pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&p, 1, 10'000) > 0;
}

} // namespace

const char* program_played::executable() noexcept {
  return TROUPE_LEND_PIPES;
}

program_played::program_played()
  : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  socklen_t length = sizeof at.sun_family; // the system finds a name
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), length) != 0
      || ::listen(listener_.get(), 1) != 0)
    system_failure("program_played", "listen");
  length = sizeof at;
  ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &length);
  name_.assign(at.sun_path + 1, length - offsetof(sockaddr_un, sun_path) - 1);
}

program_played::~program_played() {
  let_exit();
  if (pidfd_)
    exits();
}

void program_played::begin(const unique_fd& killed) {
  std::array<pollfd, 2> ready{{{listener_.get(), POLLIN, 0}, {killed.get(), POLLIN, 0}}};
  if (::poll(ready.data(), ready.size(), 10'000) <= 0)
    system_failure("program_played", "the child does not begin");
  control_ = unique_fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  if (!control_)
    return; // killed before it could
  ucred who{};
  socklen_t size = sizeof who;
  ::getsockopt(control_.get(), SOL_SOCKET, SO_PEERCRED, &who, &size);
  pidfd_ = unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, who.pid, 0))};

  int ends[2];
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof ends)] = {};
  char byte;
  iovec piece{&byte, 1};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof space;
  if (!readable(control_.get()))
    system_failure("program_played", "the child lends nothing");
  if (::recvmsg(control_.get(), &message, MSG_CMSG_CLOEXEC) != 1)
    return; // killed in the middle
  std::memcpy(ends, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof ends);
  pipes_.emplace(unique_fd{ends[0]}, unique_fd{ends[1]});
}

std::string program_played::rest() {
  auto result = pipes_ ? pipes_->rest() : std::string{};
  input_ended_ = true;
  if (output_closed_)
    exit();
  return result;
}

void program_played::shut_write() {
  pipes_.value().shut_write();
  output_closed_ = true;
  if (input_ended_)
    exit();
}

void program_played::exit() {
  pipes_.value().close();
  let_exit();
}

void program_played::kill() {
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  if (!exits())
    system_failure("program_played", "the child does not die");
  pipes_.value().close();
}

bool program_played::was_killed() {
  return !pidfd_ || (control_ && exits());
}

bool program_played::exits() {
  return readable(pidfd_.get());
}

} // namespace troupe::testing
