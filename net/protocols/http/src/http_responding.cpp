// How a connection sends a response.

#include <algorithm>
#include <array>
#include <charconv>

#include <spdlog/logger.h>

#include <troupe/http/http_date.hpp>
#include <troupe/http/http_status.hpp>
#include <troupe/runtime/detail/uncaught.hpp>
#include <troupe/runtime/logger.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/threads.hpp>

#include "http_connection.hpp"

namespace troupe {

using namespace std::string_view_literals; // whose lengths are known

namespace {

constexpr std::size_t worth_a_write = 16 * 1024;
constexpr std::size_t file_piece = 128 * 1024;
constexpr std::size_t most_in_a_row = 1024 * 1024;

// Memory that the connections of a thread lend from each other, for one call at a time.
struct scratch {
  std::string head;
  std::unique_ptr<std::byte[]> piece;
  std::time_t date_of = -1;
  std::string ok_and_date; // the first lines of most responses
  std::size_t ok = 0;      // of these bytes, those of the status
};

scratch& of_this_thread() {
  thread_local scratch s;
  return s;
}

void append_number(std::string& out, std::uint64_t n, int base = 10) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), n, base).ptr;
  out.append(digits.data(), end);
}

// Appends the last lines of a head in one piece.
void append_length(std::string& out, std::uint64_t length) {
  constexpr auto name = "Content-Length: "sv;
  std::array<char, 48> lines;
  std::copy(name.begin(), name.end(), lines.begin());
  auto* end = std::to_chars(lines.data() + name.size(), lines.data() + lines.size(), length).ptr;
  for (const char c : "\r\n\r\n"sv)
    *end++ = c;
  out.append(lines.data(), end);
}

} // namespace

std::time_t http_connection::wall_time() const {
  const auto& clock = service_->options.wall_clock;
  return clock ? clock() : std::time(nullptr);
}

void http_connection::append_head(std::string& out, const http_response& r,
                                  std::optional<std::uint64_t> length) {
  auto& s = of_this_thread();
  if (const auto now = wall_time(); now != s.date_of) {
    s.ok_and_date = "HTTP/1.1 200 OK\r\n";
    s.ok = s.ok_and_date.size();
    ((s.ok_and_date += "Date: "sv) += format_http_date(now)) += "\r\n"sv;
    s.date_of = now;
  }
  if (r.status_ == 200) {
    out += s.ok_and_date;
  } else {
    out += "HTTP/1.1 "sv;
    append_number(out, static_cast<std::uint64_t>(r.status_));
    ((out += ' ') += http_phrase(r.status_)) += "\r\n"sv;
    out += std::string_view{s.ok_and_date}.substr(s.ok);
  }
  if (const auto& name = service_->options.server_name; !name.empty())
    ((out += "Server: "sv) += name) += "\r\n"sv;
  out += r.fields_;
  if (r.upgraded_) {
    if (r.status_ == 101)
      out += "Connection: Upgrade\r\n"sv;
  } else {
    if (!keep_alive_)
      out += "Connection: close\r\n"sv;
    else if (request_ && request_->head.minor_version() == 0)
      out += "Connection: keep-alive\r\n"sv;
    if (chunked_) {
      out += "Transfer-Encoding: chunked\r\n"sv;
    } else if (length) {
      return append_length(out, *length);
    }
  }
  out += "\r\n"sv;
}

