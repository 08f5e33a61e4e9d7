#pragma once

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include <troupe/runtime/detail/deferred_state.hpp>
#include <troupe/runtime/outcome.hpp>

namespace troupe {

template <class T>
class deferred;
template <class T>
class promise;

namespace detail {

/// The type of a chain whose callback only ever fails.
struct never {};

/// Opens the handles for the rest of the implementation.
struct deferred_access {
  template <class T, class... Args>
  static deferred<T> ready(const source_location& where, Args&&... args) {
    deferred<T> d(deferred_state::make(ready_links, where));
    d.state_->template set_value<T>(std::forward<Args>(args)...);
    d.state_->mark_called(where);
    return d;
  }

  template <class T>
  static deferred<T> failed(const source_location& where, failure&& why) {
    deferred<T> d(deferred_state::make(ready_links, where));
    d.state_->set_failure(std::move(why));
    d.state_->mark_called(where);
    return d;
  }

  /// Makes one whose state must be given its result by hand.
  template <class T>
  static deferred<T> unset() {
    return deferred<T>(deferred_state::make(ready_links, source_location::current()));
  }

  /// Wraps a state of which it takes one reference.
  template <class T>
  static deferred<T> wrap(deferred_state* owned) {
    return deferred<T>(owned);
  }

  template <class T>
  static deferred_state& state(const deferred<T>& d) {
    return d.state();
  }

  /// Gives `s`, which has none, a canceller that takes no argument.
  template <class F>
  static void set_canceller(deferred_state& s, F canceller) {
    s.set_canceller<F>(
      [](deferred_slot& slot, deferred_state* running) -> deferred_state* {
        if (running != nullptr)
          slot.get<F>()();
        else
          slot.drop<F>();
        return nullptr;
      },
      std::move(canceller));
  }

