#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>

namespace troupe::detail {

/// A delimiter that was found in two pieces of input that follow each other.
struct found_delimiter {
  std::size_t before; ///< bytes of both pieces in front of it
  std::size_t used;   ///< bytes of the second piece up to its end
};

/// Returns the place of the first `delimiter` in `text`, or npos.
///
/// The last byte of the delimiter is what is looked for: it ends a line, so text without a
/// delimiter hardly has it, and the search runs at the speed of `memchr`.
inline std::size_t find_delimiter(std::string_view text, std::string_view delimiter) noexcept {
  const auto size = delimiter.size();
  if (text.size() < size)
    return std::string_view::npos;
  const auto* const begin = text.data();
  const auto* const end = begin + text.size();
  for (const auto* from = begin + size - 1; from != end; ++from) {
    from = static_cast<const char*>(
      std::memchr(from, delimiter.back(), static_cast<std::size_t>(end - from)));
    if (from == nullptr)
      break;
    if (std::memcmp(from - (size - 1), delimiter.data(), size - 1) == 0)
      return static_cast<std::size_t>(from - begin) - (size - 1);
  }
  return std::string_view::npos;
}

/// Finds the first `delimiter` in `tail` followed by `data`, of which `tail` alone has none: so
/// only `data` and the seam are searched.
inline std::optional<found_delimiter> find_delimiter(std::string_view tail, std::string_view data,
                                                     std::string_view delimiter) noexcept {
  for (auto head = std::min(delimiter.size() - 1, tail.size()); head > 0; --head)
    if (tail.ends_with(delimiter.substr(0, head)) && data.starts_with(delimiter.substr(head)))
      return found_delimiter{tail.size() - head, delimiter.size() - head};
  if (const auto at = find_delimiter(data, delimiter); at != std::string_view::npos)
    return found_delimiter{tail.size() + at, at + delimiter.size()};
  return std::nullopt;
}

} // namespace troupe::detail
