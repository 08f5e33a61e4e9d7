#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <troupe/runtime/loop_counters.hpp>

namespace troupe::detail {

/// A count that one thread increases and any thread reads. Increasing it is a plain addition: no
/// locked instruction.
class own_count {
public:
  void add(std::uint64_t n = 1) noexcept {
    count_.store(count_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void raise_to(std::uint64_t n) noexcept {
    if (n > get())
      count_.store(n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t get() const noexcept {
    return count_.load(std::memory_order_relaxed);
  }

private:
  std::atomic<std::uint64_t> count_{0};
};

/// A count that any thread increases, which costs more: for what is rare.
class shared_count {
public:
  void add(std::uint64_t n = 1) noexcept { count_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const noexcept {
    return count_.load(std::memory_order_relaxed);
  }

private:
  std::atomic<std::uint64_t> count_{0};
};

/// Adds up the time during which something is busy. One word, so that any thread reads a time that
/// never goes back: while busy it holds the moment that the total counts from, else the total.
///
/// Thread: `begin` and `end` one; `total` any.
class busy_time {
public:
  void begin(time_point t) noexcept {
    const auto now = ticks(t);
    if ((state_.load(std::memory_order_relaxed) & 1) == 0)
      put(now - value(), true);
  }

  void end(time_point t) noexcept {
    const auto now = ticks(t);
    if ((state_.load(std::memory_order_relaxed) & 1) != 0)
      put(now - value(), false);
  }

  [[nodiscard]] duration total(time_point t) const noexcept {
    const auto state = state_.load(std::memory_order_relaxed);
    return duration((state & 1) != 0 ? ticks(t) - (state >> 1) : state >> 1);
  }

private:
  static std::int64_t ticks(time_point t) noexcept { return t.time_since_epoch().count(); }
  std::int64_t value() const noexcept { return state_.load(std::memory_order_relaxed) >> 1; }
  void put(std::int64_t v, bool busy) noexcept {
    state_.store(v * 2 + (busy ? 1 : 0), std::memory_order_relaxed);
  }

  std::atomic<std::int64_t> state_{0};
};

/// What a loop counts: `loop_counters` while it grows.
///
/// Thread: the loop's own increases them, unless it is a `shared_count`; any reads.
struct loop_counting {
  explicit loop_counting(std::size_t loops) : sent_to(loops) {}

  void note_turn(duration length) noexcept {
    std::size_t place = 0; // most turns are of the first
    while (place < loop_counters::turn_bounds.size() && length > loop_counters::turn_bounds[place])
      ++place;
    turn_lengths[place].add();
    longest_turn.raise_to(static_cast<std::uint64_t>(length.count()));
  }

  own_count turns;
  own_count sleeps;
  own_count io_events;
  own_count delayed_calls;
  own_count actors_resumed;
  own_count actors_stolen;
  own_count jobs_from_outside;
  own_count bytes_received;
  own_count bytes_sent;
  own_count writes_dropped;
  own_count publications_dropped;
  shared_count unhandled_messages;
  shared_count dead_letters;
  own_count longest_turn; // in ticks of `duration`
  own_count long_turns;
  std::array<own_count, loop_counters::turn_bounds.size() + 1> turn_lengths;
  busy_time busy;
  // By destination: so that sender and receiver agree, and no loop writes to another's counts.
  std::vector<own_count> sent_to;
};

} // namespace troupe::detail
