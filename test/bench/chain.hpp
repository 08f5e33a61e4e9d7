#pragma once

// The chain of callbacks that deferreds and their peer run.

namespace bench {

constexpr int links = 10;
inline long sink = 0;

/// A callback with captures of three pointers.
struct step {
  long* sum;
  long add;
  long unused;
  long operator()(long v) const {
    *sum += v;
    return v + add;
  }
};

/// One with a single pointer.
struct small_step {
  long* sum;
  long operator()(long v) const {
    *sum += v;
    return v + 1;
  }
};

} // namespace bench
