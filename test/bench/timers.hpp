#pragma once

// What both sides of the timer benchmark share: a million timers, due at random times within a
// second that begins three seconds from now, so that setting them up is over before the first.

#include <cstdint>
#include <ctime>
#include <fstream>
#include <string>

namespace bench {

constexpr int timers = 1'000'000;

/// Returns how long after the start the timer with this number is due, in nanoseconds.
class delays {
public:
  std::int64_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return 3'000'000'000 + static_cast<std::int64_t>((state_ >> 33) % 1'000'000'000);
  }

private:
  std::uint64_t state_ = 42;
};

inline double cpu_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

inline double resident() {
  std::ifstream in{"/proc/self/status"};
  for (std::string word; in >> word;)
    if (word == "RssAnon:") {
      double kb = 0;
      in >> kb;
      return kb * 1024;
    }
  return 0;
}

} // namespace bench
