#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <troupe/http/http_head.hpp>
#include <troupe/http2/http2_server.hpp>

#include "http2_session.hpp"

namespace troupe {

/// Why a request is answered here, and not by its handler.
struct http2_refusal {
  int status = 0; // none
  const char* reason = "";
};

/// What a server's session hears of, too.
class http2_server_events : public http2_events {
public:
  virtual void head_received(std::int32_t stream, http_request_head&& head, bool ended,
                             const http2_refusal& refusal) = 0;

protected:
  ~http2_server_events() = default;
};

/// The server's side: the heads of requests.
///
/// Thread: one at a time. It has no transport and no clock.
class http2_server_session final : public http2_session {
public:
  http2_server_session(http2_server_events& events, const http_request_limits& limits,
                       const http2_options& o);

  void respond(std::int32_t stream, std::span<const nghttp2_nv> fields, bool with_body);
  void go_on(std::int32_t stream); ///< 100 Continue

  /// Says that it is about to end: the client makes no more requests once it has read that. Then asks
  /// whether it has (`ping_answered`).
  void announce_end();

  /// Says which requests it will answer: those that came.
  void end();

private:
  // A head, as far as it came.
  struct incoming {
    std::string method;
    std::string authority;
    std::string path;
    std::string protocol; // of an extended CONNECT
    std::string cookie;
    http_request_head head;
    http2_refusal refusal;
    std::optional<std::uint64_t> length;
    bool begun = false; // the head has its first line
    bool has_host = false;
    bool has_authority = false;
    bool expects_continue = false;
  };

  bool head_begins(const nghttp2_frame& f) override;
  measure most_of_head(bool trailers) const noexcept override;
  void take_field(std::string_view name, std::string_view value) override;
  void too_long(const char* why) noexcept override { refuse(431, why); }
  void head_ended(std::int32_t stream, bool ended) override;

  void take_regular(std::string_view name, std::string_view value);
  void begin_head();
  void refuse(int status, const char* reason) noexcept;

  http2_server_events& events_;
  const http_request_limits limits_;
  incoming in_;
};

} // namespace troupe
