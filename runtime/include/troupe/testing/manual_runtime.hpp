#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <troupe/runtime/runtime.hpp>
#include <troupe/testing/logged_errors.hpp>
#include <troupe/testing/manual_clock.hpp>

namespace troupe::testing {

namespace detail {
struct manual_time {
  manual_clock time;
};
} // namespace detail

/// A runtime of one loop that is never run: a test turns it, and moves its time, by hand.
///
/// `call_later` of actors and of the reactor, `delayed_send`, and the timeouts of requests all go by
/// that time, which starts at zero. Nothing is written to a log; what is logged as an error is
/// collected, and fails the test unless it takes it (`logged_errors`).
///
/// ```cpp
/// testing::manual_runtime rt;
/// rt.reactor().call_later(2s, [&] { ++made; });
/// rt.advance(1s); // made == 0
/// rt.advance(1s); // made == 1
/// ```
///
/// Thread: one.
class manual_runtime : private detail::manual_time, public runtime {
public:
  manual_runtime() : runtime(quiet_options(time)) {
    reactor().by_hand_ = true;
    reactor().state_.store(troupe::reactor::state::started);
  }

  ~manual_runtime() { // a stop that is not over is left to the runtime's own end
    reactor().state_.store(troupe::reactor::state::stopped);
  }

  [[nodiscard]] time_point now() const { return time.now(); }

  /// Runs `fn()` inside a turn of the loop, in which `event_loop::current()` is set, and finishes
  /// that turn: messages are handled, and what was written is flushed.
  ///
  /// \returns what `fn` returns; what leaves it is thrown here
  template <class F>
  auto in_turn(F&& fn) -> std::invoke_result_t<F&> {
    using result = std::invoke_result_t<F&>;
    if (event_loop::current() != nullptr)
      return fn();
    if constexpr (std::is_void_v<result>) {
      do_in_turn(std::ref(fn));
    } else {
      std::optional<std::decay_t<result>> made;
      do_in_turn([&] { made.emplace(fn()); });
      return *std::move(made);
    }
  }

  /// As those of `runtime`, but inside a turn, as nearly all actors are made in production: the
  /// constructor sees the time of this runtime.
  template <class A, caf::spawn_options Os = caf::no_spawn_options, class... Ts>
  auto spawn(Ts&&... args) {
    return in_turn([&] { return runtime::spawn<A, Os>(std::forward<Ts>(args)...); });
  }
  template <caf::spawn_options Os = caf::no_spawn_options, class F, class... Ts>
  requires(!std::is_pointer_v<F> || std::is_function_v<std::remove_pointer_t<F>>) auto spawn(
    F fn, Ts&&... args) {
    return in_turn([&] { return runtime::spawn<Os>(std::move(fn), std::forward<Ts>(args)...); });
  }
  template <class A, class... Ts>
  auto spawn_on(std::size_t loop, Ts&&... args) {
    return in_turn([&] { return runtime::spawn_on<A>(loop, std::forward<Ts>(args)...); });
  }

  /// Turns the loop until the messages that were sent are handled, at most `turns` times.
  void settle(std::size_t turns = 16) {
    while (turns-- > 0)
      reactor().iterate();
  }

  /// Moves the time by `by` and makes every call that is due then; each of them sees the final
  /// time. Calls that are added meanwhile and are due are made too.
  ///
  /// \throws std::runtime_error if that does not end
  void advance(duration by) {
    time.advance(by);
    auto& timers = scheduler().loop(0).timers();
    std::size_t turns = 0;
    do {
      if (++turns > 10'000)
        throw std::runtime_error("manual_runtime: calls schedule each other without an end");
      reactor().iterate();
    } while (!timers.empty() && timers.next_due() <= time.now());
  }

  /// Moves the time to when the next call is due, and makes that call and all others that are due
  /// then, as `advance` does.
  ///
  /// \returns by how much the time moved; nothing, and nothing happens, if no call is pending
  std::optional<duration> advance_to_next() {
    const auto due = scheduler().loop(0).timers().next_due();
    if (!due)
      return std::nullopt;
    const auto by = std::max(*due - time.now(), duration::zero());
    advance(by);
    return by;
  }

  /// Stops it as `runtime::stop` does, which code under test may call, too: `before` triggers, then
  /// pinned actors are asked to end, ports close, and connections flush. Turns the loop until that has
  /// begun. What takes time, up to the grace time, takes it from `advance`.
  void stop() {
    runtime::stop();
    settle();
  }

  /// Tells whether the stop is over: all pinned actors have ended, and the last triggers have run.
  [[nodiscard]] bool stopped() {
    return reactor().state_.load() == troupe::reactor::state::stopped;
  }

private:
  template <class F>
  void do_in_turn(F fn) {
    std::exception_ptr thrown;
    bool done = false;
    reactor().call_from_thread([&] {
      try {
        fn();
      } catch (...) {
        thrown = std::current_exception();
      }
      done = true;
    });
    while (!done)
      reactor().iterate();
    if (thrown)
      std::rethrow_exception(thrown);
  }

  static runtime_options quiet_options(const manual_clock& time) {
    runtime_options options;
    options.loops = 1;
    options.install_signal_handlers = false;
    options.logger = collecting_logger();
    options.time_source = &time;
    return options;
  }
};

} // namespace troupe::testing
