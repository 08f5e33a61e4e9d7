#pragma once

#include <cstdint>
#include <string_view>
#include <system_error>

namespace troupe {

/// Names what went wrong with a store of messages, beyond the names of `errc`, each with how to react. A category of
/// `std::error_code` ("history"), so that a `failure` can have it.
enum class history_errc : std::uint8_t {
  /// Nothing is wrong.
  none = 0,
  /// The store is not there, or not yet. Retry later.
  store_unavailable = 1,
  /// The disk, or the store's share of it, is full. Make room, or keep less; it goes on by itself then.
  store_full = 2,
  /// What the store has is damaged. Restore it from a copy, or begin with an empty one.
  store_corrupt = 3,
  /// Another process uses the store, and it is for one alone. Stop that, or choose another one.
  store_in_use = 4,
  /// The store could not write, for the reason in the message. Look after the disk; with the same id, send again.
  store_failed = 5,
  /// That is no store of this kind, or of a later version. Choose another file.
  wrong_store = 6,
};

/// Returns the enumerator's own name, such as "store_full"; "unknown" for a number without one.
[[nodiscard]] std::string_view name(history_errc code) noexcept;

/// The category of `history_errc`; its name is "history".
[[nodiscard]] const std::error_category& history_category() noexcept;

[[nodiscard]] std::error_code make_error_code(history_errc code) noexcept;

} // namespace troupe

template <>
struct std::is_error_code_enum<troupe::history_errc> : std::true_type {};
