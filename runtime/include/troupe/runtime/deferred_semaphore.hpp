#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/detail/waiters.hpp>

namespace troupe {

namespace detail {

/// The tokens of a semaphore and who waits for them. Lives as long as somebody holds a lease.
struct semaphore_state : std::enable_shared_from_this<semaphore_state> {
  explicit semaphore_state(std::size_t all) noexcept : tokens(all), limit(all) {}

  deferred<void> acquire();
  void release();

  std::size_t tokens;
  const std::size_t limit;
  bool serving = false;
  waiters<void> line;
};

} // namespace detail

/// A token of a `deferred_semaphore` or `deferred_lock`, held by this object: its end gives it back.
///
/// So what a coroutine holds goes back when the coroutine ends in any way, the end of its actor
/// included, and what a member holds with its object. It may outlive the semaphore.
///
/// Thread: that of the semaphore.
class semaphore_lease {
public:
  /// Makes one that holds nothing.
  semaphore_lease() noexcept = default;
  semaphore_lease(semaphore_lease&&) noexcept = default;
  semaphore_lease& operator=(semaphore_lease&& other) noexcept {
    semaphore_lease(std::move(other)).swap(*this);
    return *this;
  }
  ~semaphore_lease() { release(); }

  /// Gives the token back now; without effect if it holds none.
  void release() {
    if (const auto from = std::exchange(from_, nullptr))
      from->release();
  }

  /// Tells whether it holds a token.
  explicit operator bool() const noexcept { return from_ != nullptr; }

private:
  friend class deferred_semaphore;
  explicit semaphore_lease(std::shared_ptr<detail::semaphore_state> from) noexcept
    : from_(std::move(from)) {}
  void swap(semaphore_lease& other) noexcept { std::swap(from_, other.from_); }

  std::shared_ptr<detail::semaphore_state> from_;
};

/// Lets a limited number of holders in at a time; the others wait in line as deferreds.
///
/// `hold` and `run` give the token back by themselves, also when an actor ends that holds it;
/// `acquire` leaves that to its caller. What waits leaves the line when its deferred is cancelled,
/// was dropped, or is awaited by a coroutine that ends.
///
/// ```cpp
/// auto held = co_await slots_.hold(); // given back at the end of the block
/// co_await fetch(url);
/// ```
///
/// Dropping it fails those that wait with `errc::broken_promise`.
///
/// Thread: one. Source: twisted.internet.defer.DeferredSemaphore
class deferred_semaphore {
public:
  /// \param tokens  how many may hold it at a time, at least 1
  /// \throws std::logic_error if `tokens` is 0
  explicit deferred_semaphore(std::size_t tokens);
  deferred_semaphore(const deferred_semaphore&) = delete;
  deferred_semaphore& operator=(const deferred_semaphore&) = delete;
  ~deferred_semaphore();

  /// Fires when the caller has a token, which `release` gives back; at once if one is free.
  ///
  /// Cancelled while it waits, it leaves the line; afterwards `cancel` does nothing. A token that is
  /// held this way by an actor that ends stays held: there `hold` is the one to use.
  /// Order: first come, first served.
  [[nodiscard]] deferred<void> acquire() { return state_->acquire(); }

  /// As `acquire`, with the token in an object whose end gives it back.
  [[nodiscard]] deferred<semaphore_lease> hold() {
    return state_->acquire().add_callback([from = state_] { return semaphore_lease(from); });
  }

  /// Gives one token back, to the first in line if there is one.
  ///
  /// \throws std::logic_error if no token is held
  void release() {
    const auto alive = state_; // who is next may end this object
    alive->release();
  }

  /// Calls `f` with a token, which is given back when `f`, or the deferred that it returns, is
  /// done, be it well or not, or is destroyed with the actor that it belongs to.
  /// \returns what `f` comes to
  template <class F>
  requires std::invocable<F&>
  [[nodiscard]] auto run(F f) {
    using type = detail::next_t<void, detail::flow_t<std::invoke_result_t<F&>>>;
    return deferred<type>(hold().add_callback([f = std::move(f)](semaphore_lease held) mutable {
      return deferred<type>(
        maybe_deferred(f).add_both([held = std::move(held)](outcome<type> result) mutable {
          held.release();
          return result;
        }));
    }));
  }

  /// Returns how many tokens are free.
  [[nodiscard]] std::size_t tokens() const noexcept { return state_->tokens; }
  [[nodiscard]] std::size_t limit() const noexcept { return state_->limit; }

  /// Returns how many wait in line.
  [[nodiscard]] std::size_t waiting() const noexcept { return state_->line.size(); }

private:
  const std::shared_ptr<detail::semaphore_state> state_;
};

} // namespace troupe
