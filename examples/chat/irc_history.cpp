#include "irc_history.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include <troupe/irc/formatting.hpp>
#include <troupe/irc/split_text.hpp>

#include "names.hpp"

namespace irc = troupe::irc;

namespace {

constexpr std::string_view action_mark = "\x01"
                                         "ACTION ";

int compare(std::uint64_t a, std::uint64_t b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

} // namespace

std::string in_irc(std::string_view name) {
  constexpr std::string_view special = "!@,*?:#&+%~$";
  std::string text;
  for (const char c : name)
    if (c == ' ') {
      text += "\xc2\xa0"; // U+00A0
    } else if (special.find(c) != std::string_view::npos) {
      // U+FF00 and on: ASCII in full width
      const auto code = 0xff00u + static_cast<unsigned>(c - ' ');
      text += static_cast<char>(0xe0 | code >> 12);
      text += static_cast<char>(0x80 | (code >> 6 & 0x3f));
      text += static_cast<char>(0x80 | (code & 0x3f));
    } else {
      text += c;
    }
  return text;
}

std::optional<said_line> parse_said(std::string_view line) {
  said_line said;
  said.action = line.starts_with("* ");
  if (!said.action && !line.starts_with('<'))
    return std::nullopt;
  line.remove_prefix(said.action ? 2 : 1);
  const std::string_view ends = said.action ? " " : "> ";
  const auto end = line.find(ends);
  if (end == std::string_view::npos || end == 0)
    return std::nullopt;
  said.name = line.substr(0, end);
  said.text = line.substr(end + ends.size());
  while (said.text.starts_with('\x01')) // it is text, whoever kept it
    said.text.remove_prefix(1);
  return said.text.empty() ? std::nullopt : std::optional{said};
}

std::string irc_text(const said_line& said) {
  return said.action ? std::string{action_mark} + std::string{said.text} + '\x01'
                     : std::string{said.text};
}

// -- the walk ---------------------------------------------------------------------------------------

irc_history_walk::irc_history_walk(std::string channel, const irc::history_question& question)
  : channel_(std::move(channel)), kind_(question.kind), limit_(question.limit) {
  next_.limit = first_page;
  bounded_ = question.from.is_place();
  if ((bounded_ && !read(question.from, from_))
      || (kind_ == irc::history_kind::between && !read(question.to, to_))) {
    begin_ = step::unknown;
    return;
  }
  // What is not before these need not be read.
  const bool here = bounded_ && !from_.time;
  if (kind_ == irc::history_kind::before && here)
    next_.before = from_.at;
  else if (kind_ == irc::history_kind::between && here && !to_.time)
    next_.before = from_.at.sequence > to_.at.sequence ? from_.at : to_.at;
  else
    return;
  ++next_.before.sequence; // the message itself may have lines before that one
}

bool irc_history_walk::read(const irc::history_point& from, place& to) {
  if (from.time) {
    to.time =
      std::chrono::duration_cast<std::chrono::milliseconds>(from.time->time_since_epoch()).count();
    return true;
  }
  const std::string_view id = from.id;
  const auto dot = id.find('.');
  const auto at = troupe::parse_history_position(id.substr(0, dot));
  if (dot == std::string_view::npos || !at)
    return false;
  to.at = *at;
  const auto [end, fault] = std::from_chars(id.data() + dot + 1, id.data() + id.size(), to.number);
  return fault == std::errc{} && end == id.data() + id.size();
}

std::vector<irc::history_line>
irc_history_walk::lines_of(const troupe::kept_message& message) const {
  std::vector<irc::history_line> lines;
  std::string_view name; // of the line before: mostly it is the same
  std::string from;      // empty: it is no name
  const std::chrono::system_clock::time_point time{std::chrono::milliseconds{message.time}};
  const auto id = troupe::to_string(message.at) + '.';
  for (auto rest = message.bytes.text(); !rest.empty();) {
    const auto line = rest.substr(0, rest.find("\r\n"));
    rest.remove_prefix(std::min(rest.size(), line.size() + 2));
    const auto said = parse_said(line);
    if (!said)
      continue;
    if (said->name != name) {
      name = said->name;
      const auto checked = check_user_name(name);
      from = checked.fault == name_fault::none ? in_irc(checked.name) + "!chat@other.door"
                                               : std::string{};
    }
    if (from.empty())
      continue;
    const auto marks = said->action ? action_mark.size() + 1 : 0;
    const auto clean = irc::clean_text(said->text);
    for (const auto piece :
         irc::split_text(clean, irc::text_room(from, "PRIVMSG", channel_) - marks))
      lines.push_back({time, id + std::to_string(lines.size()), from,
                       irc_text({said->name, piece, said->action})});
  }
  return lines;
}

irc_history_walk::step irc_history_walk::take(const troupe::history_page& page) {
  ++pages_;
  for (const auto* const p : {&from_, &to_})
    if (p->at.epoch != 0 && p->at.epoch != page.epoch)
      return step::unknown;
  for (auto m = page.messages.rbegin(); m != page.messages.rend(); ++m) {
    bytes_ += (*m)->bytes.size();
    if (bytes_ > most_bytes)
      return step::too_far;
    auto lines = lines_of(**m);
    for (auto number = lines.size(); number-- > 0;)
      if (!take(**m, number, std::move(lines[number])))
        return step::done;
  }
  if (page.messages.empty() || page.messages.front()->previous == 0)
    return step::done;
  if (pages_ == most_pages)
    return step::too_far;
  next_ = {.limit = irc_history_walk::page, .before = page.messages.front()->at};
  return step::more;
}

// Takes a line that is older than those before; false: no more are wanted.
bool irc_history_walk::take(const troupe::kept_message& message, std::size_t number,
                            irc::history_line&& line) {
  const auto side_of = [&](const place& p) {
    if (p.time)
      return message.time < *p.time ? -1 : message.time > *p.time ? 1 : 0;
    const auto messages = compare(message.at.sequence, p.at.sequence);
    return messages != 0 ? messages : compare(number, p.number);
  };
  // Of those that come, the newest `most`, or the oldest.
  const auto keep_newest = [&](std::size_t most) {
    found_.push_front(std::move(line));
    return found_.size() < most;
  };
  const auto keep_oldest = [&](std::size_t most) {
    found_.push_front(std::move(line));
    if (found_.size() > most)
      found_.pop_back();
    return true;
  };
  const auto side = bounded_ ? side_of(from_) : 1;
  switch (kind_) {
  case irc::history_kind::latest:
    return side > 0 && keep_newest(limit_);
  case irc::history_kind::before:
    return side >= 0 || keep_newest(limit_);
  case irc::history_kind::after:
    return side > 0 && keep_oldest(limit_);
  case irc::history_kind::around:
    if (side >= 0)
      return keep_oldest((limit_ + 1) / 2);
    return found_.size() < limit_ && keep_newest(limit_);
  case irc::history_kind::between:
    break;
  }
  const auto other = side_of(to_);
  if (side <= 0 && other <= 0)
    return false;
  if (side >= 0 && other >= 0)
    return true;
  return side > 0 ? keep_oldest(limit_) : keep_newest(limit_);
}
