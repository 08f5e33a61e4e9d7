#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "figures.hpp"

namespace bench {

/// What was measured of one contestant in one scenario; ours stands first in its scenario.
struct result {
  std::string name;
  std::vector<double> runs; // server CPU microseconds for each operation, one for each repetition
  std::optional<double> target; // ours / theirs is to be at most that
  std::string failure;          // why there are no figures
};

struct scenario_results {
  std::string key;
  std::string title;
  std::vector<result> results;
};

/// Returns ours / theirs, each from the same repetition.
std::vector<double> ratios(const result& ours, const result& theirs);

/// Prints one scenario for a reader at a terminal.
void print(const scenario_results& s);

/// Writes `peers.md`, `peers.csv` (a line for each contestant and scenario) and `peers-runs.csv` (a
/// line for each run) into `folder`.
///
/// \param judge  whether to say if targets are met
/// \throws std::runtime_error if a file cannot be written
void write(const std::filesystem::path& folder, const std::vector<scenario_results>& all,
           int repeat, bool judge);

} // namespace bench
