#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <caf/actor_addr.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/atom.hpp>

#include <troupe/actors/child_spec.hpp>
#include <troupe/actors/supervisor_event.hpp>
#include <troupe/runtime/detail/buildable.hpp>

namespace troupe {

namespace detail {

/// Returns what fires with `child` when it has begun, and fails if it ends before that.
deferred<caf::actor> when_begun(supervisor& parent, caf::actor child);

} // namespace detail

/// Says which children are started again when one crashed. Source: OTP's supervisor strategies
enum class restart_strategy : std::uint8_t {
  one_for_one,  ///< that one
  one_for_all,  ///< all: the others are stopped first
  rest_for_one, ///< that one and those that were started after it, which are stopped first
  /// That one. Children come and go at run time, have no order and need no id; a spec is dropped with
  /// its child, and at the end all are stopped at once.
  /// Source: OTP's simple_one_for_one, Elixir's DynamicSupervisor
  dynamic,
};

/// How long a supervisor waits before it starts a crashed child again: `initial` after the first
/// crash, `factor` times as long after each further one and each start that fails, at most `max`. A
/// child that has run for the supervisor's `period` begins anew. A group waits as long as the one of it
/// that has to wait longest. With the default nothing waits, as in OTP.
///
/// A wait does not count against the intensity, so where the default is not changed a crash now and
/// then is healed at once; a child that needs something that is away for long needs a back-off.
struct restart_backoff {
  duration initial = duration::zero();
  double factor = 2;
  duration max = std::chrono::seconds(30);
};

/// What a supervisor is told at its start. Source: sup_flags of OTP's supervisor, with its defaults
struct supervisor_options {
  /// The name by which it logs.
  std::string name = "supervisor";

  restart_strategy strategy = restart_strategy::one_for_one;

  /// How many restarts there may be within `period`. One more, and the supervisor stops all its
  /// children and ends with `errc::restart_intensity_reached`, a crash in the eyes of its parent.
  std::size_t intensity = 1;
  duration period = std::chrono::seconds(5);

  restart_backoff backoff{};

  /// How many children there may be (`start_child` fails with `errc::child_limit_reached`).
  std::size_t max_children = std::numeric_limits<std::size_t>::max();

  /// How long a child that was killed may take to end. CAF ends no actor while its code runs, so one
  /// that is stuck would hold up everything; it is left behind then.
  duration unresponsive_after = std::chrono::seconds(5);

  /// Sees every decision; see also `send_events_to`.
  supervisor_observer observer{};
};

enum class child_state : std::uint8_t { starting, running, stopping, stopped, restarting };

/// One child as `which_children` tells it.
struct child_info {
  std::string id;
  caf::actor actor; ///< empty unless it runs
  child_state state;
  restart_type restart;
  child_type type;
};

/// Source: OTP's supervisor:count_children/1
struct child_counts {
  std::size_t specs = 0;       ///< all children, running or not
  std::size_t active = 0;      ///< those that run
  std::size_t supervisors = 0; ///< of all children
  std::size_t workers = 0;     ///< of all children
};

// What to ask a supervisor, from any actor: see `supervisor`.
using which_children_atom = caf::atom_constant<caf::atom("which")>;
using count_children_atom = caf::atom_constant<caf::atom("count")>;
using start_child_atom = caf::atom_constant<caf::atom("start")>;
using terminate_child_atom = caf::atom_constant<caf::atom("terminate")>;
using restart_child_atom = caf::atom_constant<caf::atom("restart")>;
using delete_child_atom = caf::atom_constant<caf::atom("delete")>;

/// Starts children in order, starts them again when they crash, and stops them in the opposite order.
///
/// A child is any actor: pinned or floating, a factory, a port, another supervisor. It needs no base
/// class and does not know that it is supervised.
///
/// ```cpp
/// auto rooms = rt.spawn_on<troupe::supervisor>(
///   0, troupe::supervisor_options{.name = "rooms", .intensity = 3},
///   std::vector<troupe::child_spec>{
///     {.id = "store", .start = troupe::start_actor<store>()},
///     {.id = "lobby", .start = troupe::start_actor<lobby>(), .restart = restart_type::transient}});
/// ```
///
/// It does one thing after the other, as OTP's does: a call waits until an earlier one is done, and
/// until a crash that came before it is dealt with. During a back-off it answers calls; but what starts
/// a child of a group waits until no other one of the group waits for its restart. If one of its first
/// children cannot be started, it stops those that were and ends with that failure. An exit message that is not `normal` makes it
/// stop its children and end; if it is killed, so are they, all at once.
///
/// On its loop, use its functions. From other actors, ask it, and from other threads likewise:
///
/// ```cpp
/// ask<std::vector<child_info>>(*this, rooms, 5s, which_children_atom::value)
/// ask<child_counts>(*this, rooms, 5s, count_children_atom::value)
/// ask<caf::actor>(*this, rooms, 5s, start_child_atom::value, child_spec{...})
/// ask<void>(*this, rooms, 5s, terminate_child_atom::value, std::string{"lobby"}) // or an actor
/// ask<caf::actor>(*this, rooms, 5s, restart_child_atom::value, std::string{"lobby"})
/// ask<void>(*this, rooms, 5s, delete_child_atom::value, std::string{"lobby"})
/// ```
///
/// Every decision is an event for `supervisor_options::observer`, and one line in the log. The log names
/// a child with its id beside its class, and restarts are counted by supervisor and child
/// (`troupe_supervisor_restarts_total`).
///
/// Thread: its loop's. Its deferreds fire on that loop; they fail with `errc::actor_down` if it ends
/// first.
/// Source: OTP's supervisor; Elixir's DynamicSupervisor
class supervisor : public pinned_actor {
public:
  using super = pinned_actor;

