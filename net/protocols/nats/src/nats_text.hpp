#pragma once

#include <string_view>

namespace troupe::detail {

/// Returns `text` without the white space around it: of `spaces`, which lines have inside and files at their ends, too.
[[nodiscard]] constexpr std::string_view trimmed(std::string_view text,
                                                 std::string_view spaces = " \t") noexcept {
  const auto from = text.find_first_not_of(spaces);
  if (from == std::string_view::npos)
    return {};
  return text.substr(from, text.find_last_not_of(spaces) - from + 1);
}

} // namespace troupe::detail
