#include <algorithm>

#include <troupe/telnet/display_width.hpp>
#include <troupe/telnet/terminal_buffer.hpp>

namespace troupe {

namespace {

constexpr std::size_t longest_sequence = 256, most_numbers = 16;
constexpr char esc_byte = '\x1b';

} // namespace

void terminal_buffer::write(std::string_view bytes) {
  for (const char c : bytes)
    take(c);
}

void terminal_buffer::write_text(std::string_view text) {
  for (const char c : text) {
    if (c == '\n')
      take('\r');
    take(c);
  }
}

void terminal_buffer::take(char c) {
  const auto byte = static_cast<std::uint8_t>(c);
  if (state_ == state::utf8) {
    if ((byte & 0xc0) == 0x80)
      return put_byte_of_utf8(c);
    state_ = state::ground;
    put(U'\ufffd');
  }
  if (state_ == state::string
      || state_ == state::string_escape) { // a title, say: up to ESC \ or BEL
    if (c == '\a' || byte == 0x18 || byte == 0x1a || (state_ == state::string_escape && c == '\\'))
      state_ = state::ground;
    else
      state_ = c == esc_byte ? state::string_escape : state::string;
    return;
  }
  if (c == esc_byte) {
    state_ = state::escape;
    sequence_.clear();
    return;
  }
  if (byte < 0x20 || byte == 0x7f) // also in the middle of a sequence
    return take_control(c);
  switch (state_) {
  case state::escape:
    return take_escape(c);
  case state::intermediate:
    state_ = state::ground;
    if (sequence_ == "(" || sequence_ == ")")
      set_[sequence_ == "(" ? 0 : 1] = c;
    return;
  case state::csi:
    if (c >= '@') {
      state_ = state::ground;
      if (c < 0x7f && sequence_.size() < longest_sequence)
        take_csi(c);
    } else if (sequence_.size() < longest_sequence) {
      sequence_ += c;
    }
    return;
  default:
    if (byte < 0x80)
      return put(byte);
    sequence_.clear();
    missing_ = byte >= 0xf0 && byte < 0xf5   ? 3
               : byte >= 0xe0 && byte < 0xf0 ? 2
               : byte >= 0xc2 && byte < 0xe0 ? 1
                                             : 0;
    if (missing_ == 0)
      return put(U'\ufffd');
    state_ = state::utf8;
    sequence_ += c;
  }
}

void terminal_buffer::put_byte_of_utf8(char c) {
  sequence_ += c;
  if (--missing_ > 0)
    return;
  state_ = state::ground;
  const auto decoded = characters_of(sequence_);
  put(decoded.size() == 1 ? decoded.front() : U'\ufffd');
}

void terminal_buffer::take_control(char c) {
  switch (c) {
  case '\b':
    column_ = cursor_column();
    column_ -= column_ > 0 ? 1 : 0;
    return;
  case '\t':
    return tabulate();
  case '\n':
  case '\v':
  case '\f':
    return line_feed();
  case '\r':
    column_ = 0;
    return;
  case '\x0e':
  case '\x0f':
    shifted_ = c == '\x0e' ? 1 : 0;
    return;
  case '\x18':
  case '\x1a':
    state_ = state::ground;
    return;
  default:
    return;
  }
}

void terminal_buffer::take_escape(char c) {
  state_ = state::ground;
  switch (c) {
  case '[':
    state_ = state::csi;
    return;
  case ']':
  case 'P':
  case 'X':
  case '^':
  case '_':
    state_ = state::string;
    return;
  case 'D':
    return line_feed();
  case 'E':
    column_ = 0;
    return line_feed();
  case 'M':
    return reverse_feed();
  case 'H':
    tabs_[cursor_column()] = true;
    return;
  case '7':
    saved_ = {column_, row_, attributes_, origin_};
    return;
  case '8':
    attributes_ = saved_.attributes;
    origin_ = saved_.origin;
    column_ = std::min<std::size_t>(saved_.column, size_.columns - 1U);
    row_ = std::min<std::size_t>(saved_.row, size_.rows - 1U);
    return;
  case 'c':
    return reset();
  default:
    if (c < '0') { // one more comes
      sequence_ = c;
      state_ = state::intermediate;
    }
  }
}

unsigned terminal_buffer::number(std::size_t i, unsigned otherwise) const {
  return i < numbers_.size() && numbers_[i] != 0 ? numbers_[i] : otherwise;
}

void terminal_buffer::take_csi(char last) {
  numbers_.assign(1, 0);
  private_ = sequence_.starts_with('?');
  for (const char c : std::string_view{sequence_}.substr(private_ ? 1 : 0)) {
    if (c >= '0' && c <= '9')
      numbers_.back() = std::min(numbers_.back() * 10 + static_cast<unsigned>(c - '0'), 65535U);
    else if (c == ';' || c == ':')
      numbers_.size() < most_numbers ? numbers_.push_back(0) : void();
    else
      return; // of a kind that is not known
  }
  if (private_ && last != 'h' && last != 'l')
    return;
  const std::size_t n = number(0, 1);
  const std::size_t top = row_ >= top_ ? top_ : 0;
  const std::size_t bottom = row_ <= bottom_ ? bottom_ : size_.rows - 1U;
  switch (last) {
  case 'A':
    return move(cursor_column(), row_ - std::min(n, row_ - top));
  case 'B':
    return move(cursor_column(), std::min(row_ + n, bottom));
  case 'C':
    return move(cursor_column() + n, row_);
  case 'D':
    return move(cursor_column() - std::min(n, cursor_column()), row_);
  case 'E':
    return move(0, std::min(row_ + n, bottom));
  case 'F':
    return move(0, row_ - std::min(n, row_ - top));
  case 'G':
    return move(n - 1, row_);
  case 'd':
    return move(cursor_column(), n - 1);
  case 'H':
  case 'f':
    return move(number(1, 1) - 1, number(0, 1) - 1 + (origin_ ? top_ : 0));
  case 'J':
    return erase_display(numbers_[0]);
  case 'K':
    return erase(row_, numbers_[0] == 0 ? cursor_column() : 0,
                 numbers_[0] == 1 ? cursor_column() + 1 : size_.columns);
  case '@':
    return shift(n, true);
  case 'P':
    return shift(n, false);
  case 'X':
    return erase(row_, cursor_column(), std::min<std::size_t>(cursor_column() + n, size_.columns));
  case 'L':
  case 'M':
    if (row_ >= top_ && row_ <= bottom_)
      scroll(row_, last == 'L' ? -static_cast<std::ptrdiff_t>(n) : static_cast<std::ptrdiff_t>(n));
    column_ = 0;
    return;
  case 'S':
    return scroll(top_, static_cast<std::ptrdiff_t>(n));
  case 'T':
    return scroll(top_, -static_cast<std::ptrdiff_t>(n));
  case 'g':
    if (numbers_[0] == 3)
      tabs_.assign(size_.columns, false);
    else if (numbers_[0] == 0)
      tabs_[cursor_column()] = false;
    return;
  case 'h':
  case 'l':
    return set_mode(last == 'h');
  case 'm':
    return set_attributes();
  case 'n':
    if (numbers_[0] == 6 && answers)
      answers("\x1b[" + std::to_string(row_ + 1) + ';' + std::to_string(cursor_column() + 1) + 'R');
    return;
  case 'r': {
    const std::size_t first = number(0, 1) - 1;
    const std::size_t end = std::min<std::size_t>(number(1, size_.rows), size_.rows);
    if (first + 1 >= end)
      return;
    top_ = first;
    bottom_ = end - 1;
    return move(0, origin_ ? top_ : 0);
  }
  default:
    return;
  }
}

void terminal_buffer::set_mode(bool on) {
  for (const auto n : numbers_) {
    if (!private_ && n == 4)
      inserts_ = on;
    else if (private_ && n == 6)
      origin_ = on;
    else if (private_ && n == 7)
      wraps_ = on;
    else if (private_ && n == 25)
      cursor_visible_ = on;
  }
}

void terminal_buffer::set_attributes() {
  for (std::size_t i = 0; i < numbers_.size(); ++i) {
    const auto n = numbers_[i];
    auto& a = attributes_;
    auto& color = n >= 40 && n < 50 ? a.background : a.foreground;
    if (n == 0)
      a = {};
    else if (n == 1 || n == 22)
      a.bold = n == 1;
    else if (n == 4 || n == 24)
      a.underline = n == 4;
    else if (n == 5 || n == 25)
      a.blink = n == 5;
    else if (n == 7 || n == 27)
      a.reverse = n == 7;
    else if ((n >= 30 && n <= 37) || (n >= 40 && n <= 47))
      color = n % 10;
    else if (n == 39 || n == 49)
      color = terminal_attributes::usual;
    else if (n >= 90 && n <= 97)
      a.foreground = n - 90 + 8;
    else if (n >= 100 && n <= 107)
      a.background = n - 100 + 8;
    else if ((n == 38 || n == 48) && number(i + 1, 0) == 5 && i + 2 < numbers_.size()) {
      color = std::min(numbers_[i + 2], 255U);
      i += 2;
    } else if ((n == 38 || n == 48) && number(i + 1, 0) == 2 && i + 4 < numbers_.size()) {
      color = terminal_attributes::rgb;
      for (std::size_t k = 2; k < 5; ++k)
        color |= std::min(numbers_[i + k], 255U) << (8 * (4 - k));
      i += 4;
    }
  }
}

} // namespace troupe
