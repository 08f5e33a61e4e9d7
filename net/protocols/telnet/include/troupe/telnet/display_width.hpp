#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace troupe {

/// Returns how many columns of a terminal a character takes: 0, 1 or 2. Control characters take none.
/// Source: Unicode's East Asian Width, as utf8proc has it
[[nodiscard]] std::size_t display_width(char32_t c) noexcept;

/// Returns the columns of a text, character by character.
[[nodiscard]] std::size_t display_width(std::u32string_view text) noexcept;
[[nodiscard]] std::size_t display_width(std::string_view utf8);

/// Returns the part of `utf8` that fits `columns`, from its beginning; control characters are left out.
[[nodiscard]] std::string fit_to_columns(std::string_view utf8, std::size_t columns);

/// Tells whether a reader sees `a` and `b`, which follow each other, as two characters: whether a cursor
/// may stand between them. `state` is that of the text so far, 0 at its beginning.
/// Source: Unicode's UAX 29, grapheme clusters
[[nodiscard]] bool breaks_between(char32_t a, char32_t b, int& state) noexcept;

/// Appends a character as UTF-8.
void append_utf8(std::string& to, char32_t c);

/// Returns the characters of a text; what is no UTF-8 becomes U+FFFD, byte by byte.
[[nodiscard]] std::u32string characters_of(std::string_view utf8);
[[nodiscard]] std::string utf8_of(std::u32string_view text);

} // namespace troupe
