#pragma once

#include <troupe/runtime/reactor_actor.hpp>

namespace troupe {

class loop_scheduler;

namespace detail {

/// Starts the actor behind `reactor::actor`, pinned to loop 0.
reactor_actor spawn_reactor_actor(loop_scheduler& scheduler);

} // namespace detail
} // namespace troupe
