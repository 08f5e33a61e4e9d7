#pragma once

#include <type_traits>
#include <utility>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/deferred.hpp>

namespace troupe {

/// Returns a deferred that fires `delay` after now. Cancelling it takes the call back.
///
/// \throws std::logic_error if `delay` is negative
/// Source: twisted.internet.task.deferLater
[[nodiscard]] deferred<void> defer_later(clock& clock, duration delay);

/// Calls `f` `delay` after now; returns a deferred of what it comes to. Cancelling it before takes
/// the call back.
///
/// \throws std::logic_error if `delay` is negative
template <class F>
requires std::invocable<F&>
[[nodiscard]] auto defer_later(clock& clock, duration delay, F f) {
  using type = detail::next_t<void, detail::flow_t<std::invoke_result_t<F&>>>;
  return deferred<type>(defer_later(clock, delay).add_callback(std::move(f)));
}

} // namespace troupe
