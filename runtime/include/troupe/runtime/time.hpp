#pragma once

#include <chrono>

#include <troupe/runtime/unique_function.hpp>

namespace troupe {

/// Spans of time, in nanoseconds; every `std::chrono` span that fits converts to it.
using duration = std::chrono::nanoseconds;

/// A moment of the steady clock, which no change of the system's date moves.
using time_point = std::chrono::steady_clock::time_point;

/// Returns `t` moved by `by`, or the end of time in whose direction that would lie beyond.
[[nodiscard]] constexpr time_point saturating_add(time_point t, duration by) noexcept {
  duration::rep count{};
  if (__builtin_add_overflow(duration{t.time_since_epoch()}.count(), by.count(), &count))
    return by < duration::zero() ? time_point::min() : time_point::max();
  return time_point{duration{count}};
}

/// Something to run once. Captures of up to five pointers are stored without an allocation.
using task = unique_function<void(), 40>;

} // namespace troupe
