#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>

#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

class supervisor;

/// Says after which ends a supervisor starts a child again.
///
/// Normal ends are CAF's `exit_reason::normal` and `exit_reason::user_shutdown`; any other reason, a
/// kill included, is a crash.
enum class restart_type : std::uint8_t {
  permanent, ///< always
  transient, ///< only after a crash
  temporary, ///< never; its spec is dropped with it
};

/// What kind of child it is; it sets the default of `child_spec::shutdown`, and `count_children` counts
/// both kinds.
enum class child_type : std::uint8_t { worker, supervisor };

namespace detail {

template <class F>
using started_by =
  typename decltype(maybe_deferred(std::declval<F&>(), std::declval<supervisor&>()))::value_type;

} // namespace detail

/// Starts a child: any copyable function of the supervisor that returns the child's handle, a
/// `deferred` or `outcome` of one, or throws.
///
/// It runs as the supervisor, on its loop, so it may use what is only for that loop's thread. An
/// empty handle says that this child is not wanted now: the supervisor keeps the spec, and goes on.
/// A deferred must fire on the supervisor's loop; the supervisor starts nothing else meanwhile, and
/// cancels it when it is asked to end. One that then yields an actor all the same has it killed.
///
/// Source: the `start` of OTP's child_spec; an empty handle is its `ignore`
class start_function {
public:
  start_function() = default;

  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>,
                         start_function> && std::invocable<std::decay_t<F>&, supervisor&>)
    start_function(F f)
    : fn_([f = std::move(f)](supervisor& parent) mutable -> deferred<caf::actor> {
        using handle = detail::started_by<F>;
        auto started = maybe_deferred(f, parent);
        if constexpr (std::same_as<handle, caf::actor>)
          return started;
        else
          return std::move(started).add_callback(
            [](handle h) { return caf::actor_cast<caf::actor>(std::move(h)); });
      }) {}

  deferred<caf::actor> operator()(supervisor& parent) const { return fn_(parent); }
  explicit operator bool() const noexcept { return fn_ != nullptr; }

private:
  std::function<deferred<caf::actor>(supervisor&)> fn_;
};

/// Describes one child of a supervisor. Fill it with designated initialisers:
///
/// ```cpp
/// troupe::child_spec{.id = "cache", .start = troupe::start_actor<cache>(64), .shutdown = 1s}
/// ```
///
/// Source: child_spec of OTP's supervisor, with its defaults
struct child_spec {
  static constexpr duration brutal_kill = duration::zero();
  static constexpr duration infinity = duration::max();

  /// How long a worker, that does not say otherwise, may take to end.
  static constexpr duration default_shutdown = std::chrono::seconds(5);

  /// Its name among its supervisor's children. It must be unique there, except under
  /// `restart_strategy::dynamic`, where it only serves logs and may be empty.
  std::string id;

  start_function start;

  restart_type restart = restart_type::permanent;

  /// How long the child may take to end after it was told to (`exit_reason::user_shutdown`), before
  /// it is killed. `brutal_kill` kills it at once, `infinity` never. Unset, it is `default_shutdown`
  /// for a worker, and `infinity` for a supervisor, which needs the time of all its children.
  std::optional<duration> shutdown{};

  child_type type = child_type::worker;

  /// Called on the supervisor's loop when the child has ended and will not be started again but by a
  /// call: it was terminated or removed, was not to be restarted, or its supervisor ends. It lets go of
  /// what the start function keeps for a successor of an actor that crashed, such as a socket.
  ///
  /// It may be called several times in a row. A supervisor that is killed does not call it: its own
  /// successor has the same first children; if there is to be none, their parent calls it.
  std::function<void()> stopped{};

  /// The name in the runtime's `names` that the child has as long as it lives, each successor too, so
  /// that `rt.names().get(name)` follows its restarts; empty: none. A start fails with
  /// `errc::name_taken` if another living actor has it. Source: OTP's `{local, Name}`
  std::string name{};

  [[nodiscard]] duration shutdown_time() const noexcept {
    return shutdown.value_or(type == child_type::supervisor ? infinity : default_shutdown);
  }
};

/// Returns a function that starts an actor of class `A` with `args`, which it keeps for every start.
///
/// A pinned actor runs on its supervisor's loop; any other floats. One of Troupe's has started when its
/// `make_behavior` has run; if that throws, or quits, the start has failed with `errc::actor_down`.
/// Actors from a function, of another loop, or that need their supervisor, take a lambda:
/// `[](supervisor& s) { return s.spawn(...); }`; such a start is over when the actor exists.
template <class A, class... Args>
[[nodiscard]] start_function start_actor(Args&&... args);

} // namespace troupe
