#include <troupe/telnet/line_editor.hpp>

#include <algorithm>
#include <utility>

#include <troupe/telnet/display_width.hpp>

namespace troupe {

namespace {

std::size_t size_of(char32_t c) {
  return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

std::size_t size_of(std::u32string_view text) {
  std::size_t sum = 0;
  for (const char32_t c : text)
    sum += size_of(c);
  return sum;
}

bool of_word(char32_t c) {
  return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || c == '_';
}

bool can_be_typed(char32_t c) {
  return c >= ' ' && c != 0x7f && (c < 0x80 || c >= 0xa0);
}

} // namespace

// -- keys -------------------------------------------------------------------------------------------

edit_result line_editor::take(const key_event& k) {
  const bool word = k.ctrl || k.alt;
  switch (k.what) {
  case key::character:
    if (k.alt)
      return take_alt(k);
    return k.ctrl ? take_control(k.character) : insert(k.character);
  case key::enter:
    return edit_result::line;
  case key::tab:
    return edit_result::complete;
  case key::backspace:
    return erase(k.alt ? word_before(cursor_) : before(cursor_), cursor_, k.alt);
  case key::del:
    return erase(cursor_, behind(cursor_), false);
  case key::left:
    return move(word ? word_before(cursor_) : before(cursor_));
  case key::right:
    return move(word ? word_behind(cursor_) : behind(cursor_));
  case key::home:
    return move(0);
  case key::end:
    return move(text_.size());
  case key::up:
    return browse(true);
  case key::down:
    return browse(false);
  case key::insert:
    over_ = !over_;
    return edit_result::unchanged;
  case key::page_up:
    return edit_result::page_up;
  case key::page_down:
    return edit_result::page_down;
  default:
    return edit_result::unchanged;
  }
}

edit_result line_editor::take_control(char32_t c) {
  switch (c) {
  case 'a':
    return move(0);
  case 'b':
    return move(before(cursor_));
  case 'c':
    return edit_result::interrupt;
  case 'd':
    return text_.empty() ? edit_result::end_of_input : erase(cursor_, behind(cursor_), false);
  case 'e':
    return move(text_.size());
  case 'f':
    return move(behind(cursor_));
  case 'k':
    return erase(cursor_, text_.size(), true);
  case 'l':
    return edit_result::redraw;
  case 'n':
    return browse(false);
  case 'p':
    return browse(true);
  case 't':
    return transpose();
  case 'u':
    return erase(0, cursor_, true);
  case 'w': { // as a shell does: words are between spaces
    auto from = cursor_;
    while (from > 0 && text_[from - 1] == ' ')
      --from;
    while (from > 0 && text_[from - 1] != ' ')
      --from;
    return erase(from, cursor_, true);
  }
  case 'y':
    return yank();
  case '\\':
    return edit_result::abandon;
  default:
    return edit_result::unchanged;
  }
}

edit_result line_editor::take_alt(const key_event& k) {
  switch (k.character) {
  case 'b':
    return move(word_before(cursor_));
  case 'f':
    return move(word_behind(cursor_));
  case 'd':
    return erase(cursor_, word_behind(cursor_), true);
  default:
    return edit_result::unchanged;
  }
}

edit_result line_editor::insert(char32_t c) {
  if (!can_be_typed(c))
    return edit_result::unchanged;
  const bool replaces = over_ && cursor_ < text_.size();
  const auto end = replaces ? behind(cursor_) : cursor_;
  const auto fewer = size_of(std::u32string_view{text_}.substr(cursor_, end - cursor_));
  if (bytes_ - fewer + size_of(c) > options_.longest_line)
    return edit_result::ring;
  text_.replace(cursor_, end - cursor_, 1, c);
  ++cursor_;
  changed_text();
  return edit_result::changed;
}

edit_result line_editor::move(std::size_t to) {
  return std::exchange(cursor_, to) == to ? edit_result::unchanged : edit_result::changed;
}

edit_result line_editor::erase(std::size_t from, std::size_t to, bool keep) {
  if (from == to)
    return edit_result::unchanged;
  if (keep)
    taken_out_ = text_.substr(from, to - from);
  text_.erase(from, to - from);
  cursor_ = from;
  changed_text();
  return edit_result::changed;
}

edit_result line_editor::transpose() {
  const auto second = cursor_ == text_.size() ? before(cursor_) : cursor_;
  const auto first = before(second);
  const auto end = behind(second);
  if (first == second || second == end)
    return edit_result::unchanged;
  std::rotate(text_.begin() + static_cast<std::ptrdiff_t>(first),
              text_.begin() + static_cast<std::ptrdiff_t>(second),
              text_.begin() + static_cast<std::ptrdiff_t>(end));
  cursor_ = end;
  return edit_result::changed;
}

edit_result line_editor::yank() {
  if (taken_out_.empty())
    return edit_result::unchanged;
  if (bytes_ + size_of(taken_out_) > options_.longest_line)
    return edit_result::ring;
  text_.insert(cursor_, taken_out_);
  cursor_ += taken_out_.size();
  changed_text();
  return edit_result::changed;
}

edit_result line_editor::browse(bool back) {
  if (hidden_ || (back ? browsing_ == history_.size() : browsing_ == 0))
    return edit_result::unchanged;
  if (browsing_ == 0)
    begun_ = text_;
  browsing_ += back ? 1 : SIZE_MAX;
  text_ = browsing_ == 0 ? begun_ : characters_of(history_[history_.size() - browsing_]);
  cursor_ = text_.size();
  changed_text();
  return edit_result::changed;
}

// -- the line -----------------------------------------------------------------------------------------

void line_editor::changed_text() {
  bytes_ = size_of(text_);
  first_ = std::min(first_, text_.size());
}

std::string line_editor::text() const {
  return utf8_of(text_);
}

std::size_t line_editor::cursor() const {
  return size_of(std::u32string_view{text_}.substr(0, cursor_));
}

void line_editor::set_text(std::string_view text) {
  text_.clear();
  for (const char32_t c : characters_of(text))
    if (can_be_typed(c))
      text_ += c;
  cursor_ = text_.size();
  changed_text();
}

std::string line_editor::take_line() {
  auto line = text();
  if (!hidden_ && !line.empty() && (history_.empty() || history_.back() != line)
      && options_.history > 0) {
    if (history_.size() == options_.history)
      history_.pop_front();
    history_.push_back(line);
  }
  text_.clear();
  begun_.clear();
  browsing_ = 0;
  cursor_ = 0;
  changed_text();
  return line;
}

bool line_editor::complete(const completions& c) {
  const auto line = text();
  if (c.candidates.empty() || c.begin > cursor())
    return false;
  std::string_view common = c.candidates.front();
  for (const auto& other : c.candidates) {
    const auto differ = std::mismatch(common.begin(), common.end(), other.begin(), other.end());
    common = common.substr(0, static_cast<std::size_t>(differ.first - common.begin()));
  }
  while (!common.empty() && common.size() < c.candidates.front().size()
         && (c.candidates.front()[common.size()] & 0xc0) == 0x80)
    common.remove_suffix(1); // not in the middle of a character
  std::string word{common};
  if (c.candidates.size() == 1)
    word += ' ';
  const auto typed = std::string_view{line}.substr(c.begin, cursor() - c.begin);
  if (word.size() < typed.size() || word == typed
      || bytes_ - typed.size() + word.size() > options_.longest_line)
    return false;
  const auto rest = std::string_view{line}.substr(cursor());
  const auto front = line.substr(0, c.begin) + word;
  const auto characters = characters_of(front);
  text_ = characters + characters_of(rest);
  cursor_ = characters.size();
  changed_text();
  return true;
}

// -- characters and words ------------------------------------------------------------------------------

std::size_t line_editor::before(std::size_t at) const {
  if (at == 0)
    return 0;
  // Clusters can only be found from the front.
  std::size_t begin = 0;
  int state = 0;
  for (std::size_t i = 1; i < at; ++i)
    if (breaks_between(text_[i - 1], text_[i], state))
      begin = i;
  return begin;
}

std::size_t line_editor::behind(std::size_t at) const {
  int state = 0;
  for (std::size_t i = 1; i < text_.size(); ++i)
    if (breaks_between(text_[i - 1], text_[i], state) && i > at)
      return i;
  return text_.size();
}

std::size_t line_editor::word_before(std::size_t at) const {
  while (at > 0 && !of_word(text_[at - 1]))
    --at;
  while (at > 0 && of_word(text_[at - 1]))
    --at;
  return at;
}

std::size_t line_editor::word_behind(std::size_t at) const {
  while (at < text_.size() && !of_word(text_[at]))
    ++at;
  while (at < text_.size() && of_word(text_[at]))
    ++at;
  return at;
}

// -- how it is shown -------------------------------------------------------------------------------------

line_view line_editor::view(std::size_t columns) {
  line_view shown;
  shown.text = fit_to_columns(prompt_, columns / 2);
  const auto prompt = display_width(std::string_view{shown.text});
  shown.cursor = prompt;
  if (hidden_ || columns <= prompt + 3)
    return shown;
  const auto room =
    columns - prompt - 1; // the cursor is never in the last column, where terminals differ
  const auto width = [this](std::size_t from, std::size_t to) {
    return display_width(std::u32string_view{text_}.substr(from, to - from));
  };
  if (width(0, text_.size()) <= room) {
    first_ = 0;
  } else {
    if (cursor_
        <= first_) // slides so that the cursor is in the middle, and need not move at each key
      first_ = cursor_;
    else if (width(first_, cursor_) + 2 <= room)
      ;
    else
      first_ = cursor_;
    if (first_ == cursor_ && first_ > 0)
      while (first_ > 0 && width(first_, cursor_) < room / 2)
        --first_;
  }
  auto left = room;
  auto from = first_;
  if (first_ > 0) {
    shown.text += '<';
    --left;
    ++shown.cursor;
    from += 1; // what `<` stands for
    while (from < text_.size() && from < cursor_ && display_width(text_[from]) == 0)
      ++from;
  }
  shown.cursor += cursor_ > from ? width(from, cursor_) : 0;
  const bool all = width(from, text_.size()) <= left;
  if (!all)
    --left;
  for (auto i = from; i < text_.size(); ++i) {
    const auto w = display_width(text_[i]);
    if (w > left)
      break;
    left -= w;
    append_utf8(shown.text, text_[i]);
  }
  if (!all)
    shown.text += '>';
  return shown;
}

} // namespace troupe
