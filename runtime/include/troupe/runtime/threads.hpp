#pragma once

#include <future>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/make_message.hpp>
#include <caf/type_erased_tuple.hpp>

#include <troupe/runtime/basic_actor.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/detail/abandoning_promise.hpp>
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

namespace detail {

/// The answer of a thread to an actor: an `outcome<T>`, which only its taker can name.
struct boxed_outcome {
  std::shared_ptr<void> value;
};

template <class T>
class thread_answer final : public response_taker {
public:
  deferred<T> start() { return promise_->get_deferred(); }
  void take_response(caf::type_erased_tuple& content) override {
    promise_->fire(
      std::move(*static_cast<outcome<T>*>(content.get_mutable_as<boxed_outcome>(0).value.get())));
  }

private:
  abandoning_promise<T> promise_;
};

} // namespace detail

/// As above, in the reactor's own pool. Source: twisted.internet.threads.deferToThread
template <class F>
auto defer_to_thread(reactor& r, F fn) {
  return defer_to_thread_pool(r, r.get_thread_pool(), std::move(fn));
}

/// Runs `fn` in a thread of the pool, and fires the deferred as the actor `self`: never beside its
/// other code, and never after its end: if the actor ends first, callbacks and coroutines that wait
/// are destroyed.
///
/// Thread: that of `self`, in its own code.
template <class F>
auto defer_to_thread(basic_actor& self, F fn) -> deferred<std::invoke_result_t<F&>> {
  using result = std::invoke_result_t<F&>;
  auto made = std::make_shared<detail::thread_answer<result>>();
  auto waits = made->start();
  // The promise stays with the actor: no other thread touches it, whichever ends first.
  const auto id = self.expect_response(std::move(made));
  self.pool().call_in_thread(
    [actor = caf::strong_actor_ptr{self.ctrl()}, id, fn = std::move(fn)]() mutable {
      auto got = std::make_shared<outcome<result>>(thread_pool::run<result>(fn));
      actor->enqueue(nullptr, id.response_id(),
                     caf::make_message(detail::boxed_outcome{std::move(got)}), nullptr);
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
template <deferred_type D>
struct blocking_result<D> {
  using type = typename D::value_type;
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

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::detail::boxed_outcome)
