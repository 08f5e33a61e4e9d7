#include "names.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include <utf8proc.h>

namespace {

struct with_free {
  void operator()(utf8proc_uint8_t* p) const noexcept { std::free(p); }
};

// Maps `text`. What is no UTF-8 stays as it is.
std::string mapped(std::string_view text, int options) {
  utf8proc_uint8_t* made = nullptr;
  const auto size =
    utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                 static_cast<utf8proc_ssize_t>(text.size()), &made,
                 static_cast<utf8proc_option_t>(options | UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, with_free> owner{made};
  if (size == UTF8PROC_ERROR_INVALIDUTF8)
    return std::string{text};
  if (size < 0)
    throw std::bad_alloc{};
  return {reinterpret_cast<const char*>(made), static_cast<std::size_t>(size)};
}

// Calls `fn` with each character of `text` and its bytes; returns false where it is no UTF-8.
template <class F>
bool each_character(std::string_view text, F fn) {
  while (!text.empty()) {
    utf8proc_int32_t c = 0;
    const auto size = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                       static_cast<utf8proc_ssize_t>(text.size()), &c);
    if (size <= 0)
      return false;
    fn(c, text.substr(0, static_cast<std::size_t>(size)));
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

bool is_blank(utf8proc_int32_t c) {
  return c == '\t' || c == 0x2800 // a pattern without dots
         || utf8proc_category(c) == UTF8PROC_CATEGORY_ZS;
}

bool is_joiner(utf8proc_int32_t c) {
  return c == 0x200c || c == 0x200d || c == 0xfe0e || c == 0xfe0f;
}

bool is_invisible(utf8proc_int32_t c) {
  return utf8proc_get_property(c)->ignorable;
}

bool is_mark(utf8proc_int32_t c) {
  const auto category = utf8proc_category(c);
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC
         || category == UTF8PROC_CATEGORY_ME;
}

bool is_unprintable(utf8proc_int32_t c) {
  switch (utf8proc_category(c)) {
  case UTF8PROC_CATEGORY_CC:
  case UTF8PROC_CATEGORY_CS:
  case UTF8PROC_CATEGORY_CO:
  case UTF8PROC_CATEGORY_ZL:
  case UTF8PROC_CATEGORY_ZP:
    return true;
  default:
    return (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef) // no characters
           || (c >= 0xfff9 && c <= 0xfffb);
  }
}

std::size_t clusters(std::string_view text) {
  std::size_t count = 0;
  utf8proc_int32_t before = -1, state = 0;
  each_character(text, [&](utf8proc_int32_t c, std::string_view) {
    if (before < 0 || utf8proc_grapheme_break_stateful(before, c, &state))
      ++count;
    before = c;
  });
  return count;
}

checked_name check(std::string_view text, bool of_user) {
  // A line may be long, and what would be cut off is not worth looking at.
  if (text.size() > 16 * longest_name_bytes)
    return {{}, name_fault::too_long};
  std::string shown; // without what is invisible
  bool space = false, unprintable = false, seen = false;
  const bool well_formed = each_character(text, [&](utf8proc_int32_t c, std::string_view bytes) {
    if (is_blank(c)) {
      space = seen;
    } else if (is_unprintable(c)) {
      unprintable = true;
    } else if (!is_invisible(c) || (seen && !space && is_joiner(c))) {
      if (space)
        shown += ' ';
      space = false;
      unprintable |= !seen && is_mark(c); // it would sit on what is in front of the name
      seen = true;
      shown += bytes;
    }
  });
  if (!well_formed || unprintable)
    return {{}, name_fault::unprintable};
  auto name = mapped(shown, 0);
  const auto look = look_of(name);
  if (look.empty())
    return {{}, name_fault::empty};
  if (name.size() > longest_name_bytes || clusters(name) > longest_name)
    return {{}, name_fault::too_long};
  if (of_user && look.find_first_of("<>[],") != std::string::npos)
    return {{}, name_fault::ambiguous};
  return {std::move(name), name_fault::none};
}

} // namespace

checked_name check_room_name(std::string_view text) {
  return check(text, false);
}

checked_name check_user_name(std::string_view text) {
  return check(text, true);
}

std::string look_of(std::string_view name) {
  const bool plain =
    std::ranges::all_of(name, [](char c) { return c >= ' ' && c < 0x7f; }); // most are
  if (!plain)
    return mapped(name, UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
  std::string look{name};
  for (auto& c : look)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return look;
}
