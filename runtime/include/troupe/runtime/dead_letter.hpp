#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include <caf/fwd.hpp>

namespace troupe {

class runtime;

/// Why a message was not handled.
enum class dead_letter_reason : std::uint8_t {
  actor_ended,  ///< its actor had ended, or ended with it in its mailbox
  no_handler,   ///< its actor has no handler for it
  mailbox_full, ///< its actor's mailbox was full, so it was refused (`bound_mailbox`)
  dropped,      ///< it was the oldest in a mailbox that was full
  no_member,    ///< it was for a `router` with nobody to take it
};

/// Returns the name of the reason, such as "actor_ended".
[[nodiscard]] std::string_view name(dead_letter_reason reason) noexcept;

/// A message that nobody handles.
///
/// Lifetime: what it refers to is good during the call of the observer. A copy of the message is
/// `caf::message::copy(letter.content)`.
struct dead_letter {
  dead_letter_reason reason;
  const caf::abstract_actor& receiver; ///< only what any thread may ask: `id()`, `address()`
  const caf::strong_actor_ptr& sender; ///< null if it was anonymous
  const caf::type_erased_tuple& content;
  bool asked; ///< it was a request, so its sender is told
};

/// Has `observer` called with each message of `rt` that nobody handles; empty: nobody any more. There is
/// one at a time.
///
/// It runs where that is found, often inside a send: in any thread, in several at once. It must be
/// short and not block; what it throws is dropped. It may send; of what comes of that and is not handled
/// either, it is not told. Whether or not there is one, dead letters are told of in the log, and counted:
/// in `rt.metrics()` as `troupe_dead_letters_total`, by reason.
///
/// Thread: any. A call that is under way goes on with the one before.
void observe_dead_letters(runtime& rt, std::function<void(const dead_letter&)> observer);

} // namespace troupe