void http_connection::send(http_response r) {
  const bool http_1_0 = request_ && request_->head.minor_version() == 0;
  if (request_ && request_->head.method() == "CONNECT" && r.status_ / 100 <= 2 && !refused_) {
    if (!r.upgraded_)
      r = http_response{405, "There is no tunnel here.\n"};
    else
      r.status_ = 200;
  }
  status_ = r.status_;
  sent_ = 0;
  if (r.closes_ || draining_)
    keep_alive_ = false;
  if (!body_done_) { // what is not read has to be passed over, and may never come
    const auto left = request_->head.content_length();
    if ((request_->head.expects_continue() && !continued_)
        || (left && *left > service_->options.max_discarded))
      keep_alive_ = false;
  }
  auto& out = of_this_thread().head;
  out.clear();
  if (r.upgraded_) {
    append_head(out, r, {});
    transport().write(out);
    log_access(true);
    release_request();
    park_request(); // there is no other one
    state_ = state::upgraded;
    awaits_ = awaited::nothing;
    upgraded_ = std::move(r.upgraded_);
    detail::in_callback("taken_over", [this] {
      if (!give_away())
        upgraded_->taken_over(transport());
    });
    return process_kept();
  }
  auto* const text = std::get_if<std::string>(&r.body_);
  auto* const bytes = std::get_if<shared_bytes>(&r.body_);
  auto* const file = std::get_if<http_file>(&r.body_);
  auto* const streamed = std::get_if<http_response::streamed>(&r.body_);
  const auto length = text != nullptr    ? std::optional<std::uint64_t>{text->size()}
                      : bytes != nullptr ? std::optional<std::uint64_t>{bytes->size()}
                      : file != nullptr  ? std::optional<std::uint64_t>{file->size}
                                         : streamed->size;
  const bool never = r.status_ < 200 || r.status_ == 204 || r.status_ == 304;
  const bool bodiless = is_head_ || never;
  if (!length && http_1_0 && !bodiless)
    keep_alive_ = false; // its end is that of the connection
  chunked_ = !length && !http_1_0 && !never;
  append_head(out, r, never ? std::optional<std::uint64_t>{} : length);
  state_ = state::responding;
  if (bodiless || length == std::uint64_t{0}) {
    transport().write(out);
    return response_ended(true);
  }
  if (text != nullptr || bytes != nullptr) {
    sent_ = *length;
    const auto body = text != nullptr ? std::string_view{*text} : bytes->text();
    if (out.size() + body.size() <= worth_a_write) {
      out += body;
      transport().write(out);
    } else {
      transport().write(out);
      if (bytes != nullptr)
        transport().write(*bytes);
      else
        transport().write(body);
    }
    return response_ended(true);
  }
  transport().write(out);
  known_length_ = length.has_value();
  body_left_ = length.value_or(0);
  if (file != nullptr) {
    file_ = std::make_shared<file_descriptor>(std::move(file->descriptor));
    file_at_ = file->offset;
  } else {
    source_ = std::move(streamed->source);
  }
  await(awaited::reader);
  produce();
}

// -- what is sent piece by piece ----------------------------------------------------------------

// Asks to be told when all output is gone.
void http_connection::produce() {
  if (std::exchange(producing_, true))
    return;
  transport().register_producer(*this, false); // which calls resume_producing
}

void http_connection::stop_producing() {
  producing_ = false;
}

void http_connection::resume_producing() {
  if (!producing_ || !connected())
    return;
  if (state_ == state::responding && !source_waits_ && !reading_file_) {
    if (file_)
      return send_file();
    if (source_)
      return ask_source();
  }
  if (state_ != state::responding && transport().unsent() <= 64 * 1024) {
    producing_ = false;
    transport().unregister_producer();
    process_kept();
  }
}

// Sends what the system has in memory from here, and lets a thread read the rest.
void http_connection::send_file() {
  auto& piece = of_this_thread().piece;
  if (!piece)
    piece = std::make_unique<std::byte[]>(file_piece);
  for (std::size_t row = 0; row < most_in_a_row;) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(file_piece, body_left_));
    const auto got = detail::read_if_cached(*file_, {piece.get(), size}, file_at_);
    if (!got)
      return read_file_elsewhere(size);
    if (*got == 0)
      return abort_response("the file became shorter, or cannot be read");
    row += *got;
    if (!sent_of_file({piece.get(), *got}) || transport().unsent() > 0)
      return;
  }
}

// Returns false at the end of the response.
bool http_connection::sent_of_file(bytes_view data) {
  file_at_ += data.size();
  body_left_ -= data.size();
  sent_ += data.size();
  transport().write(data);
  if (body_left_ > 0 && connected())
    return true;
  if (connected())
    response_ended(true);
  return false;
}

