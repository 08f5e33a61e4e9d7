#pragma once

#include <cstdint>

#include <caf/actor.hpp>
#include <caf/atom.hpp>
#include <caf/message.hpp>
#include <caf/replies_to.hpp>
#include <caf/timespan.hpp>
#include <caf/typed_actor.hpp>

namespace troupe {

/// What the messages to the reactor's actor ask for.
using call_later_atom = caf::atom_constant<caf::atom("callLater")>;
using cancel_atom = caf::atom_constant<caf::atom("cancel")>;
using delay_atom = caf::atom_constant<caf::atom("delay")>;
using reset_atom = caf::atom_constant<caf::atom("reset")>;
using active_atom = caf::atom_constant<caf::atom("active")>;
using now_atom = caf::atom_constant<caf::atom("now")>;

/// Schedules messages for any actor, of this node or another.
///
/// - `(call_later, delay, receiver, message) -> id`: sends `message` to `receiver` once `delay` has
///   passed. Delays are `caf::timespan`, nanoseconds; a negative one is `caf::sec::invalid_argument`.
///   If the receiver ends first, nothing is sent, and the call is forgotten.
/// - `(cancel, id)`, `(delay, id, by)`, `(reset, id, from_now)`: as `delayed_call`; a call that was
///   made or cancelled gives the error `errc::already_called`.
/// - `(active, id) -> bool`: as `delayed_call::active`.
/// - `(now) -> span`: the clock's time, as the span since its unspecified start.
///
/// Order: messages due at the same time are sent in the order in which they were scheduled.
using reactor_actor = caf::typed_actor<
  caf::replies_to<call_later_atom, caf::timespan, caf::actor, caf::message>::with<std::uint64_t>,
  caf::reacts_to<cancel_atom, std::uint64_t>,
  caf::reacts_to<delay_atom, std::uint64_t, caf::timespan>,
  caf::reacts_to<reset_atom, std::uint64_t, caf::timespan>,
  caf::replies_to<active_atom, std::uint64_t>::with<bool>,
  caf::replies_to<now_atom>::with<caf::timespan>>;

} // namespace troupe
