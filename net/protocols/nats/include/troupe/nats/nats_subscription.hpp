#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>

#include <troupe/nats/nats_message.hpp>
#include <troupe/runtime/deferred.hpp>

namespace troupe {

namespace detail {
class nats_core;
struct nats_subscribed;
} // namespace detail

/// How a subscription behaves.
struct nats_subscribe_options {
  /// The group in which each message goes to one member only; empty: every subscriber gets it.
  std::string queue{};

  /// It ends after so many messages; 0: it does not.
  std::uint64_t max_messages = 0;

  /// How much may wait to be taken, by `nats_subscription::next` or by an actor; what comes beyond is dropped,
  /// counted, and told as an event. (A function takes each message at once, so nothing waits.)
  std::size_t max_pending_messages = 65'536;
  std::size_t max_pending_bytes = std::size_t{32} * 1024 * 1024;
};

/// What a subscription has counted.
struct nats_subscription_counts {
  std::uint64_t delivered = 0;      ///< messages that came and were not dropped
  std::uint64_t dropped = 0;        ///< messages that found no room
  std::size_t pending_messages = 0; ///< waiting now
  std::size_t pending_bytes = 0;    ///< and their size
};

/// A subscription of a `nats_connection`; it ends when this does.
///
/// It outlives connections: it is made again with each of them. Messages that are published while there is none are
/// lost to it, as NATS delivers at most once.
///
/// Thread: the connection's loop. Lifetime: it may outlive the connection; then it has no effect.
class [[nodiscard]] nats_subscription {
public:
  /// Is none.
  nats_subscription() noexcept = default;
  nats_subscription(std::weak_ptr<detail::nats_core> of,
                    std::shared_ptr<detail::nats_subscribed> state) noexcept;
  nats_subscription(nats_subscription&& other) noexcept;
  nats_subscription& operator=(nats_subscription&& other) noexcept;
  ~nats_subscription();

  /// Ends it. What waits for `next` fails with `errc::cancelled`, what has come and was not taken is dropped.
  void unsubscribe();

  /// Lets it go on without this handle, for as long as the connection object.
  void detach() noexcept;

  /// Ends it, but lets come what is on its way: tells the server, and waits for its word.
  ///
  /// \returns what fires when all that had been sent to it has been handed over. `next` still gives what waits
  /// Fails with: what ended the connection meanwhile
  [[nodiscard]] deferred<void> drain();

  /// Returns the next message, of a subscription without a function and without an actor.
  ///
  /// Fails with: `errc::connection_done` if it has ended and nothing waits; `errc::cancelled` if it is ended
  /// meanwhile; `nats_errc::permissions_violation` if the server does not permit it
  /// \throws std::logic_error if its messages go elsewhere
  [[nodiscard]] deferred<nats_message> next();

  [[nodiscard]] nats_subscription_counts counts() const noexcept;

  /// Tells whether it has not ended.
  [[nodiscard]] bool active() const noexcept;
  explicit operator bool() const noexcept { return active(); }

private:
  std::weak_ptr<detail::nats_core> core_;
  std::shared_ptr<detail::nats_subscribed> state_;
};

} // namespace troupe
