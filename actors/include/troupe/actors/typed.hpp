#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include <caf/actor_cast.hpp>
#include <caf/delegated.hpp>
#include <caf/expected.hpp>
#include <caf/replies_to.hpp>
#include <caf/response_promise.hpp>
#include <caf/response_type.hpp>
#include <caf/result.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/handlers.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// A behavior that takes the messages of `Handle`, all of them and no others, and answers them as that says.
template <class Handle>
class typed_behavior {
public:
  [[nodiscard]] caf::behavior untyped() && { return std::move(behavior_); }

private:
  template <class H, class Self, class... Fs>
  friend typed_behavior<H> typed_handlers(Self& self, Fs... fs);

  explicit typed_behavior(caf::behavior b) : behavior_(std::move(b)) {}

  caf::behavior behavior_;
};

namespace detail {

// What a handler is known to answer with; `any_answer` if its type does not say.
struct any_answer;
template <class R>
struct typed_answer {
  using type = R;
};
template <>
struct typed_answer<caf::unit_t> {
  using type = void;
};
template <>
struct typed_answer<caf::message> {
  using type = any_answer;
};
template <>
struct typed_answer<caf::response_promise> {
  using type = any_answer;
};
template <class R>
struct typed_answer<caf::result<R>> : typed_answer<R> {};
template <class R>
struct typed_answer<caf::delegated<R>> : typed_answer<R> {};
template <class R>
struct typed_answer<caf::typed_response_promise<R>> : typed_answer<R> {};
template <class R>
struct typed_answer<caf::expected<R>> : typed_answer<R> {};

/// A handler's messages and answer.
template <class R, class... Args>
struct typed_handler {
  using input = caf::detail::type_list<typed_element_t<std::decay_t<Args>>...>;
  using answer = typename typed_answer<typename response_of<R>::type>::type;

  template <class Handle>
  static constexpr bool is_known =
    caf::response_type<typename Handle::signatures, typed_element_t<std::decay_t<Args>>...>::valid;

  template <class Handle>
  static constexpr bool answers_well() {
    if constexpr (is_known<Handle>) {
      using response =
        caf::response_type<typename Handle::signatures, typed_element_t<std::decay_t<Args>>...>;
      using wanted = typename answer_of<typename response::type>::type;
      return std::is_same_v<answer, any_answer> || std::is_same_v<answer, wanted>;
    } else {
      return true; // it is said already
    }
  }
};

template <class F>
struct typed_handler_of : typed_handler_of<decltype(&F::operator())> {};
template <class C, class R, class... Args>
struct typed_handler_of<R (C::*)(Args...)> {
  using type = typed_handler<R, Args...>;
};
template <class C, class R, class... Args>
struct typed_handler_of<R (C::*)(Args...) const> {
  using type = typed_handler<R, Args...>;
};

template <class Signature>
struct typed_input;
template <class Input, class Output>
struct typed_input<caf::typed_mpi<Input, Output>> {
  using type = Input;
};

template <class Signatures, class... Handlers>
struct covers_all;
template <class... Signatures, class... Handlers>
struct covers_all<caf::detail::type_list<Signatures...>, Handlers...> {
  template <class Signature>
  static constexpr std::size_t
    times = (std::size_t{0} + ...
             + std::size_t{
               std::is_same_v<typename typed_input<Signature>::type, typename Handlers::input>});
  static constexpr bool value = ((times<Signatures> == 1) && ...);
};

} // namespace detail

/// As `handlers`, for an actor behind a typed handle: that each message of `Handle` has one of `fs`, that each of
/// them is for a message of `Handle`, and that it answers with what that says, is checked at compile time.
///
/// A handler may return what those of `handlers` may: the value, a `deferred`, an `outcome`, a `failure` where there
/// is nothing to answer. Of one that returns `caf::message` or `caf::response_promise` the answer is not known.
template <class Handle, class Self, class... Fs>
[[nodiscard]] typed_behavior<Handle> typed_handlers(Self& self, Fs... fs) {
  constexpr bool known = (detail::typed_handler_of<Fs>::type::template is_known<Handle> && ...);
  static_assert(known, "typed_handlers: a handler is for a message that the handle does not have");
  if constexpr (known) {
    static_assert((detail::typed_handler_of<Fs>::type::template answers_well<Handle>() && ...),
                  "typed_handlers: a handler does not answer with what the handle says");
    static_assert(detail::covers_all<typename Handle::signatures,
                                     typename detail::typed_handler_of<Fs>::type...>::value,
                  "typed_handlers: a message of the handle has no handler, or two");
  }
  return typed_behavior<Handle>{handlers(self, std::move(fs)...)};
}

/// An actor whose messages are known at compile time: to those that have its handle, and to itself.
///
/// ```cpp
/// using account = caf::typed_actor<caf::replies_to<balance_atom>::with<int>,
///                                  caf::reacts_to<deposit_atom, int>>;
/// class safe : public troupe::typed<account> {
///   using typed::typed;
///   troupe::typed_behavior<account> make_typed_behavior() override {
///     return troupe::typed_handlers<account>(*this, &safe::balance, &safe::deposit);
///   }
/// };
/// const account mine = troupe::spawn_typed<safe>(rt);
/// ```
///
/// With its handle, `send`, `caf::anon_send` and `ask` do not compile for a message that it does not take, nor `ask`
/// for another answer than it gives. As any actor it is told of ends, runs delayed calls and may be converted
/// to a `caf::actor` (`caf::actor_cast`), with which nothing is checked. `become` is CAF's, and checks nothing either.
///
/// \tparam Handle  a `caf::typed_actor`
/// \tparam Base    `floating_actor`, or `pinned_actor` or a class of yours
template <class Handle, std::derived_from<basic_actor> Base = floating_actor>
class typed : public Base {
public:
  using handle = Handle;
  using Base::Base;

  /// Returns a handle of this actor. Thread: its own.
  [[nodiscard]] Handle typed_self() {
    return caf::actor_cast<Handle>(caf::strong_actor_ptr{this->ctrl()});
  }

  caf::behavior make_behavior() final { return make_typed_behavior().untyped(); }

protected:
  /// Returns how it takes its messages: what `typed_handlers` makes.
  virtual typed_behavior<Handle> make_typed_behavior() = 0;
};

/// As `rt.spawn<A>`, for an actor derived from `typed`.
template <class A, class... Args>
[[nodiscard]] typename A::handle spawn_typed(runtime& rt, Args&&... args) {
  static_assert(std::is_base_of_v<basic_actor, A>, "spawn_typed: A is derived from troupe::typed");
  return caf::actor_cast<typename A::handle>(rt.spawn<A>(std::forward<Args>(args)...));
}

} // namespace troupe
