#include "http2_client_session.hpp"

#include <array>
#include <charconv>
#include <utility>

#include <troupe/http/detail/http_exchange.hpp>

namespace troupe {

http2_client_session::http2_client_session(http2_client_events& events,
                                           const http_response_limits& limits,
                                           const http2_client_options& o)
  : http2_session(
    events, false, o.max_overhead,
    std::array<nghttp2_settings_entry, 3>{
      {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, o.stream_window},
       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.head)}}},
    o.connection_window),
    events_(events), limits_(limits) {}

std::optional<std::int32_t> http2_client_session::request(std::span<const nghttp2_nv> fields,
                                                          bool with_body, void* user) {
  const auto provider = body_provider();
  const auto stream = http2_must(nghttp2_submit_request(
    get(), nullptr, fields.data(), fields.size(), with_body ? &provider : nullptr, user));
  return stream > 0 ? std::optional{stream} : std::nullopt;
}

void http2_client_session::ping() {
  http2_must(nghttp2_submit_ping(get(), NGHTTP2_FLAG_NONE, nullptr));
}

std::uint32_t http2_client_session::most_streams() const noexcept {
  return nghttp2_session_get_remote_settings(get(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

// -- what comes ---------------------------------------------------------------------------------

http2_client_session::measure http2_client_session::most_of_head(bool trailers) const noexcept {
  return {trailers ? limits_.trailers : limits_.head, limits_.fields};
}

bool http2_client_session::head_begins(const nghttp2_frame& f) {
  in_ = {};
  auto* const user = user_of(f.hd.stream_id);
  return user == nullptr || events_.has_head(user);
}

void http2_client_session::take_field(std::string_view name, std::string_view value) {
  if (name == ":status") {
    std::from_chars(value.data(), value.data() + value.size(), in_.status);
    detail::http_head_writer::begin(in_.head, in_.status);
    return;
  }
  if (name.starts_with(':'))
    return;
  if (name == "content-length") {
    std::uint64_t length = 0;
    std::from_chars(value.data(), value.data() + value.size(), length);
    in_.length = length;
  }
  detail::http_head_writer::add(in_.head, name, value);
}

void http2_client_session::head_ended(std::int32_t stream, bool ended) {
  auto* const user = user_of(stream);
  if (user == nullptr)
    return;
  if (in_.status < 100 && in_.wrong == nullptr) // nghttp2 takes any three digits
    in_.wrong = "the status is none";
  if (in_.status / 100 == 1 && in_.wrong == nullptr)
    return events_.informed(user);
  detail::http_head_writer::end(in_.head, ended ? std::optional<std::uint64_t>{0} : in_.length);
  events_.head_received(user, std::move(in_.head), ended, in_.wrong);
}

void http2_client_session::heard(const nghttp2_frame& f) {
  if (f.hd.type == NGHTTP2_GOAWAY)
    events_.goodbye_received();
  else if (f.hd.type == NGHTTP2_RST_STREAM) {
    if (auto* const user = user_of(f.hd.stream_id))
      events_.reset_received(user);
  } else if (f.hd.type == NGHTTP2_SETTINGS && (f.hd.flags & NGHTTP2_FLAG_ACK) == 0)
    events_.settings_received();
}

} // namespace troupe
