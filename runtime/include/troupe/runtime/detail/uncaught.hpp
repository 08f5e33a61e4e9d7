#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace spdlog {
class logger;
}

namespace troupe::detail {

/// Remembers that the exception which is being handled left the user's `name`, unless it has left
/// something deeper already. `name` must stay.
void note_place(const char* name) noexcept;

/// Returns where the exception that is being handled comes from, as `note_place` was told, or null.
[[nodiscard]] const char* noted_place() noexcept;

/// Calls `fn`, which is the user's `name`, such as "line_received". It costs nothing unless it throws.
template <class F>
decltype(auto) in_callback(const char* name, F&& fn) {
  try {
    return std::forward<F>(fn)();
  } catch (...) {
    note_place(name);
    throw;
  }
}

/// Logs the exception that is being handled: "[owner] unhandled exception in place: type: text".
///
/// \param place  where it comes from if nobody noted another place
void log_exception(spdlog::logger& logger, std::string_view owner, std::string_view place) noexcept;

/// Returns what the exception that is being handled says of itself: its type and its text.
[[nodiscard]] std::string describe_exception();

} // namespace troupe::detail
