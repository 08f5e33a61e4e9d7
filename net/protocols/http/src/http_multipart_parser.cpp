#include <troupe/http/http_multipart_parser.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <troupe/http/http_text.hpp>

namespace troupe {

namespace {

constexpr std::size_t most_padding = 64;
constexpr std::size_t longest_boundary = 70;

bool is_boundary(std::string_view text) {
  return !text.empty() && text.size() <= longest_boundary && text.back() != ' '
         && std::all_of(text.begin(), text.end(), [](char c) {
              return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                     || std::string_view{"'()+_,-./:=? "}.find(c) != std::string_view::npos;
            });
}

void drop_space(std::string_view& text) {
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t")));
}

// Takes a token or a quoted text off the front; false if there is none. Of backslashes only those before
// quotation marks and backslashes mean something: the paths of some clients have others.
bool take_value(std::string_view& text, std::string& value) {
  value.clear();
  if (!text.starts_with('"')) {
    const auto token = text.substr(0, text.find_first_of("; \t"));
    text.remove_prefix(token.size());
    value = token;
    return is_http_token(token);
  }
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return true;
    }
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\'))
      ++i;
    value += text[i];
  }
  return false;
}

// Takes `; name=value` off the front; false if that is not what comes.
bool take_parameter(std::string_view& text, std::string_view& name, std::string& value) {
  if (!text.starts_with(';'))
    return false;
  text.remove_prefix(1);
  drop_space(text);
  name = text.substr(0, text.find('='));
  if (!is_http_token(name) || name.size() == text.size())
    return false;
  text.remove_prefix(name.size() + 1);
  if (!take_value(text, value))
    return false;
  drop_space(text);
  return true;
}

} // namespace

http_multipart_parser::http_multipart_parser(std::string_view boundary,
                                             const http_multipart_limits& limits)
  : limits_(limits), delimiter_("\r\n--" + std::string{boundary}) {
  if (!is_boundary(boundary))
    throw std::invalid_argument("http_multipart_parser: no boundary may be such");
}

std::optional<std::string> http_multipart_parser::boundary_of(std::string_view content_type) {
  auto rest = trim_http(content_type);
  const auto type = rest.substr(0, rest.find(';'));
  if (!equal_without_case(trim_http(type), "multipart/form-data"))
    return {};
  rest.remove_prefix(type.size());
  std::optional<std::string> boundary;
  std::string_view name;
  for (std::string value; !rest.empty();) {
    if (!take_parameter(rest, name, value))
      return {};
    if (!equal_without_case(name, "boundary"))
      continue;
    if (boundary || !is_boundary(value))
      return {};
    boundary = value;
  }
  return boundary;
}

http_multipart_parser::event http_multipart_parser::refuse(int status,
                                                           const char* reason) noexcept {
  state_ = state::refused;
  status_ = status;
  reason_ = reason;
  return event::refused;
}

bool http_multipart_parser::wrong(const char* reason) noexcept {
  refuse(400, reason);
  return false;
}

http_multipart_parser::event http_multipart_parser::next(std::string_view& in) {
  while (!in.empty()) {
    switch (state_) {
    case state::first:
    case state::body:
      if (const auto what = take_body(in); what != event::more)
        return what;
      break;
    case state::part_over:
      state_ = state::boundary;
      break;
    case state::boundary:
      if (const auto what = take_boundary(in); what != event::more)
        return what;
      break;
    case state::head:
      if (const auto what = take_head(in); what != event::more)
        return what;
      break;
    case state::ended:
      in = {};
      return event::more;
    case state::refused:
      in = {};
      return event::refused;
    }
  }
  return state_ == state::refused ? event::refused : event::more;
}

// Data up to the next delimiter. A delimiter has one CR, its first byte: where what looked like one ends, another
// can only begin at the byte that does not fit.
http_multipart_parser::event http_multipart_parser::take_body(std::string_view& in) {
  const bool first = state_ == state::first;
  if (matched_ == 0) {
    const auto run = in.substr(0, in.find('\r'));
    in.remove_prefix(run.size());
    if (!run.empty()) {
      data_ = run;
      return event::data;
    }
  }
  if (first && matched_ == 2 && behind_ == 0 && in.front() == '\r') {
    matched_ = 0; // some clients begin with an empty line
    behind_ = '\r';
  }
  std::size_t used = 0;
  while (used < in.size() && matched_ < delimiter_.size() && in[used] == delimiter_[matched_]) {
    ++used;
    ++matched_;
  }
  in.remove_prefix(used);
  if (matched_ == delimiter_.size()) {
    matched_ = 0;
    padding_ = 0;
    behind_ = 0;
    state_ = first ? state::boundary : state::part_over;
    return first ? event::more : event::part_end;
  }
  if (in.empty())
    return event::more;
  if (first)
    return refuse(400, "the form does not begin with its boundary");
  data_ = std::string_view{delimiter_}.substr(0, matched_);
  matched_ = 0;
  return event::data;
}

