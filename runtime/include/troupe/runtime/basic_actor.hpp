#pragma once

#include <caf/event_based_actor.hpp>

namespace troupe {

/// What Troupe's actors share, beyond CAF's event-based actor of which they have everything.
///
/// - The timeout of a request is taken back when its response arrives. CAF itself keeps it, and
///   the requester with it, until it expires.
/// - A message for which there is no handler is dropped silently, instead of printed.
/// - An exception that leaves a handler is logged, and ends the actor with that exception as its
///   reason.
///
/// Derive from `floating_actor` or `pinned_actor`.
///
/// Thread: the loop that runs the actor; `enqueue` and what CAF documents: any.
class basic_actor : public caf::event_based_actor {
public:
  using super = caf::event_based_actor;

  explicit basic_actor(caf::actor_config& cfg);

  using super::consume;
  caf::invoke_message_result consume(caf::mailbox_element& x) override;
};

} // namespace troupe