  /// Gives the state away, for a chain that goes on with a `J`.
  template <class J, class D>
  static deferred_state* release(D&& d) {
    return std::forward<D>(d).template release_as<J>();
  }

private:
  static constexpr std::size_t ready_links = 2; // callbacks run at once and give their place back
};

template <class T>
deferred<T> deferred_base(const deferred<T>&);

/// `D` is a `deferred<T>` for some T, or derived from one.
template <class D>
concept deferred_type = requires(const D& d) {
  deferred_base(d);
};

template <class R>
struct flow {
  using type = R;
};
template <>
struct flow<failure> {
  using type = never;
};
template <class T>
struct flow<outcome<T>> {
  using type = T;
};
template <deferred_type D>
struct flow<D> {
  using type = typename decltype(deferred_base(std::declval<const D&>()))::value_type;
};

/// The type of what follows a callback that returns an `R`.
template <class R>
using flow_t = typename flow<std::remove_cvref_t<R>>::type;

/// The type of what follows a link whose two sides give an `A` and a `B`.
template <class A, class B>
struct join : std::common_type<A, B> {};
template <class A>
struct join<A, A> {
  using type = A;
};
template <class A>
requires(!std::is_void_v<A> && !std::same_as<A, never>) struct join<A, void> {
  using type = void;
};
template <class B>
requires(!std::is_void_v<B> && !std::same_as<B, never>) struct join<void, B> {
  using type = void;
};
template <class A>
requires(!std::same_as<A, never>) struct join<A, never> {
  using type = A;
};
template <class B>
requires(!std::same_as<B, never>) struct join<never, B> {
  using type = B;
};
// The success side decides where the other converts to it.
template <class A, class B>
requires(
  !std::is_void_v<
    A> && !std::is_void_v<B> && !std::same_as<A, B> && !std::same_as<A, never> && !std::same_as<B, never> && std::convertible_to<B, A>) struct
  join<A, B> {
  using type = A;
};

/// As above, for a chain of `T`s until then: it stays one where both sides only ever fail.
template <class T, class A, class B = never>
using next_t =
  std::conditional_t<std::same_as<typename join<A, B>::type, never>, T, typename join<A, B>::type>;

/// A callback for a `T` takes it, or takes nothing if it does not care.
template <class F, class T>
concept callback_for = std::invocable<F&> || std::invocable<F&, T>;

template <class F, class T>
struct callback_result {
  using type = std::invoke_result_t<F&>;
};
template <class F, class T>
requires(!std::is_void_v<T> && std::invocable<F&, T>) struct callback_result<F, T> {
  using type = std::invoke_result_t<F&, T>;
};

template <class F, class T>
using callback_result_t = typename callback_result<F, T>::type;

template <class F, class T>
using callback_flow_t = flow_t<callback_result_t<F, T>>;

/// `F` deals with a whole outcome, or with either side, or takes nothing.
template <class F, class T>
concept both_callback = std::invocable<F&> || std::invocable<F&, outcome<T>> ||(
  std::invocable<F&, failure>&& callback_for<F, T>);

template <class F, class T>
struct both_next {
  using type = next_t<T, callback_flow_t<F, T>, callback_flow_t<F, failure>>;
};
template <class F, class T>
requires std::invocable<F&, outcome<T>>
struct both_next<F, T> {
  using type = next_t<T, flow_t<std::invoke_result_t<F&, outcome<T>>>>;
};

/// Sets the result of `s` to what `f` returns, for a chain that goes on with a `J`.
template <class J, class F, class... Args>
void settle(deferred_state& s, F& f, Args&&... args) {
  using result = std::invoke_result_t<F&, Args...>;
  using plain = std::remove_cvref_t<result>;
  if constexpr (std::is_void_v<result>) {
    std::invoke(f, std::forward<Args>(args)...);
    s.set_value<void>();
  } else if constexpr (std::same_as<plain, failure>) {
    s.set_failure(failure(std::invoke(f, std::forward<Args>(args)...)));
  } else if constexpr (deferred_type<plain>) {
    auto inner = std::invoke(f, std::forward<Args>(args)...);
    s.wait_for(deferred_access::release<J>(std::move(inner)));
  } else if constexpr (!std::same_as<flow_t<plain>, plain>) { // an outcome
    auto out = std::invoke(f, std::forward<Args>(args)...);
    if (!out)
      s.set_failure(failure(out.error()));
    else if constexpr (std::is_void_v<J>)
      s.set_value<void>();
    else
      s.set_value<J>(*std::move(out));
  } else if constexpr (std::is_void_v<J>) {
    static_cast<void>(std::invoke(f, std::forward<Args>(args)...));
    s.set_value<void>();
  } else {
    s.set_value<J>(std::invoke(f, std::forward<Args>(args)...));
  }
}

/// Calls the success side of a link.
template <class T, class J, class F>
void settle_value(deferred_state& s, F& f) {
  if constexpr (std::is_void_v<T>) {
    s.drop_value();
    settle<J>(s, f);
  } else if constexpr (std::invocable<F&, T>) {
    T value = s.take_value<T>();
    settle<J>(s, f, std::move(value));
  } else {
    s.drop_value();
    settle<J>(s, f);
  }
}

/// Calls the failure side of a link.
template <class J, class F>
void settle_failure(deferred_state& s, F& f) {
  auto why = s.take_failure();
  if constexpr (std::invocable<F&, failure>)
    settle<J>(s, f, std::move(why));
  else
    settle<J>(s, f);
}

/// Lets a value pass a link that deals with failures only.
template <class T, class J>
void pass_value(deferred_state& s) {
  if constexpr (!std::same_as<T, J>) {
    if constexpr (std::is_void_v<J>) {
      s.drop_value();
      s.set_value<void>();
    } else {
      T value = s.take_value<T>();
      s.set_value<J>(std::move(value));
    }
  }
}

/// Takes what the chain came to, for the last link.
template <class T>
outcome<T> take_outcome(deferred_state& s) {
  if (s.failed())
    return s.take_failure();
  if constexpr (std::is_void_v<T>) {
    s.drop_value();
    return {};
  } else {
    return s.take_value<T>();
  }
}

template <class T, class J, class F>
struct callback_link {
  F callback;
  void run(deferred_state& s) {
    if (s.has_value())
      settle_value<T, J>(s, callback);
  }
};

template <class T, class J, class F>
struct errback_link {
  F errback;
  void run(deferred_state& s) {
    if (s.failed())
      settle_failure<J>(s, errback);
    else
      pass_value<T, J>(s);
  }
};

template <class T, class J, class F, class G>
struct pair_link {
  F callback;
  G errback;
  void run(deferred_state& s) {
    if (s.failed())
      settle_failure<J>(s, errback);
    else
      settle_value<T, J>(s, callback);
  }
};

template <class T, class J, class F>
struct both_link {
  F callback;
  void run(deferred_state& s) {
    if constexpr (std::invocable<F&, outcome<T>>)
      settle<J>(s, callback, take_outcome<T>(s));
    else if (s.failed())
      settle_failure<J>(s, callback);
    else
      settle_value<T, J>(s, callback);
  }
};

/// The function of a slot that holds an `L`, one of the links above.
template <class L>
deferred_state* run_link(deferred_slot& slot, deferred_state* s) {
  if (s != nullptr) {
    try {
      slot.get<L>().run(*s);
    } catch (...) {
      s->set_failure(caught());
    }
  }
  slot.drop<L>();
  return nullptr;
}

template <class L>
void add_link(deferred_state& s, L&& link) {
  using target = std::remove_cvref_t<L>;
  s.add<target>(&run_link<target>, std::forward<L>(link));
}

} // namespace detail
} // namespace troupe
