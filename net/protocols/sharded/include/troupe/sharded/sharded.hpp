#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <caf/actor_cast.hpp>
#include <caf/make_message.hpp>

#include <troupe/actors/ask.hpp>
#include <troupe/cluster/cluster.hpp>
#include <troupe/leases/leases.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/sharded/entity.hpp>

namespace troupe {

/// How entities of one kind are kept. What says "alike" must be the same on all nodes.
struct sharded_options {
  std::string name;          ///< of the kind: 1 to 100 bytes; alike
  std::uint32_t shards = 64; ///< 1 to 4,096: what moves as one, and has one lease; alike

  /// With it an entity runs on one node at a time whatever happens; it outlives the `sharded`. Alike: null everywhere or
  /// nowhere.
  leases* locks = nullptr;

  bool hosts = true; ///< whether entities run on this node; else it only sends

  duration idle_after = std::chrono::minutes(5); ///< zero: they never sleep
  duration hand_over_within = std::chrono::seconds(5);

  /// Messages for what is not to be had at the moment, since it moves or its node was lost: how many wait on this node,
  /// and how long. Longer than it takes to notice the loss of a node, and the `ttl` of a lease.
  std::size_t max_held = 10'000;
  duration hold_for = std::chrono::seconds(12);
};

/// What a `sharded` has counted, on this node. All but the first two only grow.
struct sharded_counters {
  std::size_t entities = 0;      ///< that run here
  std::size_t held = 0;          ///< messages that wait
  std::uint64_t started = 0;     ///< entities
  std::uint64_t slept = 0;       ///< since they were idle
  std::uint64_t ended = 0;       ///< by themselves, or by an exception
  std::uint64_t handed_over = 0; ///< states that another node has taken
  std::uint64_t taken_over = 0;  ///< states of other nodes
  std::uint64_t merged = 0;      ///< states for an entity that ran already
  std::uint64_t states_lost = 0; ///< that nobody took, or that do not travel
  std::uint64_t killed = 0; ///< entities, for their lease was lost, or since they took too long
  std::uint64_t leases_lost = 0;      ///< of shards
  std::uint64_t sent_on = 0;          ///< messages of other nodes that went to a third one
  std::uint64_t messages_told = 0;    ///< questions that failed since nobody could be asked in time
  std::uint64_t messages_dropped = 0; ///< messages without an asker, likewise
};

/// Refers to the entity of a key, wherever it is; `sharded::get` makes one.
///
/// Copies refer to the same one. It may outlive the `sharded`; then nobody is there.
/// Thread: any.
class entity_ref {
public:
  entity_ref(std::weak_ptr<detail::sharded_core> core, std::string key) noexcept
    : core_(std::move(core)), key_(std::move(key)) {}

  [[nodiscard]] const std::string& key() const noexcept { return key_; }

  /// Sends a message, without a sender; at most once.
  ///
  /// \returns `errc::none` if it is on its way, or waits; `errc::invalid_argument` for a key that is none;
  /// `errc::not_supported` if a value does not travel; `errc::message_too_long`; `errc::queue_overflow` if as many wait as
  /// may; `errc::not_connected` if this node has left, or the `sharded` has ended. What is lost later is counted.
  /// Order: what one actor sends to one entity arrives in that order, also while it moves.
  template <class... Ts>
  failure send(Ts&&... values) const {
    static_assert((sendable<Ts> && ...),
                  "one of these values cannot be part of a message: give its "
                  "type an inspect(); see docs/messages.md");
    return send_message(caf::make_message(std::forward<Ts>(values)...));
  }

private:
  friend void ask_entity(basic_actor& self, const entity_ref& whom, duration timeout,
                         caf::message content, const std::shared_ptr<detail::question_base>& asked);

  failure send_message(const caf::message& content) const;

