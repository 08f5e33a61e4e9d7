#include "temporary_store.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::detail {

namespace {

constexpr const char* store_prefix = "troupe-nats-";
constexpr const char* lock_name = "/lock";

// Removes a folder whose lock nobody holds. One without a lock is just being made, or is not ours.
void remove_if_left(const std::filesystem::path& folder) {
  struct stat of {};
  if (::lstat(folder.c_str(), &of) != 0 || !S_ISDIR(of.st_mode) || of.st_uid != ::geteuid())
    return;
  const int lock =
    ::open((folder.string() + lock_name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (lock < 0)
    return;
  std::error_code error;
  if (::fstat(lock, &of) == 0 && S_ISREG(of.st_mode) && ::flock(lock, LOCK_EX | LOCK_NB) == 0)
    std::filesystem::remove_all(folder, error);
  ::close(lock);
}

} // namespace

temporary_store::temporary_store(const std::string& place) {
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator{place, error};
       !error && entry != std::filesystem::directory_iterator{}; entry.increment(error))
    if (entry->path().filename().string().starts_with(store_prefix))
      remove_if_left(entry->path());

  auto name = place + '/' + store_prefix + "XXXXXX";
  if (::mkdtemp(name.data()) == nullptr)
    throw std::system_error(errno, std::system_category(), name);
  path_ = std::move(name);
  // It gets its name when it is locked, so that nobody takes it for one that was left.
  const auto unnamed = path_ + "/unlocked";
  lock_ = ::open(unnamed.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (lock_ >= 0 && ::flock(lock_, LOCK_EX | LOCK_NB) == 0
      && ::rename(unnamed.c_str(), (path_ + lock_name).c_str()) == 0)
    return;
  const int why = errno;
  std::filesystem::remove_all(path_, error);
  if (lock_ >= 0)
    ::close(lock_);
  throw std::system_error(why, std::system_category(), path_);
}

temporary_store::~temporary_store() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
  ::close(lock_);
}

} // namespace troupe::detail
