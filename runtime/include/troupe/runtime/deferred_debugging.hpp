#pragma once

#include <stdexcept>

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/source_location.hpp>

namespace troupe {

/// Reports a second result for the same deferred.
/// Source: twisted.internet.defer.AlreadyCalledError
struct already_fired : std::logic_error {
  using std::logic_error::logic_error;
};

/// A failure that no errback dealt with.
struct unhandled_failure {
  const failure& why;
  /// Where the deferred was made; null unless debugging was on then.
  const source_location* created;
};

/// Is told of each unhandled failure, once, when the last owner of its deferred goes.
using unhandled_hook = void (*)(const unhandled_failure& what) noexcept;

/// Sets what is told of unhandled failures, and returns what was before. Null sets the usual one,
/// which logs an error: to the logger of the runtime whose turn it is, or, in other threads, to that of a
/// runtime which is given none (`runtime_options::logger`).
///
/// Thread: any; the hook is called in whichever thread drops the deferred.
unhandled_hook set_unhandled_hook(unhandled_hook hook) noexcept;

/// Makes every deferred remember where it was made and first fired, which is told with an
/// unhandled failure and an `already_fired`. Off unless set; it costs an allocation each.
///
/// Thread: any. Source: twisted.internet.defer.setDebugging
void set_debugging(bool on) noexcept;
[[nodiscard]] bool get_debugging() noexcept;

} // namespace troupe
