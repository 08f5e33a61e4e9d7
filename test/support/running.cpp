#include "support/running.hpp"

#include <filesystem>
#include <string>

#include <fcntl.h>

namespace troupe::testing {
namespace {

bool is_a_sanitizers_pipe([[maybe_unused]] const std::filesystem::path& descriptor) {
#ifdef TROUPE_SANITIZED
  std::error_code gone; // since it was listed
  const auto what = std::filesystem::read_symlink(descriptor, gone).string();
  if (gone)
    return true;
  const auto flags = ::fcntl(std::stoi(descriptor.filename()), F_GETFD);
  return what.starts_with("pipe:") && (flags & FD_CLOEXEC) == 0;
#else
  return false;
#endif
}

} // namespace

std::size_t open_descriptors() {
  std::size_t count = 0;
  for (const auto& descriptor : std::filesystem::directory_iterator{"/proc/self/fd"})
    if (!is_a_sanitizers_pipe(descriptor.path()))
      ++count;
  return count;
}

} // namespace troupe::testing
