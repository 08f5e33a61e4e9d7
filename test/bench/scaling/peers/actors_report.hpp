#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace bench {

/// What was measured of one runtime in one benchmark; ours stands first in its group.
struct actors_result {
  std::string runtime;
  std::vector<double> by_clock; // operations for each second, one for each repetition
  std::vector<double> by_cpu;   // operations for each second of CPU time
  bool target = false;          // ours is to be ahead of it
  std::string failure;          // why there are no figures
};

/// All runtimes in one benchmark on a number of threads.
struct actors_group {
  std::string benchmark;
  std::string operation;
  int threads;
  std::vector<actors_result> results;
};

/// Prints one group for a reader at a terminal.
void print(const actors_group& g);

/// Writes `actors.md`, `actors.csv` (a line for each runtime, benchmark and number of threads) and
/// `actors-runs.csv` (a line for each run) into `folder`.
///
/// \param judge  whether to say if targets are met
/// \throws std::runtime_error if a file cannot be written
void write(const std::filesystem::path& folder, const std::vector<actors_group>& all, int repeat,
           bool judge);

} // namespace bench
