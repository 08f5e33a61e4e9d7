#pragma once

#include <string>

namespace troupe::detail {

/// A folder that goes with this object, and if the process is killed before, with the next such object of the same user.
///
/// In it is a file that this process has locked (flock), which the system undoes at its end, however that comes.
class temporary_store {
public:
  /// Makes one in `place`, and removes those there whose processes have ended.
  ///
  /// \throws std::system_error if that cannot be
  explicit temporary_store(const std::string& place);
  ~temporary_store();
  temporary_store(const temporary_store&) = delete;
  temporary_store& operator=(const temporary_store&) = delete;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
  std::string path_;
  int lock_ = -1;
};

} // namespace troupe::detail
