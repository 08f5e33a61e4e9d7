#pragma once

#include <string_view>
#include <system_error>

namespace troupe {

/// Says why a request for an option came to nothing. Source: twisted.conch.telnet's exceptions
enum class telnet_errc {
  /// The peer does not do as it was asked. Go on without.
  option_refused = 1,
  /// The same was asked for, and waits for its answer. Wait for that.
  already_negotiating = 2,
  /// The option is on. Nothing to do.
  already_enabled = 3,
  /// The option is off. Nothing to do.
  already_disabled = 4,
  /// The opposite was asked for before this one's turn came. Nothing to do.
  superseded = 5,
};

/// Returns the category "telnet".
[[nodiscard]] const std::error_category& telnet_category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(telnet_errc code) noexcept {
  return {static_cast<int>(code), telnet_category()};
}

} // namespace troupe

template <>
struct std::is_error_code_enum<troupe::telnet_errc> : std::true_type {};
