#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <troupe/net/client_service.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/outcome.hpp>

namespace troupe {

/// One answer as a codec reads it.
template <class T>
struct request_answer {
  /// The request that it answers; 0: nobody asked, the server says it by itself. A codec with
  /// `in_order` may leave it at 1.
  std::uint64_t id = 0;

  /// A value; or a failure, which is that of the request.
  outcome<T> value;
};

/// Says what requests and answers look like on the wire of a `request_client`.
///
/// - `request`, `response`: the types of what is asked and answered.
/// - `encode(std::string& out, std::uint64_t id, const request& r)` appends a request. What it throws
///   fails that request only.
/// - `decode(std::string_view& in)` takes the first answer off `in` and returns it as a
///   `std::optional<request_answer<response>>`; nothing if it has not all come: then it is called again
///   with more. What it throws closes the connection, and fails all requests on it.
///
/// It may have more:
/// - `static constexpr bool in_order = true`: answers carry no number, and come in the order of the
///   requests, as in Redis.
/// - `static constexpr std::uint64_t max_id`: numbers go from 1 to this one, and then begin again.
/// - `encode_cancel(std::string& out, std::uint64_t id)` appends what tells the server that nobody waits
///   for that answer any more. Not with `in_order`.
///
/// Each connection has a copy of its own, so it may keep state. Thread: the connection's loop.
template <class C>
concept request_codec = std::copy_constructible<C> && requires(C codec, std::string& out,
                                                               std::uint64_t id,
                                                               const typename C::request& r,
                                                               std::string_view& in) {
  codec.encode(out, id, r);
  { codec.decode(in) } -> std::convertible_to<std::optional<request_answer<typename C::response>>>;
};

/// What a `request_client` is told at its start.
template <class Codec>
struct request_client_options {
  using request = typename Codec::request;
  using response = typename Codec::response;

  /// Asks over the present connection, before all others.
  using asks = std::function<deferred<response>(request)>;

  /// How long a request may take that does not say otherwise.
  duration timeout = std::chrono::seconds(10);

  /// How many requests may wait at a time, for their answer or to be sent.
  std::size_t max_pending = 10'000;

  /// Whether a request waits for a connection while the server cannot be reached. If not, it fails as
  /// the latest attempt did, and those that wait fail with the next one that does.
  bool wait_for_connection = true;

  /// A connection on which a request timed out, and from which nothing at all has come for this long
  /// since that was sent, is dead: it is aborted and made again. `duration::max()`: never. A peer that
  /// has lost its power would else hold up every request until the system notices, a quarter of an hour.
  duration max_silence = std::chrono::seconds(30);

  /// How many bytes of an unfinished answer are kept; more close the connection with
  /// `errc::message_too_long`.
  std::size_t max_message = 1024 * 1024;

  /// Called with each new connection, before other requests are sent; such as to log in. If what it
  /// returns fails, the connection is closed, and the attempt has failed.
  std::function<deferred<void>(const asks&)> prepare{};

  /// Called with what the server says by itself.
  std::function<void(response)> on_push{};

  retry_policy retry = backoff_policy();

  /// Null: that of its loop. It must outlive the client.
  troupe::clock* clock = nullptr;
};

} // namespace troupe
