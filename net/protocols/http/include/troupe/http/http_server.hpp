#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <string>
#include <string_view>

#include <troupe/http/http_request.hpp>
#include <troupe/http/http_request_parser.hpp>
#include <troupe/http/http_response.hpp>
#include <troupe/net/factory.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// What became of a request; good for the call it is passed to.
struct http_access {
  const http_request_head* head; // null where what came was no request
  std::string_view peer;         // its address without the port
  int status = 0;
  std::uint64_t body_bytes = 0; // written, of the response's body
  std::time_t at = 0;           // when the response began
  bool complete = true;         // false if the client went, or the body failed
};

/// Returns a line in the "combined" format of Apache, with everything escaped that a client might
/// have meant to do with a log.
[[nodiscard]] std::string combined_log_line(const http_access& access);

/// How a server deals with its clients. Time-outs of zero are none.
struct http_server_options {
  http_request_limits limits{};

  /// From the first byte of a head to its end; bytes do not begin it anew. Then 408.
  duration head_timeout = std::chrono::seconds(10);

  /// Without a byte: of a new connection, and of one whose last request is done. Closed silently.
  duration keep_alive_timeout = std::chrono::seconds(30);

  /// How often a body that is wanted is looked at; one that came slower than `min_body_rate` bytes a
  /// second meanwhile is given up, with 408.
  duration body_check = std::chrono::seconds(5);
  std::size_t min_body_rate = 240;

  /// Without the client taking any byte of a response: then the connection is aborted.
  duration write_timeout = std::chrono::seconds(30);

  /// How much of a body that nobody has read is passed over, to keep the connection; more ends it.
  std::size_t max_discarded = 64 * 1024;

  /// How many requests a connection may make; then it is closed. 0 is any number.
  std::size_t max_requests = 0;

  /// The field Server; empty is none.
  std::string server_name = "troupe";

  /// Called for each response, in the thread of its connection.
  std::function<void(const http_access&)> access_log;

  /// What tells the time of day; none is the system.
  std::function<std::time_t()> wall_clock;
};

/// Makes the factory of an HTTP server: `listen_tcp(rt, 8080, http_server(handler))`.
///
/// Requests of one connection are answered in order, each after the one before it. While one is
/// handled, up to 16 KiB of what follows is taken in. A connection is closed without loss: what it has
/// sent too much is passed over first, for up to 2 seconds. When the runtime stops, connections without
/// a request close at once, others with their response.
///
/// An exception or failure of a handler is answered with its `http_error`, else with 500 and logged; once
/// the response has begun it aborts the connection. Connections are limited by the factory
/// (`set_max_connections`) and by policies (`limit_connections_by_peer_factory`).
///
/// ```cpp
/// troupe::listen_tcp(rt, 8080, troupe::http_server([](troupe::http_request) {
///   return troupe::http_response{200, "Hello, world!"};
/// }));
/// ```
///
/// Source: RFC 9112; twisted.web.server.Site
[[nodiscard]] factory_ref http_server(http_handler handler, http_server_options options = {});

} // namespace troupe
