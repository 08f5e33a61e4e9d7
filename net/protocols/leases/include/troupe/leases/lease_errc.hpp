#pragma once

#include <cstdint>
#include <string_view>
#include <system_error>

namespace troupe {

/// Names what went wrong with a lease, or with the store of them, beyond the names of `errc`, each with how to react. A
/// category of `std::error_code` ("lease"), so that a `failure` can have it.
enum class lease_errc : std::uint8_t {
  /// Nothing is wrong.
  none = 0,
  /// The lease is over: another may have it soon. Stop what it was for, and acquire it anew.
  lost = 1,
  /// Another one has it. Wait, or do without.
  held_elsewhere = 2,
  /// A record is not the one that was expected, so nothing was written. Read it, and decide anew.
  conflict = 3,
  /// The store is not there, or not yet. Retry later.
  store_unavailable = 4,
  /// The store could not write, for the reason in the message. Look after it.
  store_failed = 5,
  /// That is no store of leases, or of a later version. Choose another one.
  wrong_store = 6,
};

/// Returns the enumerator's own name, such as "lost"; "unknown" for a number without one.
[[nodiscard]] std::string_view name(lease_errc code) noexcept;

/// The category of `lease_errc`; its name is "lease".
[[nodiscard]] const std::error_category& lease_category() noexcept;

[[nodiscard]] std::error_code make_error_code(lease_errc code) noexcept;

} // namespace troupe

template <>
struct std::is_error_code_enum<troupe::lease_errc> : std::true_type {};
