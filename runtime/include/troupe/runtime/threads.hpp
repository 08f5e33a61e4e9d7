#pragma once

#include <future>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include <troupe/runtime/basic_actor.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/reactor.hpp>
#include <troupe/runtime/thread_pool.hpp>

namespace troupe {

/// Runs `fn` in a thread of `pool`, and fires the deferred with what came of it on loop 0.
///
/// Cancelling the deferred does not stop `fn`; its result is dropped then.
///
/// Fails with: the exception that left `fn`; `errc::broken_promise` if the pool or the runtime
/// stops before `fn` ran.
/// Thread: loop 0. Source: twisted.internet.threads.deferToThreadPool
template <class F>
auto defer_to_thread_pool(reactor& r, thread_pool& pool, F fn)
  -> deferred<std::invoke_result_t<F&>> {
  using result = std::invoke_result_t<F&>;
  promise<result> made;
  auto waits = made.get_deferred();
  pool.call_in_thread([&r, made = std::move(made), fn = std::move(fn)]() mutable {
    auto got = thread_pool::run<result>(fn);
    r.call_from_thread(
      [made = std::move(made), got = std::move(got)]() mutable { made.fire(std::move(got)); });
  });
  return waits;
}

/// As above, in the reactor's own pool. Source: twisted.internet.threads.deferToThread
template <class F>
auto defer_to_thread(reactor& r, F fn) {
  return defer_to_thread_pool(r, r.get_thread_pool(), std::move(fn));
}

/// Runs `fn` in a thread of the pool, and fires the deferred as the actor `self`: never beside its
/// other code, and never after its end.
///
/// Thread: that of `self`, in its own code.
template <class F>
auto defer_to_thread(basic_actor& self, F fn) -> deferred<std::invoke_result_t<F&>> {
  using result = std::invoke_result_t<F&>;
  promise<result> made;
  auto waits = made.get_deferred();
  self.pool().call_in_thread([actor = caf::strong_actor_ptr{self.ctrl()}, made = std::move(made),
                              fn = std::move(fn)]() mutable {
    auto got = thread_pool::run<result>(fn);
    basic_actor::run_as(actor, [made = std::move(made), got = std::move(got)]() mutable {
      made.fire(std::move(got));
    });
  });
  return waits;
}

/// Runs all of `fns`, one after the other, in one thread of the reactor's pool. An exception is
/// logged and ends the row. Source: twisted.internet.threads.callMultipleInThread
void call_multiple_in_thread(reactor& r, std::vector<task> fns);

namespace detail {

template <class T>
struct blocking_result {
  using type = T;
};
template <class T>
struct blocking_result<deferred<T>> {
  using type = T;
};

[[noreturn]] void refuse_to_block();

} // namespace detail

/// Runs `fn` on loop 0, waits for its result, and returns it; if `fn` returns a deferred, for the
/// result of that.
///
/// \throws std::logic_error on a loop's thread, which would wait for itself
/// \throws whatever `fn` throws or its deferred fails with; `errc::runtime_stopped` as a
///         std::system_error if the runtime ends before `fn` ran
/// Thread: any but those of the loops. Source: twisted.internet.threads.blockingCallFromThread
template <class F>
auto blocking_call_from_thread(reactor& r, F fn) {
  using returned = std::remove_cvref_t<std::invoke_result_t<F&>>;
  using result = typename detail::blocking_result<returned>::type;
  if (event_loop::current() != nullptr)
    detail::refuse_to_block();
  auto answer = std::make_shared<std::promise<outcome<result>>>();
  auto waits = answer->get_future();
  r.call_from_thread([answer = std::move(answer), fn = std::move(fn)]() mutable {
    maybe_deferred(fn).add_both(
      [answer](outcome<result> got) { answer->set_value(std::move(got)); });
  });
  try {
    return waits.get().value();
  } catch (const std::future_error&) { // the call was dropped unrun
    failure{errc::runtime_stopped}.raise();
  }
}

} // namespace troupe
