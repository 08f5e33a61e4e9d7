// What the head of a request must be, beyond what nghttp2 sees to.
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include <troupe/http/detail/http_exchange.hpp>
#include <troupe/http/http_text.hpp>

#include "http2_server_session.hpp"

namespace troupe {

namespace {

bool is_target(std::string_view path) noexcept {
  for (const char c : path)
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f)
      return false;
  return !path.empty();
}

} // namespace

http2_server_session::http2_server_session(http2_server_events& events,
                                           const http_request_limits& limits,
                                           const http2_options& o)
  : http2_session(
    events, true, o.max_overhead,
    std::array<nghttp2_settings_entry, 5>{
      {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, o.max_streams},
       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, o.stream_window},
       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.head)},
       {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
       {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}}},
    o.connection_window),
    events_(events), limits_(limits) {}

void http2_server_session::respond(std::int32_t stream, std::span<const nghttp2_nv> fields,
                                   bool with_body) {
  const auto provider = body_provider();
  if (http2_must(nghttp2_submit_response(get(), stream, fields.data(), fields.size(),
                                         with_body ? &provider : nullptr))
      != 0)
    reset(stream, NGHTTP2_INTERNAL_ERROR);
}

void http2_server_session::go_on(std::int32_t stream) {
  std::uint8_t name[] = ":status";
  std::uint8_t value[] = "100";
  const nghttp2_nv status{name, value, 7, 3, NGHTTP2_NV_FLAG_NONE};
  http2_must(
    nghttp2_submit_headers(get(), NGHTTP2_FLAG_NONE, stream, nullptr, &status, 1, nullptr));
}

void http2_server_session::announce_end() {
  http2_must(nghttp2_submit_shutdown_notice(get()));
  http2_must(nghttp2_submit_ping(get(), NGHTTP2_FLAG_NONE, nullptr));
}

void http2_server_session::end() {
  http2_must(nghttp2_submit_goaway(get(), NGHTTP2_FLAG_NONE,
                                   nghttp2_session_get_last_proc_stream_id(get()), NGHTTP2_NO_ERROR,
                                   nullptr, 0));
}

// -- heads --------------------------------------------------------------------------------------

void http2_server_session::refuse(int status, const char* reason) noexcept {
  if (in_.refusal.status == 0)
    in_.refusal = {status, reason};
}

http2_server_session::measure http2_server_session::most_of_head(bool trailers) const noexcept {
  return {trailers ? limits_.trailers : limits_.head, limits_.fields};
}

bool http2_server_session::head_begins(const nghttp2_frame& f) {
  in_ = {};
  if (f.headers.cat != NGHTTP2_HCAT_REQUEST)
    return true;
  // Those of one urgency take turns, frame by frame.
  const nghttp2_extpri turns{NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};
  http2_must(nghttp2_session_change_extpri_stream_priority(get(), f.hd.stream_id, &turns, 1));
  return false;
}

void http2_server_session::take_field(std::string_view name, std::string_view value) {
  if (name == ":method")
    in_.method = value;
  else if (name == ":path")
    in_.path = value;
  else if (name == ":protocol")
    in_.protocol = value;
  else if (name == ":authority") {
    in_.authority = value;
    in_.has_authority = true;
  } else if (!name.starts_with(':'))
    take_regular(name, value);
}

void http2_server_session::take_regular(std::string_view name, std::string_view value) {
  begin_head();
  if (name == "host") {
    if (std::exchange(in_.has_host, true))
      return refuse(400, "two fields Host");
    if (in_.has_authority) { // which is there as the field already
      if (value != in_.authority)
        refuse(400, "Host is not the authority");
      return;
    }
    if (!detail::is_http_host(value))
      return refuse(400, "the field Host is no host");
  } else if (name == "cookie") { // may come in crumbs (RFC 9113, 8.2.3)
    if (!in_.cookie.empty())
      in_.cookie += "; ";
    in_.cookie += value;
    return;
  } else if (name == "content-length") {
    std::uint64_t length = 0;
    std::from_chars(value.data(), value.data() + value.size(), length);
    in_.length = length;
  } else if (name == "expect") {
    if (!equal_without_case(value, "100-continue"))
      return refuse(417, "an expectation that we cannot meet");
    in_.expects_continue = true;
  }
  detail::http_head_writer{in_.head}.add(name, value);
}

// Once the pseudo fields are there, which come first.
void http2_server_session::begin_head() {
  if (std::exchange(in_.begun, true))
    return;
  // An extended CONNECT is to a path (RFC 8441, 4), as the GET is that offers an upgrade.
  if (!in_.protocol.empty())
    in_.method = "GET";
  const auto& target = in_.method == "CONNECT" ? in_.authority : in_.path;
  detail::http_head_writer writer{in_.head};
  writer.begin(in_.method, target);
  if (is_http_token(in_.protocol)) {
    writer.add("upgrade", in_.protocol);
    writer.offer_upgrade();
  } else if (!in_.protocol.empty()) {
    refuse(400, "the name of the protocol is no token");
  }
  if (target.size() > limits_.target)
    refuse(414, "the target is longer than allowed");
  else if (!is_target(target))
    refuse(400, "a byte in the target that may not be there");
  else if (in_.method != "CONNECT" && target.front() != '/'
           && !(target == "*" && in_.method == "OPTIONS"))
    refuse(400, "the target is no path"); // nghttp2 looks at those of http and https only
  if (!in_.has_authority)
    return;
  if (detail::is_http_host(in_.authority))
    writer.add("host", in_.authority);
  else
    refuse(400, "the authority is no host");
}

void http2_server_session::head_ended(std::int32_t stream, bool ended) {
  begin_head();
  detail::http_head_writer writer{in_.head};
  if (!in_.cookie.empty())
    writer.add("cookie", in_.cookie);
  if (!in_.protocol.empty() && !in_.length)
    in_.length = 0; // what follows is no body
  writer.end(ended ? std::optional<std::uint64_t>{0} : in_.length,
             in_.expects_continue && !ended && in_.protocol.empty());
  events_.head_received(stream, std::move(in_.head), ended, in_.refusal);
}

} // namespace troupe
