#include <troupe/irc/formatting.hpp>

#include <utility>

#include <troupe/net/printable.hpp>

namespace troupe::irc {

namespace {

constexpr char bold = 0x02, colour = 0x03, hex_colour = 0x04, off = 0x0f, monospace = 0x11,
               reverse = 0x16, italic = 0x1d, strikethrough = 0x1e, underline = 0x1f;
constexpr std::string_view codes = "\x02\x03\x04\x0f\x11\x16\x1d\x1e\x1f";

bool digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

bool hex_digit(char c) noexcept {
  return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Takes one or two digits: a colour, or -1 for the reader's own.
int take_colour(std::string_view& text) noexcept {
  int value = 0;
  for (int i = 0; i < 2 && !text.empty() && digit(text.front()); ++i) {
    value = value * 10 + (text.front() - '0');
    text.remove_prefix(1);
  }
  return value == 99 ? -1 : value;
}

void take_colours(std::string_view& text, style& now) noexcept {
  if (text.empty() || !digit(text.front())) {
    now.foreground = now.background = -1;
    return;
  }
  now.foreground = take_colour(text);
  if (text.size() > 1 && text[0] == ',' && digit(text[1])) {
    text.remove_prefix(1);
    now.background = take_colour(text);
  }
}

bool six_digits(std::string_view text) noexcept {
  for (std::size_t i = 0; i < 6; ++i)
    if (i >= text.size() || !hex_digit(text[i]))
      return false;
  return true;
}

void drop_hex_colours(std::string_view& text) noexcept {
  if (!six_digits(text))
    return;
  text.remove_prefix(6);
  if (!text.empty() && text.front() == ',' && six_digits(text.substr(1)))
    text.remove_prefix(7);
}

// Takes what is behind `code`, and changes `now`.
void take_code(char code, std::string_view& text, style& now) noexcept {
  const auto toggle = [](bool& what) {
    what = !what;
  };
  switch (code) {
  case bold:
    return toggle(now.bold);
  case colour:
    return take_colours(text, now);
  case hex_colour:
    return drop_hex_colours(text);
  case off:
    now = {};
    return;
  case monospace:
    return toggle(now.monospace);
  case reverse:
    return toggle(now.reverse);
  case italic:
    return toggle(now.italic);
  case strikethrough:
    return toggle(now.strikethrough);
  default:
    return toggle(now.underline);
  }
}

// Calls `piece(style, text)` with what is between codes.
template <class F>
void each_piece(std::string_view text, F piece) {
  style now;
  while (!text.empty()) {
    const auto plain = text.substr(0, text.find_first_of(codes));
    if (!plain.empty())
      piece(now, plain);
    text.remove_prefix(plain.size());
    if (text.empty())
      return;
    const char code = text.front();
    text.remove_prefix(1);
    take_code(code, text, now);
  }
}

void append_two_digits(std::string& to, int number) {
  to += static_cast<char>('0' + number / 10);
  to += static_cast<char>('0' + number % 10);
}

void turn_on(std::string& to, const style& look, bool comma_follows) {
  const std::pair<bool, char> all[] = {
    {look.bold, bold},           {look.italic, italic},
    {look.underline, underline}, {look.strikethrough, strikethrough},
    {look.monospace, monospace}, {look.reverse, reverse}};
  for (const auto& [is, code] : all)
    if (is)
      to += code;
  if (look.foreground < 0 && look.background < 0)
    return;
  const auto number = [](int c) {
    return c >= 0 && c < 99 ? c : 99;
  };
  to += colour;
  append_two_digits(to, number(look.foreground));
  if (look.background >= 0 || comma_follows) {
    to += ',';
    append_two_digits(to, number(look.background));
  }
}

} // namespace

std::vector<styled_text> parse_formatting(std::string_view text) {
  std::vector<styled_text> pieces;
  each_piece(text, [&](const style& look, std::string_view piece) {
    if (!pieces.empty() && pieces.back().look == look)
      pieces.back().text += piece;
    else
      pieces.push_back({look, std::string{piece}});
  });
  return pieces;
}

std::string strip_formatting(std::string_view text) {
  std::string plain;
  each_piece(text, [&](const style&, std::string_view piece) { plain += piece; });
  return plain;
}

std::string assemble_formatting(std::span<const styled_text> pieces) {
  std::string all;
  style now;
  for (const auto& piece : pieces) {
    std::string text;
    for (const char c : piece.text)
      if (codes.find(c) == std::string_view::npos)
        text += c;
    if (text.empty())
      continue;
    if (piece.look != now) {
      if (now != style{})
        all += off;
      turn_on(all, piece.look, text.front() == ',');
      now = piece.look;
    }
    all += text;
  }
  return all;
}

std::string clean_text(std::string_view text) {
  constexpr char ctcp = 0x01;
  std::string clean;
  const bool request = !text.empty() && text.front() == ctcp;
  if (request) {
    clean += ctcp;
    text.remove_prefix(1);
  }
  const bool ends = request && !text.empty() && text.back() == ctcp;
  if (ends)
    text.remove_suffix(1);
  while (!text.empty()) {
    const auto plain = text.substr(0, text.find_first_of(codes));
    append_printable(clean, plain);
    text.remove_prefix(plain.size());
    if (!text.empty()) {
      clean += text.front();
      text.remove_prefix(1);
    }
  }
  if (ends)
    clean += ctcp;
  return clean;
}

} // namespace troupe::irc
