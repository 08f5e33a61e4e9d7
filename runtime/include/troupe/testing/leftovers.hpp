#pragma once

#include <cstddef>

namespace troupe::testing {

/// What exists in this process at a moment; a test compares two of them (`leak_listener`).
///
/// Source: trial's DirtyReactorAggregateError
struct leftovers {
  std::size_t runtimes = 0;
  std::size_t actors = 0;        ///< that have not ended, of all runtimes
  std::size_t delayed_calls = 0; ///< that are neither made nor cancelled, of all loops

  /// Counts. A loop that runs is asked, and waited for.
  ///
  /// Thread: any but that of a loop whose runtime has others.
  [[nodiscard]] static leftovers now();
};

} // namespace troupe::testing
