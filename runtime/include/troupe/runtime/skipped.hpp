#pragma once

namespace troupe {

class basic_actor;

/// Has the messages that `self` skipped tried again, in the order in which they came, before all that wait.
///
/// An actor skips a message by returning `caf::skip` from its handler, or, for whatever its behavior does not
/// take, by `set_default_handler(caf::skip)`: the message stays in the mailbox, in front of the others, and is
/// tried again behind the next one that is handled. That is a stash: requests keep their asker, a bound counts
/// what was skipped (`bound_mailbox`), and what is left when the actor ends is refused. As each message that is
/// handled has all that were skipped tried once more, a thousand of them cost a thousand tries each time: give
/// an actor that skips a bound.
///
/// What changes its state behind a message needs nothing more. A connection's `data_received`, `enter`, or a
/// delayed call is no message, so an actor that takes there what it skipped before calls this. A
/// `state_machine` does.
///
/// ```cpp
/// void data_received(std::span<const std::byte>) override { // the peer has let us in
///   become(logged_in());
///   troupe::retry_skipped(*this);
/// }
/// ```
///
/// Thread: the actor's own, in its code.
/// Source: OTP's `postpone`, which tries again when the state changes; Akka's stash and unstashAll
void retry_skipped(basic_actor& self);

} // namespace troupe
