#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include <troupe/runtime/time.hpp>

namespace troupe {

/// What a loop did since it was made, as of one moment. All counts only grow, except `actors`. Each has the
/// name of its metric in `prometheus_text`.
struct loop_counters {
  /// The lengths up to which turns are counted together; longer ones are counted in the last place of
  /// `turn_lengths`.
  static constexpr std::array<duration, 6> turn_bounds{
    std::chrono::microseconds(100), std::chrono::milliseconds(1), std::chrono::milliseconds(10),
    std::chrono::milliseconds(100), std::chrono::seconds(1),      std::chrono::seconds(10)};

  std::uint64_t turns = 0;
  std::uint64_t sleeps = 0;            // waits for events without a limit of zero
  std::uint64_t io_events = 0;         // completed Asio operations
  std::uint64_t delayed_calls = 0;     // made, not cancelled
  std::uint64_t actors_resumed = 0;    // times an actor was resumed from the run queues
  std::uint64_t actors_stolen = 0;     // floating actors taken from other loops
  std::uint64_t messages_sent = 0;     // messages to pinned actors, and functions, to other loops
  std::uint64_t messages_received = 0; // the same, from other loops; not from foreign threads
  std::uint64_t jobs_from_outside = 0; // inbox entries: functions, and actors that got work
  std::uint64_t bytes_received = 0;    // by connections, datagram ports and pipes
  std::uint64_t bytes_sent = 0;
  std::uint64_t unhandled_messages = 0; // for which their actor had no handler
  std::uint64_t dead_letters = 0;       // messages to actors that had ended, or then ended
  std::uint64_t writes_dropped =
    0; // that found a connection's output full (`overflow_policy::drop`)
  std::uint64_t publications_dropped = 0; // by topics, counted for each subscriber that got none
  std::uint64_t long_turns = 0;           // that took `runtime_options::warn_turn` or more
  std::array<std::uint64_t, turn_bounds.size() + 1> turn_lengths{}; // turns, each counted once
  duration busy{};          // time spent not waiting, polling for peers included as waiting
  duration longest_turn{};  // the longest time from taking I/O to the end of a turn
  std::uint32_t actors = 0; // pinned actors that exist now: connections, mostly
};

} // namespace troupe
