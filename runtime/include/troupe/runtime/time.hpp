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

/// Returns `d` times `factor`, or the longest span in whose direction that would lie beyond. Zero
/// times anything is zero; a factor that is no number makes the longest.
[[nodiscard]] constexpr duration saturating_multiply(duration d, double factor) noexcept {
  if (d == duration::zero())
    return d;
  constexpr double limit = 9223372036854775808.0; // 2^63
  const double product = static_cast<double>(d.count()) * factor;
  if (product <= -limit)
    return duration::min();
  return product < limit ? duration{static_cast<duration::rep>(product)} : duration::max();
}

/// Returns the sum of two spans, or the longest one in whose direction it would lie beyond.
[[nodiscard]] constexpr duration saturating_add(duration a, duration b) noexcept {
  duration::rep count{};
  if (__builtin_add_overflow(a.count(), b.count(), &count))
    return b < duration::zero() ? duration::min() : duration::max();
  return duration{count};
}

/// Something to run once. Captures of up to five pointers are stored without an allocation.
using task = unique_function<void(), 40>;

} // namespace troupe
