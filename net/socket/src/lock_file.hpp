#pragma once

#include <cstdint>
#include <string>

#include "unique_fd.hpp"

namespace troupe::detail {

/// A lock by a file: had by one process at a time, and freed by the system when that ends.
class lock_file {
public:
  /// Takes the lock, and writes the process id into the file.
  ///
  /// \throws std::system_error if it is taken (`std::errc::resource_unavailable_try_again`), or the
  ///         file cannot be opened
  explicit lock_file(std::string path);

  /// Removes the file, and frees the lock.
  ~lock_file();
  lock_file(const lock_file&) = delete;
  lock_file& operator=(const lock_file&) = delete;

  enum class holder : std::uint8_t {
    somebody,
    nobody,
    unknown, ///< this user may not look: a lock is for its owner to read, and to read is to lock
  };

  /// Tells who has the lock `path`, which may be one of Twisted's.
  [[nodiscard]] static holder held(const std::string& path);

  /// Says whose lock `path` is if it is none of ours but a symbolic link, as Twisted makes it to the
  /// number of its process; else nothing.
  [[nodiscard]] static std::string foreign(const std::string& path);

private:
  const std::string path_;
  unique_fd fd_;
};

} // namespace troupe::detail
