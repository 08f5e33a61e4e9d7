#include <troupe/net/printable.hpp>

#include <algorithm>
#include <cstring>

#include <troupe/runtime/detail/utf8.hpp>

namespace troupe {

namespace {

using detail::append_escaped;
using detail::append_hex;
using detail::character;
using detail::next_character;

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

// Has the highest bit of a byte set where that byte of `at` is no plain ASCII, and perhaps in bytes above that.
std::uint64_t not_plain(const char* at) noexcept {
  constexpr std::uint64_t each = 0x0101010101010101;
  std::uint64_t bytes;
  std::memcpy(&bytes, at, sizeof bytes);
  return (bytes | (bytes - each * 0x20) | (bytes + each)) & each * 0x80;
}

// How much of `text` is plain ASCII from its beginning on; most text is, and is looked at two times eight bytes
// at once, some of the last ones twice.
std::size_t plain_size(std::string_view text) noexcept {
  constexpr std::size_t word = 8;
  const auto are_plain = [&](std::size_t a, std::size_t b) {
    return (not_plain(text.data() + a) | not_plain(text.data() + b)) == 0;
  };
  std::size_t i = 0;
  if (text.size() >= word) {
    const auto last = text.size() - word;
    while (i + 2 * word <= text.size() && are_plain(i, i + word))
      i += 2 * word;
    if (i == text.size() || (text.size() - i < 2 * word && are_plain(std::min(i, last), last)))
      return text.size();
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
    if (c.code == character::broken || kind_of(c.code) != kind::shown)
      return false;
    text.remove_prefix(c.size);
  }
}

void append_printable(std::string& to, std::string_view text) {
  for (;;) {
    const auto plain = plain_size(text);
    to.append(text.data(), plain);
    if (plain == text.size()) [[likely]]
      return;
    text.remove_prefix(plain);
    const auto c = next_character(text);
    if (c.code == character::broken)
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
    else if (c.code != character::broken && kind_of(c.code) == kind::shown)
      all += bytes;
    else if (c.code != character::broken && c.code > 0x9f) {
      all += "\\u{";
      append_hex(all, c.code, c.code > 0xffff ? 6 : 4);
      all += '}';
    } else {
      append_escaped(all, bytes);
    }
  }
  all += '"';
  if (more > 0)
    all += " and " + std::to_string(more) + " more bytes";
  return all;
}

} // namespace troupe
