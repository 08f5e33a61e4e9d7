#pragma once

#include <type_traits>
#include <utility>

#include <caf/behavior.hpp>

#include <troupe/actors/respond.hpp>

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

template <class Self, class R, class... Args>
auto handler(Self& self, R (Self::*member)(Args...)) {
  return [&self, member](Args... args) -> typename response_of<R>::type {
    return response_of<R>::make(self,
                                [&]() -> R { return (self.*member)(std::forward<Args>(args)...); });
  };
}

template <class F, class R, class... Args>
auto wrap(basic_actor& self, F f, R (F::*)(Args...) const) {
  return [&self, f = std::move(f)](Args... args) -> typename response_of<R>::type {
    return response_of<R>::make(self, [&]() -> R { return f(std::forward<Args>(args)...); });
  };
}

template <class F, class R, class... Args>
auto wrap(basic_actor& self, F f, R (F::*)(Args...)) {
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
/// A deferred that is dropped with its result owed fails the request with `errc::broken_promise`;
/// one that ends with its actor, with `errc::broken_promise` or `errc::actor_down`.
///
/// Lifetime: `self` must be the actor that has the behavior.
template <class Self, class... Fs>
[[nodiscard]] caf::behavior handlers(Self& self, Fs... fs) {
  return caf::behavior{detail::handler(self, std::move(fs))...};
}

} // namespace troupe