void http_connection::read_file_elsewhere(std::size_t size) {
  reading_file_ = true;
  defer_to_thread(*this, [file = file_, at = file_at_, size] {
    return detail::read_waiting(*file, at, size);
  }).add_both([this, number = number_](outcome<std::string> got) {
    reading_file_ = false;
    if (number != number_ || state_ != state::responding || !connected() || !file_)
      return;
    if (!got || got->empty())
      return abort_response("the file became shorter, or cannot be read");
    sent_of_file(as_bytes(*got));
  });
}

void http_connection::ask_source() {
  source_waits_ = true;
  deferred<std::string> next = [&] {
    try {
      return source_->read();
    } catch (...) {
      return fail<std::string>(failure::current());
    }
  }();
  if (next.ready())
    return source_gave(std::move(next).take(), number_);
  std::move(next).add_both([state = request_, number = number_](outcome<std::string> piece) {
    if (auto* const c = static_cast<http_connection*>(state->exchange))
      c->enter("a body", [&] { c->source_gave(std::move(piece), number); });
  });
}

void http_connection::source_gave(outcome<std::string> piece, std::uint64_t number) {
  if (number != number_ || state_ != state::responding || !connected())
    return;
  source_waits_ = false;
  if (!piece) {
    loop().scheduler().logger().error("[{}] the body of a response: {}", log_name(),
                                      piece.error().message());
    return abort_response("its source failed");
  }
  auto& t = transport();
  if (piece->empty()) {
    if (known_length_ && body_left_ > 0)
      return abort_response("its source gave less than it promised");
    if (!chunked_)
      return response_ended(true);
    std::string trailers;
    try {
      trailers = detail::trailers_of(*source_);
    } catch (const std::exception& e) {
      return abort_response(e.what());
    }
    t.write("0\r\n" + trailers + "\r\n");
    return response_ended(true);
  }
  sent_ += piece->size();
  if (chunked_) {
    auto& out = of_this_thread().head;
    out.clear();
    append_number(out, piece->size(), 16);
    out += "\r\n";
    if (piece->size() < worth_a_write) {
      (out += *piece) += "\r\n";
      t.write(out);
    } else {
      t.write(out);
      t.write(*piece);
      t.write("\r\n");
    }
    return;
  }
  if (known_length_ && piece->size() > body_left_)
    return abort_response("its source gave more than it promised");
  body_left_ -= known_length_ ? piece->size() : 0;
  t.write(*piece);
  if (known_length_ && body_left_ == 0)
    response_ended(true);
}

// The client must see that the response is not whole.
void http_connection::abort_response(const char* why) {
  if (auto& log = loop().scheduler().logger(); log.should_log(spdlog::level::info))
    log.info("[{}] aborts the response to {}: {}", log_name(),
             request_ ? escape_text(request_->head.target(), 200) : std::string{}, why);
  log_access(false);
  state_ = state::closing;
  source_.reset();
  file_.reset();
  transport().abort_connection();
}

void http_connection::response_ended(bool complete) {
  log_access(complete);
  source_.reset();
  file_.reset();
  source_waits_ = false;
  if (std::exchange(producing_, false))
    transport().unregister_producer();
  if (body_done_)
    return request_ended();
  if (!keep_alive_)
    return end_politely(true);
  state_ = state::waiting; // for the rest of the body, which nobody wants
  request_->body.fail(failure{errc::not_connected, "the request has its response"});
  discarded_ = request_->body.text.size();
  request_->body.text = {};
  await(awaited::request);
  process_kept();
}

void http_connection::log_access(bool complete) {
  const auto& log = service_->options.access_log;
  if (!log)
    return;
  const auto peer = transport().get_peer();
  http_access a;
  a.head = request_ && !refused_ ? &request_->head : nullptr;
  const auto& host = peer.host();
  a.peer = host;
  a.status = status_;
  a.body_bytes = sent_;
  a.at = wall_time();
  a.complete = complete;
  log(a);
}

} // namespace troupe
