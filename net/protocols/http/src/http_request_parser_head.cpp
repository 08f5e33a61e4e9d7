// What a head may be: the request line and the fields, and what these say of the message.
#include <troupe/http/http_request_parser.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

#include <troupe/http/detail/http_exchange.hpp>
#include <troupe/http/http_text.hpp>

#include "http_characters.hpp"

namespace troupe {

namespace detail {

namespace {

constexpr auto host_characters = http_characters("-._~%!$&'()*+,;=");

} // namespace

// The characters of a host: those of RFC 3986's reg-name and of addresses in brackets.
bool is_http_host(std::string_view text) noexcept {
  auto name = text;
  if (!text.empty() && text.front() == '[') {
    const auto end = text.find(']');
    if (end == std::string_view::npos || end < 3)
      return false;
    for (const char c : text.substr(1, end - 1))
      if (!is_http_digit(c) && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F') && c != ':'
          && c != '.')
        return false;
    name = {};
    text.remove_prefix(end + 1);
    if (text.empty())
      return true;
    if (text.front() != ':')
      return false;
    text.remove_prefix(1);
  } else {
    const auto colon = text.find(':');
    name = text.substr(0, colon);
    if (colon == std::string_view::npos)
      text = {};
    else
      text.remove_prefix(colon + 1);
  }
  for (const char c : name)
    if (!host_characters[static_cast<unsigned char>(c)])
      return false;
  if (text.size() > 5)
    return false;
  for (const char c : text)
    if (!is_http_digit(c))
      return false;
  return true;
}

bool is_forbidden_in_trailers(std::string_view name) noexcept {
  for (const std::string_view forbidden :
       {"Content-Length", "Transfer-Encoding", "Host", "Connection", "Upgrade", "Trailer"})
    if (equal_without_case(name, forbidden))
      return true;
  return false;
}

} // namespace detail

// Moves from `in` to `text` up to the empty line, and tells whether that is there. Refuses what is
// longer than `limit`, and lines that do not end with CR LF.
bool http_request_parser::find_end(std::string_view& in, std::string& text, std::size_t limit) {
  std::size_t at = 0;
  while (at < in.size()) {
    const auto* const found =
      static_cast<const char*>(std::memchr(in.data() + at, '\n', in.size() - at));
    if (found == nullptr) {
      line_size_ += in.size() - at;
      at = in.size();
      break;
    }
    const auto end = static_cast<std::size_t>(found - in.data());
    const auto size = line_size_ + (end - at);
    const char before = end > 0 ? in[end - 1] : last_;
    if (size == 0 || before != '\r') {
      refuse(400, "a line does not end with CR LF");
      return false;
    }
    line_size_ = 0;
    at = end + 1;
    if (text.size() + at > limit)
      break;
    if (size == 1) { // the empty line
      text.append(in.data(), at);
      in.remove_prefix(at);
      last_ = 0;
      return true;
    }
    ++lines_;
  }
  if (text.size() + at > limit) {
    refuse(431, "the head is longer than allowed");
    return false;
  }
  last_ = in.empty() ? last_ : in.back();
  text.append(in);
  in = {};
  return false;
}

http_request_parser::event http_request_parser::read_head(std::string_view& in) {
  auto& text = head_.fields_.text_;
  if (text.empty() || lines_ == 0) {
    if (in.empty())
      return event::more;
    if (head_.target_size_ != 0) { // of the request before
      auto old = std::move(text);
      auto places = std::move(head_.fields_.places_);
      old.clear();
      places.clear();
      head_ = {};
      text = std::move(old);
      head_.fields_.places_ = std::move(places);
    }
    // One empty line in front is skipped (RFC 9112, 2.2).
    if (text.empty() && !skipped_line_ && in.front() == '\r') {
      if (in.size() == 1 && line_size_ == 0) {
        line_size_ = 1;
        last_ = '\r';
        in = {};
        text = "\r";
        return event::more;
      }
      if (in[1] != '\n')
        return refuse(400, "a CR without LF");
      in.remove_prefix(2);
      skipped_line_ = true;
      if (in.empty())
        return event::more;
    }
    if (text == "\r" && !skipped_line_) {
      if (in.front() != '\n')
        return refuse(400, "a CR without LF");
      text.clear();
      line_size_ = 0;
      last_ = 0;
      in.remove_prefix(1);
      skipped_line_ = true;
      if (in.empty())
        return event::more;
    }
    if (text.empty() && !is_http_token(in.substr(0, 1)))
      return refuse(400, "this is no request line");
  }
  if (!find_end(in, text, limits_.head)) {
    if (state_ == state::failed) {
      if (status_ == 431 && lines_ == 0) // the request line alone is too long
        status_ = 414;
      return event::refused;
    }
    if (std::min(text.find('\n'), text.size()) > longest_request_line())
      return refuse(414, "the target is longer than allowed");
    if (lines_ > limits_.fields + 1)
      return refuse(431, "there are more fields than allowed");
    return event::more;
  }
  return finish_head();
}

http_request_parser::event http_request_parser::finish_head() {
  const std::string_view text = head_.fields_.text_;
  has_length_ = has_host_ = close_ = keep_ = upgrade_listed_ = has_upgrade_ = false;
  const auto end = text.find('\n');
  if (end > longest_request_line())
    return refuse(414, "the target is longer than allowed");
  if (!parse_request_line(text.substr(0, end - 1)))
    return event::refused;
  if (!parse_fields(head_.fields_, end + 1) || !check_target())
    return event::refused;
  if (!has_host_ && head_.minor_version_ == 1)
    return refuse(400, "HTTP/1.1 without Host");
  if (head_.chunked_ && has_length_)
    return refuse(400, "both Content-Length and Transfer-Encoding");
  head_.keep_alive_ = !close_ && (head_.minor_version_ == 1 || keep_);
  head_.upgrade_ = upgrade_listed_ && has_upgrade_ && head_.minor_version_ == 1;
  left_ = head_.length_;
  extensions_ = 0;
  if (!agrees(text, true))
    return refuse(status_ != 0 ? status_ : 400, *reason_ != 0 ? reason_ : "this is no request");
  chunks_ = head_.chunked_ ? std::make_unique<chunks>() : nullptr;
  line_size_ = 0;
  last_ = 0;
  state_ = head_.chunked_ ? state::chunk_line : state::data;
  return event::head;
}

bool http_request_parser::parse_request_line(std::string_view line) {
  const auto method = line.substr(0, line.find(' '));
  if (!is_http_token(method))
    return refuse(400, "the method is no token"), false;
  if (method.size() == line.size())
    return refuse(400, "a request line without target"), false;
  line.remove_prefix(method.size() + 1);
  std::size_t size = 0;
  while (size < line.size() && line[size] > 0x20 && line[size] < 0x7f)
    ++size;
  if (size == 0)
    return refuse(400, "a request line without target"), false;
  if (size > limits_.target)
    return refuse(414, "the target is longer than allowed"), false;
  if (size == line.size())
    return refuse(400, "a request line without version"), false;
  if (line[size] != ' ')
    return refuse(400, "a byte in the target that may not be there"), false;
  head_.method_size_ = static_cast<std::uint32_t>(method.size());
  head_.target_size_ = static_cast<std::uint32_t>(size);
  const auto version = line.substr(size + 1);
  if (version == "HTTP/1.1")
    head_.minor_version_ = 1;
  else if (version == "HTTP/1.0")
    head_.minor_version_ = 0;
  else if (version.size() == 8 && version.starts_with("HTTP/") && detail::is_http_digit(version[5])
           && version[6] == '.' && detail::is_http_digit(version[7]))
    return refuse(505, "neither HTTP/1.1 nor HTTP/1.0"), false;
  else
    return refuse(400, "the version is none"), false;
  return true;
}

bool http_request_parser::check_target() {
  const auto method = head_.method();
  const auto target = head_.target();
  if (method == "CONNECT") {
    if (target.find(':') == std::string_view::npos || !detail::is_http_host(target))
      return refuse(400, "the target of CONNECT is no host and port"), false;
    return true;
  }
  if (target.front() == '/')
    return true;
  if (target == "*")
    return method == "OPTIONS" || (refuse(400, "the target * is for OPTIONS"), false);
  const auto scheme = target.substr(0, target.find("://"));
  if (!equal_without_case(scheme, "http") && !equal_without_case(scheme, "https"))
    return refuse(400, "the target is neither a path nor a URL"), false;
  const auto host = head_.split_target().first;
  if (host.empty() || host.find('@') != std::string_view::npos || !detail::is_http_host(host))
    return refuse(400, "the target has no host"), false;
  return true;
}

// Reads the lines from `at` on up to the empty one.
bool http_request_parser::parse_fields(http_fields& fields, std::size_t at) {
  const auto& text = fields.text_;
  const bool trailing = chunks_ && &fields == &chunks_->trailers;
  for (;;) {
    const auto end = text.find('\n', at) - 1; // both are there
    if (end == at)
      return true;
    if (fields.places_.size() == limits_.fields)
      return refuse(431, "there are more fields than allowed"), false;
    const auto line = std::string_view{text}.substr(at, end - at);
    const auto name = line.substr(0, line.find(':'));
    if (line.front() == ' ' || line.front() == '\t')
      return refuse(400, "a folded field"), false;
    if (name.size() == line.size() || !is_http_token(name))
      return refuse(400, "the name of a field is no token"), false;
    const auto value = trim_http(line.substr(name.size() + 1));
    if (!is_http_field_value(value))
      return refuse(400, "a control character in a field"), false;
    fields.places_.push_back(
      {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(name.size()),
       static_cast<std::uint32_t>(value.empty() ? end : value.data() - text.data()),
       static_cast<std::uint32_t>(value.size())});
    if (trailing ? detail::is_forbidden_in_trailers(name) : !note_field(name, value))
      return refuse(400, "a field that may not be in trailers"), false;
    at = end + 2;
  }
}

// Looks at what says where a message ends, and what becomes of the connection.
bool http_request_parser::note_field(std::string_view name, std::string_view value) {
  switch (name.size()) {
  case 4:
    return !equal_without_case(name, "Host") || note_host(value);
  case 6:
    if (equal_without_case(name, "Expect") && head_.minor_version_ == 1) {
      if (!equal_without_case(value, "100-continue"))
        return refuse(417, "an expectation that we cannot meet"), false;
      head_.expects_continue_ = true;
    }
    return true;
  case 7:
    has_upgrade_ = has_upgrade_ || equal_without_case(name, "Upgrade");
    return true;
  case 10:
    if (equal_without_case(name, "Connection"))
      for (std::string_view token; next_http_element(value, token);) {
        close_ = close_ || equal_without_case(token, "close");
        keep_ = keep_ || equal_without_case(token, "keep-alive");
        upgrade_listed_ = upgrade_listed_ || equal_without_case(token, "upgrade");
      }
    return true;
  case 14:
    if (equal_without_case(name, "Content-Length")) {
      if (std::exchange(has_length_, true))
        return refuse(400, "two fields Content-Length"), false;
      if (value.empty() || value.size() > 19)
        return refuse(400, "the length of the body is no number"), false;
      for (const char c : value) {
        if (!detail::is_http_digit(c))
          return refuse(400, "the length of the body is no number"), false;
        head_.length_ = head_.length_ * 10 + static_cast<unsigned>(c - '0');
      }
      if (head_.length_ > INT64_MAX)
        return refuse(400, "the length of the body is no number"), false;
    }
    return true;
  case 17:
    return !equal_without_case(name, "Transfer-Encoding") || note_transfer_coding(value);
  default:
    return true;
  }
}

bool http_request_parser::note_transfer_coding(std::string_view value) {
  if (head_.minor_version_ == 0)
    return refuse(400, "Transfer-Encoding in HTTP/1.0"), false;
  if (head_.chunked_)
    return refuse(400, "two fields Transfer-Encoding"), false;
  if (equal_without_case(value, "chunked"))
    return head_.chunked_ = true;
  // Other codings are known and not done; what is no list of them, or has chunks inside, is neither.
  std::string_view rest = value;
  std::string_view coding;
  int codings = 0;
  while (next_http_element(rest, coding)) {
    const bool last = trim_http(rest).empty();
    if (!is_http_token(coding) || coding.find("chunked") != std::string_view::npos) {
      if (!(last && codings > 0 && equal_without_case(coding, "chunked")))
        return refuse(400, "a Transfer-Encoding that may be read in two ways"), false;
    }
    ++codings;
  }
  if (codings == 0)
    return refuse(400, "an empty Transfer-Encoding"), false;
  return refuse(501, "a Transfer-Encoding other than chunked"), false;
}

bool http_request_parser::note_host(std::string_view value) {
  if (std::exchange(has_host_, true))
    return refuse(400, "two fields Host"), false;
  if (!detail::is_http_host(value))
    return refuse(400, "the field Host is no host"), false;
  return true;
}

} // namespace troupe
