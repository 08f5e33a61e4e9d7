#pragma once

// One run of a benchmark in a runtime of its own.

#include <cstddef>
#include <cstdint>
#include <optional>

#include "trial.hpp"

namespace scaling {

/// What a run that ended as it should did.
struct measured {
  std::int64_t operations;
  double seconds;
  double cpu_seconds; // of all threads
  std::int64_t result;
};

/// Runs a benchmark once; blocks until it ends.
///
/// \param limit_s  seconds after which the run failed
/// \returns nothing if the result was wrong or did not come; then it says so on standard error
std::optional<measured> measure(const benchmark& what, std::size_t loops, std::int64_t size,
                                int limit_s);

} // namespace scaling
