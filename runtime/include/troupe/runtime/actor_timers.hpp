#pragma once

#include <concepts>
#include <vector>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/defer_later.hpp>
#include <troupe/runtime/event_loop.hpp>

namespace troupe {

namespace detail {

/// An actor that has delayed calls of its own: a floating or a pinned one.
template <class A>
concept actor_with_calls = requires(A& a, task fn) {
  { a.call_later(duration{}, std::move(fn)) } -> std::same_as<delayed_call>;
  { a.get_delayed_calls() } -> std::same_as<std::vector<delayed_call>>;
  a.pool(); // tells an actor from a clock
};

} // namespace detail

/// An actor's own delayed calls as a clock, for what needs one: `looping_call`, `cooperator`,
/// `add_timeout`. What is scheduled here runs as the actor, and never after its end.
///
/// ```cpp
/// class beacon : public troupe::floating_actor {
///   ...
///   troupe::actor_timers timers_{*this};
///   troupe::looping_call beat_{timers_, [this] { send(peer_, alive_atom::value); }};
/// };
/// ```
///
/// Thread: that of the actor. Lifetime: no longer than the actor's.
class actor_timers final : public clock {
public:
  /// \param self  a floating or a pinned actor
  template <detail::actor_with_calls A>
  explicit actor_timers(A& self) noexcept
    : self_(&self), call_later_([](void* of, duration delay, task fn) {
        return static_cast<A*>(of)->call_later(delay, std::move(fn));
      }),
      get_delayed_calls_([](void* of) { return static_cast<A*>(of)->get_delayed_calls(); }) {}

  [[nodiscard]] time_point now() const override { return event_loop::now(); }
  delayed_call call_later(duration delay, task fn) override {
    return call_later_(self_, delay, std::move(fn));
  }
  [[nodiscard]] std::vector<delayed_call> get_delayed_calls() const override {
    return get_delayed_calls_(self_);
  }

private:
  void* self_;
  delayed_call (*call_later_)(void*, duration, task);
  std::vector<delayed_call> (*get_delayed_calls_)(void*);
};

/// Returns a deferred that fires as the actor `self`, `delay` after now. If the actor ends first,
/// what waits for it is destroyed.
template <detail::actor_with_calls A>
[[nodiscard]] deferred<void> defer_later(A& self, duration delay) {
  actor_timers timers{self};
  return defer_later(static_cast<clock&>(timers), delay);
}

/// As above, and calls `f`; the deferred is of what that comes to.
template <detail::actor_with_calls A, std::invocable F>
[[nodiscard]] auto defer_later(A& self, duration delay, F f) {
  actor_timers timers{self};
  return defer_later(static_cast<clock&>(timers), delay, std::move(f));
}

/// Returns `d`, cancelled when `delay` has passed, as that of clocks; the time is the actor's. If the
/// actor ends first, the limit is gone with it.
template <class T, detail::actor_with_calls A>
[[nodiscard]] deferred<T> with_timeout(deferred<T> d, duration delay, A& self,
                                       source_location where = source_location::current()) {
  actor_timers timers{self};
  return with_timeout(std::move(d), delay, static_cast<clock&>(timers), where);
}

} // namespace troupe
