#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <troupe/http/detail/http_exchange.hpp>
#include <troupe/runtime/canceller.hpp>
#include <troupe/runtime/time.hpp>

#include "http2_body.hpp"
#include "http2_server_session.hpp"
#include "http2_tunnel.hpp"

namespace troupe {

class http2_connection;

/// A request and its response, or what has taken over from them.
///
/// States: handled -> (`responded`) responding -> (`sent_all`) done, when the request has ended too;
/// closed at any time, by the client's reset or the end of the connection.
///
/// Lifetime: its connection's, until it is closed.
class http2_stream final : public detail::http_exchange {
public:
  http2_stream(http2_connection& of, std::int32_t number) noexcept : connection(of), id(number) {}

  [[nodiscard]] bool taken_over() const noexcept { return tunnel && tunnel->taken(); }

  [[nodiscard]] protocol& carrier() noexcept override;
  [[nodiscard]] deferred<std::string> read_body(detail::http_request_state& s, bool all,
                                                std::size_t limit) override;

  http2_connection& connection;
  const std::int32_t id;
  std::shared_ptr<detail::http_request_state> request; // null once it is taken over
  std::unique_ptr<http2_tunnel> tunnel;                // if it may be, or has been
  http2_refusal refusal;
  canceller handler;
  http2_body body;
  std::string trailers;      // "Name: value\r\n" each
  std::uint64_t sent = 0;    // of the response's body
  std::size_t owed = 0;      // of the request's body: came, and is not given back to the windows
  std::size_t discarded = 0; // of it, behind the response
  std::size_t body_seen = 0; // since the rate was looked at
  time_point body_due{};     // when it is looked at next
  time_point moved_at{};     // when the client last took something
  std::uint32_t code = 0;    // with which it was closed
  int status = 0;            // of the response
  bool reads_all = false;    // the handler waits for the whole body
  bool rated = false;        // the body's rate is looked at
  bool continued = false;    // 100 Continue was sent
  bool responded = false;    // the response has begun
  bool streams = false;      // and its body goes on
  bool sent_all = false;     // it has ended
  bool waits = false;        // for the next piece of the response's body
  bool touched = false;      // it is in a list of the connection
  bool hungry = false;       // the same
  bool closed = false;
};

} // namespace troupe
