#pragma once

#include <atomic>
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
#include <troupe/runtime/detail/blocked_call.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/reactor.hpp>
#include <troupe/runtime/thread_pool.hpp>

namespace troupe {

namespace detail {

struct reactor_access {
  static const std::shared_ptr<const std::atomic<bool>>& alive(const reactor& r) noexcept;
  static blocked_calls& blocked(reactor& r) noexcept { return r.blocked_; }
  static bool will_run_here(const reactor& r) noexcept {
    return r.state_.load() == reactor::state::fresh && r.maker_ == std::this_thread::get_id();
  }
  static bool runs(const reactor& r) noexcept {
    const auto state = r.state_.load();
    return state == reactor::state::started || state == reactor::state::stopping;
  }
};

/// A promise that is fired on loop 0. Dropped where nothing runs, it takes along what waits for it.
template <class T>
class looped_promise {
public:
  looped_promise(promise<T> p, const reactor& r) noexcept
    : promise_(std::move(p)), reactor_(&r), alive_(reactor_access::alive(r)) {}
  looped_promise(looped_promise&&) noexcept = default;
  looped_promise& operator=(looped_promise&&) = delete;
  ~looped_promise() {
    if (promise_ && !(alive_->load() && reactor_access::runs(*reactor_)))
      promise_.abandon();
  }
  promise<T>* operator->() noexcept { return &promise_; }

private:
  promise<T> promise_;
  const reactor* reactor_;
  std::shared_ptr<const std::atomic<bool>> alive_; // as long as the reactor; a pool may outlive it
};

} // namespace detail

/// Runs `fn` in a thread of `pool`, and fires the deferred with what came of it on loop 0.
///
/// Cancelling the deferred does not stop `fn`; its result is dropped then.
///
/// Fails with: the exception that left `fn`; `errc::broken_promise` if the pool stops before `fn` ran.
/// What comes after `run()` has returned is dropped, with the callbacks that wait for it. A pool of your
/// own must end before the runtime does (`stop` and `join`, or its destructor): its threads bring what
/// they have to the reactor.
///
/// Thread: loop 0. Source: twisted.internet.threads.deferToThreadPool
template <class F>
auto defer_to_thread_pool(reactor& r, thread_pool& pool, F fn)
  -> deferred<std::invoke_result_t<F&>> {
  using result = std::invoke_result_t<F&>;
  promise<result> made;
  auto waits = made.get_deferred();
  pool.call_in_thread(
    [&r, made = detail::looped_promise<result>{std::move(made), r}, fn = std::move(fn)]() mutable {
      auto got = thread_pool::run<result>(fn);
      r.call_from_thread(
        [made = std::move(made), got = std::move(got)]() mutable { made->fire(std::move(got)); });
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

/// Throws if the calling thread must not wait for loop 0, or would wait in vain.
void check_may_block(const reactor& r);

/// Is among those who wait for `r` while it lives. \throws std::system_error if nobody may any more
struct waiting_thread {
  waiting_thread(reactor& r, blocked_call& c) : all(reactor_access::blocked(r)), call(c) {
    if (!all.add(call))
      failure{errc::runtime_stopped}.raise();
  }
  ~waiting_thread() { all.remove(call); }
  waiting_thread(const waiting_thread&) = delete;
  waiting_thread& operator=(const waiting_thread&) = delete;
  blocked_calls& all;
  blocked_call& call;
};

/// Brings an answer to the thread that waits for it, and says so if there is none.
template <class R>
class answer_giver {
public:
  answer_giver(std::shared_ptr<blocked_answer<R>> to, const reactor& r) noexcept
    : to_(std::move(to)), reactor_(&r) {}
  answer_giver(answer_giver&&) noexcept = default;
  answer_giver& operator=(answer_giver&&) = delete;
  ~answer_giver() {
    if (to_)
      to_->give(failure{reactor_->stop_requested() ? errc::runtime_stopped : errc::broken_promise});
  }

  void give(outcome<R> got) { std::exchange(to_, nullptr)->give(std::move(got)); }

private:
  std::shared_ptr<blocked_answer<R>> to_;
  const reactor* reactor_;
};

} // namespace detail

/// Runs `fn` on loop 0, waits for its result, and returns it; if `fn` returns a deferred, for the
/// result of that. Before `run()` it waits for that, too.
///
/// \throws std::logic_error on a loop's thread, and, before `run()`, in the thread that made the
///         runtime and so will run it: they would wait for themselves
/// \throws whatever `fn` throws or its deferred fails with; `errc::runtime_stopped` as a
///         std::system_error if the runtime stops before there is a result; `errc::broken_promise`
///         if the deferred, or its owner, ends without
/// Thread: any but those of the loops. Source: twisted.internet.threads.blockingCallFromThread
template <class F>
auto blocking_call_from_thread(reactor& r, F fn) {
  using returned = std::remove_cvref_t<std::invoke_result_t<F&>>;
  using result = typename detail::blocking_result<returned>::type;
  detail::check_may_block(r);
  auto answer = std::make_shared<detail::blocked_answer<result>>();
  const detail::waiting_thread waits{r, *answer};
  r.call_from_thread([to = detail::answer_giver<result>{answer, r}, fn = std::move(fn)]() mutable {
    maybe_deferred(fn).add_both(
      [to = std::move(to)](outcome<result> got) mutable { to.give(std::move(got)); });
  });
  return answer->wait().value();
}

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::detail::boxed_outcome)
