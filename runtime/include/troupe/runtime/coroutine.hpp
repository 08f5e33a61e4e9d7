#pragma once

#include <coroutine>
#include <type_traits>
#include <utility>

#include <troupe/runtime/deferred.hpp>

namespace troupe {
class basic_actor;
}

namespace troupe::detail {

template <class T>
class deferred_awaiter;

template <class T>
inline constexpr bool is_awaited_as_lvalue = false; // never true: for the two asserts below

// As pointers, because the closure of a lambda coroutine is incomplete here; GCC 12 deduces `A&`
// for `*this`.
template <class A>
concept actor_type = std::is_convertible_v < std::remove_cvref_t<A>
*, basic_actor* > ;

/// The part of a coroutine's promise that does not depend on its type.
///
/// The coroutine owns itself: it is destroyed when it ends, or when what it waits for is abandoned
/// (`promise::abandon`). Its deferred is only its result.
///
/// One that is an actor's (`actor_`) is in that actor's list while it waits for a deferred, resumes
/// as that actor, and is destroyed when the actor ends.
class coroutine_base {
public:
  explicit coroutine_base(basic_actor* actor = nullptr);
  ~coroutine_base();
  coroutine_base(const coroutine_base&) = delete;
  coroutine_base& operator=(const coroutine_base&) = delete;

  // Runs at once, until it has to wait for the first time.
  std::suspend_never initial_suspend() const noexcept { return {}; }

  struct final_awaiter {
    bool await_ready() const noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P> h) const noexcept {
      auto* state = std::exchange(h.promise().state_, nullptr);
      auto** next = h.promise().next_;
      h.destroy(); // and this awaiter with it
      finish(state, next);
    }
    void await_resume() const noexcept {}
  };
  final_awaiter final_suspend() const noexcept { return {}; }

  template <class T>
  deferred_awaiter<T> await_transform(deferred<T>&& d) const;
  template <class T>
  deferred_awaiter<T> await_transform(deferred<T>& d) const;
  template <class T>
  deferred_awaiter<T> await_transform(const deferred<T>& d) const;
  template <class A>
  requires(!deferred_type<A>) A && await_transform(A&& other)
  noexcept {
    next_ = nullptr; // it may suspend and be resumed from elsewhere, when that loop is gone
    return static_cast<A&&>(other);
  }

  void unhandled_exception() noexcept { state_->set_failure(caught()); }

  /// Adds the link that resumes this coroutine to the chain of `awaited`.
  void wait_for(deferred_state& awaited, std::coroutine_handle<> self);

  /// Destroys the coroutines of a list, where they wait.
  static void destroy_all(coroutine_base*& first) noexcept;

protected:
  deferred_state* state_;

private:
  struct wake_up;

  static void finish(deferred_state* state, deferred_state** next) noexcept;
  static deferred_state* cancel(deferred_slot& slot, deferred_state* s);

  bool enlist(std::coroutine_handle<> self);
  void leave_list() noexcept;

  deferred_state* awaited_ = nullptr; // while it waits; not owned
  basic_actor* const actor_;
  coroutine_base** previous_ = nullptr; // in the actor's list: what points here
  coroutine_base* next_in_list_ = nullptr;
  std::coroutine_handle<> handle_;  // while it is in the list
  deferred_state** next_ = nullptr; // where the loop that resumed it wants its finished state
  bool cancel_next_ = false;        // was cancelled while it was running
};

/// What the compiler needs to know of a coroutine that returns a deferred.
template <class T>
class coroutine_promise : public coroutine_base {
public:
  coroutine_promise() = default;
  template <actor_type A, class... Args> // called with the coroutine's parameters
  coroutine_promise(A& self, Args&...)
    : coroutine_base(const_cast<std::remove_cvref_t<A>*>(&self)) {}

  deferred<T> get_return_object() {
    state_->retain();
    return deferred_access::wrap<T>(state_);
  }

  template <class U = T>
  requires std::is_constructible_v<T, U>
  void return_value(U&& value) { state_->template set_value<T>(std::forward<U>(value)); }
  void return_value(failure why) noexcept { state_->set_failure(std::move(why)); }
};

template <>
class coroutine_promise<void> : public coroutine_base {
public:
  coroutine_promise() = default;
  template <actor_type A, class... Args>
  coroutine_promise(A& self, Args&...)
    : coroutine_base(const_cast<std::remove_cvref_t<A>*>(&self)) {}

  deferred<void> get_return_object() {
    state_->retain();
    return deferred_access::wrap<void>(state_);
  }
  void return_void() noexcept { state_->set_value<void>(); }
};

