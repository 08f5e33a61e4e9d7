#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <troupe/http/detail/http_client_exchange.hpp>
#include <troupe/http/detail/http_unpacker.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/time.hpp>

#include "http2_body.hpp"

namespace troupe {

class http2_client_connection;

/// A request of an agent, and its response.
///
/// States: asked (`job`) -> head -> body -> `ended` -> `given`; beside it, of the request: `sending` -> `sent_all`.
/// Closed at any time: by both ends, a reset, or the end of the connection.
///
/// Lifetime: until it is closed, and all that came of the response is given.
class http2_client_stream final : public detail::http_client_exchange,
                                  public std::enable_shared_from_this<http2_client_stream> {
public:
  explicit http2_client_stream(http2_client_connection& of) noexcept : connection(of) {}

  void abandon() override;
  void wants_more() override;
  void dropped() noexcept override;

  /// Returns what the response shares with who has it; null if nobody does.
  [[nodiscard]] std::shared_ptr<detail::http_client_body> body() const {
    return answer ? answer : response.lock();
  }

  http2_client_connection& connection;
  std::int32_t id = 0;
  detail::http_job_ptr job;                         // until its head is there
  detail::http_job_ptr sending;                     // has the text of the request's body
  detail::http_job_ptr answered;                    // is to be given `answer`
  std::shared_ptr<detail::http_client_body> answer; // until it is
  std::weak_ptr<detail::http_client_body> response; // from then on
  http2_body request_body;
  std::string trailers; // of the request, "Name: value\r\n" each
  std::unique_ptr<detail::http_unpacker> unpacker;
  std::string packed; // came, and waits for room
  http_fields response_trailers;
  failure why;               // it ends, if we know better than the code
  std::size_t owed = 0;      // came, and is not given back to the windows
  std::size_t discarded = 0; // of a body that nobody wants
  time_point moved_at{};     // when the server last took something
  time_point heard_at{};     // when something came of it that was wanted
  std::uint32_t code = 0;    // with which it was closed
  std::uint8_t informational = 0;
  bool has_head = false;
  bool ended = false;    // all of the response came
  bool given = false;    // and is in its body, or nobody has that any more
  bool streams = false;  // the request's body goes on
  bool asked = false;    // its source has been
  bool waits = false;    // for the next piece of that
  bool hungry = false;   // wants it
  bool touched = false;  // it is in the connection's list
  bool later = false;    // unpacking goes on in a later turn
  bool unwanted = false; // we have reset it
  bool reset = false;    // the server has
  bool counted = true;   // among those that are under way
  bool closed = false;
};

using http2_client_stream_ptr = std::shared_ptr<http2_client_stream>;

} // namespace troupe