// What is behind a boundary: CR LF, or two dashes at the end of the form.
http_multipart_parser::event http_multipart_parser::take_boundary(std::string_view& in) {
  const char c = in.front();
  in.remove_prefix(1);
  if (behind_ == 0 && (c == ' ' || c == '\t') && ++padding_ <= most_padding)
    return event::more;
  if (behind_ == 0 && (c == '\r' || (c == '-' && padding_ == 0))) {
    behind_ = c;
    return event::more;
  }
  if (behind_ == '-' && c == '-') {
    state_ = state::ended;
    return event::end;
  }
  if (behind_ != '\r' || c != '\n')
    return refuse(400, "something is behind a boundary");
  if (++parts_ > limits_.parts)
    return refuse(413, "there are too many parts");
  head_.clear();
  state_ = state::head;
  return event::more;
}

http_multipart_parser::event http_multipart_parser::take_head(std::string_view& in) {
  while (!in.empty()) {
    const auto line = in.substr(0, in.find('\n'));
    const auto size = std::min(in.size(), line.size() + 1);
    if (head_.size() + size > limits_.head)
      return refuse(431, "the head of a part is too long");
    head_.append(in, 0, size);
    in.remove_prefix(size);
    if (head_.back() != '\n')
      return event::more;
    if (head_ != "\r\n" && !head_.ends_with("\r\n\r\n"))
      continue;
    if (!read_head())
      return event::refused;
    state_ = state::body;
    return event::part;
  }
  return event::more;
}

bool http_multipart_parser::read_head() {
  name_.clear();
  filename_.reset();
  content_type_.clear();
  bool named = false;
  bool typed = false;
  for (std::string_view rest = head_; rest != "\r\n";) {
    const auto end = rest.find('\n');
    if (end == 0 || rest[end - 1] != '\r')
      return wrong("a line of a part's head ends without CR");
    const auto line = rest.substr(0, end - 1);
    rest.remove_prefix(end + 1);
    if (!is_http_field_value(line))
      return wrong("a part's head has a control character");
    const auto name = line.substr(0, line.find(':'));
    if (!is_http_token(name) || name.size() == line.size())
      return wrong("a line of a part's head is no field");
    const auto value = trim_http(line.substr(name.size() + 1));
    if (equal_without_case(name, "Content-Disposition")) {
      if (std::exchange(named, true))
        return wrong("a part has two names");
      if (!read_disposition(value))
        return false;
    } else if (equal_without_case(name, "Content-Type")) {
      if (std::exchange(typed, true))
        return wrong("a part has two types");
      content_type_ = value;
    } else if (equal_without_case(name, "Content-Transfer-Encoding")
               && !equal_without_case(value, "binary") && !equal_without_case(value, "8bit")
               && !equal_without_case(value, "7bit")) {
      return wrong("a part is encoded");
    }
  }
  return named || wrong("a part has no name");
}

bool http_multipart_parser::read_disposition(std::string_view value) {
  const auto kind = value.substr(0, value.find(';'));
  if (!equal_without_case(trim_http(kind), "form-data"))
    return wrong("a part is no part of a form");
  value.remove_prefix(kind.size());
  bool named = false;
  std::string_view name;
  for (std::string text; !value.empty();) {
    if (!take_parameter(value, name, text))
      return wrong("the name of a part cannot be read");
    if (text.size() > limits_.name)
      return wrong("the name of a part is too long");
    if (equal_without_case(name, "name")) {
      if (std::exchange(named, true))
        return wrong("a part has two names");
      name_ = text;
    } else if (equal_without_case(name, "filename")) {
      if (filename_)
        return wrong("a part has two names of files");
      filename_ = text;
    }
  }
  return named || wrong("a part has no name");
}

} // namespace troupe
