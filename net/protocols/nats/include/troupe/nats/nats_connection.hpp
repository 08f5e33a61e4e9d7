#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <caf/actor.hpp>

#include <troupe/actors/service.hpp>
#include <troupe/nats/nats_errc.hpp>
#include <troupe/nats/nats_message.hpp>
#include <troupe/nats/nats_options.hpp>
#include <troupe/nats/nats_server_info.hpp>
#include <troupe/nats/nats_subscription.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// What goes with a publication.
struct nats_publish_options {
  /// Where an answer is wanted; empty: nowhere.
  std::string_view reply{};
  nats_headers headers{};
};

/// What goes with a request.
struct nats_request_options {
  nats_headers headers{};

  /// `duration::max()`: it waits for ever.
  duration timeout = std::chrono::seconds(5);
};

/// What a connection has counted since it was made.
struct nats_connection_counts {
  std::uint64_t messages_received = 0;
  std::uint64_t bytes_received = 0; ///< of messages: subjects, headers and payloads
  std::uint64_t messages_published = 0;
  std::uint64_t bytes_published = 0;
  std::uint64_t refused = 0;  ///< publications that did not fit
  std::uint64_t dropped = 0;  ///< messages that found no room at their subscription
  std::uint64_t connects = 0; ///< how often it was connected
  std::uint64_t late_answers = 0;
};

/// A client of a NATS server, or of a cluster of them: publishes, subscribes, asks.
///
/// It keeps one connection, and makes it again when it is lost, at the same server or another one; subscriptions
/// are made again by themselves. Between two connections what is published is kept, up to a limit. As in all of
/// NATS, messages are delivered at most once: `publish` does not say whether anybody got it, and what was on its way
/// when a connection broke may be lost. `flush` tells that the server has had all; `request` that somebody has; for
/// messages that must not be lost there is `jetstream`.
///
/// ```cpp
/// troupe::nats_connection nats{rt, {.servers = {"nats://127.0.0.1:4222"}}};
/// (void)nats.start_service();
/// auto greetings = nats.subscribe("greet.*", [](const troupe::nats_message_view& m) { ... });
/// nats.publish("greet.joe", "hello");
/// ```
///
/// An exception that leaves a function of a subscription is logged, and harms neither the connection nor others.
///
/// It may be part of an `application` or another `multi_service`, which then starts and stops it. Options take a
/// second pair of braces, for they are an aggregate and this is a class.
///
/// Order: what is published arrives in the order of the calls; messages of a subscription come in the order in which
/// the server sends them.
/// Lifetime: it ends before its runtime. Ending stops it.
/// Thread: the loop on which it was made, where its connection is too, as with `client_service`; made before
/// `run()`, loop 0.
class nats_connection final : public service {
public:
  /// \throws std::invalid_argument if an option makes no sense; its text says which one
  explicit nats_connection(runtime& rt, nats_options options = {});
  ~nats_connection() override;

  // -- the connection ---------------------------------------------------------------------------

  /// Begins to connect. \returns what has fired: there is nothing to wait for but `when_connected`
  [[nodiscard]] deferred<void> start_service() override;

  /// Ends the connection; what was published is sent as far as the server takes it. Requests fail with
  /// `errc::cancelled`. Subscriptions stay, and are made again when it is started again.
  ///
  /// \returns what fires when there is no connection any more
  [[nodiscard]] deferred<void> stop_service() override;

  /// Returns a deferred that fires when there is a connection: at once, or with the next one.
  ///
  /// \param fail_after_failures  after so many failed attempts the deferred fails as the last one did; nothing: it
  ///                             waits for as long as it takes
  /// Fails with: `errc::cancelled` if it is stopped
  [[nodiscard]] deferred<void> when_connected(std::optional<std::size_t> fail_after_failures = {});

  [[nodiscard]] bool connected() const noexcept;

  /// Returns what the present server, or the latest one, says of itself.
  [[nodiscard]] const nats_server_info& server_info() const noexcept;

  /// Returns the name of the present server, or the latest one: "127.0.0.1:4222".
  [[nodiscard]] std::string server() const;

  /// Returns the names of all servers that are known.
  [[nodiscard]] std::vector<std::string> servers() const;

