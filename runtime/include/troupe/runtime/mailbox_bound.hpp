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
  /// It comes in, and the actor that sends it stops until there is room: when half of the bound is free, or its
  /// receiver has ended or sleeps. One that sends more meanwhile is refused beyond twice the bound; so a mailbox
  /// holds at most that, and one message of each actor that feeds it. Senders that nobody could stop (threads,
  /// functions of a loop, actors that are not `basic_actor`s, such of other runtimes or nodes) are refused at the bound.
  push_back,
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
/// **Who is stopped** (`push_back`) finishes what it does, and handles no ordinary message or request until there
/// is room; what no bound counts goes on, and so do its delayed calls, coroutines and the answers that it waits for.
/// A connection is not read meanwhile, and a `line_receiver` delivers no further line. It may stand in a chain: who
/// feeds an actor that is stopped is stopped when that one's bound is reached. **An actor is not stopped where that
/// would close a circle**, in which each waits for the next: of two that feed each other the one that finds the
/// other stopped for its sake goes on, as does one that sends to itself, and is refused beyond twice the bound.
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
