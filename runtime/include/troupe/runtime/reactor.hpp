#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/detail/blocked_call.hpp>
#include <troupe/runtime/reactor_actor.hpp>
#include <troupe/runtime/run_result.hpp>

namespace troupe {

namespace testing {
class manual_runtime;
}

class event_loop;
class loop_scheduler;
class thread_pool;

namespace detail {
struct reactor_access;
}

/// Reports `stop` or `crash` of what never ran. Source: twisted.internet.error.ReactorNotRunning
struct reactor_not_running : std::logic_error {
  using std::logic_error::logic_error;
};

/// Reports `run` while it runs. Source: twisted.internet.error.ReactorAlreadyRunning
struct reactor_already_running : std::logic_error {
  using std::logic_error::logic_error;
};

/// Reports `run` after a stop: make a new runtime.
/// Source: twisted.internet.error.ReactorNotRestartable
struct reactor_not_restartable : std::logic_error {
  using std::logic_error::logic_error;
};

/// What a trigger is attached to.
enum class system_event : std::uint8_t { startup, shutdown };

/// When, relative to its event, a trigger runs.
enum class trigger_phase : std::uint8_t { before, during, after };

/// Names a trigger, for its removal. Each is used once.
class trigger_id {
public:
  trigger_id() noexcept = default;
  explicit operator bool() const noexcept { return value_ != 0; }

private:
  friend class reactor;
  explicit trigger_id(std::uint64_t value) noexcept : value_(value) {}
  std::uint64_t value_ = 0;
};

/// Runs the loops of a runtime, and is the clock of loop 0.
///
/// `run()` turns loop 0 in the calling thread until `stop()`; with a single loop everything in the
/// runtime happens there, as in Twisted. What is scheduled here runs on loop 0.
///
/// States: new -> running -> stopping -> stopped; `crash()` leads from running back to new, and from
/// stopping to stopped.
///
/// Thread: loop 0, or before `run()` the thread that will call it; `stop`, `give_up`, `crash`,
/// `stop_requested`, `call_from_thread`, `running` and `actor`: any.
/// Source: twisted.internet.interfaces.IReactorCore, IReactorTime, IReactorFromThreads
class reactor final : public clock {
public:
  explicit reactor(loop_scheduler& scheduler);
  ~reactor() override;
  reactor(const reactor&) = delete;
  reactor& operator=(const reactor&) = delete;

  // -- running ----------------------------------------------------------------------------------

  /// Fires the startup event, and runs the loops until `stop()` has ended them. Signals stop it from the beginning
  /// (`runtime_options::install_signal_handlers`): in Twisted from startup's `during` phase on.
  ///
  /// Once it has returned, none of the user's code runs any more: no call, no handler, no trigger, on
  /// whatever loop. What still lives is ended by the destructor of the runtime, in the thread that
  /// destroys. Only threads that are not the loops' go on: a call in a thread that did not end within
  /// the grace time, and detached actors.
  ///
  /// \returns how it ended; `run().exit_code()` is for `main` to return
  /// \throws reactor_already_running if it runs
  /// \throws reactor_not_restartable if it was stopped before, also in the last phases of that
  /// \throws std::system_error if there is no thread left for a loop, or no descriptor to watch signals with: then
  ///         nothing has run, and it may be called again
  run_result run();

  /// Begins the end, and returns at once. Does nothing if it stops already, or has stopped.
  ///
  /// After the present turn, and not before the startup was fired, the shutdown event fires: `before`
  /// triggers, whose deferreds are waited for while everything still works; `during` triggers, while
  /// ports close, connections are told to flush and close, and pinned actors to end; `after` triggers.
  /// Then `run()` returns. Calls that are still pending are not made, and threads in
  /// `blocking_call_from_thread` get `errc::runtime_stopped`.
  ///
  /// All of that takes no longer than the grace time (`runtime_options::grace`), counted from here:
  /// then `before` triggers are waited for no more, and what has not ended is ended, but for a turn
  /// that does not return. What is waited for is logged, and so is what had to be ended. SIGINT and
  /// SIGTERM do the same (`runtime_options::install_signal_handlers`); whoever sends a second one does
  /// not want to wait: the process exits at once, with 128 and the signal's number.
  ///
  /// \throws reactor_not_running if `run()` was not called yet. Thread: any.
  void stop();

  /// Stops as `stop()` does, because of `why`, without which the program cannot go on: that is what
  /// `run()` returns then, and its exit code is not 0. Also counts if it stops already; the first
  /// failure does. Thread: any.
  ///
  /// \throws reactor_not_running if `run()` was not called yet
  void give_up(failure why);

  /// Tells whether `stop()` was called, or a signal did that: true from then on, for ever. While
  /// `before` triggers are waited for everything still works; `event_loop::stopping()` tells that
  /// nothing new should begin. Thread: any.
  [[nodiscard]] bool stop_requested() const noexcept;

