#pragma once

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/event_loop.hpp>

namespace troupe::detail {

/// Returns the clock of `loop`, which lives as long as that. For loop 0 it is the reactor by another
/// name. Thread: that of `loop`, or before `run()`.
[[nodiscard]] clock& clock_of(event_loop& loop);

} // namespace troupe::detail
