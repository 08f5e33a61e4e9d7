#include <troupe/telnet/edit_screen.hpp>

#include <algorithm>
#include <utility>

#include <troupe/telnet/display_width.hpp>
#include <troupe/telnet/terminal_writer.hpp>

namespace troupe {

namespace {

constexpr std::size_t longest_prompt = 4096;
constexpr std::size_t fewest_rows = 4, fewest_columns = 20; // for a status line

window_size or_usual(window_size size) {
  return {size.columns == 0 ? std::uint16_t{80} : size.columns,
          size.rows == 0 ? std::uint16_t{24} : size.rows};
}

} // namespace

void edit_screen::begin(std::string& out, window_size size, bool status_line) {
  size_ = or_usual(size);
  wants_status_ = status_line;
  split_ = wants_status_ && size_.rows >= fewest_rows && size_.columns >= fewest_columns;
  if (split_) { // two rows below what is there, wherever that is
    terminal_writer{out}.normal().text("\n\n").cursor_up().erase_to_display_end();
    split(out);
  }
  show_line(out);
}

void edit_screen::split(std::string& out) {
  terminal_writer{out}.set_scroll_region(0, size_.rows - 3U);
  show_status(out);
}

void edit_screen::remember(std::string_view text) {
  for (std::size_t end; (end = text.find('\n')) != std::string_view::npos;) {
    unfinished_ += text.substr(0, end);
    if (unfinished_.ends_with('\r'))
      unfinished_.pop_back();
    keep(unfinished_);
    unfinished_.clear();
    text.remove_prefix(end + 1);
  }
  unfinished_.append(text.substr(0, longest_prompt));
  if (unfinished_.size() > longest_prompt)
    unfinished_.clear();
}

void edit_screen::end(std::string& out) {
  terminal_writer w{out};
  if (split_) {
    w.reset_scroll_region().cursor_position(0, size_.rows - 2U).erase_to_display_end();
  } else {
    take_line_away(out);
  }
  split_ = false;
}

void edit_screen::resize(std::string& out, window_size size) {
  size_ = or_usual(size);
  if (split_ || (wants_status_ && size_.rows >= fewest_rows && size_.columns >= fewest_columns))
    return redraw(out);
  terminal_writer{out}.text("\r").erase_to_display_end(); // what the line was broken into
  show_line(out);
}

void edit_screen::redraw(std::string& out) {
  terminal_writer w{out};
  if (split_)
    w.reset_scroll_region();
  w.normal().erase_display().cursor_home();
  split_ = wants_status_ && size_.rows >= fewest_rows && size_.columns >= fewest_columns;
  if (split_)
    split(out);
  const auto rows = split_ ? size_.rows - 2U : size_.rows - 1U;
  for (auto i = kept_.size() - std::min<std::size_t>(kept_.size(), rows); i < kept_.size(); ++i)
    print_line(out, kept_[i]);
  show_line(out);
}

void edit_screen::show_status(std::string& out) {
  if (!split_)
    return;
  const std::size_t columns = size_.columns;
  const auto right = fit_to_columns(right_, columns / 2);
  const auto left = fit_to_columns(left_, columns - display_width(std::string_view{right}));
  const auto used = display_width(std::string_view{left}) + display_width(std::string_view{right});
  terminal_writer w{out};
  w.cursor_position(0, size_.rows - 2U).reverse();
  w.text(left).text(std::string(columns - used, ' ')).text(right).normal();
}

void edit_screen::set_status(std::string& out, std::string_view left, std::string_view right) {
  if (left == left_ && right == right_)
    return;
  left_ = left;
  right_ = right;
  if (!split_)
    return;
  show_status(out);
  show_line(out);
}

void edit_screen::set_prompt(std::string& out, std::string_view prompt) {
  if (prompt == prompt_)
    return;
  prompt_ = prompt;
  show_line(out);
}

void edit_screen::show_line(std::string& out) {
  editor_.set_prompt(unfinished_.empty() ? prompt_ : unfinished_);
  const auto shown = editor_.view(size_.columns);
  terminal_writer w{out};
  if (split_)
    w.cursor_position(0, size_.rows - 1U);
  else
    w.text("\r");
  w.text(shown.text).erase_to_line_end();
  if (split_)
    w.cursor_position(shown.cursor, size_.rows - 1U);
  else
    w.text("\r").cursor_forward(shown.cursor);
}

void edit_screen::take_line_away(std::string& out) {
  terminal_writer{out}.text("\r").erase_to_line_end();
}

// Puts a line of text where text belongs. The cursor is in no particular place afterwards.
void edit_screen::print_line(std::string& out, std::string_view line) {
  terminal_writer w{out};
  if (split_) // at the bottom of its rows, LF makes room
    w.cursor_position(0, size_.rows - 3U).text("\n").text(line);
  else
    w.text(line);
  if (line.find('\x1b') != std::string_view::npos)
    w.normal(); // colours end with the line
  if (!split_)
    w.text("\n");
}

void edit_screen::keep(std::string_view line) {
  kept_.emplace_back(line);
  kept_size_ += line.size();
  while (kept_.size() > kept_lines || (kept_size_ > kept_bytes && kept_.size() > 1)) {
    kept_size_ -= kept_.front().size();
    kept_.pop_front();
  }
}

void edit_screen::print(std::string& out, std::string_view text) {
  bool away = split_;
  for (std::size_t end; (end = text.find('\n')) != std::string_view::npos;) {
    if (!std::exchange(away, true))
      take_line_away(out);
    auto line = std::string_view{text}.substr(0, end);
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    unfinished_ += line;
    print_line(out, unfinished_);
    keep(unfinished_);
    unfinished_.clear();
    text.remove_prefix(end + 1);
  }
  unfinished_ += text;
  if (unfinished_.size() > longest_prompt) // no prompt, but text that is short of its end
    print(out, "\n");
  else
    show_line(out);
}

void edit_screen::leave_line(std::string& out, std::string_view behind) {
  std::string line = unfinished_.empty() ? prompt_ : unfinished_;
  if (!editor_.hidden())
    line += editor_.text();
  line += behind;
  unfinished_.clear();
  if (!split_)
    take_line_away(out);
  print_line(out, line);
  keep(line);
}

} // namespace troupe
