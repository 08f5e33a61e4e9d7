#pragma once

#include <cstdint>
#include <stdexcept>

#include <troupe/runtime/time.hpp>

namespace troupe {

class timer_queue;

/// Reports the use of a delayed call that was made already. (A deferred that is fired twice is an
/// `already_fired`.) Source: twisted.internet.error.AlreadyCalled
struct already_called : std::logic_error {
  using std::logic_error::logic_error;
};

/// Reports the use of a delayed call that was cancelled. Source: twisted.internet.error.AlreadyCancelled
struct already_cancelled : std::logic_error {
  using std::logic_error::logic_error;
};

/// Names one call that was scheduled with `call_later`.
///
/// A handle is a value of three words: copying it is cheap, and dropping it changes nothing. A
/// default-constructed one names no call.
///
/// Lifetime: a handle must not be used after its clock is gone.
/// Thread: that of the clock which made it.
/// Source: twisted.internet.interfaces.IDelayedCall
class delayed_call {
public:
  delayed_call() noexcept = default;

  /// Takes the call back; its function is destroyed at once and never runs.
  ///
  /// \throws already_called if it has run or is running now
  /// \throws already_cancelled if it was cancelled before
  void cancel();

  /// Moves the call by `by` from the time for which it is due; a negative span brings it nearer.
  ///
  /// \throws already_called, already_cancelled as `cancel` does
  /// Order: the call goes behind those that are due at its new time already.
  void delay(duration by);

  /// Makes the call due `from_now` after the present time, forgetting its earlier due time.
  ///
  /// \param from_now  zero or more
  /// \throws std::logic_error if `from_now` is negative
  /// \throws already_called, already_cancelled as `cancel` does
  void reset(duration from_now);

  /// Tells whether the call is still to come; false as soon as its function starts.
  [[nodiscard]] bool active() const noexcept;

  /// Returns when the call is due.
  ///
  /// \throws already_called, already_cancelled as `cancel` does
  [[nodiscard]] time_point get_time() const;

  friend bool operator==(const delayed_call&, const delayed_call&) noexcept = default;

private:
  friend class timer_queue;
  delayed_call(timer_queue* queue, std::uint32_t slot, std::uint64_t id) noexcept
    : queue_(queue), slot_(slot), id_(id) {}

  timer_queue* queue_ = nullptr;
  std::uint32_t slot_ = 0;
  std::uint64_t id_ = 0; // never used twice, so a slot that is used again is not mistaken
};

} // namespace troupe
