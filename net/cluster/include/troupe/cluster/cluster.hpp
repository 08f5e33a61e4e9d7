#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <caf/actor_cast.hpp>

#include <troupe/actors/topic_sharing.hpp>
#include <troupe/cluster/cluster_actor.hpp>
#include <troupe/cluster/cluster_options.hpp>
#include <troupe/cluster/node_event.hpp>
#include <troupe/runtime/basic_actor.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/names.hpp>

namespace troupe {

class clock;
class runtime;

class cluster;

namespace detail {
class cluster_core;
[[nodiscard]] std::weak_ptr<const cluster_core> core_of(const cluster& of) noexcept;
} // namespace detail

/// What a cluster has counted since it was made. All only grow.
struct cluster_counters {
  std::uint64_t messages_out = 0;          // to the backplane
  std::uint64_t messages_in = 0;           // from it
  std::uint64_t bytes_out = 0;             // in these
  std::uint64_t bytes_in = 0;              // in these
  std::uint64_t refused_messages = 0;      // that were none, or of another version of the protocol
  std::uint64_t publications_out = 0;      // one for each node that it was sent to
  std::uint64_t publications_dropped = 0;  // likewise, that were not sent
  std::uint64_t publications_in = 0;       // that came
  std::uint64_t publications_unwanted = 0; // of these, those whose last subscriber had just left
  std::uint64_t publications_refused =
    0; // likewise, those that `cluster_options::accepts` did not take
  std::uint64_t publications_missed = 0;   // that did not come
  std::uint64_t publications_repeated = 0; // that came again, and were dropped
  std::uint64_t isolations = 0;
  std::uint64_t incarnations = 0;
  std::uint64_t questions_out = 0;     // messages for actors elsewhere, asks among them
  std::uint64_t questions_in = 0;      // likewise from other nodes
  std::uint64_t questions_refused = 0; // that found nobody, or no way out
};

/// What becomes of a name when its node drains.
enum class while_draining : std::uint8_t {
  withdrawn, ///< others do not find it any more
  kept,      ///< they do, until the node has left
};

/// This process as a node among others: who else is there, and topics over all of them.
///
/// ```cpp
/// troupe::runtime rt;
/// troupe::cluster cluster{rt, {.name = "chat-1", .via = wire}};
/// troupe::topics rooms{cluster}; // was: rooms{rt}
/// rooms.get("lobby").publish("Good morning.\r\n");
/// ```
///
/// Nodes find each other over the backplane, without a list: who has the same `cluster_options::cluster`
/// belongs to it. Each says every `heartbeat` that it lives; who is silent for `down_after` is down, by
/// what was received and by the steady clock. A node that was taken for down and hears of it goes on as a
/// new incarnation of itself; its clients notice nothing.
///
/// **What is published** is delivered to subscribers of this node in place, as without a cluster; and
/// at the end of the turn goes, in one message, to each other node that has subscribers of these topics.
/// Turns that follow one another and all publish share one: nothing waits for longer than 50 us, or
/// beyond a turn without any. At most once: what one publisher publishes reaches each subscriber in that
/// order, over topics too, never twice; what is lost on the way, or did not fit, is counted at both ends
/// and told (`node_event::publications_missed`), unless the process that published it has ended. A subscription
/// is known at the other nodes a moment after it was made; what they publish before that is not for it.
///
/// **Actors have names** over nodes: `serve` gives one, `actor` refers to whoever serves it, for `ask` and
/// messages, and `watch` hears of the end. **Who is in which room** is told by `presence`.
///
/// It begins when the runtime runs, and takes leave of the others before the runtime stops.
///
/// Lifetime: `rt` outlives it. One for each runtime is usual; tests have many.
/// Thread: the constructor and the destructor: loop 0, or before and after `run()`; the rest: any, unless
/// it says otherwise.
class cluster {
public:
  /// \throws std::invalid_argument if an option makes no sense; its text names the option, and what to do
  cluster(runtime& rt, cluster_options options);

