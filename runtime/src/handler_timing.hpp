#pragma once

#include <atomic>
#include <cstddef>

#include <caf/fwd.hpp>
#include <caf/resumable.hpp>

namespace troupe::detail {

/// How many runtimes measure (`time_handlers`): what is looked at where a message wakes an actor.
extern std::atomic<unsigned> runtimes_that_time;

[[nodiscard]] inline bool times_handlers() noexcept {
  return runtimes_that_time.load(std::memory_order_relaxed) != 0;
}

/// Notes that an actor that had nothing to do gets a message, before a loop has it. Thread: any.
void note_arrival(const caf::scheduled_actor& actor) noexcept;

/// Forgets that of an actor that is destroyed.
void forget_arrival(const caf::scheduled_actor& actor) noexcept;

/// Does what `resume_actor` does, and notes how long it took. Thread: that of `unit`, a loop's.
caf::resumable::resume_result resume_timed(caf::scheduled_actor& actor, caf::execution_unit* unit,
                                           std::size_t most);

} // namespace troupe::detail
