#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include <troupe/http/http_agent.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// How an agent speaks HTTP/2; sizes are in bytes.
///
/// Time-outs and limits of heads are those of `http_agent_options`; its `max_waiting` bounds the requests that
/// wait for room on the connection.
struct http2_client_options {
  /// How many requests may be under way on a connection, if the server allows as many; others wait in order.
  std::uint32_t max_streams = 100;

  /// How much of a body comes that nobody has read, and of all those of a connection. A body that is not read
  /// holds its part of the connection's: once they have all of it, no other response gets on.
  std::uint32_t stream_window = 256 * 1024;
  std::uint32_t connection_window = 16 * 1024 * 1024;

  /// How many frames a server may send that serve no request, as `http2_options` has them for clients.
  std::uint32_t max_overhead = 1000;
  std::uint32_t overhead_per_second = 33;

  /// After how long a silence, while requests are under way, the server is asked whether it is there (PING), and
  /// how long it may take for an answer; without one the connection is aborted. Zero: it is not asked.
  duration ping_after = std::chrono::seconds(15);
  duration ping_timeout = std::chrono::seconds(10);

  /// Whether connections without TLS speak HTTP/2 at once, to every server: for tests, and behind proxies. Not
  /// through a proxy of HTTP. Without, they speak HTTP/1.1.
  bool prior_knowledge = false;
};

/// Makes what `http_agent_options::http2` takes: an agent that has it offers "h2" and "http/1.1" over TLS, and
/// speaks what the server chooses.
///
/// Requests for an origin share one connection: each is a stream of it. Bodies go no faster in either direction
/// than both ends read. Dropping a response, or cancelling a request, resets its stream, and no other one. If the
/// server says that it will end the connection, requests under way go on, and new ones take another connection;
/// those that it has not begun are sent again there.
///
/// ```cpp
/// troupe::http_agent agent{rt, {.http2 = troupe::http2_client()}};
/// ```
///
/// \throws std::invalid_argument if an option makes no sense, as with `http2_server`
/// Thread: any; agents may share it. Source: RFC 9113
[[nodiscard]] std::shared_ptr<const detail::http_multiplexing>
http2_client(const http2_client_options& options = {});

} // namespace troupe
