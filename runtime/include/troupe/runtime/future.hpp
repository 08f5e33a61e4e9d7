#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/detail/abandoning_promise.hpp>

namespace troupe {

/// Returns a `std::future` that gets the result of `d`, for a thread that blocks on it. A failure
/// is thrown by `get()`.
///
/// Waiting for it in the thread that fires `d` waits for ever. A `std::future` cannot be cancelled,
/// so it cannot cancel `d` either.
///
/// Source: Deferred.asFuture
template <class T>
[[nodiscard]] std::future<T> as_future(deferred<T> d) {
  std::promise<T> p;
  auto result = p.get_future();
  std::move(d).add_both([p = std::move(p)](outcome<T> out) mutable {
    if (!out)
      p.set_exception(out.error().value());
    else if constexpr (std::is_void_v<T>)
      p.set_value();
    else
      p.set_value(*std::move(out));
  });
  return result;
}

/// Returns a deferred that gets the result of `future`.
///
/// A `std::future` tells nobody that it is ready, so it is looked at every `interval`. Where the
/// work can be given away instead, `defer_to_thread` is better. Cancelling the deferred ends the
/// looking, not the work.
///
/// \param interval  more than zero
/// Source: Deferred.fromFuture
template <class T>
[[nodiscard]] deferred<T> from_future(std::future<T> future, clock& clock,
                                      duration interval = std::chrono::milliseconds(1)) {
  if (!future.valid() || interval <= duration::zero())
    throw std::logic_error("from_future needs a future with a state, and an interval");
  struct watch : std::enable_shared_from_this<watch> {
    watch(std::future<T> f, troupe::clock& c, duration d)
      : future(std::move(f)), clock(c), interval(d), result(promise<T>([this] {
          auto last = call; // cancelling it ends this object
          last.cancel();
        })) {}

    void look() {
      if (future.wait_for(std::chrono::seconds(0)) == std::future_status::timeout) {
        call = clock.call_later(interval, [self = this->shared_from_this()] { self->look(); });
        return;
      }
      try {
        if constexpr (std::is_void_v<T>) {
          future.get();
          result->callback();
        } else {
          result->callback(future.get());
        }
      } catch (...) {
        result->errback(detail::caught());
      }
    }

    std::future<T> future;
    troupe::clock& clock;
    duration interval;
    delayed_call call;
    detail::abandoning_promise<T> result;
  };
  auto w = std::make_shared<watch>(std::move(future), clock, interval);
  auto d = w->result->get_deferred();
  w->look();
  return d;
}

} // namespace troupe
