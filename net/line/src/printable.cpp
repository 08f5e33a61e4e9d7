#include <troupe/net/printable.hpp>

#include <algorithm>
#include <cstring>

namespace troupe {

namespace {

constexpr char32_t broken = 0xffffffff;

struct character {
  char32_t code;    // or `broken`
  std::size_t size; // in bytes, at least one
};

// Reads what `text`, which is not empty, begins with. What is broken is as long as it could have been
// the beginning of something: Unicode 3.9, "U+FFFD substitution of maximal subparts".
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
    return {broken, 1};
  }
  char32_t code = first & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if (i == text.size() || at(i) < low || at(i) > high)
      return {broken, i};
    code = code << 6 | (at(i) & 0x3fu);
    low = 0x80;
    high = 0xbf;
  }
  return {code, size};
}

enum class kind { shown, separates, harmful };

constexpr bool within(char32_t c, char32_t first, char32_t last) noexcept {
  return c >= first && c <= last;
}

kind kind_of(char32_t c) noexcept {
  if (within(c, '\t', '\r') || c == 0x85 || c == 0x2028 || c == 0x2029)
    return kind::separates;
  const bool control = c < 0x20 || within(c, 0x7f, 0x9f);
  const bool reorders = within(c, 0x202a, 0x202e) || within(c, 0x2066, 0x2069);
  const bool deprecated = within(c, 0x206a, 0x206f) || c == 0xfeff || within(c, 0xfff9, 0xfffb);
  return control || reorders || deprecated ? kind::harmful : kind::shown;
}

// How much of `text` is plain ASCII from its beginning on; most text is, and is looked at eight bytes
// at once.
std::size_t plain_size(std::string_view text) noexcept {
  constexpr std::uint64_t each = 0x0101010101010101;
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t bytes;
    std::memcpy(&bytes, text.data() + i, sizeof bytes);
    if (((bytes | (bytes - each * 0x20) | (bytes + each)) & each * 0x80) != 0)
      break;
  }
  while (i < text.size() && within(static_cast<unsigned char>(text[i]), 0x20, 0x7e))
    ++i;
  return i;
}

} // namespace

bool is_printable(std::string_view text) noexcept {
  for (;;) {
    text.remove_prefix(plain_size(text));
    if (text.empty())
      return true;
    const auto c = next_character(text);
    if (c.code == broken || kind_of(c.code) != kind::shown)
      return false;
    text.remove_prefix(c.size);
  }
}

void append_printable(std::string& to, std::string_view text) {
  for (;;) {
    const auto plain = plain_size(text);
    to += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty())
      return;
    const auto c = next_character(text);
    if (c.code == broken)
      to += "\xef\xbf\xbd"; // U+FFFD
    else if (const auto k = kind_of(c.code); k == kind::shown)
      to += text.substr(0, c.size);
    else if (k == kind::separates)
      to += ' ';
    text.remove_prefix(c.size);
  }
}

std::string printable(std::string_view text) {
  std::string all;
  append_printable(all, text);
  return all;
}

std::string quoted_text(std::string_view text, std::size_t most) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto more = text.size() - std::min(text.size(), most);
  text.remove_suffix(more);
  std::string all{'"'};
  while (!text.empty()) {
    const auto c = next_character(text);
    const auto bytes = text.substr(0, c.size);
    text.remove_prefix(c.size);
    if (c.code == '"' || c.code == '\\')
      all.append(1, '\\').append(bytes);
    else if (c.code == '\r')
      all += "\\r";
    else if (c.code == '\n')
      all += "\\n";
    else if (c.code == '\t')
      all += "\\t";
    else if (c.code != broken && kind_of(c.code) == kind::shown)
      all += bytes;
    else if (c.code != broken && c.code > 0x9f) {
      all += "\\u{";
      for (int shift = c.code > 0xffff ? 20 : 12; shift >= 0; shift -= 4)
        all += digits[c.code >> shift & 15];
      all += '}';
    } else {
      for (const char b : bytes)
        all.append("\\x")
          .append(1, digits[static_cast<unsigned char>(b) >> 4])
          .append(1, digits[b & 15]);
    }
  }
  all += '"';
  if (more > 0)
    all += " and " + std::to_string(more) + " more bytes";
  return all;
}

} // namespace troupe
