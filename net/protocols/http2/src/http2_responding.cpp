// How a connection answers.

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/http/http_date.hpp>
#include <troupe/http/http_text.hpp>
#include <troupe/runtime/logger.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/threads.hpp>

#include "http2_connection.hpp"
#include "http2_fields.hpp"

namespace troupe {

namespace {

using detail::http2_field;

std::string_view digits(std::array<char, 24>& into, std::uint64_t n) {
  return {into.data(), std::to_chars(into.data(), into.data() + into.size(), n).ptr};
}

} // namespace

std::time_t http2_connection::wall_time() const {
  const auto& clock = service_->options.wall_clock;
  return clock ? clock() : std::time(nullptr);
}

const std::string& http2_connection::date() {
  if (const auto at = wall_time(); at != date_of_) {
    date_ = format_http_date(at);
    date_of_ = at;
  }
  return date_;
}

void http2_connection::answer(http2_stream& s, http_reply reply) {
  auto& value = detail::http_insides::value(reply);
  if (auto* const at_once = std::get_if<http_response>(&value))
    return respond(s, std::move(*at_once));
  auto& later = std::get<deferred<http_response>>(value);
  if (later.ready())
    return answered(s, std::move(later).take());
  s.handler = later.canceller();
  std::move(later).add_both([state = s.request](outcome<http_response> got) {
    if (state->exchange == nullptr)
      return;
    auto& stream = static_cast<http2_stream&>(*state->exchange);
    stream.connection.carrier().enter("the handler", [&] {
      stream.connection.answered(stream, std::move(got));
      stream.connection.work();
    });
  });
}

void http2_connection::answered(http2_stream& s, outcome<http_response> got) {
  if (s.closed || s.responded)
    return;
  s.handler = {};
  if (got)
    respond(s, *std::move(got));
  else
    respond(s, detail::http_answer_to(got.error(), carrier_.loop().scheduler().logger(),
                                      carrier_.log_name(), s.request->head));
}

void http2_connection::respond(http2_stream& s, http_response r) {
  if (s.closed)
    return;
  s.responded = true;
  s.rated = false;
  const bool upgrades = detail::http_insides::upgraded(r) != nullptr;
  if (s.tunnel && upgrades)
    return open_tunnel(s, std::move(r));
  if (upgrades || r.status() < 200 || r.status() > 999) {
    s.status = r.status();
    return session_.reset(s.id, NGHTTP2_HTTP_1_1_REQUIRED);
  }
  if (s.tunnel) {
    if (r.status() < 300) // which would say that the stream is taken over
      r = http_response{501, "That protocol is not spoken here.\n"};
    s.request->body.ended = s.tunnel->input_ended();
    s.tunnel = nullptr;
  }
  s.status = r.status();
  if (detail::http_insides::closes(r))
    drain();
  auto& body = detail::http_insides::of(r);
  auto* const streamed = std::get_if<detail::http_insides::streamed>(&body);
  std::optional<std::uint64_t> length;
  if (const auto* const text = std::get_if<std::string>(&body))
    length = text->size();
  else if (const auto* const bytes = std::get_if<shared_bytes>(&body))
    length = bytes->size();
  else if (const auto* const file = std::get_if<http_file>(&body))
    length = file->size;
  else
    length = streamed->size;
  const bool never = r.status() == 204 || r.status() == 304;
  const bool bodiless = never || s.request->head.method() == "HEAD" || length == std::uint64_t{0};

  std::array<char, 24> of_status;
  std::array<char, 24> of_length;
  auto& out = detail::http2_scratch_fields();
  out.push_back(http2_field(":status", digits(of_status, static_cast<std::uint64_t>(s.status))));
  out.push_back(http2_field("date", date()));
  if (const auto& name = service_->options.server_name; !name.empty())
    out.push_back(http2_field("server", name));
  detail::add_http2_lines(out, detail::http_insides::fields(r));
  if (length && !never)
    out.push_back(http2_field("content-length", digits(of_length, *length)));
  if (!bodiless) {
    s.body.begin(std::move(body), length);
    s.streams = true;
    s.moved_at = now();
    arm_after(s.moved_at, service_->options.write_timeout);
  }
  session_.respond(s.id, out, !bodiless);
}

void http2_connection::open_tunnel(http2_stream& s, http_response r) {
  s.status = 200;
  std::array<char, 24> of_status;
  auto& out = detail::http2_scratch_fields();
  out.push_back(http2_field(":status", digits(of_status, 200)));
  out.push_back(http2_field("date", date()));
  if (const auto& name = service_->options.server_name; !name.empty())
    out.push_back(http2_field("server", name));
  detail::add_http2_lines(out, detail::http_insides::fields(r));
  session_.respond(s.id, out, true);
  s.request->exchange = nullptr; // before the log, which is a user's code
  log_access(s);
  s.request = nullptr;
  s.tunnel->take_over(std::move(detail::http_insides::upgraded(r)));
  work_soon();
}

// -- what is sent piece by piece ----------------------------------------------------------------

// Gets the next piece of a body.
void http2_connection::feed(http2_stream& s) {
  if (const auto file = s.body.file()) {
    defer_to_thread(carrier_, [file, at = s.body.file_at(), size = s.body.file_size()] {
      return detail::read_waiting(*file, at, size);
    }).add_both([state = s.request](outcome<std::string> got) {
      if (state->exchange == nullptr)
        return;
      auto& stream = static_cast<http2_stream&>(*state->exchange);
      stream.connection.gave(stream, std::move(got));
      stream.connection.work();
    });
    return;
  }
  auto* const source = s.body.source();
  if (source == nullptr)
    return;
  deferred<std::string> next = [&] {
    try {
      return source->read();
    } catch (...) {
      return fail<std::string>(failure::current());
    }
  }();
  if (next.ready())
    return gave(s, std::move(next).take());
  std::move(next).add_both([state = s.request](outcome<std::string> piece) {
    if (state->exchange == nullptr)
      return;
    auto& stream = static_cast<http2_stream&>(*state->exchange);
    stream.connection.carrier().enter("a body", [&] {
      stream.connection.gave(stream, std::move(piece));
      stream.connection.work();
    });
  });
}

void http2_connection::gave(http2_stream& s, outcome<std::string> piece) {
  if (s.closed || !std::exchange(s.waits, false))
    return;
  s.moved_at = now();
  if (!piece) {
    carrier_.loop().scheduler().logger().error("[{}] the body of a response: {}",
                                               carrier_.log_name(), piece.error().message());
    return abort_response(s, "its source failed");
  }
  if (!s.body.add(*std::move(piece)))
    return abort_response(s, s.body.reason());
  if (auto* const source = s.body.source(); source != nullptr && s.body.ended()) {
    try {
      s.trailers = detail::trailers_of(*source);
    } catch (const std::exception& e) {
      return abort_response(s, e.what());
    }
  }
  arm_after(s.moved_at, service_->options.write_timeout);
  session_.resume(s.id);
}

void http2_connection::add_trailers(http2_stream& s) {
  auto& out = detail::http2_scratch_fields();
  detail::add_http2_lines(out, s.trailers);
  session_.add_trailers(s.id, out);
}

// The client must see that the response is not whole.
void http2_connection::abort_response(http2_stream& s, const char* why) {
  if (auto& log = carrier_.loop().scheduler().logger(); log.should_log(spdlog::level::info))
    log.info("[{}] aborts the response to {}: {}", carrier_.log_name(),
             escape_text(s.request->head.target(), 200), why);
  session_.reset(s.id, NGHTTP2_INTERNAL_ERROR);
}

void http2_connection::log_access(const http2_stream& s) {
  const auto& log = service_->options.access_log;
  if (!log)
    return;
  http_access a;
  a.head = &s.request->head;
  const auto host = carrier_.transport().get_peer().host();
  a.peer = host;
  a.status = s.status;
  a.body_bytes = s.sent;
  a.at = wall_time();
  a.complete = s.sent_all || s.tunnel;
  log(a);
}

} // namespace troupe
