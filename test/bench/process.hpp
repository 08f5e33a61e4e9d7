#pragma once

// What the programs that measure themselves share.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>

namespace bench {

/// Returns the CPU time of this process so far, in nanoseconds.
inline double cpu_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

/// Returns the resident anonymous memory of this process, in bytes.
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

/// Returns the number that the command line ends with, a multiple of 100, or `usual`.
inline int count_of(int argc, char** argv, int usual) {
  return argc > 2 ? std::max(100, std::atoi(argv[2]) / 100 * 100) : usual;
}

/// Measures from its construction on.
class stopwatch {
public:
  /// Prints the operations for each second and for each second of CPU, and the bytes held.
  void print(double operations) const {
    const auto cpu = cpu_ns() - cpu_;
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start_;
    std::printf("%.0f %.0f %.0f\n", operations / time.count(), operations / cpu * 1e9,
                resident() - held_);
  }

private:
  double held_ = resident();
  double cpu_ = cpu_ns();
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

} // namespace bench
