#pragma once

#include <chrono>

#include <troupe/runtime/unique_function.hpp>

namespace troupe {

/// Spans of time, in nanoseconds; every `std::chrono` span that fits converts to it.
using duration = std::chrono::nanoseconds;

/// A moment of the steady clock, which no change of the system's date moves.
using time_point = std::chrono::steady_clock::time_point;

/// Something to run once. Captures of up to five pointers are stored without an allocation.
using task = unique_function<void(), 40>;

} // namespace troupe
