#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <troupe/http/http_response.hpp>
#include <troupe/http/http_server.hpp>
#include <troupe/net/factory.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// What a client may do on one connection of HTTP/2; sizes are in bytes.
///
/// Time-outs, limits of heads, the log and the rest are those of `http_server_options`.
struct http2_options {
  /// How many requests may be under way on a connection, and WebSockets; more are refused, and may be
  /// made again.
  std::uint32_t max_streams = 100;

  /// How much of a body comes that its handler has not read, and of all those of a connection.
  std::uint32_t stream_window = 256 * 1024;
  std::uint32_t connection_window = 1024 * 1024;

  /// How many frames may come that serve no request (pings, settings, resets, empty ones, and those that
  /// are in error): so many at once, and so many a second. Bodies in either direction and responses that
  /// are whole earn some back. A connection that has none left is ended with ENHANCE_YOUR_CALM.
  std::uint32_t max_overhead = 1000;
  std::uint32_t overhead_per_second = 33;

  /// How long a client may take for the round trip between the two goodbyes of a server that stops.
  duration drain_ping = std::chrono::seconds(1);
};

/// Makes the factory of a server that speaks HTTP/2 and HTTP/1.1, each to those who want it; a handler
/// answers both alike.
///
/// Over TLS the client chooses by ALPN, if the port offers it (`http2_alpn`). Without TLS a connection
/// that begins with the preface of HTTP/2 ("prior knowledge") is one. All others are of HTTP/1.1, as
/// with `http_server`.
///
/// A request is a stream, whose reset cancels its handler. An upgrade takes its stream over, where the
/// client offers that by CONNECT (RFC 8441), as browsers do for WebSockets; others are told to ask again
/// by HTTP/1.1. When the runtime stops, or the factory drains, requests are finished.
///
/// ```cpp
/// const troupe::tls_server_context tls{
///   {.identities = {{"chain.pem", "key.pem"}}, .alpn = troupe::http2_alpn()}};
/// troupe::listen_ssl(rt, 443, troupe::http2_server(site.handler()), tls);
/// ```
///
/// \throws std::invalid_argument if an option makes no sense: no streams, or a window that HTTP/2 cannot
///         have (2^31 - 1 at most), or one of a stream that is larger than its connection's
/// Source: RFC 9113, RFC 8441
[[nodiscard]] factory_ref http2_server(http_handler handler, http_server_options options = {},
                                       const http2_options& http2 = {});

/// Returns what `tls_server_options::alpn` has for it: "h2" and "http/1.1".
[[nodiscard]] std::vector<std::string> http2_alpn();

} // namespace troupe
