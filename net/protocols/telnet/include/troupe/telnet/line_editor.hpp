#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/telnet/key_decoder.hpp>

namespace troupe {

/// What a key did to the line.
enum class edit_result : std::uint8_t {
  unchanged,    ///< nothing: at the end already, or no key of the editor's
  changed,      ///< the line or the cursor looks otherwise now
  ring,         ///< it cannot be done: the bell
  line,         ///< Enter: `line_editor::take_line`
  complete,     ///< Tab: ask whoever knows, and call `line_editor::complete`
  interrupt,    ///< Ctrl-C
  end_of_input, ///< Ctrl-D on an empty line
  abandon,      ///< Ctrl-\, who wants out at once
  redraw,       ///< Ctrl-L
  page_up,      ///< for whoever has pages
  page_down,
};

/// What may be meant by a word that was begun.
struct completions {
  std::size_t begin = 0;               ///< where the word begins in the line, in bytes
  std::vector<std::string> candidates; ///< the whole words
};

/// How a line is shown in one row: the part of it around the cursor.
struct line_view {
  std::string text;       ///< with the prompt; no wider than was asked for
  std::size_t cursor = 0; ///< its column
};

/// What a line editor allows, and what it keeps.
struct line_editor_options {
  /// How many bytes a line may have as UTF-8; a key that would make it longer rings.
  std::size_t longest_line = 4096;

  /// How many lines are remembered; the oldest goes first.
  std::size_t history = 1000;
};

/// A line that is being typed: what the keys do to it, and how it is shown.
///
/// | keys | |
/// | --- | --- |
/// | Left, Right, Ctrl-B, Ctrl-F; with Ctrl or Alt, Alt-B, Alt-F | by a character; by a word |
/// | Home, End, Ctrl-A, Ctrl-E | to the ends |
/// | Backspace, Ctrl-H; Delete, Ctrl-D | take out the character in front; that at the cursor |
/// | Ctrl-W, Alt-Backspace; Alt-D; Ctrl-U; Ctrl-K | take out a word; the next; all in front; all behind |
/// | Ctrl-Y | puts in what was taken out last |
/// | Ctrl-T | exchanges two characters |
/// | Insert | types over what is there, and no longer |
/// | Up, Down, Ctrl-P, Ctrl-N | through what was entered; the line that was begun is kept |
/// | Tab | completes |
///
/// A character is what a reader sees as one: letters with their accents, and emoji of several parts. The
/// history has no empty lines, and none twice in a row. Erasing where nothing is typed changes nothing.
///
/// Thread: one at a time. Source: twisted.conch.recvline.HistoricRecvLine; GNU Readline's keys
class line_editor {
public:
  explicit line_editor(line_editor_options options = {}) : options_(options) {}

  /// Takes a key.
  edit_result take(const key_event& k);

  // -- the line ---------------------------------------------------------------------------------

  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool empty() const noexcept { return text_.empty(); }

  /// Returns where the cursor is in `text()`, in bytes.
  [[nodiscard]] std::size_t cursor() const;

  /// Replaces the line, and puts the cursor behind it.
  void set_text(std::string_view text);

  /// Returns the line, which is empty then, and remembers it unless it is hidden.
  std::string take_line();

  /// Puts in what all candidates have in common, and a space if there is only one.
  ///
  /// \returns whether that changed the line; if not, and there are several, the user wants to see them
  bool complete(const completions& c);

  // -- how it is shown --------------------------------------------------------------------------

  /// Sets what stands in front of the line; control characters are left out when it is shown.
  void set_prompt(std::string prompt) { prompt_ = std::move(prompt); }
  [[nodiscard]] const std::string& prompt() const noexcept { return prompt_; }

  /// Shows nothing of what is typed, and remembers none of it: for passwords.
  void set_hidden(bool on) noexcept { hidden_ = on; }
  [[nodiscard]] bool hidden() const noexcept { return hidden_; }

  /// Returns the line as it is shown in a row of `columns`; a line that is longer slides along with the
  /// cursor, and `<` and `>` stand where more is.
  [[nodiscard]] line_view view(std::size_t columns);

  [[nodiscard]] const std::deque<std::string>& history() const noexcept { return history_; }

private:
  edit_result take_control(char32_t c);
  edit_result take_alt(const key_event& k);
  edit_result insert(char32_t c);
  edit_result move(std::size_t to);
  edit_result erase(std::size_t from, std::size_t to, bool keep);
  edit_result transpose();
  edit_result yank();
  edit_result browse(bool back);
  [[nodiscard]] std::size_t before(std::size_t at) const; // the character in front, the one behind
  [[nodiscard]] std::size_t behind(std::size_t at) const;
  [[nodiscard]] std::size_t word_before(std::size_t at) const;
  [[nodiscard]] std::size_t word_behind(std::size_t at) const;
  void changed_text();

  line_editor_options options_;
  std::u32string text_;
  std::size_t bytes_ = 0; // of it as UTF-8
  std::size_t cursor_ = 0;
  std::size_t first_ = 0; // that is shown
  std::u32string taken_out_;
  std::string prompt_;
  std::deque<std::string> history_;
  std::size_t browsing_ = 0; // how far back in it
  std::u32string begun_;     // meanwhile
  bool hidden_ = false;
  bool over_ = false; // types over
};

} // namespace troupe
