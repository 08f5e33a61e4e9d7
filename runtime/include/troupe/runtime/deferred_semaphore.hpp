#pragma once

#include <cstddef>
#include <functional>
#include <utility>

#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/detail/waiters.hpp>

namespace troupe {

/// Lets a limited number of holders in at a time; the others wait in line as deferreds.
///
/// Dropping it fails those that wait with `errc::broken_promise`. It must not be destroyed by a
/// callback of a deferred that it fires.
///
/// Thread: one. Source: twisted.internet.defer.DeferredSemaphore
class deferred_semaphore {
public:
  /// \param tokens  how many may hold it at a time, at least 1
  /// \throws std::logic_error if `tokens` is 0
  explicit deferred_semaphore(std::size_t tokens);
  deferred_semaphore(const deferred_semaphore&) = delete;
  deferred_semaphore& operator=(const deferred_semaphore&) = delete;

  /// Fires when the caller has a token, which `release` gives back; at once if one is free.
  ///
  /// Cancelled while it waits, it leaves the line; afterwards `cancel` does nothing.
  /// Order: first come, first served.
  [[nodiscard]] deferred<void> acquire();

  /// Gives one token back, to the first in line if there is one.
  ///
  /// \throws std::logic_error if no token is held
  void release();

  /// Calls `f` with a token, which is given back when `f`, or the deferred that it returns, is
  /// done, be it well or not. \returns what `f` comes to
  template <class F>
  requires std::invocable<F&>
  [[nodiscard]] auto run(F f) {
    using type = detail::next_t<void, detail::flow_t<std::invoke_result_t<F&>>>;
    return deferred<type>(acquire().add_callback([this, f = std::move(f)]() mutable {
      return deferred<type>(maybe_deferred(f).add_both([this](outcome<type> result) {
        release();
        return result;
      }));
    }));
  }

  /// Returns how many tokens are free.
  [[nodiscard]] std::size_t tokens() const noexcept { return tokens_; }
  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }

  /// Returns how many wait in line.
  [[nodiscard]] std::size_t waiting() const noexcept { return waiters_.size(); }

private:
  std::size_t tokens_;
  const std::size_t limit_;
  bool serving_ = false;
  detail::waiters<void> waiters_;
};

} // namespace troupe
