#pragma once

#include <caf/event_based_actor.hpp>

#include <troupe/runtime/time.hpp>

namespace troupe {

class thread_pool;

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

  /// Runs `fn` as `actor`, in order with the messages that the calling thread sends to it: never
  /// beside the actor's other code, and not at all if the actor has ended.
  ///
  /// \param actor  must be a `basic_actor` of this process
  /// Thread: any.
  static void run_as(const caf::strong_actor_ptr& actor, task fn);

  /// Returns the threads of the runtime that are for calls that block. Thread: any.
  [[nodiscard]] thread_pool& pool() const;

  using super::consume;
  caf::invoke_message_result consume(caf::mailbox_element& x) override;
};

} // namespace troupe
