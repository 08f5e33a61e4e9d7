#include <troupe/runtime/detail/utf8.hpp>

namespace troupe::detail {

character next_character(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) {
    return static_cast<unsigned char>(text[i]);
  };
  const auto first = at(0);
  if (first < 0x80)
    return {first, 1};
  std::size_t size = 0;
  unsigned char low = 0x80, high = 0xbf; // of the second byte
  if (first >= 0xc2 && first <= 0xdf) {
    size = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    size = 3;
    if (first == 0xe0) // shorter forms are
      low = 0xa0;
    else if (first == 0xed) // surrogates
      high = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    size = 4;
    if (first == 0xf0)
      low = 0x90;
    else if (first == 0xf4) // beyond U+10FFFF
      high = 0x8f;
  } else {
    return {character::broken, 1};
  }
  char32_t code = first & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if (i == text.size() || at(i) < low || at(i) > high)
      return {character::broken, i};
    code = code << 6 | (at(i) & 0x3fu);
    low = 0x80;
    high = 0xbf;
  }
  return {code, size};
}

void append_hex(std::string& to, std::uint32_t value, int digits) {
  for (int i = digits - 1; i >= 0; --i)
    to += "0123456789abcdef"[value >> 4 * i & 0xf];
}

void append_escaped(std::string& to, std::string_view bytes) {
  for (const char b : bytes) {
    to += "\\x";
    append_hex(to, static_cast<unsigned char>(b), 2);
  }
}

} // namespace troupe::detail
