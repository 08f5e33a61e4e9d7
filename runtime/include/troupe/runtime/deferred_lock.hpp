#pragma once

#include <utility>

#include <troupe/runtime/deferred_semaphore.hpp>

namespace troupe {

/// Lets one holder in at a time; the others wait in line as deferreds.
///
/// ```cpp
/// lock.run([&] { return save(state); }).add_errback([](failure f) { log(f); });
/// auto held = co_await lock.hold(); // given back at the end of the block, or of the coroutine's actor
/// ```
///
/// Thread: one. Source: twisted.internet.defer.DeferredLock
class deferred_lock {
public:
  /// Fires when the caller has the lock: see `deferred_semaphore::acquire`.
  [[nodiscard]] deferred<void> acquire() { return semaphore_.acquire(); }

  /// Fires with an object that has the lock until its end: see `deferred_semaphore::hold`.
  [[nodiscard]] deferred<semaphore_lease> hold() { return semaphore_.hold(); }

  /// Gives the lock to the first in line, or frees it. \throws std::logic_error if it is free
  void release() { semaphore_.release(); }

  /// Calls `f` with the lock held: see `deferred_semaphore::run`.
  template <class F>
  [[nodiscard]] auto run(F f) {
    return semaphore_.run(std::move(f));
  }

  [[nodiscard]] bool locked() const noexcept { return semaphore_.tokens() == 0; }

  /// Returns how many wait in line.
  [[nodiscard]] std::size_t waiting() const noexcept { return semaphore_.waiting(); }

private:
  deferred_semaphore semaphore_{1};
};

} // namespace troupe
