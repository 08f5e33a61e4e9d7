#include <troupe/http/http_response_parser.hpp>

#include <charconv>
#include <new>
#include <system_error>
#include <utility>

#include <troupe/http/http_text.hpp>

#include "http_characters.hpp"
#include "http_machine.hpp"

namespace troupe {

namespace {

// Its `data` tells what we know: that no body follows the head; and what it has found: the end.
char no_body;
char ended;

const llhttp_settings_t& response_callbacks() noexcept {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_headers_complete = [](llhttp_t* m) {
      return m->data == &no_body ? 1 : 0;
    };
    s.on_message_complete = [](llhttp_t* m) {
      m->data = &ended;
      return 0;
    };
    return s;
  }();
  return settings;
}

} // namespace

http_response_parser::http_response_parser(const http_response_limits& limits) noexcept
  : limits_(limits) {
  ::new (static_cast<void*>(llhttp_.data())) llhttp_t{};
}

void http_response_parser::begin(std::string_view method) noexcept {
  if (state_ == state::failed)
    return;
  to_head_ = method == "HEAD";
  to_connect_ = method == "CONNECT";
  informational_ = 0;
  clear_head();
}

void http_response_parser::clear_head() {
  auto text = std::move(head_.fields_.text_); // for its memory
  auto places = std::move(head_.fields_.places_);
  text.clear();
  places.clear();
  head_ = {};
  head_.fields_.text_ = std::move(text);
  head_.fields_.places_ = std::move(places);
  trailers_.text_.clear();
  trailers_.places_.clear();
  line_.clear();
  left_ = 0;
  extensions_ = 0;
  line_at_ = 0;
  has_length_ = close_ = keep_ = shown_ = false;
  state_ = state::status_line;
}

http_response_parser::event http_response_parser::refuse(const char* reason) noexcept {
  if (state_ != state::failed) {
    state_ = state::failed;
    reason_ = reason;
  }
  return event::refused;
}

http_response_parser::event http_response_parser::finish() noexcept {
  if (state_ == state::until_close)
    state_ = state::ended;
  if (state_ == state::ended)
    return event::end;
  return refuse("the connection ended in the middle of the response");
}

http_response_parser::event http_response_parser::next(std::string_view& in) {
  for (;;)
    switch (state_) {
    case state::data:
    case state::until_close:
    case state::chunk_data:
      if (state_ == state::data && left_ == 0) {
        state_ = state::ended;
        return event::end;
      }
      return next_data(in, state_ == state::chunk_data);
    case state::ended:
      return event::end;
    case state::failed:
      in = {};
      return event::refused;
    default: {
      const auto found = next_line(in);
      if (found != event::body) // else it is one that tells nothing to others
        return found;
      break;
    }
    }
}

http_response_parser::event http_response_parser::next_data(std::string_view& in, bool chunk) {
  if (in.empty())
    return event::more;
  body_ = state_ == state::until_close ? in : in.substr(0, left_);
  left_ -= state_ == state::until_close ? 0 : body_.size();
  in.remove_prefix(body_.size());
  if (chunk && !agrees(body_))
    return refuse("the body is not in chunks");
  if (chunk && left_ == 0)
    state_ = state::chunk_end;
  return event::body;
}

// Moves from `in` to `text` up to the end of the line, and tells whether that is there.
bool http_response_parser::take_line(std::string_view& in, std::string& text, std::size_t limit,
                                     const char* too_long) {
  const auto at = in.find('\n');
  const auto size = at == std::string_view::npos ? in.size() : at + 1;
  if (text.size() + size > limit) {
    refuse(too_long);
    return false;
  }
  text.append(in.substr(0, size));
  in.remove_prefix(size);
  if (at == std::string_view::npos)
    return false;
  if (text.size() - line_at_ < 2 || text[text.size() - 2] != '\r') {
    refuse("a line does not end with CR LF");
    return false;
  }
  return true;
}

