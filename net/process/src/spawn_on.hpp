#pragma once

#include <troupe/net/spawn_process.hpp>

namespace troupe::detail {

/// As `spawn_process`, on a certain loop.
child_process spawn_process_on(event_loop& loop, caf::actor_system& sys,
                               const builder<process_protocol>& p, const std::string& executable,
                               std::vector<std::string> args, process_options options);

} // namespace troupe::detail
