#pragma once

#include <chrono>

#include <troupe/runtime/options.hpp>

namespace troupe::testing {

/// What a runtime of one loop is made with that leaves the process's signals alone.
inline runtime_options quiet() {
  return {.loops = 1, .grace = std::chrono::seconds(1), .install_signal_handlers = false};
}

} // namespace troupe::testing
