#include "file_ranges.hpp"

#include <algorithm>
#include <charconv>

#include <troupe/http/http_text.hpp>

namespace troupe::detail {

namespace {

constexpr std::size_t most_ranges = 10;

// Returns a number of digits alone; the largest one for those that are too large.
std::optional<std::uint64_t> number(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos)
    return {};
  std::uint64_t n = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), n).ec != std::errc{})
    return UINT64_MAX;
  return n;
}

} // namespace

std::optional<std::vector<file_range>> parse_ranges(std::string_view field, std::uint64_t size) {
  const auto equals = field.find('=');
  if (equals == std::string_view::npos
      || !equal_without_case(trim_http(field.substr(0, equals)), "bytes"))
    return {};
  auto list = field.substr(equals + 1);
  std::vector<file_range> ranges;
  std::size_t asked = 0;
  std::string_view part;
  while (next_http_element(list, part)) {
    if (++asked > most_ranges)
      return {};
    const auto dash = part.find('-');
    if (dash == std::string_view::npos)
      return {};
    const auto first = part.substr(0, dash);
    const auto last = part.substr(dash + 1);
    if (first.empty()) { // so many from the end
      const auto n = number(last);
      if (!n)
        return {};
      if (const auto some = std::min(*n, size); some > 0)
        ranges.push_back({size - some, some});
      continue;
    }
    const auto begin = number(first);
    const auto end = last.empty() ? std::optional{UINT64_MAX} : number(last);
    if (!begin || !end || *end < *begin)
      return {};
    if (*begin < size)
      ranges.push_back({*begin, std::min(*end, size - 1) - *begin + 1});
  }
  if (asked == 0)
    return {};
  auto sorted = ranges;
  std::ranges::sort(sorted, {}, &file_range::begin);
  for (std::size_t i = 1; i < sorted.size(); ++i)
    if (sorted[i].begin < sorted[i - 1].begin + sorted[i - 1].size)
      return {};
  return ranges;
}

} // namespace troupe::detail
