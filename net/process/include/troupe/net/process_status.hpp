#pragma once

#include <optional>
#include <string>
#include <system_error>

#include <troupe/runtime/failure.hpp>

namespace troupe {

/// How a process ended: with an exit code, or by a signal. If neither is known, other code of this
/// program has waited for it, or ignores SIGCHLD.
struct process_status {
  std::optional<int> exit_code{};
  std::optional<int> signal{};

  /// `"exit code 23"`, `"signal 9 (Killed)"`.
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const process_status&, const process_status&) = default;
};

/// What a failure of `errc::process_terminated` holds and raises.
///
/// Source: twisted.internet.error.ProcessTerminated
class process_terminated_error : public std::system_error {
public:
  explicit process_terminated_error(process_status status, std::string output = {},
                                    std::string errors = {});

  [[nodiscard]] const process_status& status() const noexcept { return status_; }

  /// What the process wrote before, where that was collected (`get_process_output_and_value`).
  [[nodiscard]] const std::string& output() const noexcept { return output_; }
  [[nodiscard]] const std::string& errors() const noexcept { return errors_; }

private:
  process_status status_;
  std::string output_;
  std::string errors_;
};

/// Returns `errc::process_done` for exit code 0, else a failure of `errc::process_terminated`.
[[nodiscard]] failure to_failure(const process_status& status);

/// Returns how the process ended that `why` tells of; empty if it tells of something else, or came
/// from another node.
[[nodiscard]] std::optional<process_status> status_of(const failure& why);

} // namespace troupe
