#include <troupe/net/file_descriptor.hpp>

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace troupe {

file_descriptor::~file_descriptor() {
  if (fd_ >= 0)
    ::close(fd_);
}

file_descriptor file_descriptor::duplicate(int fd) {
  file_descriptor copy{::fcntl(fd, F_DUPFD_CLOEXEC, 0)};
  if (!copy)
    throw std::system_error(errno, std::system_category(), "file_descriptor::duplicate");
  return copy;
}

} // namespace troupe
