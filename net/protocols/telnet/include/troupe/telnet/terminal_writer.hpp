#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace troupe {

/// The eight colours that every terminal has.
enum class terminal_color : std::uint8_t { black, red, green, yellow, blue, magenta, cyan, white };

/// Writes what moves a terminal's cursor and changes its screen, behind each other, into a string.
///
/// ```cpp
/// std::string out;
/// troupe::terminal_writer{out}.cursor_position(0, 5).bold().text("here").normal();
/// transport().write(out);
/// ```
///
/// Rows and columns are counted from 0. A count of 0 writes nothing.
///
/// Thread: one at a time. Source: ECMA-48, DEC VT100; twisted.conch.insults.insults.ServerProtocol
class terminal_writer {
public:
  explicit terminal_writer(std::string& out) noexcept : out_(out) {}

  terminal_writer& text(std::string_view t) { return raw(t); }

  // -- the cursor -------------------------------------------------------------------------------
  terminal_writer& cursor_position(std::size_t column, std::size_t row);
  terminal_writer& cursor_up(std::size_t n = 1) { return counted(n, 'A'); }
  terminal_writer& cursor_down(std::size_t n = 1) { return counted(n, 'B'); }
  terminal_writer& cursor_forward(std::size_t n = 1) { return counted(n, 'C'); }
  terminal_writer& cursor_backward(std::size_t n = 1) { return counted(n, 'D'); }
  terminal_writer& cursor_home() { return raw("\x1b[H"); }
  terminal_writer& index() {
    return raw("\x1b"
               "D");
  }                                                         ///< down, scrolling
  terminal_writer& reverse_index() { return raw("\x1bM"); } ///< up, scrolling
  terminal_writer& next_line() {
    return raw("\x1b"
               "E");
  }
  terminal_writer& save_cursor() {
    return raw("\x1b"
               "7");
  }
  terminal_writer& restore_cursor() {
    return raw("\x1b"
               "8");
  }
  terminal_writer& report_cursor_position() { return raw("\x1b[6n"); } ///< `key::position` answers
  terminal_writer& show_cursor(bool on) { return private_mode(25, on); }

  // -- the screen -------------------------------------------------------------------------------
  terminal_writer& erase_to_line_end() { return raw("\x1b[K"); }
  terminal_writer& erase_to_line_beginning() { return raw("\x1b[1K"); }
  terminal_writer& erase_line() { return raw("\x1b[2K"); }
  terminal_writer& erase_to_display_end() { return raw("\x1b[J"); }
  terminal_writer& erase_to_display_beginning() { return raw("\x1b[1J"); }
  terminal_writer& erase_display() { return raw("\x1b[2J"); }
  terminal_writer& insert_character(std::size_t n = 1) { return counted(n, '@'); }
  terminal_writer& delete_character(std::size_t n = 1) { return counted(n, 'P'); }
  terminal_writer& insert_line(std::size_t n = 1) { return counted(n, 'L'); }
  terminal_writer& delete_line(std::size_t n = 1) { return counted(n, 'M'); }

  /// Lets the rows from `first` to `last`, both included, scroll by themselves; moves the cursor home.
  terminal_writer& set_scroll_region(std::size_t first, std::size_t last);
  terminal_writer& reset_scroll_region() { return raw("\x1b[r"); }

  terminal_writer& set_tab() { return raw("\x1bH"); }
  terminal_writer& clear_tab() { return raw("\x1b[g"); }
  terminal_writer& clear_all_tabs() { return raw("\x1b[3g"); }
  terminal_writer& shift_in() { return raw("\x0f"); }
  terminal_writer& shift_out() { return raw("\x0e"); }
  terminal_writer& single_shift2() { return raw("\x1bN"); }
  terminal_writer& single_shift3() { return raw("\x1bO"); }
  terminal_writer& double_height_top() { return raw("\x1b#3"); }
  terminal_writer& double_height_bottom() { return raw("\x1b#4"); }
  terminal_writer& single_width() { return raw("\x1b#5"); }
  terminal_writer& double_width() { return raw("\x1b#6"); }
  terminal_writer& application_keypad() { return raw("\x1b="); }
  terminal_writer& numeric_keypad() { return raw("\x1b>"); }
  terminal_writer& reset() {
    return raw("\x1b"
               "c");
  }

  /// Sets G0 (`which` 0) or G1: 'A' United Kingdom, 'B' ASCII, '0' line drawing.
  terminal_writer& select_character_set(char set, std::size_t which = 0);

  terminal_writer& mode(unsigned number, bool on);
  terminal_writer& private_mode(unsigned number, bool on);

  // -- how characters look ----------------------------------------------------------------------
  terminal_writer& select_graphic_rendition(std::initializer_list<unsigned> attributes);
  terminal_writer& normal() { return raw("\x1b[m"); }
  terminal_writer& bold() { return raw("\x1b[1m"); }
  terminal_writer& underline() { return raw("\x1b[4m"); }
  terminal_writer& blink() { return raw("\x1b[5m"); }
  terminal_writer& reverse() { return raw("\x1b[7m"); }
  terminal_writer& foreground(terminal_color c);
  terminal_writer& background(terminal_color c);
  terminal_writer& foreground(std::uint8_t of_256);
  terminal_writer& foreground(std::uint8_t red, std::uint8_t green, std::uint8_t blue);

  terminal_writer& bell() { return raw("\a"); }

private:
  terminal_writer& raw(std::string_view t) {
    out_ += t;
    return *this;
  }
  terminal_writer& counted(std::size_t n, char last);

  std::string& out_;
};

} // namespace troupe
