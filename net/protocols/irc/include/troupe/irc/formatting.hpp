#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::irc {

/// How text looks. Colours are those of mIRC: 0 to 98, and -1 for the reader's own.
struct style {
  bool bold = false;
  bool italic = false;
  bool underline = false;
  bool strikethrough = false;
  bool monospace = false;
  bool reverse = false;
  int foreground = -1;
  int background = -1;

  friend bool operator==(const style&, const style&) = default;
};

/// A piece of text, and how it looks.
struct styled_text {
  style look;
  std::string text;

  friend bool operator==(const styled_text&, const styled_text&) = default;
};

/// Returns `text` in pieces of one style each, without the codes: bold 02, colour 03, hex colour 04 (read
/// and dropped), off 0f, monospace 11, reverse 16, italic 1d, strikethrough 1e, underline 1f. No piece is
/// empty, and neighbours differ.
///
/// Thread: any. Source: modern.ircdocs.horse/formatting; twisted.words.protocols.irc (parseFormattedText)
[[nodiscard]] std::vector<styled_text> parse_formatting(std::string_view text);

/// Returns `text` without codes.
[[nodiscard]] std::string strip_formatting(std::string_view text);

/// Returns text with codes, which `parse_formatting` reads back as these pieces, if none is empty and
/// neighbours differ. Digits and commas of the text are never taken for a part of a colour. Codes that are in
/// the pieces' texts are left out.
[[nodiscard]] std::string assemble_formatting(std::span<const styled_text> pieces);

/// Returns `text`, which a stranger sent, fit for the readers of IRC: UTF-8 without control characters, but
/// for the formatting codes above and, at its ends, the \x01 of CTCP. What is no UTF-8 becomes U+FFFD.
///
/// Where readers have no client of IRC, `printable(strip_formatting(text))` leaves no code at all.
[[nodiscard]] std::string clean_text(std::string_view text);

} // namespace troupe::irc
