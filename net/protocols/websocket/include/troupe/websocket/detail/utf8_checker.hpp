#pragma once

#include <cstdint>
#include <string_view>

namespace troupe::detail {

/// Tells whether bytes that come in pieces are UTF-8, at the first one that cannot be: overlong forms, surrogates
/// and what is beyond U+10FFFF are none.
///
/// Thread: one. Source: Unicode 3.9, table 3-7
class utf8_checker {
public:
  /// Takes the next piece; returns false once no text begins like this.
  [[nodiscard]] bool take(std::string_view piece) noexcept;

  /// Tells whether no character is unfinished.
  [[nodiscard]] bool complete() const noexcept { return missing_ == 0; }

  void reset() noexcept { *this = {}; }

private:
  std::uint8_t missing_ = 0; // bytes of the present character
  std::uint8_t low_ = 0x80;  // what its next byte may be
  std::uint8_t high_ = 0xbf;
};

/// Tells whether all of `text` is UTF-8.
[[nodiscard]] inline bool is_utf8(std::string_view text) noexcept {
  utf8_checker checker;
  return checker.take(text) && checker.complete();
}

} // namespace troupe::detail
