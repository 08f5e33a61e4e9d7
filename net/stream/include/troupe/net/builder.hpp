#pragma once

#include <concepts>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <caf/actor_system.hpp>

#include <troupe/runtime/detail/buildable.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/pinned_actor.hpp>

namespace troupe {

/// Says how to build a protocol of class `Base`, or derived from it, once there is something that it
/// shall speak to; made by `build`.
///
/// ```cpp
/// troupe::spawn_process(rt, troupe::build<word_count>("some text"), "wc", {"-w"});
/// ```
///
/// Thread: any; it does not change.
template <class Base>
class builder {
public:
  using function = std::function<caf::strong_actor_ptr(caf::actor_system&, event_loop&)>;

  explicit builder(function fn) : function_(std::move(fn)) {}
  template <std::derived_from<Base> Derived>
  requires(!std::same_as<Derived, Base>) builder(const builder<Derived>& other)
    : function_(other.get()) {}

  /// Builds one that is pinned to `loop`.
  caf::strong_actor_ptr operator()(caf::actor_system& sys, event_loop& loop) const {
    return function_(sys, loop);
  }

  [[nodiscard]] const function& get() const noexcept { return function_; }

private:
  function function_;
};

/// Says to build `P(cfg, args...)`. The arguments are copied; `std::ref` passes a reference.
template <class P, class... Args>
[[nodiscard]] builder<P> build(Args&&... args) {
  static_assert(std::derived_from<P, pinned_actor>,
                "what is built for a connection or a process must be a class derived from "
                "troupe::protocol or troupe::process_protocol");
  if constexpr (std::derived_from<P, pinned_actor>)
    detail::check_buildable<P, const std::decay_t<Args>&...>();
  if constexpr (std::derived_from<
                  P, pinned_actor> && detail::buildable<P, const std::decay_t<Args>&...>)
    return builder<P>{[args = std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)](
                        caf::actor_system& sys, event_loop& loop) {
      caf::actor_config cfg{&loop};
      return std::apply(
        [&](const auto&... a) {
          return caf::actor_cast<caf::strong_actor_ptr>(
            sys.spawn_impl<P, caf::hidden + caf::lazy_init>(cfg, a...));
        },
        args);
    }};
  else
    return builder<P>{nullptr};
}

} // namespace troupe
