#pragma once

// The benchmarks by name. Each is in the file of its family.

#include "trial.hpp"

namespace scaling {

plan start_ping_pong(trial& t, std::int64_t messages);  // ping_pong.cpp: one pair
plan start_pairs(trial& t, std::int64_t messages);      // ping_pong.cpp: a hundred pairs
plan start_ring(trial& t, std::int64_t hops);           // thread_ring.cpp
plan start_throughput(trial& t, std::int64_t messages); // fork_join_throughput.cpp
plan start_fan_out(trial& t, std::int64_t deliveries);  // fan_out.cpp
plan start_cpu(trial& t, std::int64_t limit);           // cpu.cpp

inline const std::vector<benchmark> benchmarks{
  {"ping-pong", "message", 1'000'000, 1'000, start_ping_pong},
  {"pairs", "message", 2'000'000, 2'000, start_pairs},
  {"ring", "message", 1'000'000, 1'000, start_ring},
  {"throughput", "message", 1'200'000, 1'200, start_throughput},
  {"fan-out", "delivery", 1'000'000, 4'000, start_fan_out},
  {"cpu", "number tested", 4'000'000, 40'000, start_cpu},
};

} // namespace scaling