  std::weak_ptr<detail::sharded_core> core_;
  std::string key_;
};

/// As `ask` below, for a question that is made by hand.
void ask_entity(basic_actor& self, const entity_ref& whom, duration timeout, caf::message content,
                const std::shared_ptr<detail::question_base>& asked);

/// Asks an entity, as `ask` does a handle: one answer or one failure.
///
/// \param timeout  over all, waiting included; not `wait_for_ever`
/// Fails with: what the entity failed with; `errc::timed_out`, also if it could not be started within
/// `sharded_options::hold_for`; `errc::actor_down` if it ends before it answers; `errc::connection_lost` if its node goes
/// down first; what `entity_ref::send` returns. After a `timed_out` or a `connection_lost` nobody knows whether the question
/// has arrived.
/// Thread: that of `self`, in its own code. Order: as `entity_ref::send`.
template <class T, class... Args>
deferred<T> ask(basic_actor& self, const entity_ref& receiver, ask_timeout timeout,
                Args&&... args) {
  detail::check_question<T, entity_ref, Args...>();
  auto asked = detail::make_question<T>(timeout);
  auto result = asked->start();
  ask_entity(self, receiver, timeout.time, caf::make_message(std::forward<Args>(args)...), asked);
  return result;
}

/// As above, for code that is no actor's: the deferred fires on loop 0.
///
/// Fails, in addition, with: `errc::runtime_stopped` if the runtime stops first.
/// Thread: loop 0, or before `run()`.
template <class T, class... Args>
deferred<T> ask(runtime& rt, const entity_ref& receiver, ask_timeout timeout, Args&&... args) {
  std::optional<deferred<T>> result;
  detail::ask_for_others(rt, [&](basic_actor* self) {
    result = self != nullptr ? ask<T>(*self, receiver, timeout, std::forward<Args>(args)...)
                             : fail<T>(errc::runtime_stopped);
  });
  return *std::move(result);
}

namespace detail {

/// What a `sharded` is, whatever its entities are.
class sharded_base {
public:
  using maker = std::function<caf::strong_actor_ptr(std::size_t loop, entity_start begin)>;

  sharded_base(cluster& of, sharded_options options, maker make);
  ~sharded_base();
  sharded_base(const sharded_base&) = delete;
  sharded_base& operator=(const sharded_base&) = delete;

  [[nodiscard]] entity_ref get(std::string key) const;
  [[nodiscard]] entity_ref operator[](std::string key) const { return get(std::move(key)); }

  /// Returns the node on which the entity of a key is, or would be, as far as this node knows; empty if on none.
  [[nodiscard]] std::string where(std::string_view key) const;

  /// Tells whether the entity of a key runs on this node at the moment.
  [[nodiscard]] bool runs_here(std::string_view key) const;
  [[nodiscard]] sharded_counters counters() const;
  [[nodiscard]] const sharded_options& options() const noexcept;

private:
  const std::shared_ptr<sharded_core> core_;
};

} // namespace detail

/// An actor for each key, on one of the nodes of a cluster, found from all of them.
///
/// ```cpp
/// troupe::sharded<room> rooms{cluster, {.name = "rooms", .locks = &locks}};
/// rooms.get("lobby").send(say_atom::value, line);
/// ask<int>(*this, rooms.get("lobby"), 5s, count_atom::value).add_callback([](int n) { ... });
/// ```
///
/// The first message for a key starts its entity. Keys belong to shards, and each shard to one of the nodes that are up and
/// host this kind: the one with the highest hash of both (rendezvous hashing), so that each node which comes or goes moves
/// its share only. Then its entities hand over their state, and go on elsewhere; what is sent to them meanwhile waits,
/// within bounds, and goes on in order. A node that drains (`cluster::drain`) hands over all that it has before it leaves.
/// Of a node that is lost the entities are started elsewhere by the next message, and what they had not stored is gone.
///
/// **One at a time.** With `sharded_options::locks` a shard is where its lease is: whatever is cut off, stopped or killed,
/// its entities never run on two nodes at once, and where the store is not to be reached they do not run. Without, nodes ask each
/// other before they start a shard: they run once among all nodes that see each other. A node that is cut off, or taken for
/// down since it stood still, goes on with what it had, while the others start it anew: *two of a key* until they
/// meet again, when one of them ends and hands its state to the other (`entity::merge`).
///
/// A message to an entity on this node is handed to it in place, as one to any actor; to others it travels as by
/// `cluster_actor`.
///
/// \tparam A  made from `(caf::actor_config&, entity_start, args...)`
/// Lifetime: the cluster and the leases outlive it. Its end kills the entities on this node.
/// Thread: the constructor and the destructor: loop 0, or before and after `run()`; the rest: any.
/// Source: Akka's cluster sharding, Orleans's grains
template <std::derived_from<entity> A>
class sharded : public detail::sharded_base {
public:
  /// \param args  for the constructor of each entity, behind its `entity_start`; copied
  /// \throws std::invalid_argument if an option makes no sense; its text names the option
  template <class... Args>
  explicit sharded(cluster& of, sharded_options options, Args... args)
    : sharded_base(of, std::move(options),
                   [&rt = of.home(), args...](std::size_t loop, entity_start begin) {
                     return caf::actor_cast<caf::strong_actor_ptr>(
                       rt.template spawn_on<A>(loop, std::move(begin), args...));
                   }) {}
};

} // namespace troupe