  /// Two children of one id, or one without a start function, cannot be started: see `when_started`.
  ///
  /// \throws std::invalid_argument if a duration of the options is negative
  supervisor(caf::actor_config& cfg, supervisor_options options,
             std::vector<child_spec> children = {});
  ~supervisor() override;

  /// Returns a spec of a supervisor as the child of another one, on the same loop. It counts as
  /// started when all its first children are.
  [[nodiscard]] static child_spec as_child(supervisor_options options,
                                           std::vector<child_spec> children,
                                           restart_type restart = restart_type::permanent);

  // -- children -----------------------------------------------------------------------------------

  /// Adds a child and starts it: with `one_for_all` and `rest_for_one`, after those that wait for their
  /// restart. One that cannot be started is not added.
  ///
  /// \returns its handle, empty if its start function said that it is not wanted now
  /// Fails with: what the start function failed with; `errc::child_exists`;
  /// `errc::child_limit_reached`; `errc::invalid_argument` if there is no start function.
  chained<caf::actor> start_child(child_spec spec);

  /// Stops a child. Its spec stays, unless it is temporary or the strategy is dynamic; it is not
  /// started again but by `restart_child`, or with the others of its group.
  ///
  /// Fails with: `errc::no_such_child`.
  chained<void> terminate_child(const std::string& id);
  chained<void> terminate_child(const caf::actor& child);

  /// Starts a child that was terminated, or has ended and was not to be restarted; it waits as
  /// `start_child` does.
  ///
  /// Fails with: what the start function failed with; `errc::no_such_child`; `errc::child_running`;
  /// `errc::child_restarting`.
  chained<caf::actor> restart_child(const std::string& id);

  /// Drops the spec of a child that does not run.
  ///
  /// Fails with: `errc::no_such_child`, `errc::child_running`, `errc::child_restarting`.
  chained<void> delete_child(const std::string& id);

  /// Returns all children, in the order in which they are started.
  [[nodiscard]] std::vector<child_info> which_children() const;

  [[nodiscard]] child_counts count_children() const;

  // -- the whole ----------------------------------------------------------------------------------

  /// Fires when the first children have been started; fails as the first one did that could not be.
  chained<void> when_started();

  /// Stops all children in the opposite order of their start, and ends.
  ///
  /// \param reason  what the supervisor ends with
  /// \returns what fires when the last child has ended
  chained<void> shut_down(caf::error reason = caf::exit_reason::user_shutdown);

  /// Kills, from now on, whatever is to be stopped: for a shutdown whose time is over.
  void hurry();

  [[nodiscard]] const supervisor_options& options() const noexcept { return options_; }

  // -- CAF's side ---------------------------------------------------------------------------------

  caf::behavior make_behavior() override;
  void on_exit() override;
  const char* name() const override { return "supervisor"; }

protected:
  void stop_requested() override;

private:
  using key = std::uint64_t; // counts children; its order is that of their start

  struct child {
    key serial;
    child_spec spec;
    child_state state = child_state::stopped;
    bool ended = false;      // by itself, and that has not been dealt with
    caf::actor handle{};     // while it runs
    caf::error reason{};     // of its latest end
    delayed_call timer{};    // until it is killed, or started again
    time_point since{};      // when it was started
    std::size_t crashes = 0; // and failed starts, in a row, for the back-off
  };

  struct operation {
    task run;
    unique_function<void(const failure&)> refuse; // if the supervisor ends first
  };

