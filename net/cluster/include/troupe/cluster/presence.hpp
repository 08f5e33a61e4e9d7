#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <caf/actor_cast.hpp>

#include <troupe/runtime/basic_actor.hpp>

namespace troupe {

class cluster;

namespace detail {
class cluster_core;
}

/// Somebody who is in a room: all entries with one key.
struct presence_entry {
  std::string key;         ///< who
  std::string meta;        ///< whatever that one's oldest entry says of itself
  std::string node;        ///< where that entry is
  std::size_t entries = 1; ///< how many there are: one for each device, as a rule
};

/// Why somebody came or went.
enum class presence_cause : std::uint8_t {
  present,   ///< was there when the watch began
  joined,    ///< has begun
  left,      ///< has ended, or stopped it
  node_left, ///< its node has left
  node_down, ///< its node is down, or out of reach
  healed,    ///< its node is in reach again
};

[[nodiscard]] std::string_view to_string(presence_cause cause) noexcept;

/// What has changed in a room: those who came and went for one reason, since the last time.
struct presence_change {
  std::string room;
  presence_cause cause = presence_cause::present;
  std::vector<presence_entry> joins;   ///< keys that were not there before, sorted
  std::vector<presence_entry> leaves;  ///< as they were; keys of which no entry is left, sorted
  std::vector<presence_entry> updates; ///< keys that say something else now, sorted
  std::size_t count = 0;               ///< as `presence::count` now
};

/// Who is in which room, over all nodes of a cluster.
///
/// ```cpp
/// troupe::presence here{cluster};
/// here.track(*this, "lobby", name_);
/// here.watch(*this, "lobby", [this](const troupe::presence_change& c) {
///   for (const auto& who : c.joins)
///     send(who.key + " is here.");
/// });
/// ```
///
/// An entry belongs to the actor that made it, and is gone when that ends. Only its node says so, and
/// numbers what it says; the others have all of it within 0.2 s and a trip over the backplane, or ask for what they have
/// missed. Who comes and goes in between is not told of.
///
/// **A node that is lost** takes its entries along: `cluster_options::leave_hold` after it is down or has
/// left. Who is back before, here or there, has never left. When a node that was cut off is in reach again, its
/// entries are back, with cause `healed`.
///
/// **Of large rooms only the counts travel:** if a node has more than `cluster_options::list_limit` entries of
/// its own in a room, the others know how many, not who; until it has half as many.
///
/// Handles on one cluster show the same. Lifetime: it may outlive the cluster; then nobody is anywhere.
/// Thread: any.
/// Source: Phoenix.Presence
class presence {
public:
  explicit presence(const cluster& of);

  /// Says that `key` is in `room`, until `untrack` or the end of `self`. The same again changes `meta`.
  ///
  /// \param room  1 to 200 bytes, any; `key` likewise
  /// \param meta  at most 1,024 bytes, any
  /// \throws std::invalid_argument if one of them is none
  template <std::derived_from<basic_actor> A>
  void track(A& self, std::string room, std::string key, std::string meta = {}) {
    add(caf::actor_cast<caf::strong_actor_ptr>(&self), std::move(room), std::move(key),
        std::move(meta));
  }

  /// Ends that. If `self` has not said so, nothing happens.
  template <std::derived_from<basic_actor> A>
  void untrack(A& self, std::string room, std::string key) {
    remove(caf::actor_cast<caf::strong_actor_ptr>(&self), std::move(room), std::move(key));
  }

  /// Returns who is in a room, sorted by key, as far as they are listed; at most `limit`.
  [[nodiscard]] std::vector<presence_entry> list(std::string_view room,
                                                 std::size_t limit = 200) const;

  /// Returns how many are in a room: the keys that are listed, and what other nodes count. A key on two nodes of
  /// which one only counts is so counted twice.
  [[nodiscard]] std::size_t count(std::string_view room) const;

  /// Calls `fn`, as `self`, with who is there now, and then with each change, until `self` ends. Changes that
  /// come within 0.1 s are one, for each cause.
  ///
  /// \returns what `unwatch` takes
  template <std::derived_from<basic_actor> A>
  std::uint64_t watch(A& self, std::string room, std::function<void(const presence_change&)> fn) {
    return add_watch(caf::actor_cast<caf::strong_actor_ptr>(&self), std::move(room), std::move(fn));
  }
  void unwatch(std::uint64_t number);

private:
  void add(caf::strong_actor_ptr who, std::string room, std::string key, std::string meta);
  void remove(caf::strong_actor_ptr who, std::string room, std::string key);
  std::uint64_t add_watch(caf::strong_actor_ptr who, std::string room,
                          std::function<void(const presence_change&)> fn);

  std::weak_ptr<detail::cluster_core> core_;
};

} // namespace troupe
