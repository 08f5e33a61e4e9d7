#pragma once

// What the reports share.

#include <string>
#include <vector>

namespace bench {

/// Median, least and most of some figures.
struct spread {
  explicit spread(std::vector<double> figures);
  double median = 0;
  double least = 0;
  double most = 0;
};

/// Returns the sentence that says when, on what and how often was measured, and an empty line.
std::string circumstances(int repeat);

} // namespace bench
