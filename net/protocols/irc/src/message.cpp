#include <troupe/irc/message.hpp>

#include <algorithm>
#include <stdexcept>

namespace troupe::irc {

namespace {

constexpr std::string_view ends{"\r\n\0", 3};

char upper(char c) noexcept {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

std::string_view take_word(std::string_view& text) noexcept {
  const auto word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  const auto next = text.find_first_not_of(' ');
  text.remove_prefix(next == std::string_view::npos ? text.size() : next);
  return word;
}

void refuse_ends(std::string_view text) {
  if (text.find_first_of(ends) != std::string_view::npos)
    throw std::invalid_argument("irc::line: CR, LF or NUL");
}

} // namespace

std::string_view to_string(message_fault fault) noexcept {
  switch (fault) {
  case message_fault::none:
    return "nothing is wrong";
  case message_fault::empty_line:
    return "an empty line";
  case message_fault::no_command:
    return "a prefix without a command";
  case message_fault::forbidden_byte:
    return "CR, LF or NUL in a line";
  }
  return "unknown";
}

message_fault message::parse(std::string_view line) noexcept {
  *this = {};
  if (line.find_first_of(ends) != std::string_view::npos)
    return message_fault::forbidden_byte;
  auto rest = line.substr(std::min(line.find_first_not_of(' '), line.size()));
  if (rest.empty())
    return message_fault::empty_line;
  std::string_view tags, from;
  if (rest.front() == '@')
    tags = take_word(rest).substr(1);
  if (!rest.empty() && rest.front() == ':')
    from = take_word(rest).substr(1);
  if (rest.empty())
    return message_fault::no_command;
  tags_ = tags;
  prefix_ = from;
  command_ = take_word(rest);
  while (!rest.empty()) {
    if (rest.front() == ':' || count_ == most_params - 1) {
      params_[count_++] = rest.substr(rest.front() == ':' ? 1 : 0);
      break;
    }
    params_[count_++] = take_word(rest);
  }
  return message_fault::none;
}

bool message::is(std::string_view name) const noexcept {
  if (name.size() != command_.size())
    return false;
  for (std::size_t i = 0; i < name.size(); ++i)
    if (upper(name[i]) != upper(command_[i]))
      return false;
  return true;
}

unsigned message::numeric() const noexcept {
  if (command_.size() != 3)
    return 0;
  unsigned number = 0;
  for (const char c : command_) {
    if (c < '0' || c > '9')
      return 0;
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  return number;
}

std::optional<std::string> message::tag(std::string_view key) const {
  std::optional<std::string> found;
  for (auto rest = tags_; !rest.empty();) {
    const auto one = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    const auto equals = one.find('=');
    if (one.substr(0, equals) == key)
      found = equals == std::string_view::npos ? std::string{} : tag_value(one.substr(equals + 1));
  }
  return found;
}

prefix_parts split_prefix(std::string_view prefix) noexcept {
  prefix_parts parts;
  const auto at = prefix.find('@');
  if (at != std::string_view::npos)
    parts.host = prefix.substr(at + 1);
  const auto front = prefix.substr(0, at);
  const auto mark = front.find('!');
  parts.nick = front.substr(0, mark);
  if (mark != std::string_view::npos)
    parts.user = front.substr(mark + 1);
  return parts;
}

// -- writing --------------------------------------------------------------------------------------

line::line(std::string& to, std::string_view prefix, std::string_view command)
  : line(to, {}, prefix, command) {}

line::line(std::string& to, std::string_view tags, std::string_view prefix,
           std::string_view command)
  : to_(to) {
  refuse_ends(tags);
  refuse_ends(prefix);
  refuse_ends(command);
  if (command.empty() || command.front() == ':' || command.front() == '@'
      || command.find(' ') != std::string_view::npos)
    throw std::invalid_argument("irc::line: no command");
  if (tags.find(' ') != std::string_view::npos || prefix.find(' ') != std::string_view::npos)
    throw std::invalid_argument("irc::line: a space in tags or prefix");
  if (!tags.empty())
    to_.append("@").append(tags).append(" ");
  if (!prefix.empty())
    to_.append(":").append(prefix).append(" ");
  to_ += command;
}

void line::count() {
  if (trailed_)
    throw std::invalid_argument("irc::line: a parameter behind the last one");
  if (++params_ > message::most_params)
    throw std::invalid_argument("irc::line: more than 15 parameters");
}

line& line::param(std::string_view text) {
  refuse_ends(text);
  if (text.empty() || text.front() == ':' || text.find(' ') != std::string_view::npos)
    throw std::invalid_argument("irc::line: a parameter that is empty, begins with ':' or has a "
                                "space may only be the last");
  count();
  to_.append(" ").append(text);
  return *this;
}

line& line::trailing(std::string_view text) {
  refuse_ends(text);
  count();
  trailed_ = true;
  to_.append(" :").append(text);
  return *this;
}

void line::end() {
  to_ += "\r\n";
}

void append_line(std::string& to, std::string_view prefix, std::string_view command,
                 std::span<const std::string_view> params) {
  line out{to, prefix, command};
  for (std::size_t i = 0; i < params.size(); ++i) {
    const auto p = params[i];
    const bool needs_colon = p.empty() || p.front() == ':' || p.find(' ') != std::string_view::npos;
    if (i + 1 == params.size() && needs_colon)
      out.trailing(p);
    else
      out.param(p);
  }
  out.end();
}

void append_tag_value(std::string& to, std::string_view value) {
  for (const char c : value)
    switch (c) {
    case ';':
      to += "\\:";
      break;
    case ' ':
      to += "\\s";
      break;
    case '\r':
      to += "\\r";
      break;
    case '\n':
      to += "\\n";
      break;
    case '\\':
      to += "\\\\";
      break;
    case '\0':
      break; // has no place in a line, and no escape
    default:
      to += c;
    }
}

std::string tag_value(std::string_view escaped) {
  std::string value;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] != '\\') {
      value += escaped[i];
      continue;
    }
    if (++i == escaped.size())
      break; // a lone one at the end is dropped
    switch (escaped[i]) {
    case ':':
      value += ';';
      break;
    case 's':
      value += ' ';
      break;
    case 'r':
      value += '\r';
      break;
    case 'n':
      value += '\n';
      break;
    default:
      value += escaped[i];
    }
  }
  return value;
}

} // namespace troupe::irc
