#include "lock_file.hpp"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::detail {

namespace {

// Returns what a symbolic link names; nothing if it is none.
std::string target_of(const std::string& path) {
  std::string target(64, '\0'); // what is longer is no process
  const auto length = ::readlink(path.c_str(), target.data(), target.size());
  target.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  return target;
}

// Returns the process that Twisted's lock names; 0 if that is no number of one.
pid_t process_of(const std::string& target) noexcept {
  pid_t pid = 0;
  const auto* const end = target.data() + target.size();
  const auto [rest, error] = std::from_chars(target.data(), end, pid);
  return error == std::errc{} && rest == end && pid > 0 ? pid : 0;
}

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

lock_file::holder lock_file::held(const std::string& path) {
  if (const auto pid = process_of(target_of(path)))
    return ::kill(pid, 0) == 0 || errno == EPERM ? holder::somebody : holder::nobody;
  const unique_fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (!fd) // ELOOP: a symbolic link that names no process
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? holder::nobody : holder::unknown;
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0)
    return holder::nobody;
  return errno == EWOULDBLOCK ? holder::somebody : holder::unknown;
}

std::string lock_file::foreign(const std::string& path) {
  const auto target = target_of(path);
  if (target.empty())
    return {};
  const auto pid = process_of(target);
  return pid != 0 ? "its lock is Twisted's, of process " + std::to_string(pid)
                  : "its lock is a symbolic link";
}

} // namespace troupe::detail
