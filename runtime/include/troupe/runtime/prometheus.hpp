#pragma once

#include <string>

namespace troupe {

class runtime;

/// Returns what the loops of `rt` and its pool of threads did so far, as text that Prometheus reads:
/// `troupe_loop_turns_total{loop="0"} 12`, one line for each loop, and so on for every member of
/// `loop_counters`; times in seconds. Ends with a line feed.
///
/// Thread: any. Source: Prometheus, "Exposition formats", text format 0.0.4
[[nodiscard]] std::string prometheus_text(runtime& rt);

} // namespace troupe
