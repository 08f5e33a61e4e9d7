#include "fd_io.hpp"

#include <cerrno>
#include <csignal>
#include <ctime>

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::detail {

namespace {

/// Keeps the SIGPIPE of a write from this thread: pipes have no MSG_NOSIGNAL, and how the program
/// treats the signal is not ours to change.
class no_sigpipe {
public:
  no_sigpipe() noexcept {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~no_sigpipe() {
    if (::sigismember(&before_, SIGPIPE) == 0)
      ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  no_sigpipe(const no_sigpipe&) = delete;
  no_sigpipe& operator=(const no_sigpipe&) = delete;

  // Takes back the signal that a write has just raised.
  void take() noexcept {
    const timespec now{};
    if (::sigismember(&before_, SIGPIPE) == 0)
      while (::sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
      }
  }

private:
  sigset_t pipe_;
  sigset_t before_;
};

// Tells whether an EIO is what it says: that of a disk.
bool is_storage(int fd) noexcept {
  struct stat about {};
  const int before = errno;
  const bool is = ::fstat(fd, &about) == 0 && (S_ISREG(about.st_mode) || S_ISBLK(about.st_mode));
  errno = before;
  return is;
}

} // namespace

ssize_t read_some(int fd, std::span<std::byte> into, std::error_code& ec) noexcept {
  for (;;) {
    const auto count = ::read(fd, into.data(), into.size());
    if (count >= 0)
      return count;
    if (errno == EINTR)
      continue;
    if (errno == EIO && !is_storage(fd)) // a terminal whose other side is closed
      return 0;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
      ec.assign(errno, std::system_category());
    return -1;
  }
}

std::size_t write_some(int fd, std::span<const iovec> pieces, std::error_code& ec) noexcept {
  no_sigpipe guard;
  for (;;) {
    const auto sent = ::writev(fd, pieces.data(), static_cast<int>(pieces.size()));
    if (sent >= 0)
      return static_cast<std::size_t>(sent);
    const int error = errno;
    if (error == EINTR)
      continue;
    if (error == EPIPE)
      guard.take();
    if (error != EAGAIN && error != EWOULDBLOCK)
      ec.assign(error, std::system_category());
    return 0;
  }
}

} // namespace troupe::detail
