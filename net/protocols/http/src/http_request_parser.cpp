#include <troupe/http/http_request_parser.hpp>

#include <algorithm>
#include <charconv>
#include <new>
#include <system_error>
#include <utility>

#include <troupe/http/http_text.hpp>

#include "http_machine.hpp"

namespace troupe {

namespace {

// Its `data` tells whether the message has ended.
int message_ended(llhttp_t* of) {
  of->data = of;
  return 0;
}

const llhttp_settings_t& request_callbacks() noexcept {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_message_complete = message_ended;
    return s;
  }();
  return settings;
}

} // namespace

http_request_parser::http_request_parser(const http_request_limits& limits) noexcept
  : limits_(limits) {
  ::new (static_cast<void*>(llhttp_.data())) llhttp_t{};
}

void http_request_parser::shrink() {
  if (state_ == state::head && head_.fields_.text_.capacity() > 1024 && !in_head())
    head_ = {};
  if (state_ == state::head)
    chunks_.reset();
}

const http_fields& http_request_parser::trailers() const noexcept {
  static const http_fields none;
  return chunks_ ? chunks_->trailers : none;
}

http_request_parser::event http_request_parser::refuse(int status, const char* reason) noexcept {
  if (state_ != state::failed) {
    state_ = state::failed;
    status_ = status;
    reason_ = reason;
  }
  return event::refused;
}

http_request_parser::event http_request_parser::next(std::string_view& in) {
  for (;;)
    switch (state_) {
    case state::head:
      return read_head(in);
    case state::data:
      if (left_ == 0) {
        begin_message();
        return event::end;
      }
      if (in.empty())
        return event::more;
      body_ = in.substr(0, left_);
      left_ -= body_.size();
      in.remove_prefix(body_.size());
      return event::body;
    case state::chunk_data:
      if (in.empty())
        return event::more;
      body_ = in.substr(0, left_);
      left_ -= body_.size();
      in.remove_prefix(body_.size());
      if (!agrees(body_, false))
        return refuse(400, "the body is not in chunks");
      if (left_ == 0)
        state_ = state::chunk_end;
      return event::body;
    case state::chunk_line:
    case state::chunk_end: {
      const auto found = read_line(in);
      if (found != event::body) // the line is whole, and read
        return found;
      break;
    }
    case state::trailers:
      return read_trailers(in);
    case state::failed:
      in = {};
      return event::refused;
    }
}

void http_request_parser::begin_message() noexcept {
  state_ = state::head;
  skipped_line_ = false;
  line_size_ = 0;
  lines_ = 0;
  last_ = 0;
}

// -- bodies in chunks ---------------------------------------------------------------------------

// Takes one line, of a chunk's size or behind its data; event::body says that it was one.
http_request_parser::event http_request_parser::read_line(std::string_view& in) {
  const auto limit = state_ == state::chunk_end ? std::size_t{2} : std::size_t{limits_.chunk_line};
  auto& kept = chunks_->line;
  if (in.empty())
    return event::more;
  const auto at = in.substr(0, limit + 1 - std::min(limit, kept.size())).find('\n');
  if (at == std::string_view::npos) {
    if (kept.size() + in.size() >= limit)
      return refuse(400, state_ == state::chunk_end ? "something else than CR LF behind a chunk"
                                                    : "the line of a chunk is longer than allowed");
    kept += in;
    in = {};
    if (state_ == state::chunk_end && kept != "\r")
      return refuse(400, "something else than CR LF behind a chunk");
    return event::more;
  }
  auto line = in.substr(0, at + 1);
  in.remove_prefix(at + 1);
  if (!kept.empty()) {
    kept += line;
    line = kept;
  }
  const auto found = chunk_line(line);
  kept.clear();
  return found;
}

http_request_parser::event http_request_parser::chunk_line(std::string_view line) {
  if (line.size() > limits_.chunk_line)
    return refuse(400, "the line of a chunk is longer than allowed");
  if (line.size() < 2 || line[line.size() - 2] != '\r')
    return refuse(400, "a line does not end with CR LF");
  const auto text = line.substr(0, line.size() - 2);
  if (state_ == state::chunk_end) {
    if (!text.empty())
      return refuse(400, "something else than CR LF behind a chunk");
    if (!agrees(line, false))
      return refuse(400, "the body is not in chunks");
    state_ = state::chunk_line;
    return event::body;
  }
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size, 16);
  const auto digits = static_cast<std::size_t>(end - text.data());
  if (digits == 0)
    return refuse(400, "a chunk without size");
  if (digits > 16 || error != std::errc{} || size > INT64_MAX)
    return refuse(400, "the size of a chunk is too large");
  const auto extension = text.substr(digits);
  if (!extension.empty() && (extension.front() != ';' || !is_http_field_value(extension)))
    return refuse(400, "the size of a chunk is no number");
  extensions_ += extension.size();
  if (extensions_ > limits_.chunk_extensions)
    return refuse(400, "the extensions of chunks are longer than allowed");
  // Extensions mean nothing to us, and llhttp does not know all of them.
  if (!agrees(text.substr(0, digits), false) || !agrees("\r\n", false)
      || (size > 0 && detail::http_machine(llhttp_).content_length != size))
    return refuse(400, "the body is not in chunks");
  left_ = size;
  lines_ = 0;
  state_ = size > 0 ? state::chunk_data : state::trailers;
  return event::body;
}

http_request_parser::event http_request_parser::read_trailers(std::string_view& in) {
  if (in.empty())
    return event::more;
  if (!find_end(in, chunks_->trailers.text_, limits_.trailers))
    return state_ == state::failed ? event::refused : event::more;
  if (!parse_fields(chunks_->trailers, 0))
    return event::refused;
  if (!agrees(chunks_->trailers.text_, false) || detail::http_machine(llhttp_).data == nullptr)
    return refuse(400, "the body is not in chunks");
  begin_message();
  return event::end;
}

// -- llhttp -------------------------------------------------------------------------------------

// Gives llhttp the same bytes. It pauses where another protocol might begin, which is up to us.
bool http_request_parser::agrees(std::string_view bytes, bool whole_head) {
  auto& m = detail::http_machine(llhttp_);
  if (whole_head)
    llhttp_init(&m, HTTP_REQUEST, &request_callbacks());
  const auto result = llhttp_execute(&m, bytes.data(), bytes.size());
  if (!whole_head)
    return result == HPE_OK || (result == HPE_PAUSED_UPGRADE && m.data != nullptr);
  if (result == HPE_INVALID_METHOD || m.method > HTTP_SOURCE) {
    refuse(501, "a method that we do not know");
    return false;
  }
  if (result != HPE_OK && result != HPE_PAUSED_UPGRADE)
    return false;
  const bool ended = m.data != nullptr;
  if (head_.method() == "CONNECT")
    return ended; // a tunnel has no body
  if (ended != !head_.has_body())
    return false;
  if (ended)
    return true;
  const bool chunked = (m.flags & F_CHUNKED) != 0;
  return chunked == head_.chunked_ && (chunked || m.content_length == head_.length_);
}

} // namespace troupe
