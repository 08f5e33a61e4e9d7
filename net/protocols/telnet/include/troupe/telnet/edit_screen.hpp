#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include <troupe/telnet/line_editor.hpp>
#include <troupe/telnet/subnegotiation.hpp>

namespace troupe {

/// A terminal on which a line is typed while text appears above it: what to send so that neither disturbs
/// the other.
///
/// With a status line the screen is split: text scrolls in the rows above, then come the status line and
/// the line that is typed. Without one, or where the terminal is small (fewer than 4 rows or 20 columns),
/// the line that is typed is the last one; it is taken away before text comes, and put back below it.
///
/// ```
///   <ann> hello                    |  rows that scroll
///   <bob> hello, ann               |
///   ann in lobby             help  |  the status line
///   > how are y_                   |  what is typed
/// ```
///
/// All functions append to `out` what the terminal is to get: LF stands for CR LF. Text goes to the
/// terminal as it is, escape sequences too, so what strangers say has to be made `printable` before.
/// What was shown last is kept (`kept_lines`, `kept_bytes`), to draw the screen anew after a change of its
/// size.
///
/// Thread: one at a time.
class edit_screen {
public:
  static constexpr std::size_t kept_lines = 200;
  static constexpr std::size_t kept_bytes = 32 * 1024;

  explicit edit_screen(line_editor_options options = {}) : editor_(options) {}

  [[nodiscard]] line_editor& editor() noexcept { return editor_; }

  /// Notes text that was shown before `begin`, so that the screen can be drawn anew with it.
  void remember(std::string_view text);

  /// Takes the terminal over; what it shows stays, above the last two rows. Zeros are 80 x 24.
  void begin(std::string& out, window_size size, bool status_line);

  /// Gives the terminal back: no scroll region, and the cursor below everything.
  void end(std::string& out);

  /// Shows text. What follows its last LF is taken for a prompt, until more comes.
  void print(std::string& out, std::string_view text);

  /// Shows the line after a key has changed it.
  void show_line(std::string& out);

  /// Leaves the line that is typed among the text, as it is; call it before `line_editor::take_line`.
  ///
  /// \param behind  what is added to it, such as "^C"
  void leave_line(std::string& out, std::string_view behind = {});

  void set_prompt(std::string& out, std::string_view prompt);
  void set_status(std::string& out, std::string_view left, std::string_view right);

  /// The terminal has another size.
  void resize(std::string& out, window_size size);

  /// Draws everything anew.
  void redraw(std::string& out);

  [[nodiscard]] window_size size() const noexcept { return size_; }
  [[nodiscard]] bool has_status() const noexcept { return split_; }

private:
  void split(std::string& out);
  void show_status(std::string& out);
  void print_line(std::string& out, std::string_view line);
  void keep(std::string_view line);
  void take_line_away(std::string& out);

  line_editor editor_;
  window_size size_{80, 24};
  bool wants_status_ = false;
  bool split_ = false;
  std::string left_, right_; // of the status line
  std::string prompt_;       // that was set
  std::string unfinished_;   // text without LF, in the place of the prompt
  std::deque<std::string> kept_;
  std::size_t kept_size_ = 0;
};

} // namespace troupe