  /// Makes `run()` return after the present turn, with no triggers and nothing closed. It may be
  /// called again, unless it was stopping. Thread: any.
  ///
  /// \throws reactor_not_running if it does not run
  void crash();

  /// Makes one turn of loop 0 if nothing runs, waiting up to `wait` for something to do.
  ///
  /// \throws reactor_already_running if called while `run()` runs, or within itself
  void iterate(duration wait = duration::zero());

  /// Tells whether it runs: from the `during` triggers of the startup on, by when signals are watched,
  /// to the end of the `before` triggers of the shutdown; false in the triggers that follow.
  [[nodiscard]] bool running() const noexcept { return running_.load(std::memory_order_acquire); }

  // -- events -----------------------------------------------------------------------------------

  /// Runs `fn` once the reactor runs: after startup, in the order of these calls; or at once,
  /// inside this call, if it runs already (its exception then reaches the caller).
  ///
  /// \returns a name for removal, or an empty one if `fn` has run
  trigger_id call_when_running(task fn);

  /// Runs `fn` once at `phase` of `event`. One that returns a `deferred<void>` in the phase
  /// `before` is waited for; before the shutdown, for what `stop()` says. An exception or failure is logged, and the others run all the same.
  ///
  /// Order: within a phase, that of these calls.
  template <class F>
  requires std::invocable<F&> trigger_id add_system_event_trigger(trigger_phase phase,
                                                                  system_event event, F fn) {
    if constexpr (std::is_void_v<std::invoke_result_t<F&>>)
      return add_trigger(phase, event, [f = std::move(fn)]() mutable {
        f();
        return succeed();
      });
    else
      return add_trigger(phase, event, std::move(fn));
  }

  /// Takes a trigger back. A trigger may do so to later ones of its own event.
  ///
  /// \throws std::invalid_argument if it has run already, was removed, or never was
  void remove_system_event_trigger(trigger_id id);

  // -- time -------------------------------------------------------------------------------------

  [[nodiscard]] time_point now() const override;
  delayed_call call_later(duration delay, task fn) override;
  [[nodiscard]] std::vector<delayed_call> get_delayed_calls() const override;

  // -- other threads ----------------------------------------------------------------------------

  /// Runs `fn` on loop 0 in a coming turn; before `run()`, once it runs. What it queues itself runs
  /// a turn later. An exception that leaves it is logged.
  ///
  /// Thread: any. Order: that of the calls, over all threads.
  void call_from_thread(task fn);

  /// Runs `fn` in a thread for calls that block. Its result is dropped; an exception that leaves it
  /// is logged. Before `run()` it waits; after the stop it is dropped, as it is if no thread has begun
  /// it when the grace time is over. Thread: any.
  void call_in_thread(task fn);

  /// Lets at most `count` threads be used for calls that block.
  ///
  /// \throws std::logic_error if `count` is zero
  void suggest_thread_pool_size(std::size_t count);

  /// Returns the threads for calls that block, to observe them. Thread: any.
  [[nodiscard]] thread_pool& get_thread_pool() const noexcept;

  /// Returns the actor through which other actors, of this node or another, schedule by message.
  /// Thread: any.
  [[nodiscard]] const reactor_actor& actor() const noexcept { return actor_; }

private:
  friend class runtime;
  friend class testing::manual_runtime;
  friend class loop_scheduler;
  friend struct detail::reactor_access;

  enum class state : std::uint8_t { fresh, started, stopping, stopped };
  using trigger = unique_function<deferred<void>()>;

  trigger_id add_trigger(trigger_phase phase, system_event event, trigger fn);
  void fire(system_event event, task then);
  void run_phase(trigger_phase phase, system_event event);
  void log_failure(const failure& f);
  void start_up();
  void begin_stop(run_result why);
  void signal_came(int number);
  void shut_down();
  void hurry();
  void begin_drain();
  void pool_ended();
  void grace_is_over();
  void finish();
  void tell_soon();
  void tell();
  void watch_signals();
  void stop_signals() noexcept;

  struct triggers; // what waits for each phase of each event
  struct signals;  // what the process's signals do
  struct ending;   // what is known of the end while it comes

  loop_scheduler& scheduler_;
  event_loop& loop_;
  std::unique_ptr<triggers> triggers_;
  std::unique_ptr<signals> signals_;
  std::unique_ptr<ending> ending_; // from shut_down on
  reactor_actor actor_;
  std::atomic<state> state_{state::fresh};
  std::atomic<bool> running_{false};
  bool shutting_down_ = false; // the `during` phase of the shutdown has begun
  bool by_hand_ = false;       // a test turns it: it runs, but not within run()
  std::mutex result_mutex_;    // of what follows
  run_result result_;
  const std::thread::id maker_ = std::this_thread::get_id(); // the thread that will call run()
  detail::blocked_calls blocked_;
};

} // namespace troupe
