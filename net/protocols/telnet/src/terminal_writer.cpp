#include <troupe/telnet/terminal_writer.hpp>

namespace troupe {

terminal_writer& terminal_writer::counted(std::size_t n, char last) {
  if (n == 0)
    return *this;
  out_ += "\x1b[";
  if (n > 1)
    out_ += std::to_string(n);
  out_ += last;
  return *this;
}

terminal_writer& terminal_writer::cursor_position(std::size_t column, std::size_t row) {
  out_.append("\x1b[").append(std::to_string(row + 1)).append(";");
  out_.append(std::to_string(column + 1)) += 'H';
  return *this;
}

terminal_writer& terminal_writer::set_scroll_region(std::size_t first, std::size_t last) {
  out_.append("\x1b[").append(std::to_string(first + 1)).append(";");
  out_.append(std::to_string(last + 1)) += 'r';
  return *this;
}

terminal_writer& terminal_writer::select_character_set(char set, std::size_t which) {
  out_.append(which == 0 ? "\x1b(" : "\x1b)") += set;
  return *this;
}

terminal_writer& terminal_writer::mode(unsigned number, bool on) {
  out_.append("\x1b[").append(std::to_string(number)) += on ? 'h' : 'l';
  return *this;
}

terminal_writer& terminal_writer::private_mode(unsigned number, bool on) {
  out_.append("\x1b[?").append(std::to_string(number)) += on ? 'h' : 'l';
  return *this;
}

terminal_writer&
terminal_writer::select_graphic_rendition(std::initializer_list<unsigned> attributes) {
  out_ += "\x1b[";
  const char* separator = "";
  for (const auto a : attributes) {
    out_.append(separator).append(std::to_string(a));
    separator = ";";
  }
  out_ += 'm';
  return *this;
}

terminal_writer& terminal_writer::foreground(terminal_color c) {
  return select_graphic_rendition({30 + static_cast<unsigned>(c)});
}

terminal_writer& terminal_writer::background(terminal_color c) {
  return select_graphic_rendition({40 + static_cast<unsigned>(c)});
}

terminal_writer& terminal_writer::foreground(std::uint8_t of_256) {
  return select_graphic_rendition({38, 5, of_256});
}

terminal_writer& terminal_writer::foreground(std::uint8_t red, std::uint8_t green,
                                             std::uint8_t blue) {
  return select_graphic_rendition({38, 2, red, green, blue});
}

} // namespace troupe