/// Resumes a coroutine that is none of ours.
void wait_for(deferred_state& awaited, std::coroutine_handle<> self);

template <class T>
class deferred_awaiter {
public:
  explicit deferred_awaiter(deferred<T> d) : deferred_(std::move(d)) {
    state().end_pauses(); // nobody is left who could undo them
  }

  bool await_ready() const { return state().finished(); }

  template <class P>
  void await_suspend(std::coroutine_handle<P> self) {
    if constexpr (std::is_base_of_v<coroutine_base, P>)
      self.promise().wait_for(state(), self);
    else
      detail::wait_for(state(), self);
  }

  T await_resume() {
    auto& s = state();
    if (s.failed())
      s.take_failure().raise();
    if constexpr (std::is_void_v<T>)
      s.drop_value();
    else
      return s.template take_value<T>();
  }

private:
  deferred_state& state() const { return deferred_access::state(deferred_); }

  deferred<T> deferred_;
};

template <class T>
deferred_awaiter<T> coroutine_base::await_transform(deferred<T>&& d) const {
  return deferred_awaiter<T>(std::move(d));
}

template <class T>
deferred_awaiter<T> coroutine_base::await_transform(deferred<T>& d) const {
  static_assert(is_awaited_as_lvalue<T>,
                "a deferred is awaited once, and given away by that: write co_await std::move(d)");
  return deferred_awaiter<T>(std::move(d));
}

template <class T>
deferred_awaiter<T> coroutine_base::await_transform(const deferred<T>&) const {
  static_assert(is_awaited_as_lvalue<T>, "a deferred that is const cannot be awaited: awaiting one "
                                         "gives it away");
  return deferred_awaiter<T>(deferred_access::unset<T>());
}

} // namespace troupe::detail

namespace troupe {

/// Lets a coroutine wait for a deferred: gives its value, or throws its failure.
///
/// A function that returns a `deferred<T>` may be a coroutine. It runs at once until it waits for a
/// deferred that has no result; `co_return` a value, or a `failure`. What leaves it as an
/// exception is the failure of its deferred. Waiting for a deferred with a result neither
/// suspends nor uses stack.
///
/// ```cpp
/// deferred<user> find(std::string name) {
///   auto id = co_await look_up(name);
///   co_return co_await load(id);
/// }
/// ```
///
/// Cancelling its deferred cancels what it waits for, which then throws inside the coroutine; it
/// may catch that and return a value all the same. Cancelled while it runs, it finds the next
/// deferred that it waits for cancelled. Dropping its deferred does not stop it. What is being
/// awaited is cancelled from elsewhere through a `canceller`, or by time:
///
/// ```cpp
/// auto found = find("ann");
/// stop_ = found.canceller(); // elsewhere: stop_.cancel()
/// auto ann = co_await std::move(found);
/// auto bob = co_await with_timeout(find("bob"), 1s, clock_);
/// ```
///
/// A member function of an actor, and a function whose first parameter is a reference to one, is
/// that actor's coroutine: it resumes as that actor, also where somebody else fires what it waits
/// for, in the same thread; and when the actor ends it is destroyed where it waits, and what waits
/// for it with it. What it waited for is cancelled then, and nobody is told what comes of that: so it
/// leaves the line for a lock, and no value of a queue is lost.
///
/// Write a coroutine as a function that takes its parameters by value: a lambda's captures, and
/// what references name, are gone when it resumes. A trap of GCC 12: it does not compile a braced
/// list in what is awaited, `co_await f({1, 2})` ("internal compiler error"); name the type,
/// `co_await f(std::vector{1, 2})`, or the deferred.
///
/// Thread: one, that of the deferreds. Source: inlineCallbacks, Deferred.__await__
template <class T>
detail::deferred_awaiter<T> operator co_await(deferred<T>&& d) {
  return detail::deferred_awaiter<T>(std::move(d));
}

/// Does not compile: a deferred is waited for once. Write `co_await std::move(d)`.
template <class T>
detail::deferred_awaiter<T> operator co_await(deferred<T>& d) {
  static_assert(detail::is_awaited_as_lvalue<T>,
                "a deferred is awaited once, and given away by that: write co_await std::move(d)");
  return detail::deferred_awaiter<T>(std::move(d));
}

} // namespace troupe

template <class T, class... Args>
struct std::coroutine_traits<troupe::deferred<T>, Args...> {
  using promise_type = troupe::detail::coroutine_promise<T>;
};
