#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <caf/actor_system.hpp>

#include <troupe/runtime/detail/buildable.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/names.hpp>
#include <troupe/runtime/options.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/reactor.hpp>

namespace troupe {

namespace detail {
class spawned_actors;
struct system_config;
} // namespace detail

namespace testing {
struct leftovers;
}

/// Everything that runs: the event loops, the actor system on them, and the reactor.
///
/// One a process is usual; several may live at once, which tests do. Actors and ports can be made
/// before `run()`; they do nothing until then.
///
/// ```cpp
/// int main() {
///   troupe::runtime rt;
///   rt.reactor().call_when_running([] { std::puts("Hello from the reactor loop!"); });
///   return rt.run().exit_code();
/// }
/// ```
///
/// Lifetime: handles of actors must not outlive it, except those of actors that have ended. Its
/// destructor ends what still lives, in its own thread: actors end (`on_exit`, `connection_lost`) and
/// are destroyed, and none of their handlers, and no call, runs any more. It waits for calls in
/// threads that have not returned, and for detached actors.
///
/// Thread: the constructor, `run` and the destructor: one; the rest: any, unless it says otherwise.
class runtime {
public:
  /// Makes the loops and the actor system; starts no loop. Options take a second pair of braces, for
  /// they are an aggregate and this is a class: `troupe::runtime rt{{.loops = 2}};`. Where standard input, output or errors
  /// are closed, opens /dev/null in their places, so that nothing else gets their numbers.
  ///
  /// \throws std::invalid_argument if an option makes no sense; its text names the option
  /// \throws std::system_error if the system has no descriptors left
  explicit runtime(runtime_options options = {});

  /// Ends what still lives and frees everything. Must not be called while `run()` runs.
  ~runtime();

  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Runs the loops until `stop()`, and returns how that ended; throws if they cannot be started. See
  /// `reactor::run`.
  run_result run() { return reactor_->run(); }

  /// Begins the end of `run()`: see `reactor::stop`.
  void stop() { reactor_->stop(); }

  /// Stops because of a failure, which `run()` returns: see `reactor::give_up`.
  void give_up(failure why) { reactor_->give_up(std::move(why)); }

  /// Tells whether `stop()` was called, or a signal did that: see `reactor::stop_requested`.
  [[nodiscard]] bool stop_requested() const noexcept { return reactor_->stop_requested(); }

  [[nodiscard]] troupe::reactor& reactor() noexcept { return *reactor_; }
  [[nodiscard]] caf::actor_system& system() noexcept { return *system_; }
  [[nodiscard]] loop_scheduler& scheduler() noexcept { return *scheduler_; }
  [[nodiscard]] spdlog::logger& logger() noexcept { return scheduler_->logger(); }

  /// What tells, in the log, of things that happen again and again.
  [[nodiscard]] troupe::repeats& repeats() const noexcept { return scheduler_->repeats(); }

  /// The counters and gauges by name, Troupe's own and the user's, as `prometheus_text` tells them.
  [[nodiscard]] troupe::metrics& metrics() const noexcept { return scheduler_->metrics(); }

  /// Returns the names of its actors, by which others find them, also after a restart. Thread: any.
  [[nodiscard]] troupe::names names();

  /// Returns how many event loops there are.
  [[nodiscard]] std::size_t loops() const noexcept { return scheduler_->size(); }

  /// Returns what each loop did so far, by its number. Each number is right by itself; they are not
  /// taken at the same instant.
  [[nodiscard]] std::vector<loop_counters> counters() const { return scheduler_->counters(); }

  /// Starts an actor of class `A`. A pinned one goes to the loops in turn.
  template <class A, caf::spawn_options Os = caf::no_spawn_options, class... Ts>
  auto spawn(Ts&&... args) {
    static_assert(std::derived_from<A, caf::local_actor>,
                  "spawn<A>: this class is no actor: derive it from troupe::floating_actor or "
                  "troupe::pinned_actor");
    if constexpr (std::derived_from<A, caf::local_actor>) {
      detail::check_buildable<A, detail::spawned_argument<Ts>...>();
      if constexpr (detail::buildable<A, detail::spawned_argument<Ts>...>)
        return track(system_->template spawn<A, Os>(std::forward<Ts>(args)...));
      else
        return caf::actor{};
    } else {
      return caf::actor{};
    }
  }

  /// Starts an actor from a function, as CAF does.
  template <caf::spawn_options Os = caf::no_spawn_options, class F, class... Ts>
  requires(!std::is_pointer_v<F> || std::is_function_v<std::remove_pointer_t<F>>) auto spawn(
    F fn, Ts&&... args) {
    return track(system_->template spawn<Os>(std::move(fn), std::forward<Ts>(args)...));
  }

  /// Starts a pinned actor on the loop with number `loop`.
  ///
  /// \throws std::out_of_range if there is no such loop
  template <class A, class... Ts>
  auto spawn_on(std::size_t loop, Ts&&... args) {
    static_assert(std::derived_from<A, pinned_actor>,
                  "spawn_on<A>: only a troupe::pinned_actor has a loop of its own; spawn<A> starts "
                  "the others");
    if constexpr (std::derived_from<A, pinned_actor>) {
      detail::check_buildable<A, Ts...>();
      if constexpr (detail::buildable<A, Ts...>) {
        if (loop >= loops())
          no_such_loop("spawn_on", loop);
        caf::actor_config cfg{&scheduler_->loop(loop)};
        auto handle = system_->template spawn_impl<A, caf::hidden>(cfg, std::forward<Ts>(args)...);
        forget_caf_logger();
        return handle;
      } else {
        return caf::actor{};
      }
    } else {
      return caf::actor{};
    }
  }

private:
  friend struct testing::leftovers;

  template <class Handle>
  Handle track(Handle handle) {
    remember(caf::actor_cast<caf::strong_actor_ptr>(handle));
    forget_caf_logger();
    return handle;
  }

  [[noreturn]] void no_such_loop(const char* where, std::size_t loop) const;
  void remember(const caf::strong_actor_ptr& actor);
  static void forget_caf_logger(); // CAF leaves it in the thread, and its end then waits for that

  std::unique_ptr<detail::system_config> config_;
  std::shared_ptr<detail::spawned_actors> spawned_;
  std::unique_ptr<caf::actor_system> system_;
  loop_scheduler* scheduler_ = nullptr;
  std::unique_ptr<troupe::reactor> reactor_;
  runtime* next_ = nullptr; // of those that live, for `testing::leftovers`
};

} // namespace troupe
