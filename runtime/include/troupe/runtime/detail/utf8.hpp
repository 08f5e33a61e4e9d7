#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::detail {

/// What a text in UTF-8 begins with.
struct character {
  static constexpr char32_t broken = 0xffffffff;

  char32_t code;    // or `broken`
  std::size_t size; // in bytes, at least one
};

/// Reads what `text`, which is not empty, begins with. What is broken (overlong forms, surrogates and what
/// is beyond U+10FFFF too) is as long as it could have been the beginning of something: Unicode 3.9,
/// "U+FFFD substitution of maximal subparts".
[[nodiscard]] character next_character(std::string_view text) noexcept;

/// Appends the last `digits` digits of `value`, base 16, to `to`.
void append_hex(std::string& to, std::uint32_t value, int digits);

/// Appends each byte of `bytes` as `\x1b`.
void append_escaped(std::string& to, std::string_view bytes);

} // namespace troupe::detail
