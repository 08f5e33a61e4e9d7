#include <troupe/irc/case_mapping.hpp>

#include <algorithm>

namespace troupe::irc {

namespace {

char folded(char c, case_mapping how) noexcept {
  const char last = how == case_mapping::ascii ? 'Z' : how == case_mapping::rfc1459 ? '^' : ']';
  return c >= 'A' && c <= last ? static_cast<char>(c + ('a' - 'A')) : c;
}

} // namespace

std::string fold(std::string_view name, case_mapping how) {
  std::string small{name};
  for (auto& c : small)
    c = folded(c, how);
  return small;
}

bool same_name(std::string_view a, std::string_view b, case_mapping how) noexcept {
  return std::ranges::equal(a, b,
                            [how](char x, char y) { return folded(x, how) == folded(y, how); });
}

// Goes back to the last `*` only: what an earlier one could still take, that one can.
bool matches(std::string_view pattern, std::string_view text) noexcept {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

} // namespace troupe::irc
