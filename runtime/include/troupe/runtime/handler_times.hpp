#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <troupe/runtime/time.hpp>

namespace troupe {

class runtime;

/// What the actors of one class did with their messages since `time_handlers` was turned on.
struct handler_time {
  std::string kind;           ///< their class
  std::uint64_t messages = 0; ///< which they handled; delayed calls of floating actors are some
  std::uint64_t turns = 0; ///< how often they came to their mailboxes, for some messages each time
  duration busy{};         ///< the time of all turns
  duration longest_turn{}; ///< the longest of them
  duration
    longest_wait{}; ///< from when one that had nothing to do got a message until it came to it
};

/// Measures, or no longer measures, the time that actors of `rt` spend with their messages, by class. It begins
/// anew when it is turned on.
///
/// Off, it costs a look at a flag for each turn of an actor and each message that wakes one. On, it costs two
/// looks at the clock for each turn, and some for its table: it may stay on where actors do real work. What a
/// connection does with bytes is not in it, as those are no messages; nor are waits of CAF's own actors.
///
/// Thread: any, but not while `rt` ends.
void time_handlers(runtime& rt, bool on = true);

/// Returns what was measured, the class with the most time first; nothing if it is off. `prometheus_text` has it,
/// too, as `troupe_handler_...`.
///
/// Thread: any, but not while `rt` ends.
[[nodiscard]] std::vector<handler_time> handler_times(runtime& rt);

} // namespace troupe