  /// Goes by another clock than that of loop 0: for simulations, in which nodes stop. It outlives this.
  cluster(runtime& rt, cluster_options options, clock& time);

  /// Takes leave, without waiting for anything, if `leave` was not called.
  ~cluster();
  cluster(const cluster&) = delete;
  cluster& operator=(const cluster&) = delete;

  /// Returns the name of this node.
  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] const cluster_options& options() const noexcept;
  [[nodiscard]] runtime& home() const noexcept;
  [[nodiscard]] own_state state() const noexcept;

  /// Tells whether it takes part, or has lost its backplane so lately that it still believes what it knows:
  /// whether users should be sent here. Not while it drains.
  [[nodiscard]] bool ready() const noexcept;

  /// Returns its incarnation, which is greater than all earlier ones of its name.
  [[nodiscard]] std::uint64_t incarnation() const noexcept;

  /// Returns what is known of the other nodes, sorted by name, those that were lost or left among them
  /// until they are forgotten. On loop 0 it is what is known now; elsewhere, as it was at the latest
  /// change of a state or beat.
  [[nodiscard]] std::vector<node_info> nodes() const;

  /// Returns how many topics have subscribers on this node, and how many on others, as told.
  [[nodiscard]] std::size_t topics_here() const noexcept;
  [[nodiscard]] std::size_t topics_elsewhere() const noexcept;
  [[nodiscard]] cluster_counters counters() const noexcept;

  /// Calls `fn`, as `self`, with each node that is up, and with what happens from then on; until `self`
  /// ends. Does not keep it alive.
  ///
  /// Thread: that of `self`. Order: that of the events.
  template <std::derived_from<basic_actor> A>
  void observe(A& self, std::function<void(const node_event&)> fn) {
    add_observer(caf::actor_cast<caf::strong_actor_ptr>(&self), std::move(fn));
  }

  /// Serves `name` with `who`: on all nodes `actor(name)` finds it from a moment later on, here at once. Until
  /// it ends, or `unserve`; keeps it alive. Each node may serve the same name, by one actor.
  ///
  /// \param name  1 to 200 bytes, any; 10,000 names a node
  /// \param who   a handle of an actor of this runtime; or a `named_actor`: whoever has that name of the runtime at the
  ///              time, so through restarts (`child_spec::name`); what is asked meanwhile fails with `errc::actor_down`
  /// \param drains  whether others still find it while this node drains
  /// \returns whether it does now: false if another actor of this node does, or `who` has ended
  /// \throws std::invalid_argument if the name is none, or `who` is empty
  template <class Handle>
  bool serve(const std::string& name, const Handle& who,
             while_draining drains = while_draining::withdrawn) {
    if constexpr (std::is_same_v<Handle, named_actor>)
      return serve_name(name, who, drains);
    else
      return serve_pointer(name, caf::actor_cast<caf::strong_actor_ptr>(who), drains);
  }
  void unserve(const std::string& name);

  /// Returns a reference to whoever serves `name`: the nearest, or that of `node`.
  [[nodiscard]] cluster_actor actor(std::string name, std::string node = {}) const;

  /// Calls `fn`, as `self`, with the names of the nodes that serve `name`, sorted, now and after each change, until
  /// `self` ends. This node is among them if it serves it, once it has been up, until it leaves, or drains and
  /// the name is one that is withdrawn then; the others, if they are up or suspected. Does not keep `self` alive.
  ///
  /// Thread: that of `self`. Order: that of the changes; what comes and goes within a turn is not told.
  template <std::derived_from<basic_actor> A>
  void observe_name(A& self, std::string name,
                    std::function<void(const std::vector<std::string>&)> fn) {
    add_name_observer(caf::actor_cast<caf::strong_actor_ptr>(&self), std::move(name),
                      std::move(fn));
  }

