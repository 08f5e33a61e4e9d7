#pragma once

#include <functional>
#include <optional>
#include <ostream>
#include <string>

namespace bench {

struct settings {
  int repeat = 5;
  bool smoke = false;
  int repetition = 0; // the one under way
};

/// Which way a target bounds a figure.
enum class bound { at_most, at_least };

/// One line of the table: a figure of ours, and of a peer in the same run.
struct row {
  std::string name;
  std::string what;
  std::string unit;
  std::string peer; // empty: ours stands alone
  std::function<double(const settings&)> ours;
  std::function<double(const settings&)> theirs;
  bound direction = bound::at_most;
  std::optional<double> target; // of ours / theirs, or of ours alone; none: the row informs only
};

/// What came of a row.
struct outcome {
  double theirs = 0;
  double ours = 0;
  double figure = 0; // what the target bounds: the ratio, or ours
  double least = 0;
  double most = 0;
  std::string met;
};

/// Runs a row as often as the settings say.
outcome measure(const row& r, settings s);

/// Prints a row for people, or as one of a CSV file.
void print(const row& r, const outcome& o);
void write_csv(std::ostream& out, const row& r, const outcome& o);

} // namespace bench
