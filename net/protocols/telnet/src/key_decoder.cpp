#include <troupe/telnet/key_decoder.hpp>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include <troupe/telnet/display_width.hpp>

namespace troupe {

namespace {

constexpr char escape_byte = '\x1b';

key cursor_key(char last) {
  switch (last) {
  case 'A':
    return key::up;
  case 'B':
    return key::down;
  case 'C':
    return key::right;
  case 'D':
    return key::left;
  case 'E':
    return key::center;
  case 'F':
    return key::end;
  case 'H':
    return key::home;
  case 'Z':
    return key::back_tab;
  default:
    return key::unknown;
  }
}

// CSI number ~; 0 is no function key.
std::pair<key, std::uint8_t> numbered_key(unsigned number) {
  switch (number) {
  case 1:
  case 7:
    return {key::home, 0};
  case 2:
    return {key::insert, 0};
  case 3:
    return {key::del, 0};
  case 4:
  case 8:
    return {key::end, 0};
  case 5:
    return {key::page_up, 0};
  case 6:
    return {key::page_down, 0};
  default:
    break;
  }
  // The numbers leave gaps: 11 to 15 are F1 to F5, 17 to 21 F6 to F10, 23 to 26, 28, 29, 31 to 34.
  static constexpr std::array<std::uint8_t, 20> numbers{11, 12, 13, 14, 15, 17, 18, 19, 20, 21,
                                                        23, 24, 25, 26, 28, 29, 31, 32, 33, 34};
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (numbers[i] == number)
      return {key::function, static_cast<std::uint8_t>(i + 1)};
  return {key::unknown, 0};
}

} // namespace

std::size_t key_decoder::feed(std::string_view bytes, const taker& to) {
  for (std::size_t i = 0; i < bytes.size(); ++i)
    if (!take(bytes[i], to))
      return i + 1;
  return bytes.size();
}

bool key_decoder::take(char c, const taker& to) {
  const auto byte = static_cast<std::uint8_t>(c);
  switch (state_) {
  case state::ground:
    return take_ground(c, to);
  case state::escape:
    return take_escape(c, to);
  case state::utf8:
    return take_utf8(c, to);
  case state::ss3: {
    kept_ += c;
    key_event e{.what = cursor_key(c)};
    if (c >= 'P' && c <= 'S') {
      e.what = key::function;
      e.number = static_cast<std::uint8_t>(c - 'P' + 1);
    } else if (c == 'M') {
      e.what = key::enter;
    }
    return finish(e, to);
  }
  case state::console: { // the Linux console's F1 to F5: CSI [ A
    kept_ += c;
    key_event e;
    if (c >= 'A' && c <= 'E') {
      e.what = key::function;
      e.number = static_cast<std::uint8_t>(c - 'A' + 1);
    }
    return finish(e, to);
  }
  case state::csi:
    if (byte < 0x20 || byte >= 0x7f) { // broken off
      if (!finish({}, to))
        return false; // and this byte is lost with it
      return take(c, to);
    }
    kept_ += c;
    if (c == '[' && kept_.size() == 3) {
      state_ = state::console;
      return true;
    }
    if (c >= '@')
      return finish_csi(c, to);
    return kept_.size() < longest || finish({}, to);
  }
  return true;
}

bool key_decoder::take_ground(char c, const taker& to) {
  const auto byte = static_cast<std::uint8_t>(c);
  const char after = std::exchange(after_, '\0');
  if (after == '\r' && (c == '\n' || c == '\0'))
    return true;
  kept_ += c;
  if (c == escape_byte) {
    state_ = state::escape;
    return true;
  }
  key_event e{.what = key::character, .character = byte};
  if (c == '\r' || c == '\n') {
    after_ = c;
    e = {.what = key::enter};
  } else if (c == '\t') {
    e = {.what = key::tab};
  } else if (c == '\b' || c == 0x7f) {
    e = {.what = key::backspace};
  } else if (byte < 0x20) {
    e.ctrl = true;
    e.character = byte == 0 ? U' ' : byte < 27 ? U'a' + (byte - 1) : U'@' + byte;
  } else if (byte >= 0x80) {
    missing_ = byte >= 0xc2 && byte < 0xe0   ? 1
               : byte >= 0xe0 && byte < 0xf0 ? 2
               : byte >= 0xf0 && byte < 0xf5 ? 3
                                             : 0;
    if (missing_ > 0) {
      state_ = state::utf8;
      return true;
    }
    e.character = U'\ufffd';
  }
  e.alt = alt_;
  return finish(e, to);
}

bool key_decoder::take_utf8(char c, const taker& to) {
  if ((static_cast<std::uint8_t>(c) & 0xc0) != 0x80) { // broken off
    if (!finish({.what = key::character, .character = U'\ufffd', .alt = alt_}, to))
      return false;
    return take(c, to);
  }
  kept_ += c;
  if (--missing_ > 0)
    return true;
  const auto begin = kept_.front() == escape_byte ? 1 : 0;
  const auto decoded = characters_of(std::string_view{kept_}.substr(begin));
  const char32_t character = decoded.size() == 1 ? decoded.front() : U'\ufffd';
  const bool control = character >= 0x80 && character < 0xa0;
  return finish(
    {.what = control ? key::unknown : key::character, .character = character, .alt = alt_}, to);
}

bool key_decoder::take_escape(char c, const taker& to) {
  if (c == escape_byte) { // the first was a key
    if (!finish({.what = key::escape}, to))
      return false;
    return take(c, to);
  }
  if (c == '[' || c == 'O') {
    kept_ += c;
    state_ = c == '[' ? state::csi : state::ss3;
    return true;
  }
  alt_ = true;
  state_ = state::ground;
  return take_ground(c, to);
}

bool key_decoder::finish_csi(char last, const taker& to) {
  unsigned numbers[2] = {0, 0};
  std::size_t count = 0;
  bool plain = true;
  for (const char c : std::string_view{kept_}.substr(2, kept_.size() - 3)) {
    if (c >= '0' && c <= '9' && count < 2)
      numbers[count] = std::min(numbers[count] * 10 + static_cast<unsigned>(c - '0'), 65535U);
    else if (c == ';')
      ++count;
    else
      plain = false;
  }
  if (!plain || count > 1)
    return finish({}, to);
  key_event e;
  if (last == '~') {
    std::tie(e.what, e.number) = numbered_key(numbers[0]);
  } else if (last == 'R' && count == 1 && numbers[0] > 0 && numbers[1] > 0) {
    e.what = key::position;
    e.row = static_cast<std::uint16_t>(numbers[0] - 1);
    e.column = static_cast<std::uint16_t>(numbers[1] - 1);
    return finish(e, to);
  } else if (last >= 'P' && last <= 'S') {
    e.what = key::function;
    e.number = static_cast<std::uint8_t>(last - 'P' + 1);
  } else {
    e.what = cursor_key(last);
  }
  if (count == 1 && numbers[1] > 1 && numbers[1] <= 8) {
    e.shift = ((numbers[1] - 1) & 1) != 0;
    e.alt = ((numbers[1] - 1) & 2) != 0;
    e.ctrl = ((numbers[1] - 1) & 4) != 0;
  }
  return finish(e, to);
}

bool key_decoder::finish(key_event event, const taker& to) {
  const auto bytes = std::exchange(kept_, {});
  event.bytes = bytes;
  state_ = state::ground;
  alt_ = false;
  return to(event);
}

void key_decoder::timed_out(const taker& to) {
  switch (state_) {
  case state::ground:
    return;
  case state::escape:
    return void(finish({.what = key::escape}, to));
  case state::utf8:
    return void(finish({.what = key::character, .character = U'\ufffd', .alt = alt_}, to));
  default:
    if (kept_.size() == 2) // ESC and one more: Alt with it
      return void(finish(
        {.what = key::character, .character = static_cast<char32_t>(kept_[1]), .alt = true}, to));
    finish({}, to);
  }
}

} // namespace troupe
