#pragma once

#include <chrono>
#include <vector>

#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// Tells the time and schedules calls on it.
///
/// Whatever needs time takes a `clock&`, so that a test can hand it a `testing::manual_clock` and
/// move time itself; the reactor is the clock of production. Both keep their calls in the same
/// `timer_queue`.
///
/// C's `<time.h>` has a function of this name: after `using namespace troupe`, write `troupe::clock`
/// for the class and `std::clock()` for the function.
///
/// Thread: the thread that owns the clock (for a reactor, its loop's thread).
/// Source: twisted.internet.interfaces.IReactorTime
class clock {
public:
  virtual ~clock() = default;

  /// Returns the current time. It never runs backwards.
  [[nodiscard]] virtual time_point now() const = 0;

  /// Runs `fn` once, `delay` after now, and never before.
  ///
  /// Even with a delay of zero, `fn` does not run inside this call. Dropping the returned handle
  /// does not cancel the call. An exception that leaves `fn` is logged and reaches nobody else.
  ///
  /// \param delay  zero or more
  /// \throws std::logic_error if `delay` is negative or `fn` is empty
  /// Order: calls due at the same time run in the order in which they were made.
  virtual delayed_call call_later(duration delay, task fn) = 0;

  /// Returns the calls that are neither made nor cancelled yet, in no particular order.
  [[nodiscard]] virtual std::vector<delayed_call> get_delayed_calls() const = 0;

  /// Returns `now()` in seconds since an unspecified start. Source: IReactorTime.seconds
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(now().time_since_epoch()).count();
  }
};

} // namespace troupe
