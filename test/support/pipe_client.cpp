#include "support/pipe_client.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <stdexcept>

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "system_failure.hpp"

namespace troupe::testing {

namespace {

bool wait(int fd, short events) {
  pollfd p{.fd = fd, .events = events, .revents = 0};
  return ::poll(&p, 1, 10'000) > 0;
}

// As send() with MSG_NOSIGNAL, which there is for sockets only.
ssize_t write_without_signal(int fd, std::string_view data) {
  sigset_t pipe;
  sigset_t before;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
  const auto n = ::write(fd, data.data(), data.size());
  const auto error = errno;
  if (n < 0 && error == EPIPE) {
    const timespec now{};
    ::sigtimedwait(&pipe, nullptr, &now);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return n;
}

} // namespace

void pipe_client::send(std::string_view data) {
  while (!data.empty()) {
    if (!wait(out_.get(), POLLOUT))
      system_failure("pipe_client", "the peer does not read");
    // A pipe that is ready has room for this much, so that it does not block.
    const auto n = write_without_signal(out_.get(), data.substr(0, 4096));
    if (n < 0)
      system_failure("pipe_client", "write");
    data.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string pipe_client::receive(std::size_t size) {
  std::string result(size, '\0');
  for (std::size_t got = 0; got < size;) {
    if (!wait(in_.get(), POLLIN))
      system_failure("pipe_client", "nothing comes");
    const auto n = ::read(in_.get(), result.data() + got, size - got);
    if (n <= 0)
      system_failure("pipe_client", "the end came early");
    got += static_cast<std::size_t>(n);
  }
  return result;
}

std::string pipe_client::rest() {
  std::string result;
  char buffer[65536];
  for (;;) {
    if (!wait(in_.get(), POLLIN))
      system_failure("pipe_client", "the end does not come");
    const auto n = ::read(in_.get(), buffer, sizeof buffer);
    if (n < 0)
      system_failure("pipe_client", "read");
    if (n == 0)
      return result;
    result.append(buffer, static_cast<std::size_t>(n));
  }
}

} // namespace troupe::testing
