#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/thread_pool.hpp>

namespace troupe {

class metrics;
class repeats;

namespace detail {
class loop_clock;
class receiver_watches;
class telling;
} // namespace detail

namespace testing {
struct leftovers;
}

/// CAF's scheduler, made of event loops. It takes the place of CAF's own as a module.
///
/// Loops exist from CAF's `init` on and take jobs from then; they turn only while a thread runs
/// them: loop 0 in `runtime::run()`, the others in threads that live as long as that call. While
/// the runtime is destroyed nothing turns; actors that something is sent to are ended instead, in the
/// thread that destroys. See "Shutdown" in runtime/README.md.
///
/// Thread: any, unless a member says otherwise.
class loop_scheduler final : public caf::scheduler::abstract_coordinator {
public:
  using super = caf::scheduler::abstract_coordinator;

  explicit loop_scheduler(caf::actor_system& sys);
  ~loop_scheduler() override;

  /// Called by CAF when the module is loaded.
  static caf::actor_system::module* make(caf::actor_system& sys, caf::detail::type_list<>);

  /// Returns the scheduler of `sys`, which must be a runtime's actor system.
  static loop_scheduler& of(caf::actor_system& sys) {
    return static_cast<loop_scheduler&>(sys.scheduler());
  }

  [[nodiscard]] std::size_t size() const noexcept { return loops_.size(); }
  /// \throws std::out_of_range if there is no such loop
  [[nodiscard]] event_loop& loop(std::size_t index) {
    if (index >= loops_.size())
      refuse_loop(index);
    return *loops_[index];
  }
  [[nodiscard]] spdlog::logger& logger() const noexcept { return *logger_; }
  [[nodiscard]] const std::shared_ptr<spdlog::logger>& shared_logger() const noexcept {
    return logger_;
  }
  /// What tells, in the log, of things that happen again and again. Exists from CAF's `init` on.
  [[nodiscard]] troupe::repeats& repeats() const noexcept;

  /// The counters and gauges by name, Troupe's own and the user's.
  [[nodiscard]] troupe::metrics& metrics() const noexcept;

  /// Says what an actor is, beside its class, where the log names it: "child lobby of rooms". An empty
  /// text takes that back.
  void set_role(caf::actor_id actor, std::string role);
  [[nodiscard]] std::string role_of(caf::actor_id actor) const;

  /// The threads for calls that block; they begin when the runtime runs.
  [[nodiscard]] thread_pool& pool() noexcept { return *pool_; }
  [[nodiscard]] const runtime_options& options() const noexcept { return options_; }

  /// Tells whether `reactor::stop()` was called. Thread: any.
  [[nodiscard]] bool stop_requested() const noexcept {
    return stop_requested_.load(std::memory_order_acquire);
  }

  /// Returns what becomes false when the loops are gone, for handles that may outlive them. A call
  /// that any thread may make must not be made while the runtime is destroyed, but it may be made
  /// afterwards.
  [[nodiscard]] const std::shared_ptr<const std::atomic<bool>>& alive() const noexcept {
    return alive_;
  }

  /// Who knows of the questions of `ask` that wait: made with the first one, it lives as long as loop 0's context. Null
  /// before and behind that. Thread: any.
  [[nodiscard]] std::atomic<const std::shared_ptr<detail::receiver_watches>*>&
  receiver_watches() noexcept {
    return receiver_watches_;
  }

  /// Returns the loops in turn, for placing things that have no loop yet.
  event_loop& next_loop() noexcept {
    return *loops_[next_.fetch_add(1, std::memory_order_relaxed) % loops_.size()];
  }

  /// Throws if the calling thread is that of no loop, as `event_loop::expect_here` means it; for what
  /// may be done on each of them.
  void expect_any_loop(const char* function, const char* instead) const {
    if (const auto* const current = event_loop::current();
        current == nullptr || &current->scheduler() != this)
      loops_.front()->expect_here(function, instead);
  }

  /// Returns the loop with the fewest pinned actors; equals take turns.
  event_loop& least_loaded_loop() noexcept;

  /// Returns what each loop did so far, by its number.
  [[nodiscard]] std::vector<loop_counters> counters() const;

  // -- CAF's side -------------------------------------------------------------------------------

  void init(caf::actor_system_config& cfg) override;
  void start() override;
  void stop() override;
  void enqueue(caf::resumable* job) override;
  caf::actor_clock& clock() noexcept override;

private:
  friend class event_loop;
  friend class pinned_actor;
  friend class reactor;
  friend class runtime;
  friend struct testing::leftovers;

  [[noreturn]] void refuse_loop(std::size_t index) const;
  void start_threads(std::size_t first);    // for the loops from `first` on
  void stop_threads(std::size_t first = 1); // makes them leave, and joins
  void run_thread(event_loop& loop);
  void turn_loop(event_loop& loop); // until the loop is told to leave

  void care_for_modules(); // what CAF's other modules need to stop; in the caretaker's thread
  void stop_caretaker();
  void begin_winding() noexcept;
  void wind_down(const std::atomic<bool>& done, event_loop::leftovers what);
  void await_threads();
  void wake_winding() noexcept;

  event_loop& loop_for_outside() noexcept; // takes a floating actor that no loop woke
  void work_available(event_loop& from);   // wakes one sleeping loop to steal
  void look_out(const event_loop& busy);   // makes one that sleeps look for work later
  event_loop* has_work(const event_loop& but) const noexcept; // one of the others; null if none
  event_loop* victim(const event_loop& thief) const noexcept; // one from which it may take
  void pinned_ended();

  const runtime_options& options_;
  std::shared_ptr<spdlog::logger> logger_;
  std::unique_ptr<detail::telling> telling_;
  std::vector<std::unique_ptr<event_loop>> loops_;
  std::unique_ptr<detail::loop_clock> clock_;
  std::unique_ptr<thread_pool> pool_;
  std::vector<std::thread> threads_;
  std::thread caretaker_; // waits for the end, if CAF has other modules
  std::atomic<bool> caretaker_done_{false};
  std::atomic<bool> winding_{false};       // no loop turns any more
  std::atomic<std::uint32_t> windings_{0}; // counts what comes for the loops then
  std::atomic<bool> stop_requested_{false};
  std::atomic<std::size_t> next_{0};
  std::atomic<std::size_t> asleep_{0}; // loops that wait for events, and do not rest from stealing
  std::atomic<std::size_t> searching_{0}; // loops woken to steal that have not looked yet
  std::atomic<bool> looks_out_{false};    // a sleeping loop will look at the work of others soon
  std::atomic<std::size_t> pinned_{0};    // initialised pinned actors of all loops
  std::atomic<bool> draining_{false};     // stop() waits for `pinned_` to reach zero
  task drained_;                          // what then runs on loop 0
  std::atomic<const std::shared_ptr<detail::receiver_watches>*> receiver_watches_{nullptr};
  const std::shared_ptr<std::atomic<bool>> is_alive_ = std::make_shared<std::atomic<bool>>(true);
  const std::shared_ptr<const std::atomic<bool>> alive_ = is_alive_;
};

} // namespace troupe
