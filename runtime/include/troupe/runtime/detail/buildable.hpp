#pragma once

#include <type_traits>

#include <caf/actor_config.hpp>
#include <caf/detail/spawn_fwd.hpp>

namespace troupe::detail {

/// A class of actors that can be built as `A(cfg, args...)`.
template <class A, class... Args>
concept buildable =
  !std::is_abstract_v<A> && std::is_constructible_v<A, caf::actor_config&, Args...>;

/// Stops the compiler with one line where an `A` cannot be built, at the call that would build it.
/// Without it, the errors begin inside CAF and never show the user's line. Callers leave the rest
/// uncompiled then, so that this line is the only one.
template <class A, class... Args>
constexpr void check_buildable() {
  static_assert(
    !std::is_abstract_v<A>,
    "this class is abstract: it does not override all that its base leaves open, such as "
    "line_received, build_protocol or make_behavior");
  static_assert(
    std::is_abstract_v<A> || buildable<A, Args...>,
    "this class has no public constructor that takes (caf::actor_config&, args...) with "
    "these arguments; `using Base::Base;` takes over that of its base");
}

/// What CAF makes of an argument of `spawn`: a pointer to an actor becomes a handle.
template <class T>
using spawned_argument = decltype(caf::detail::spawn_fwd<T>(std::declval<T&>()));

} // namespace troupe::detail
