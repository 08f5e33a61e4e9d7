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
plan start_counting(trial& t, std::int64_t messages);   // counting.cpp
plan start_create(trial& t, std::int64_t actors);       // fork_join_create.cpp
plan start_spawn(trial& t, std::int64_t actors);        // spawn.cpp
plan start_fan_in(trial& t, std::int64_t messages);     // fan_in.cpp
plan start_chameneos(trial& t, std::int64_t meetings);  // chameneos.cpp
plan start_big(trial& t, std::int64_t questions);       // big.cpp
plan start_skynet(trial& t, std::int64_t leaves);       // skynet.cpp

inline const std::vector<benchmark> benchmarks{
  {"ping-pong", "message", 1'000'000, 1'000, start_ping_pong},
  {"pairs", "message", 2'000'000, 2'000, start_pairs},
  {"ring", "message", 1'000'000, 1'000, start_ring},
  {"throughput", "message", 1'200'000, 1'200, start_throughput},
  {"fan-out", "delivery", 1'000'000, 4'000, start_fan_out},
  {"cpu", "number tested", 4'000'000, 40'000, start_cpu},
  {"counting", "message", 1'000'000, 1'000, start_counting},
  {"create", "actor", 500'000, 1'000, start_create},
  {"spawn", "actor", 500'000, 1'000, start_spawn},
  {"fan-in", "message", 1'000'000, 4'000, start_fan_in},
  {"chameneos", "meeting", 400'000, 1'000, start_chameneos},
  {"big", "question and answer", 500'000, 1'000, start_big},
  {"skynet", "actor", 1'000'000, 1'000, start_skynet},
};

} // namespace scaling
