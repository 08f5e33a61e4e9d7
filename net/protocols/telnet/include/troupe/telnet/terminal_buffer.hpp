#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/telnet/subnegotiation.hpp>

namespace troupe {

/// How a cell of a terminal looks.
struct terminal_attributes {
  static constexpr std::uint32_t usual = 0xffffffff;
  static constexpr std::uint32_t rgb = 0x01000000; ///< with red, green and blue below it

  std::uint32_t foreground = usual; ///< 0 to 255, or `rgb` with a colour
  std::uint32_t background = usual;
  bool bold = false;
  bool underline = false;
  bool blink = false;
  bool reverse = false;
  friend bool operator==(const terminal_attributes&, const terminal_attributes&) = default;
};

/// One place on the screen.
struct terminal_cell {
  /// The character; 0 where nothing was written, and in the second half of a wide one.
  char32_t character = 0;
  std::u32string marks{}; ///< that belong to it and take no place, at most 8
  terminal_attributes attributes{};
};

/// The screen of a terminal in memory: what a program that writes to one would show.
///
/// It obeys what `terminal_writer` writes and programs of today use: positions, regions that scroll,
/// erasing, inserting and deleting, tabs, line drawing, 256 and 24-bit colours. What it does not know (titles,
/// mice, double width) is passed over, and never shown. Characters that take two columns do so here. A
/// character in the last column is followed by the next row only when another one comes, as on a VT100.
///
/// Memory: rows x columns cells, at most 1000 x 1000, and 256 bytes of a sequence that is not complete.
///
/// Thread: one at a time. Source: ECMA-48, DEC VT100; twisted.conch.insults.helper.TerminalBuffer
class terminal_buffer {
public:
  explicit terminal_buffer(window_size size = {80, 24});

  /// Takes what a program sends, in any pieces.
  void write(std::string_view bytes);

  /// Takes text as a telnet or a terminal line would have it: LF is CR LF.
  void write_text(std::string_view text);

  [[nodiscard]] window_size size() const noexcept { return size_; }
  [[nodiscard]] std::size_t cursor_column() const noexcept {
    return column_ < size_.columns ? column_ : size_.columns - 1U;
  }
  [[nodiscard]] std::size_t cursor_row() const noexcept { return row_; }
  [[nodiscard]] bool cursor_visible() const noexcept { return cursor_visible_; }

  /// \throws std::out_of_range if there is no such place
  [[nodiscard]] const terminal_cell& at(std::size_t column, std::size_t row) const;

  /// Returns a row as UTF-8, without what is not written behind its last character.
  [[nodiscard]] std::string row(std::size_t n) const;

  /// Returns all rows, joined by LF, without the empty ones at the end.
  [[nodiscard]] std::string text() const;

  /// Gives it another size; what fits stays where it is.
  void resize(window_size size);

  void reset();

  /// Called with what the terminal would send by itself: the answers to reports.
  std::function<void(std::string_view)> answers{};

private:
  enum class state : std::uint8_t {
    ground,
    escape,
    intermediate,
    csi,
    string,
    string_escape,
    utf8
  };
  struct place {
    std::size_t column = 0, row = 0;
    terminal_attributes attributes{};
    bool origin = false;
  };

  void take(char c);
  void take_control(char c);
  void take_escape(char c);
  void take_csi(char last);
  void set_mode(bool on);
  void set_attributes();
  void put(char32_t c);
  void put_byte_of_utf8(char c);
  void line_feed();
  void reverse_feed();
  void scroll(std::size_t from, std::ptrdiff_t by);
  void move(std::size_t column, std::size_t row);
  void erase(std::size_t row, std::size_t from, std::size_t to);
  void erase_display(unsigned how);
  void shift(std::size_t n, bool insert);
  void tabulate();
  [[nodiscard]] unsigned number(std::size_t i, unsigned otherwise) const;
  terminal_cell* line(std::size_t row) { return cells_.data() + row * size_.columns; }

  window_size size_;
  std::vector<terminal_cell> cells_;
  std::vector<bool> tabs_;
  std::size_t column_ = 0, row_ = 0; // the column is that behind the last one if the next wraps
  std::size_t top_ = 0, bottom_ = 0; // the region that scrolls, both included
  terminal_attributes attributes_{};
  place saved_{};
  std::string sequence_; // so far
  std::vector<unsigned> numbers_;
  state state_ = state::ground;
  std::uint8_t missing_ = 0; // bytes of UTF-8
  char set_[2] = {'B', 'B'}; // of characters
  std::uint8_t shifted_ = 0;
  bool private_ = false; // the sequence
  bool wraps_ = true;
  bool inserts_ = false;
  bool origin_ = false;
  bool cursor_visible_ = true;
};

} // namespace troupe
