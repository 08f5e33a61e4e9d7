#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include <troupe/actors/service.hpp>
#include <troupe/net/endpoint.hpp>
#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Says how long to wait before the attempt with this number: 1 is the first after a success, or
/// after the start.
using retry_policy = std::function<duration(std::size_t attempt)>;

/// How long `backoff_policy` waits: `initial * factor^attempt`, at most `max`, and `jitter` more.
struct backoff {
  duration initial = std::chrono::seconds(1);
  duration max = std::chrono::seconds(60);
  double factor = 1.5;

  /// Called for each attempt; empty: evenly from 0 to 1 second, so that the many clients of a server
  /// that was gone do not come back all at once.
  std::function<duration()> jitter{};
};

/// Returns a policy that waits longer and longer. Source: twisted.application.internet.backoffPolicy
[[nodiscard]] retry_policy backoff_policy(backoff b = {});

/// What a client service does beyond connecting.
struct client_service_options {
  retry_policy retry = backoff_policy();

  /// Called with each new connection, before anybody is given it; such as to log in. If what it
  /// returns fails, the connection is closed, and the attempt has failed.
  std::function<deferred<void>(const connected_protocol&)> prepare_connection{};

  /// Null: that of the service's loop. It must outlive the service.
  troupe::clock* clock = nullptr;
};

/// Keeps one connection: makes it, and makes it again when it fails or is lost, until it is stopped.
///
/// ```cpp
/// troupe::client_service service{rt, troupe::client_from_string(rt, "tcp:localhost:8123"),
///                                troupe::factory::for_protocol<greeter>()};
/// (void) service.start_service();
/// service.when_connected().add_callback([](const troupe::connected_protocol& p) { ... });
/// ```
///
/// It may be part of an `application` or another `multi_service`, which then starts and stops it.
///
/// Each failure and loss is logged, with the reason and the wait: a warning the first time, repeats of
/// the same reason ever less often.
///
/// States: stopped -> connecting -> connected -> waiting -> connecting ...; and from each of them,
/// disconnecting -> stopped. It gives up when the runtime stops.
///
/// Lifetime: it ends before its runtime. Ending stops it: who waits gets `errc::cancelled`, and the
/// connection is closed.
/// Thread: the loop on which it was made, where its connections are too (unless the options of the
/// endpoint say otherwise); made outside of any loop, as before `run()`, that is loop 0, and it begins
/// to connect once that runs.
/// Source: twisted.application.internet.ClientService
class client_service final : public service {
public:
  client_service(runtime& rt, std::shared_ptr<client_endpoint> to, factory_ref f,
                 client_service_options options = {});
  ~client_service() override;

  /// Begins to connect. If it runs, nothing happens; if it is being stopped, it connects again once
  /// the old connection has ended.
  ///
  /// \returns what has fired: there is nothing to wait for but `when_connected`
  [[nodiscard]] deferred<void> start_service() override;

  /// Ends the connection, or the attempt, and makes no other. Who waits for a connection gets
  /// `errc::cancelled`. It may be started again.
  ///
  /// \returns what fires when there is no connection any more
  [[nodiscard]] deferred<void> stop_service() override;

  /// Returns a deferred of the connection: at once if there is one, else of the next.
  ///
  /// \param fail_after_failures  after so many failed attempts the deferred fails as the last one
  ///                             did; nothing: it waits for as long as it takes
  /// \throws std::logic_error if that is 0
  ///
  /// Fails with: `errc::cancelled` if the service is stopped
  [[nodiscard]] deferred<connected_protocol>
  when_connected(std::optional<std::size_t> fail_after_failures = {});

private:
  class machine;
  const std::shared_ptr<machine> machine_;
};

} // namespace troupe
