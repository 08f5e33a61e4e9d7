#pragma once

#include <cstddef>
#include <deque>
#include <limits>
#include <stdexcept>
#include <utility>

#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/detail/waiters.hpp>

namespace troupe {

/// Reports a `put` into a queue that is full. Source: twisted.internet.defer.QueueOverflow
struct queue_overflow_error : std::length_error {
  using std::length_error::length_error;
};

/// Bounds of a `deferred_queue`.
struct deferred_queue_options {
  static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

  std::size_t size = unlimited;    // how many values may lie in it
  std::size_t backlog = unlimited; // how many may wait for one
};

/// Hands values from those who put to those who get, whichever come first.
///
/// Dropping it fails those that wait with `errc::broken_promise`.
///
/// Thread: one. Source: twisted.internet.defer.DeferredQueue
template <class T>
class deferred_queue {
public:
  explicit deferred_queue(deferred_queue_options options = {}) : options_(options) {}
  deferred_queue(const deferred_queue&) = delete;
  deferred_queue& operator=(const deferred_queue&) = delete;

  /// Gives `value` to the one that has waited longest, or keeps it. One that was dropped, or is awaited
  /// by a coroutine that has ended, waits no more.
  ///
  /// \throws queue_overflow_error if nobody waits and the queue is full
  void put(T value) {
    if (!try_put(value))
      throw queue_overflow_error("the queue is full");
  }

  /// As `put`, but returns false if the queue is full; `value` is then left as it was.
  [[nodiscard]] bool try_put(T& value) {
    if (auto waits = waiters_.next())
      waits->callback(std::move(value));
    else if (values_.size() < options_.size)
      values_.push_back(std::move(value));
    else
      return false;
    return true;
  }

  /// Fires with the oldest value, or with the next one that is put. Cancelled while it waits, it
  /// leaves the line, and no value is lost.
  ///
  /// Fails with: errc::queue_underflow at once, if as many wait as may.
  [[nodiscard]] deferred<T> get() {
    if (!values_.empty()) {
      auto first = std::move(values_.front());
      values_.pop_front();
      return succeed(std::move(first));
    }
    if (waiters_.size() >= options_.backlog)
      return fail<T>(errc::queue_underflow);
    return waiters_.wait();
  }

  /// Returns how many values lie in it.
  [[nodiscard]] std::size_t size() const noexcept { return values_.size(); }

  /// Returns how many wait for a value.
  [[nodiscard]] std::size_t waiting() const noexcept { return waiters_.size(); }

private:
  deferred_queue_options options_;
  std::deque<T> values_;
  detail::waiters<T> waiters_;
};

} // namespace troupe
