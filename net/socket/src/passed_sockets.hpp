#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace troupe::detail {

/// The sockets that systemd opened for this process (socket activation): descriptors from 3 on, told in
/// the environment, which stays as it is.
///
/// Source: sd_listen_fds(3); twisted.python.systemd.ListenFDs
class passed_sockets {
public:
  static constexpr int first = 3;

  /// What the environment says. Whatever was meant for another process counts for nothing.
  static passed_sockets of_this_process();

  /// \param pid, count, names  LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES; null if there is none
  passed_sockets(pid_t self, const char* pid, const char* count, const char* names);

  [[nodiscard]] std::size_t size() const noexcept { return names_.size(); }
  [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }

  /// Returns the descriptor of that name, the first of several.
  [[nodiscard]] std::optional<int> named(std::string_view name) const;

private:
  std::vector<std::string> names_; // "unknown" for those that have none
};

} // namespace troupe::detail