  // One thing after the other.
  void perform(operation op);
  void perform(task run) { perform(operation{std::move(run), {}}); }
  template <class T, class F>
  chained<T> call(F fn);
  void next();    // ends the present one
  void put_off(); // ends the present one; it is begun again when no group waits
  void drain();

  // Starting.
  using after_start = unique_function<void(child*, const failure&)>; // null: all were started
  void begin(std::vector<key> which, after_start then);
  void begin_next();
  bool take(child& c, outcome<caf::actor> got);
  void take_late(outcome<caf::actor> got);

  // Stopping.
  void end(std::vector<key> which, bool at_once, task then);
  void end_next();
  void tell_to_end(child& c);
  void terminate(child& c, std::shared_ptr<promise<void>> ended);
  void kill(child& c);
  void abandon(key serial);
  static void send_kill(const caf::actor& whom);
  friend deferred<caf::actor> detail::when_begun(supervisor& parent, caf::actor child);

  // Healing.
  void down(caf::down_msg& message);
  void deal_with_end(key serial);
  void heal(child& c, bool again);
  bool may_restart();
  duration delay_of(child& c);
  void restart_waiting(std::optional<key> only);
  bool group_waits() const; // for its restart
  void start_first();
  void first_start_over(outcome<void> how);
  void begin_end(caf::error reason);
  void finish(caf::error reason);

  void check(const child_spec& spec) const; // throws what refuses it
  child& add(child_spec spec);
  void remove(child& c);
  void retire(child& c);
  void let_go(const child& c);
  void forget_timer(child& c);
  child* find(key serial);
  child* find(const caf::actor& actor);
  child& expect(const std::string& id); // these two throw what refuses it
  child& expect_stopped(const std::string& id);
  bool dynamic() const noexcept { return options_.strategy == restart_strategy::dynamic; }
  bool ending() const noexcept { return ending_ || loop().stopping(); }
  void tell(supervisor_event_kind kind, const child* c, const failure& reason = {},
            duration delay = {}, caf::actor_id actor = 0);
  void log(const supervisor_event& event);

  const supervisor_options options_;
  std::map<key, child> children_;
  std::unordered_map<std::string, key> by_id_; // not if dynamic
  std::unordered_map<caf::actor_addr, key> by_actor_;
  key latest_ = 0;

  std::deque<operation> waiting_;
  std::shared_ptr<operation> present_;             // the latest that was begun
  std::deque<std::shared_ptr<operation>> put_off_; // in the order in which they came
  bool busy_ = false;
  bool draining_ = false; // within drain()
  bool gone_ = false;     // after its end

  std::deque<key> to_begin_;
  after_start begun_;
  key beginning_ = 0;                     // the child that is being started
  std::uint64_t attempt_ = 0;             // tells a late start from the present one
  std::optional<chained<void>> starting_; // the start that is awaited

  std::vector<key> to_end_; // from the back
  bool end_at_once_ = false;
  std::size_t ending_now_ = 0; // told to end and not yet ended
  task ended_;

  std::deque<time_point> restarts_; // within the period
  delayed_call group_timer_;

  std::vector<child_spec> first_;            // until they are started
  std::optional<outcome<void>> first_start_; // once it is over
  std::vector<promise<void>> want_start_;
  std::vector<promise<void>> want_end_;
  bool ending_ = false;
  bool hurry_ = false;
};

template <class A, class... Args>
start_function start_actor(Args&&... args) {
  using arguments = decltype(std::make_tuple(std::forward<Args>(args)...));
  static_assert(std::derived_from<A, caf::local_actor>,
                "start_actor<A>: this class is no actor: derive it from troupe::floating_actor or "
                "troupe::pinned_actor");
  if constexpr (std::derived_from<A, caf::local_actor>)
    detail::check_buildable<A, const std::unwrap_ref_decay_t<Args>&...>();
  if constexpr (
    std::derived_from<
      A, caf::local_actor> && detail::buildable<A, const std::unwrap_ref_decay_t<Args>&...>)
    return [args = arguments(std::forward<Args>(args)...)](supervisor& parent) {
      auto child = std::apply(
        [&](const auto&... a) {
          if constexpr (std::derived_from<A, pinned_actor>) {
            caf::actor_config cfg{&parent.loop()};
            return caf::actor_cast<caf::actor>(
              parent.system().template spawn_impl<A, caf::hidden>(cfg, a...));
          } else {
            return caf::actor_cast<caf::actor>(parent.template spawn<A>(a...));
          }
        },
        args);
      if constexpr (std::derived_from<A, basic_actor>)
        return detail::when_begun(parent, std::move(child));
      else
        return child;
    };
  else
    return [](supervisor&) {
      return caf::actor{};
    };
}

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::child_spec)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::child_info)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<troupe::child_info>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::child_counts)
