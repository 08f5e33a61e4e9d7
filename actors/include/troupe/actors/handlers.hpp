#pragma once

#include <type_traits>
#include <utility>

#include <caf/behavior.hpp>

#include <troupe/actors/respond.hpp>
#include <troupe/runtime/outcome.hpp>
#include <troupe/runtime/sendable.hpp>

namespace troupe {

namespace detail {

// What a handler returns, as CAF can take it.
template <class R>
struct response_of {
  using type = R;
  static type make(basic_actor&, auto&& call) { return call(); }
};

template <class R>
requires deferred_type<R>
struct response_of<R> {
  using type = caf::result<typename R::value_type>;
  static type make(basic_actor& self, auto&& call) {
    return respond_with(self, deferred<typename R::value_type>(call()));
  }
};

// What it answers: a value, or why there is none.
template <class T>
struct response_of<outcome<T>> {
  using type = caf::result<T>;
  static type make(basic_actor&, auto&& call) {
    outcome<T> got = call();
    if (!got)
      return got.error().to_caf_error();
    if constexpr (std::is_void_v<T>)
      return caf::unit;
    else
      return *std::move(got);
  }
};

template <>
struct response_of<failure> {
  using type = caf::result<void>;
  static type make(basic_actor&, auto&& call) {
    if (const failure why = call())
      return why.to_caf_error();
    return caf::unit;
  }
};

// CAF looks at what else a handler returns by itself: it has more ways to answer than values.
template <class R>
inline constexpr bool can_answer = true;
template <class R>
requires deferred_type<R>
inline constexpr bool can_answer<R> = sendable<typename R::value_type>;
template <class T>
inline constexpr bool can_answer<outcome<T>> = sendable<T>;

template <class R, class... Args>
constexpr void check_handler() {
  static_assert(
    (sendable<Args> && ...),
    "a handler takes what cannot be part of a message: give the type an inspect(), or name "
    "it in CAF_ALLOW_UNSAFE_MESSAGE_TYPE; see docs/messages.md");
  static_assert(
    can_answer<std::remove_cvref_t<R>>,
    "a handler answers with what cannot be part of a message: give the type an inspect(), "
    "or name it in CAF_ALLOW_UNSAFE_MESSAGE_TYPE; see docs/messages.md");
}

template <class Self, class Base, class R, class... Args>
requires std::is_base_of_v<Base, Self>
auto handler(Self& self, R (Base::*member)(Args...) const) {
  check_handler<R, Args...>();
  return [&self, member](Args... args) -> typename response_of<R>::type {
    return response_of<R>::make(self,
                                [&]() -> R { return (self.*member)(std::forward<Args>(args)...); });
  };
}

template <class Self, class Base, class R, class... Args>
requires std::is_base_of_v<Base, Self>
auto handler(Self& self, R (Base::*member)(Args...)) {
  check_handler<R, Args...>();
  return [&self, member](Args... args) -> typename response_of<R>::type {
    return response_of<R>::make(self,
                                [&]() -> R { return (self.*member)(std::forward<Args>(args)...); });
  };
}

template <class F, class R, class... Args>
auto wrap(basic_actor& self, F f, R (F::*)(Args...) const) {
  check_handler<R, Args...>();
  return [&self, f = std::move(f)](Args... args) -> typename response_of<R>::type {
    return response_of<R>::make(self, [&]() -> R { return f(std::forward<Args>(args)...); });
  };
}

template <class F, class R, class... Args>
auto wrap(basic_actor& self, F f, R (F::*)(Args...)) {
  check_handler<R, Args...>();
  return [&self, f = std::move(f)](Args... args) mutable -> typename response_of<R>::type {
    return response_of<R>::make(self, [&]() -> R { return f(std::forward<Args>(args)...); });
  };
}

template <class F>
requires std::is_class_v<F>
auto handler(basic_actor& self, F f) {
  return wrap(self, std::move(f), &F::operator());
}

} // namespace detail

/// Makes a behavior of `fs`: functions, or member functions of the actor, which may return a
/// `deferred<T>`. What comes of that, a value or a failure, is the response.
///
/// ```cpp
/// class users : public troupe::floating_actor {
///   caf::behavior make_behavior() override {
///     return troupe::handlers(*this, &users::find, [this](forget_atom) { cache_.clear(); });
///   }
///   // A coroutine: it takes its parameters by value.
///   troupe::deferred<record> find(find_atom, std::string name) {
///     co_return co_await ask<record>(*this, store_, 5s, load_atom::value, name);
///   }
/// };
/// ```
///
/// **To refuse is no crash.** A handler that returns a failure, be it a `failure`, an `outcome` without
/// a value, or a deferred that fails, answers with that, and the actor goes on. One that *throws* has
/// broken off in the middle of the actor's state: it ends the actor, and everybody else who asked is
/// told `errc::actor_down`. In a coroutine, what is thrown is the failure of its deferred, and so a
/// refusal; a bad request that must not end the actor is therefore refused, not thrown, in handlers
/// that are no coroutines: `return failure{errc::invalid_argument, name};`.
///
/// A deferred that is dropped with its result owed fails the request with `errc::broken_promise`;
/// one that ends with its actor, with `errc::broken_promise` or `errc::actor_down`.
///
/// Lifetime: `self` must be the actor that has the behavior.
template <class Self, class... Fs>
[[nodiscard]] caf::behavior handlers(Self& self, Fs... fs) {
  return caf::behavior{detail::handler(self, std::move(fs))...};
}

} // namespace troupe
