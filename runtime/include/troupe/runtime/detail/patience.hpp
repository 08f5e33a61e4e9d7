#pragma once

#include <algorithm>

#include <troupe/runtime/event_loop.hpp>

namespace troupe::detail {

/// Decides whether a peer was silent, for who takes silence for an end. After a pause of the loop, of
/// the process or of the machine, time-outs are over though what the peers said lies in the sockets:
/// that is handed out first.
///
/// Thread: that of the loop.
class patience {
public:
  /// Asked when a time-out, which was due at `due`, is over. False means: ask again in the next turn.
  ///
  /// A loop that always has more to read than it can would never be sure. So nobody is waited for
  /// longer than `time_out` once more, or a second.
  [[nodiscard]] bool is_over(const event_loop& loop, time_point due, duration time_out) noexcept {
    if (loop.heard_until() < due) {
      const auto now = loop.time();
      if (since_ == time_point::min())
        since_ = now;
      if (now - since_ < std::max<duration>(time_out, std::chrono::seconds(1)))
        return false;
    }
    since_ = time_point::min();
    return true;
  }

private:
  time_point since_ = time_point::min(); // when it was asked first
};

} // namespace troupe::detail
