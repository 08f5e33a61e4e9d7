#pragma once

#include <cstddef>

#include <caf/mailbox_element.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduled_actor.hpp>

namespace troupe::detail {

/// A flag of an actor that CAF does not use: what it skips is to be tried once more (`retry_skipped`).
constexpr int retries_flag = 0x0040'0000;
constexpr int quits_flag =
  0x0002'0000; // it has quit, and `basic_actor::complete_handlers` knows nothing of it
constexpr int is_pinned_flag = 0x0008'0000; // it is a pinned_actor: no flag of CAF's

/// What `actor->resume(unit, most)` does, for any event-based actor of CAF's: handles up to `most` messages, and
/// says how many.
///
/// Thread: that of `unit`.
caf::resumable::resume_result resume_actor(caf::scheduled_actor& actor, caf::execution_unit* unit,
                                           std::size_t most, std::size_t* handled = nullptr);

/// Returns how many messages wait that the last pass has taken in and left over. Thread: the actor's.
std::size_t waiting_messages(caf::scheduled_actor& actor) noexcept;

/// Puts `what` into the mailbox, if there is room, and has the actor resumed by `unit` if it must be; null for
/// any loop. Thread: any.
void deliver(caf::scheduled_actor& actor, caf::mailbox_element_ptr what, caf::execution_unit* unit);

/// Has an actor resumed by `unit` whose mailbox was empty and has a message now; null for any loop. Thread: any.
void wake(caf::scheduled_actor& actor, caf::execution_unit* unit);

/// Forgets the bound of an actor that is destroyed, and what else is known of it.
void forget_actor(const caf::scheduled_actor& actor) noexcept;

} // namespace troupe::detail
