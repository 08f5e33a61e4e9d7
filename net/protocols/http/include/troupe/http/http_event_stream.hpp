#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <troupe/http/http_request.hpp>
#include <troupe/http/http_response.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// How a stream of events is kept alive, and within its bounds.
struct http_event_stream_options {
  /// A comment is sent so often, which keeps proxies from closing the connection.
  duration ping = std::chrono::seconds(15);

  /// After how many milliseconds the client is to connect again.
  std::optional<std::uint32_t> retry{};

  /// How much may wait for a client that does not read; what is more ends the connection, and the
  /// client connects again.
  std::size_t max_waiting = 1024 * 1024;
};

/// Events for a browser's `EventSource`, one after the other, for as long as it stays. Copies are the
/// same stream.
///
/// ```cpp
/// site.get("/events", [&](http_request r) {
///   http_event_stream events{r};
///   events.send("hello");
///   listeners.push_back(events);
///   return events.response();
/// });
/// ```
///
/// Thread: the connection's. Source: the HTML standard, 9.2
class http_event_stream {
public:
  explicit http_event_stream(const http_request& r, http_event_stream_options options = {});

  /// Returns the response to the request. Once.
  [[nodiscard]] http_response response();

  /// Sends an event. Line ends in `data` stay line ends.
  ///
  /// \returns false if the client has gone, or takes too little: nothing more will be sent
  /// \throws std::invalid_argument if `event` or `id` has a line end or NUL
  bool send(std::string_view data, std::string_view event = {}, std::string_view id = {});

  /// Ends the response.
  void close();

  /// Tells whether the client is there to be sent something.
  [[nodiscard]] bool open() const noexcept;

  /// Returns the id of the last event that the client has seen on an earlier connection; or "".
  [[nodiscard]] const std::string& last_event_id() const noexcept;

private:
  struct state;
  class source;
  std::shared_ptr<state> state_;
};

} // namespace troupe
