#include <troupe/runtime/detail/standard_descriptors.hpp>

#include <atomic>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace troupe::detail {

namespace {

constexpr int count = 3;

// By number; for the process, as the descriptors are.
std::atomic<bool> filled[count];

bool is_null_device(int fd) noexcept {
  struct stat about {};
  return ::fstat(fd, &about) == 0 && S_ISCHR(about.st_mode) && about.st_rdev == ::makedev(1, 3);
}

} // namespace

void open_standard_descriptors() {
  for (int fd = 0; fd < count; ++fd) {
    if (::fcntl(fd, F_GETFD) != -1)
      continue;
    const int opened = ::open("/dev/null", O_RDWR); // the lowest number that is free
    if (opened < 0)
      throw std::system_error(errno, std::system_category(), "/dev/null");
    if (opened == fd)
      filled[fd] = true;
    else // another thread was faster
      ::close(opened);
  }
}

bool is_closed(int fd) noexcept {
  if (::fcntl(fd, F_GETFD) == -1)
    return true;
  return fd < count && filled[fd] && is_null_device(fd); // else something was put there since
}

} // namespace troupe::detail
