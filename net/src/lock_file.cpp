#include "lock_file.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::detail {

namespace {

// Whoever had the lock before removes its file; then the lock of that file is worth nothing.
bool is_at(int fd, const std::string& path) {
  struct stat mine {};
  struct stat there {};
  return ::fstat(fd, &mine) == 0 && ::lstat(path.c_str(), &there) == 0
         && mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
}

} // namespace

lock_file::lock_file(std::string path) : path_(std::move(path)) {
  const auto refuse = [this] {
    throw std::system_error(errno, std::system_category(), path_);
  };
  do {
    fd_ = unique_fd{::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!fd_ || ::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0)
      refuse();
  } while (!is_at(fd_.get(), path_));
  const auto holder = std::to_string(::getpid()) + '\n';
  // For people only: that it could not be written changes nothing.
  [[maybe_unused]] const bool written =
    ::ftruncate(fd_.get(), 0) == 0 && ::write(fd_.get(), holder.data(), holder.size()) > 0;
}

lock_file::~lock_file() {
  ::unlink(path_.c_str());
}

bool lock_file::held(const std::string& path) noexcept {
  const unique_fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  return fd && ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

} // namespace troupe::detail
