#pragma once

#include <array>
#include <string_view>

namespace troupe::detail {

constexpr bool is_http_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

/// Tells for each byte whether it is a letter, a digit or one of `others`.
constexpr std::array<bool, 256> http_characters(std::string_view others) noexcept {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c)
    table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c)
    table[static_cast<std::size_t>(c)] = table[static_cast<std::size_t>(c - 32)] = true;
  for (const char c : others)
    table[static_cast<unsigned char>(c)] = true;
  return table;
}

} // namespace troupe::detail
