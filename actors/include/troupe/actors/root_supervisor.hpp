#pragma once

#include <utility>

#include <caf/actor.hpp>

#include <troupe/actors/supervisor.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Refers to a supervisor. Copies refer to the same one.
///
/// Thread: `actor()`: any; the rest: the supervisor's loop, or before `run()`.
class supervisor_ref {
public:
  explicit supervisor_ref(caf::actor actor) noexcept : actor_(std::move(actor)) {}

  /// Returns the handle to ask from elsewhere: `ask<T>(*this, root.actor(), ...)`.
  [[nodiscard]] const caf::actor& actor() const noexcept { return actor_; }

  [[nodiscard]] supervisor& operator*() const noexcept {
    return *static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(actor_));
  }
  [[nodiscard]] supervisor* operator->() const noexcept { return &**this; }

private:
  caf::actor actor_;
};

/// Returns the root supervisor of `rt`: the one above all others, on loop 0. The first call makes it.
///
/// ```cpp
/// troupe::root_supervisor(rt)->start_child(
///   {.id = "cache", .start = troupe::start_actor<cache>()});
/// rt.run();
/// ```
///
/// When the runtime stops, before ports close and connections are told to end, it stops its tree in
/// order. What takes longer than the runtime's grace time for that is killed, in the same order. If
/// the root itself gives up, or is killed, nothing can heal what it stood for: the runtime gives up
/// (`reactor::give_up`), so that `run().exit_code()` is 1 and whatever watches the process can start it
/// anew. A root that was told to end
/// (`exit_reason::user_shutdown`) just ends.
///
/// \param options  how the first call makes it; later calls do not look at it
/// Thread: any.
/// Source: the top supervisor of an OTP application of type `permanent`
[[nodiscard]] supervisor_ref root_supervisor(runtime& rt,
                                             supervisor_options options = {.name = "root"});

} // namespace troupe