  /// Calls `fn`, as `self`, exactly once: when nobody serves `whom` any more. If it says a node, that is when the
  /// actor that serves it there now ends or is replaced, or its node goes down, leaves or takes a new
  /// incarnation; if it says none, when the last one does. Soon, if nobody serves it now. If `self` ends first, never.
  ///
  /// Fails with: `errc::actor_down`; `errc::connection_lost` if its node went, also if it was only cut off;
  /// `errc::not_connected` if this node leaves the cluster, is refused or destroyed
  /// \returns what `unwatch` takes
  /// Thread: that of `self`.
  template <std::derived_from<basic_actor> A>
  std::uint64_t watch(A& self, const cluster_actor& whom, std::function<void(const failure&)> fn) {
    return add_watch(caf::actor_cast<caf::strong_actor_ptr>(&self), whom.name(), whom.node(),
                     std::move(fn));
  }

  /// As above, of the present incarnation of a node.
  template <std::derived_from<basic_actor> A>
  std::uint64_t watch_node(A& self, std::string node, std::function<void(const failure&)> fn) {
    return add_watch(caf::actor_cast<caf::strong_actor_ptr>(&self), {}, std::move(node),
                     std::move(fn));
  }

  /// Ends a watch without a call; one call may be under way already.
  void unwatch(std::uint64_t number);

  /// Calls `fn`, as `self`, when this node drains: time to send its client elsewhere, and to end.
  ///
  /// Thread: that of `self`. Order: those who came first are told first.
  template <std::derived_from<basic_actor> A>
  void on_drain(A& self, std::function<void()> fn) {
    add_client(caf::actor_cast<caf::strong_actor_ptr>(&self), std::move(fn));
  }

  /// Has `fn` called when this node has drained, before it leaves: those who said `on_drain` have ended, or the
  /// grace time is over. It leaves when what all such functions returned has fired, with a failure too, or
  /// after 5 s. For what others wait for:
  ///
  /// ```cpp
  /// cluster.before_leaving([&locks] { return locks.give_back(); }); // leases
  /// ```
  ///
  /// Thread: loop 0, or before `run()`, and so is `fn`. Order: they are called in that of these calls; none waits for
  /// another one.
  void before_leaving(std::function<deferred<void>()> fn);

  /// Empties this node before its end: it is not `ready` from now on, and serves no names to others, who ask
  /// others; what they have asked is answered. Those who have said so by `on_drain` are told in batches. When
  /// they have all ended, or at the end of the grace time, what `before_leaving` was told is done, and the node
  /// leaves; its users are held by the others for their `cluster_options::leave_hold`. Close listening ports first.
  ///
  /// ```cpp
  /// port.stop_listening();
  /// cluster.drain({.grace = 20s}).add_callback([&rt] { rt.stop(); });
  /// ```
  ///
  /// \returns what fires when the node has left, also by other means; never fails. A second call joins the first
  /// one, with its options
  /// \throws std::invalid_argument if an option makes no sense
  /// Thread: loop 0.
  deferred<void> drain(drain_options how = {});

  /// Says goodbye: the others take this node for `left` at once, and nothing is heard or sent any more.
  /// Topics go on within the process. `runtime::stop` does it, before anything else ends.
  ///
  /// \returns what fires when the goodbye has been sent; twice is no error
  /// Thread: loop 0.
  deferred<void> leave();

  /// What `topics{cluster}` takes.
  operator const topic_sharing&() const noexcept;

private:
  friend class presence;
  friend std::weak_ptr<const detail::cluster_core> detail::core_of(const cluster& of) noexcept;

  void add_observer(caf::strong_actor_ptr who, std::function<void(const node_event&)> fn);
  void add_client(caf::strong_actor_ptr who, std::function<void()> fn);
  void add_name_observer(caf::strong_actor_ptr who, std::string name,
                         std::function<void(const std::vector<std::string>&)> fn);
  bool serve_pointer(const std::string& name, caf::strong_actor_ptr who, while_draining drains);
  bool serve_name(const std::string& name, const named_actor& who, while_draining drains);
  std::uint64_t add_watch(caf::strong_actor_ptr who, std::string name, std::string node,
                          std::function<void(const failure&)> fn);

  const std::shared_ptr<detail::cluster_core> core_;
};

} // namespace troupe