http_response_parser::event http_response_parser::next_line(std::string_view& in) {
  const bool of_head = state_ == state::status_line || state_ == state::fields;
  auto& text = of_head ? head_.fields_.text_ : state_ == state::trailers ? trailers_.text_ : line_;
  const auto limit = of_head                      ? limits_.head
                     : state_ == state::trailers  ? limits_.trailers
                     : state_ == state::chunk_end ? 2
                                                  : limits_.chunk_line;
  if (in.empty())
    return event::more;
  if (std::exchange(shown_, false))
    clear_head();
  if (!take_line(in, text, limit,
                 of_head                      ? "the head is longer than allowed"
                 : state_ == state::trailers  ? "the trailers are longer than allowed"
                 : state_ == state::chunk_end ? "something else than CR LF behind a chunk"
                                              : "the line of a chunk is longer than allowed"))
    return state_ == state::failed ? event::refused : event::more;
  const bool is_empty = text.size() - line_at_ == 2;
  switch (state_) {
  case state::status_line:
    if (!status_line())
      return event::refused;
    line_at_ = text.size();
    state_ = state::fields;
    return event::body;
  case state::fields:
    if (is_empty)
      return finish_head();
    if (!field_line(head_.fields_))
      return event::refused;
    line_at_ = text.size();
    return event::body;
  case state::trailers:
    if (!is_empty) {
      if (!field_line(trailers_))
        return event::refused;
      line_at_ = text.size();
      return event::body;
    }
    if (!agrees(text) || detail::http_machine(llhttp_).data != &ended)
      return refuse("the body is not in chunks");
    state_ = state::ended;
    return event::end;
  case state::chunk_end:
    if (!agrees(line_))
      return refuse("something else than CR LF behind a chunk");
    line_.clear();
    state_ = state::chunk_line;
    return event::body;
  default: // of a chunk's size
    if (!chunk_size())
      return event::refused;
    line_.clear();
    return event::body;
  }
}

