#pragma once

#include <cstdint>
#include <vector>

#include <caf/actor_cast.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/attachable.hpp>
#include <caf/intrusive_ptr.hpp>

#include <troupe/runtime/event_loop.hpp>

#include "topic_subscribers.hpp"

namespace troupe::detail {

/// One topic of a subscriber.
struct subscription {
  caf::intrusive_ptr<topic_subscribers> topic; // which exists as long as it has subscribers
  std::uint32_t index;                         // in the topic's list
  bool reads;                                  // gets messages, and so is in that list
};

/// What topics know of one actor that subscribes to some.
///
/// Thread: that of the loop which keeps its subscriptions, its home.
struct subscriber {
  std::vector<subscription> subscriptions;

  [[nodiscard]] std::uint32_t find(const topic_subscribers& topic) const noexcept;
  void add(topic_subscribers& topic, subscriber_entry entry, event_loop& home);
  void remove(std::uint32_t slot, event_loop& home) noexcept;
  void remove_all(event_loop& home) noexcept;
};

/// The subscriber that a pinned actor carries with it until it ends. Its home is the actor's loop.
class pinned_subscriber final : public subscriber, public caf::attachable {
public:
  /// Returns that of `who`, or null if it has none.
  [[nodiscard]] static pinned_subscriber* of(pinned_actor& who);

  /// Returns that of `who`, made if need be, or null if `who` has ended.
  [[nodiscard]] static pinned_subscriber* make(pinned_actor& who);

  void actor_exited(const caf::error& reason, caf::execution_unit* host) override;
  bool matches(const caf::attachable::token& what) override;
};

/// The subscriber of an actor that has no loop of its own. It is kept by one that does not move.
struct floating_subscriber : subscriber {
  explicit floating_subscriber(const caf::strong_actor_ptr& who)
    : actor(caf::actor_cast<caf::weak_actor_ptr>(who)) {}
  caf::weak_actor_ptr actor;
};

/// Returns the loop that keeps the subscriptions of `who`. Thread: any.
[[nodiscard]] event_loop& home_of(const caf::strong_actor_ptr& who);

/// Returns what `home` knows of `who`, or null. Thread: that of `home`.
[[nodiscard]] subscriber* find_subscriber(const caf::strong_actor_ptr& who, event_loop& home);

/// Likewise, and makes it if need be; null if `who` has ended.
[[nodiscard]] subscriber* make_subscriber(const caf::strong_actor_ptr& who, event_loop& home);

/// Returns `who` as a pinned actor of this process, or null if it is none. Thread: any.
[[nodiscard]] pinned_actor* as_pinned(const caf::strong_actor_ptr& who) noexcept;

} // namespace troupe::detail
