#include <troupe/telnet/display_width.hpp>

#include <utf8proc.h>

namespace troupe {

std::size_t display_width(char32_t c) noexcept {
  if (c < 0x7f)
    return c >= ' ' ? 1 : 0;
  const auto width = utf8proc_charwidth(static_cast<utf8proc_int32_t>(c));
  return width > 0 ? static_cast<std::size_t>(width) : 0;
}

std::size_t display_width(std::u32string_view text) noexcept {
  std::size_t sum = 0;
  for (const char32_t c : text)
    sum += display_width(c);
  return sum;
}

std::size_t display_width(std::string_view utf8) {
  return display_width(characters_of(utf8));
}

std::string fit_to_columns(std::string_view utf8, std::size_t columns) {
  std::string fitting;
  for (const char32_t c : characters_of(utf8)) {
    const auto width = display_width(c);
    if (c < ' ' || (c >= 0x7f && c < 0xa0))
      continue;
    if (width > columns)
      break;
    columns -= width;
    append_utf8(fitting, c);
  }
  return fitting;
}

bool breaks_between(char32_t a, char32_t b, int& state) noexcept {
  return utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(a),
                                          static_cast<utf8proc_int32_t>(b), &state);
}

void append_utf8(std::string& to, char32_t c) {
  utf8proc_uint8_t bytes[4];
  const auto size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes);
  to.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

std::u32string characters_of(std::string_view utf8) {
  std::u32string all;
  all.reserve(utf8.size());
  while (!utf8.empty()) {
    utf8proc_int32_t c = 0;
    const auto used = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(utf8.data()),
                                       static_cast<utf8proc_ssize_t>(utf8.size()), &c);
    all += used > 0 ? static_cast<char32_t>(c) : U'\ufffd';
    utf8.remove_prefix(used > 0 ? static_cast<std::size_t>(used) : 1);
  }
  return all;
}

std::string utf8_of(std::u32string_view text) {
  std::string all;
  all.reserve(text.size());
  for (const char32_t c : text)
    append_utf8(all, c);
  return all;
}

} // namespace troupe