bool http_response_parser::status_line() {
  const auto line = std::string_view{head_.fields_.text_}.substr(0, head_.fields_.text_.size() - 2);
  if (line.starts_with("HTTP/1.1 "))
    head_.minor_version_ = 1;
  else if (line.starts_with("HTTP/1.0 "))
    head_.minor_version_ = 0;
  else
    return refuse("this is no status line of HTTP/1.1 or HTTP/1.0"), false;
  if (line.size() < 12 || line[9] < '1' || line[9] > '5' || !detail::is_http_digit(line[10])
      || !detail::is_http_digit(line[11]) || (line.size() > 12 && line[12] != ' '))
    return refuse("the status is no number from 100 to 599"), false;
  head_.status_ =
    static_cast<std::uint16_t>((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
  const auto phrase = line.size() > 13 ? line.substr(13) : std::string_view{};
  if (!is_http_field_value(phrase))
    return refuse("a control character in the status line"), false;
  head_.phrase_at_ = static_cast<std::uint32_t>(line.size() - phrase.size());
  head_.phrase_size_ = static_cast<std::uint32_t>(phrase.size());
  return true;
}

bool http_response_parser::field_line(http_fields& fields) {
  if (fields.places_.size() == limits_.fields)
    return refuse("there are more fields than allowed"), false;
  const auto line =
    std::string_view{fields.text_}.substr(line_at_, fields.text_.size() - 2 - line_at_);
  const auto name = line.substr(0, line.find(':'));
  if (line.front() == ' ' || line.front() == '\t')
    return refuse("a folded field"), false;
  if (name.size() == line.size() || !is_http_token(name))
    return refuse("the name of a field is no token"), false;
  const auto value = trim_http(line.substr(name.size() + 1));
  if (!is_http_field_value(value))
    return refuse("a control character in a field"), false;
  fields.places_.push_back(
    {static_cast<std::uint32_t>(line_at_), static_cast<std::uint32_t>(name.size()),
     static_cast<std::uint32_t>(value.empty() ? line_at_ + line.size()
                                              : value.data() - fields.text_.data()),
     static_cast<std::uint32_t>(value.size())});
  if (&fields == &head_.fields_)
    return note_field(name, value);
  for (const std::string_view forbidden : {"Content-Length", "Transfer-Encoding", "Connection"})
    if (equal_without_case(name, forbidden))
      return refuse("a field that may not be in trailers"), false;
  return true;
}

bool http_response_parser::note_field(std::string_view name, std::string_view value) {
  if (equal_without_case(name, "Connection")) {
    for (std::string_view token; next_http_element(value, token);) {
      close_ = close_ || equal_without_case(token, "close");
      keep_ = keep_ || equal_without_case(token, "keep-alive");
    }
  } else if (equal_without_case(name, "Content-Length")) {
    return note_length(value);
  } else if (equal_without_case(name, "Transfer-Encoding")) {
    if (head_.minor_version_ == 0)
      return refuse("Transfer-Encoding in HTTP/1.0"), false;
    if (std::exchange(head_.chunked_, true))
      return refuse("two fields Transfer-Encoding"), false;
    if (!equal_without_case(value, "chunked"))
      return refuse("a Transfer-Encoding other than chunked"), false;
  }
  return true;
}

bool http_response_parser::note_length(std::string_view value) {
  if (std::exchange(has_length_, true))
    return refuse("two fields Content-Length"), false;
  const auto* const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, head_.length_);
  if (value.empty() || !detail::is_http_digit(value.front()) || error != std::errc{} || stop != end
      || head_.length_ > INT64_MAX)
    return refuse("the length of the body is no number"), false;
  return true;
}

http_response_parser::event http_response_parser::finish_head() {
  const auto status = head_.status_;
  if (head_.chunked_ && has_length_)
    return refuse("both Content-Length and Transfer-Encoding");
  const bool tunnel = to_connect_ && status / 100 == 2;
  const bool bodiless = to_head_ || tunnel || status / 100 == 1 || status == 204 || status == 304;
  if (!head_agrees(bodiless))
    return refuse("this is no response");
  if (status / 100 == 1 && status != 101) {
    if (++informational_ > limits_.informational)
      return refuse("there are more informational responses than allowed");
    state_ = state::status_line;
    shown_ = true; // until the next one begins
    return event::informational;
  }
  head_.keep_alive_ = !close_ && (head_.minor_version_ == 1 || keep_);
  if (bodiless) {
    head_.chunked_ = false;
    head_.length_ = 0;
  } else if (!head_.chunked_ && !has_length_) {
    head_.until_close_ = true;
    head_.keep_alive_ = false;
  }
  left_ = head_.length_;
  line_at_ = 0;
  state_ = head_.chunked_       ? state::chunk_line
           : head_.until_close_ ? state::until_close
                                : state::data;
  return event::head;
}

bool http_response_parser::chunk_size() {
  const auto text = std::string_view{line_}.substr(0, line_.size() - 2);
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size, 16);
  const auto digits = static_cast<std::size_t>(end - text.data());
  if (digits == 0)
    return refuse("a chunk without size"), false;
  if (digits > 16 || error != std::errc{} || size > INT64_MAX)
    return refuse("the size of a chunk is too large"), false;
  const auto extension = text.substr(digits);
  if (!extension.empty() && (extension.front() != ';' || !is_http_field_value(extension)))
    return refuse("the size of a chunk is no number"), false;
  extensions_ += extension.size();
  if (extensions_ > limits_.chunk_extensions)
    return refuse("the extensions of chunks are longer than allowed"), false;
  // Extensions mean nothing to us, and llhttp does not know all of them.
  if (!agrees(text.substr(0, digits)) || !agrees("\r\n")
      || (size > 0 && detail::http_machine(llhttp_).content_length != size))
    return refuse("the body is not in chunks"), false;
  left_ = size;
  state_ = size > 0 ? state::chunk_data : state::trailers;
  return true;
}

// -- llhttp -------------------------------------------------------------------------------------

bool http_response_parser::agrees(std::string_view bytes) {
  return llhttp_execute(&detail::http_machine(llhttp_), bytes.data(), bytes.size()) == HPE_OK;
}

// Gives llhttp the whole head. Which responses have no body, it does not always know.
bool http_response_parser::head_agrees(bool bodiless) {
  auto& m = detail::http_machine(llhttp_);
  llhttp_init(&m, HTTP_RESPONSE, &response_callbacks());
  if (bodiless)
    m.data = &no_body;
  const auto& text = head_.fields_.text_;
  const auto result = llhttp_execute(&m, text.data(), text.size());
  if ((result != HPE_OK && result != HPE_PAUSED_UPGRADE) || m.status_code != head_.status_)
    return false;
  if (bodiless)
    return m.data == &ended;
  if (m.data == &ended)
    return has_length_ && head_.length_ == 0;
  return ((m.flags & F_CHUNKED) != 0) == head_.chunked_
         && (!has_length_ || m.content_length == head_.length_);
}

} // namespace troupe
