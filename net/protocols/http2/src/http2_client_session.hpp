#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <troupe/http/http_response_parser.hpp>
#include <troupe/http2/http2_client.hpp>

#include "http2_session.hpp"

namespace troupe {

/// What a client's session hears of, too.
class http2_client_events : public http2_events {
public:
  /// Tells whether the response's head is there, so that what comes now are trailers.
  [[nodiscard]] virtual bool has_head(void* user) const noexcept = 0;

  /// A head of 1xx came; the one of the response follows.
  virtual void informed(void* user) = 0;

  /// \param wrong  why it is no head to go on with, or null
  virtual void head_received(void* user, http_response_head&& head, bool ended,
                             const char* wrong) = 0;

  virtual void reset_received(void* user) = 0; // of its stream, which is about to be closed
  virtual void goodbye_received() = 0;  // streams that will not be answered are closed as refused
  virtual void settings_received() = 0; // there may be room for more

protected:
  ~http2_client_events() = default;
};

/// The client's side: requests, and the heads of responses.
///
/// Thread: one at a time. It has no transport and no clock.
class http2_client_session final : public http2_session {
public:
  http2_client_session(http2_client_events& events, const http_response_limits& limits,
                       const http2_client_options& o);

  /// Begins a request.
  ///
  /// \returns its stream, or nothing if the connection has none left
  std::optional<std::int32_t> request(std::span<const nghttp2_nv> fields, bool with_body,
                                      void* user);

  /// Asks whether the server is there (`ping_answered`).
  void ping();

  /// Returns how many streams the server allows.
  [[nodiscard]] std::uint32_t most_streams() const noexcept;

private:
  struct incoming {
    http_response_head head;
    std::optional<std::uint64_t> length;
    const char* wrong = nullptr;
    int status = 0;
  };

  bool head_begins(const nghttp2_frame& f) override;
  measure most_of_head(bool trailers) const noexcept override;
  void take_field(std::string_view name, std::string_view value) override;
  void too_long(const char* why) noexcept override { in_.wrong = why; }
  void head_ended(std::int32_t stream, bool ended) override;
  void heard(const nghttp2_frame& f) override;

  http2_client_events& events_;
  const http_response_limits limits_;
  incoming in_;
};

} // namespace troupe
