#include <troupe/telnet/terminal_buffer.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <troupe/telnet/display_width.hpp>

namespace troupe {

namespace {

constexpr std::size_t most_marks = 8;
constexpr std::uint16_t largest = 1000;

// What stands for ` to ~ in the set for drawing lines.
constexpr std::u32string_view drawing =
  U"\u25c6\u2592\u2409\u240c\u240d\u240a\u00b0\u00b1\u2424\u240b\u2518\u2510\u250c\u2514\u253c"
  U"\u23ba"
  U"\u23bb\u2500\u23bc\u23bd\u251c\u2524\u2534\u252c\u2502\u2264\u2265\u03c0\u2260\u00a3\u00b7";

window_size bounded(window_size s) {
  return {std::clamp<std::uint16_t>(s.columns, 1, largest),
          std::clamp<std::uint16_t>(s.rows, 1, largest)};
}

} // namespace

terminal_buffer::terminal_buffer(window_size size) : size_(bounded(size)) {
  reset();
}

void terminal_buffer::reset() {
  cells_.assign(std::size_t{size_.columns} * size_.rows, {});
  tabs_.assign(size_.columns, false);
  for (std::size_t i = 8; i < size_.columns; i += 8)
    tabs_[i] = true;
  column_ = row_ = top_ = 0;
  bottom_ = size_.rows - 1U;
  attributes_ = {};
  saved_ = {};
  sequence_.clear();
  state_ = state::ground;
  set_[0] = set_[1] = 'B';
  shifted_ = 0;
  wraps_ = cursor_visible_ = true;
  inserts_ = origin_ = private_ = false;
}

void terminal_buffer::resize(window_size size) {
  const auto before = std::exchange(size_, bounded(size));
  std::vector<terminal_cell> cells(std::size_t{size_.columns} * size_.rows);
  for (std::size_t r = 0; r < std::min(before.rows, size_.rows); ++r)
    for (std::size_t c = 0; c < std::min(before.columns, size_.columns); ++c)
      cells[r * size_.columns + c] = std::move(cells_[r * before.columns + c]);
  cells_ = std::move(cells);
  tabs_.resize(size_.columns);
  top_ = 0;
  bottom_ = size_.rows - 1U;
  row_ = std::min<std::size_t>(row_, bottom_);
  column_ = std::min<std::size_t>(column_, size_.columns - 1U);
}

const terminal_cell& terminal_buffer::at(std::size_t column, std::size_t row) const {
  if (column >= size_.columns || row >= size_.rows)
    throw std::out_of_range("terminal_buffer: no such place");
  return cells_[row * size_.columns + column];
}

std::string terminal_buffer::row(std::size_t n) const {
  std::string text, gap;
  for (std::size_t c = 0; c < size_.columns; ++c) {
    const auto& cell = at(c, n);
    if (cell.character == 0) {
      const bool half = c > 0 && display_width(at(c - 1, n).character) == 2;
      gap.append(half ? 0 : 1, ' ');
      continue;
    }
    text += std::exchange(gap, {});
    append_utf8(text, cell.character);
    text += utf8_of(cell.marks);
  }
  return text;
}

std::string terminal_buffer::text() const {
  std::string all, gap;
  for (std::size_t r = 0; r < size_.rows; ++r) {
    const auto line = row(r);
    if (!line.empty())
      all.append(std::exchange(gap, {})).append(line);
    gap += '\n';
  }
  return all;
}

// -- what it does ---------------------------------------------------------------------------------------

void terminal_buffer::put(char32_t c) {
  if (set_[shifted_] == '0' && c >= '`' && c <= '~')
    c = drawing[c - '`'];
  if (c >= 0x80 && c < 0xa0)
    return;
  const auto width = display_width(c);
  if (width == 0) { // belongs to the one in front
    if (column_ == 0)
      return;
    auto* cell = line(row_) + (column_ - 1);
    if (cell->character == 0 && column_ > 1)
      --cell;
    if (cell->character != 0 && cell->marks.size() < most_marks)
      cell->marks += c;
    return;
  }
  if (column_ + width > size_.columns) {
    if (wraps_) {
      column_ = 0;
      line_feed();
    } else {
      column_ = size_.columns - std::min<std::size_t>(width, size_.columns);
    }
  }
  if (inserts_)
    shift(width, true);
  for (std::size_t i = 0; i < width && column_ + i < size_.columns; ++i)
    line(row_)[column_ + i] = {i == 0 ? c : U'\0', {}, attributes_};
  column_ += width;
}

void terminal_buffer::line_feed() {
  if (row_ == bottom_)
    scroll(top_, 1);
  else if (row_ + 1 < size_.rows)
    ++row_;
}

void terminal_buffer::reverse_feed() {
  if (row_ == top_)
    scroll(top_, -1);
  else if (row_ > 0)
    --row_;
}

// Moves the rows from `from` to the end of the region up, or down where `by` is negative.
void terminal_buffer::scroll(std::size_t from, std::ptrdiff_t by) {
  const auto rows = bottom_ - from + 1;
  const auto n = std::min(static_cast<std::size_t>(by < 0 ? -by : by), rows);
  auto* const begin = line(from);
  auto* const end = line(bottom_) + size_.columns;
  const auto cells = static_cast<std::ptrdiff_t>(n * size_.columns);
  if (by > 0)
    std::fill(std::move(begin + cells, end, begin), end, terminal_cell{});
  else
    std::fill(begin, std::move_backward(begin, end - cells, end), terminal_cell{});
}

void terminal_buffer::move(std::size_t column, std::size_t row) {
  column_ = std::min<std::size_t>(column, size_.columns - 1U);
  row_ = std::min<std::size_t>(row, origin_ ? bottom_ : size_.rows - 1U);
}

void terminal_buffer::erase(std::size_t row, std::size_t from, std::size_t to) {
  std::fill(line(row) + from, line(row) + to, terminal_cell{});
}

void terminal_buffer::erase_display(unsigned how) {
  if (how > 2)
    return;
  const auto first = how == 0 ? row_ + 1 : 0;
  const auto end = how == 1 ? row_ : size_.rows;
  for (auto r = first; r < end; ++r)
    erase(r, 0, size_.columns);
  if (how == 0)
    erase(row_, cursor_column(), size_.columns);
  else if (how == 1)
    erase(row_, 0, cursor_column() + 1);
}

void terminal_buffer::shift(std::size_t n, bool insert) {
  auto* const begin = line(row_) + cursor_column();
  auto* const end = line(row_) + size_.columns;
  const auto by = std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(n), end - begin);
  if (insert)
    std::fill(begin, std::move_backward(begin, end - by, end), terminal_cell{});
  else
    std::fill(std::move(begin + by, end, begin), end, terminal_cell{});
}

void terminal_buffer::tabulate() {
  auto to = cursor_column() + 1;
  while (to < size_.columns && !tabs_[to])
    ++to;
  column_ = std::min<std::size_t>(to, size_.columns - 1U);
}

} // namespace troupe
