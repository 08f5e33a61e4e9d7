#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <stdexcept>

#include <spdlog/logger.h>

#include <troupe/runtime/runtime.hpp>
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
/// that time, which starts at zero. Nothing is logged.
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
  manual_runtime() : runtime(quiet_options(time)) {}

  [[nodiscard]] time_point now() const { return time.now(); }

  /// Runs `fn()` inside a turn of the loop, in which `event_loop::current()` is set, and finishes
  /// that turn: messages are handled, and what was written is flushed. What leaves `fn` is thrown
  /// here.
  template <class F>
  void in_turn(F&& fn) {
    if (event_loop::current() != nullptr)
      return fn();
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

private:
  static runtime_options quiet_options(const manual_clock& time) {
    runtime_options options;
    options.loops = 1;
    options.install_signal_handlers = false;
    options.logger = std::make_shared<spdlog::logger>("test"); // without a sink
    options.time_source = &time;
    return options;
  }
};

} // namespace troupe::testing
