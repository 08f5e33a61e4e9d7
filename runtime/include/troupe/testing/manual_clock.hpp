#pragma once

#include <initializer_list>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/timer_queue.hpp>

namespace troupe::testing {

/// A clock whose time a test moves by hand. It starts at zero.
///
/// Calls are kept in the `timer_queue` that a reactor uses, so what is tested is what runs.
/// Unlike a reactor it does not swallow an exception: that leaves `advance`, and fails the test.
///
/// ```cpp
/// testing::manual_clock clock;
/// auto call = clock.call_later(2s, [&] { ++made; });
/// clock.advance(1s); // made == 0
/// clock.advance(1s); // made == 1
/// ```
///
/// Thread: one. Source: twisted.internet.task.Clock
class manual_clock : public clock {
public:
  manual_clock() : queue_(&manual_clock::tell, this) {}

  [[nodiscard]] time_point now() const override { return now_; }

  /// As `clock::call_later`, but a negative `delay` is taken too: the call is made by the next
  /// `advance`.
  delayed_call call_later(duration delay, task fn) override {
    return queue_.add(saturating_add(now_, delay), std::move(fn));
  }

  [[nodiscard]] std::vector<delayed_call> get_delayed_calls() const override {
    return queue_.pending();
  }

  /// Moves the time by `by` and makes every call that is due then, in the order of (time,
  /// sequence). Each of them sees the final time; a call that is added meanwhile and is due runs
  /// too, so one that reschedules itself with no delay never ends.
  void advance(duration by) {
    now_ = saturating_add(now_, by);
    while (queue_.run_one(now_)) {
    }
  }

  /// Advances once for each of `steps`.
  void pump(std::initializer_list<duration> steps) {
    for (const auto step : steps)
      advance(step);
  }

private:
  static time_point tell(const void* self) noexcept {
    return static_cast<const manual_clock*>(self)->now_;
  }

  time_point now_{};
  mutable timer_queue queue_;
};

} // namespace troupe::testing
