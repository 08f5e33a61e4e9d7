#pragma once

// What both sides of the timer benchmark share. A million timers are due at random times within a
// second that begins three seconds from now, so that setting them up is over before the first;
// fewer have less time in proportion.

#include <cstdint>

#include "process.hpp"

namespace bench {

/// Tells for one timer after the other how long after its start it is due, in nanoseconds.
class delays {
public:
  explicit delays(int timers) : spread_(1000 * std::int64_t{timers}) {}

  std::int64_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return 3 * spread_ + static_cast<std::int64_t>(state_ >> 33) % spread_;
  }

private:
  std::int64_t spread_;
  std::uint64_t state_ = 42;
};

} // namespace bench
