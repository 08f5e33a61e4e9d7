#pragma once

#include <cstdint>

#include <troupe/runtime/failure.hpp>

namespace troupe {

/// What ended a run.
enum class run_end : std::uint8_t {
  stopped,   ///< `stop()`
  signalled, ///< a signal that stops the runtime: `run_result::signal`
  gave_up, ///< `give_up()`: something failed that the program cannot do without, `run_result::why`
  crashed, ///< `crash()`
};

/// How a run ended, for the exit status of the process:
///
/// ```cpp
/// return rt.run().exit_code();
/// ```
struct run_result {
  run_end how = run_end::stopped;
  int signal = 0; ///< the number of the signal, or 0
  failure why{};  ///< of one that gave up

  /// Returns 1 if it gave up or crashed, else 0: a server that a signal stops in order has done what
  /// was asked of it. One that does not wait for the end, but gets a second signal, exits with 128 and
  /// the signal's number (`reactor::stop`).
  [[nodiscard]] int exit_code() const noexcept {
    return how == run_end::gave_up || how == run_end::crashed ? 1 : 0;
  }
};

} // namespace troupe