  // -- messages ---------------------------------------------------------------------------------

  /// Sends a message to whoever subscribed to its subject.
  ///
  /// \returns an empty code, or why it is refused: `errc::invalid_argument` (this cannot be a subject, or a reply),
  ///          `errc::message_too_long` (the server takes less: `server_info().max_payload`),
  ///          `errc::queue_overflow` (as much waits as may: `nats_options::max_unsent`, `reconnect_buffer`; `flush`
  ///          tells when there is room), `errc::not_connected` (it is stopped or drained, or nothing is kept without
  ///          a connection), `nats_errc::headers_not_supported`
  std::error_code publish(std::string_view subject, std::string_view payload,
                          const nats_publish_options& options);
  std::error_code publish(std::string_view subject, std::string_view payload);

  /// Calls `fn` with each message whose subject matches `pattern`.
  ///
  /// \throws std::invalid_argument if this cannot be a pattern or a queue group
  /// \throws std::logic_error after `drain`
  nats_subscription subscribe(std::string_view pattern,
                              std::function<void(const nats_message_view&)> fn);
  nats_subscription subscribe(std::string_view pattern, const nats_subscribe_options& options,
                              std::function<void(const nats_message_view&)> fn);

  /// Sends each message to `actor`, as a `nats_message`. A message waits until the actor has let go of it, so one that
  /// is slow loses messages beyond the limits, and not memory. It ends with the actor.
  nats_subscription subscribe(std::string_view pattern, const caf::actor& actor,
                              const nats_subscribe_options& options = {});

  /// Keeps messages until they are asked for: `nats_subscription::next`.
  nats_subscription subscribe(std::string_view pattern, const nats_subscribe_options& options = {});

  /// Asks whoever serves `subject`, and returns a deferred of the first answer.
  ///
  /// A request without a connection waits for one, within its time. One that was sent is never sent again: whether it
  /// was dealt with is not known when the connection is lost.
  ///
  /// Fails with: what `publish` returns; `nats_errc::no_responders` at once if nobody serves it;
  /// `errc::timed_out`; `errc::connection_lost` if the connection is lost before the answer comes;
  /// `errc::cancelled` if it is stopped; `errc::queue_overflow` if too many wait
  [[nodiscard]] deferred<nats_message> request(std::string_view subject, std::string_view payload,
                                               const nats_request_options& options,
                                               source_location where = source_location::current());
  [[nodiscard]] deferred<nats_message> request(std::string_view subject, std::string_view payload,
                                               source_location where = source_location::current());

  /// Answers a message that wants an answer.
  ///
  /// \returns as `publish`; `errc::invalid_argument` if it wants none
  std::error_code respond(const nats_message_view& to, std::string_view payload,
                          nats_headers headers = {});

  /// Returns a subject that nobody else has, for answers.
  [[nodiscard]] std::string new_inbox();

  /// Returns a deferred that fires when the server has had all that was published before, and all that it had sent
  /// before has been handed over. Without a connection it waits for one.
  ///
  /// Fails with: what ended the connection meanwhile; `errc::timed_out`; `errc::cancelled` if it is stopped
  [[nodiscard]] deferred<void> flush(duration timeout = std::chrono::seconds(10),
                                     source_location where = source_location::current());

  /// Ends without losing anything that is on its way: ends all subscriptions and lets come what was sent to them,
  /// waits for answers, sends what was published, and stops. Publishing is possible until that has begun.
  ///
  /// Fails with: `errc::timed_out` or what ended the connection meanwhile; it is stopped all the same
  [[nodiscard]] deferred<void> drain(duration timeout = std::chrono::seconds(30),
                                     source_location where = source_location::current());

  /// Returns how many bytes wait: for the server to take them, or for a connection.
  [[nodiscard]] std::size_t unsent() const noexcept;

  /// Returns how many requests wait for their answer.
  [[nodiscard]] std::size_t pending_requests() const noexcept;

  [[nodiscard]] nats_connection_counts counts() const noexcept;

  /// Returns the time that its time-outs go by.
  [[nodiscard]] troupe::clock& time() const noexcept;

private:
  friend class jetstream; // waits, and then knows whether it is still there
  std::shared_ptr<detail::nats_core> core_;
};

} // namespace troupe
