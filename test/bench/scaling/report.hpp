#pragma once

// What was measured, as a table, as CSV and as a plot.

#include <filesystem>
#include <string>
#include <vector>

namespace scaling {

/// A benchmark on a number of loops.
struct row {
  std::string name;
  std::string operation;
  std::size_t loops;
  std::vector<double> rates;   // sorted; operations for each second
  std::vector<double> per_cpu; // sorted; operations for each second of CPU time
  double speed_up;             // of the medians, against the first number of loops
  double efficiency;           // speed-up / how many times as many loops
};

/// Returns the median of sorted figures, of which there is at least one.
double median(const std::vector<double>& sorted);

/// Prints a Markdown table.
void print_table(const std::vector<row>& rows);

/// Writes scaling.csv, and scaling.svg if gnuplot is there. \returns false if a file failed.
bool write_files(const std::vector<row>& rows, const std::filesystem::path& directory);

} // namespace scaling
