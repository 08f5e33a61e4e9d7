#pragma once

namespace troupe {
class manhole_commands;
}

namespace troupe::detail {

/// Adds the commands that every process has: what an `observer` sees, and what it can change.
void add_process_commands(manhole_commands& to);

} // namespace troupe::detail
