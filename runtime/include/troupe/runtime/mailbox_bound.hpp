#pragma once

#include <cstddef>
#include <cstdint>

namespace troupe {

class basic_actor;

/// What becomes of a message that finds its actor's mailbox full.
enum class full_mailbox : std::uint8_t {
  /// It is refused: who asked gets `errc::queue_overflow`.
  refuse,
  /// The oldest that waits makes room, when the actor comes to its mailbox; who asked it gets
  /// `errc::queue_overflow`. An actor that does not come holds twice its bound, and refuses then.
  drop_oldest,
};

/// Says how many messages may wait for `self`, and what becomes of others. Without it a mailbox has no
/// bound; one with more than 100,000 messages is told of in the log, once for each actor.
///
/// Ordinary messages and requests count, those that the actor sends to itself and those that it skips
/// among them. Responses, messages of high priority, `run_as`, delayed calls and what CAF tells of ends
/// do not: they always come in. What is refused or dropped is a dead letter (`dead_letter.hpp`). It
/// costs the actor a look into a table, with a lock, for each message. It is not for the ends of CAF's
/// streams, which have queues of their own.
///
/// ```cpp
/// writer(caf::actor_config& cfg) : pinned_actor(cfg) { troupe::bound_mailbox(*this, 10'000); }
/// ```
///
/// \param most  at least 1
/// \throws std::invalid_argument if `most` is zero
/// \throws std::logic_error if the actor has begun, has a bound, or is detached
/// Thread: that of the actor's constructor, where nobody can have sent anything yet.
void bound_mailbox(basic_actor& self, std::size_t most, full_mailbox then = full_mailbox::refuse);

/// Returns how many messages wait in the mailbox of `self`, of all kinds, those that it skipped left out.
/// Thread: the actor's own, in its code.
[[nodiscard]] std::size_t mailbox_length(basic_actor& self) noexcept;

} // namespace troupe
