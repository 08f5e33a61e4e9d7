#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

#include <caf/actor_control_block.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/scheduled_actor.hpp>

#include <troupe/runtime/basic_actor.hpp>
#include <troupe/runtime/dead_letter.hpp>
#include <troupe/runtime/mailbox_bound.hpp>

namespace troupe::detail {

// A flag of an actor that CAF does not use.
constexpr int is_bounded_flag = 0x0010'0000;

/// How many messages may wait for one actor, and how many do.
struct bound {
  bound(const caf::abstract_actor& of, std::size_t n, full_mailbox what) noexcept
    : owner(&of), most(n), then(what) {}

  const caf::abstract_actor* const owner;
  const std::size_t most;
  const full_mailbox then;
  std::atomic<std::size_t> waiting{0}; // of those that count
  std::atomic<bool> holds{false};      // others; changes as the last two do
  std::atomic<bool> slept{false};      // it let them go without making room

  // Under the lock of all that wait for room.
  std::vector<caf::strong_actor_ptr> held;
  bool over = false; // its actor has ended: it holds nobody any more
};

/// Returns the bound of an actor, or null. It stays as long as the actor does. Thread: any.
[[nodiscard]] bound* bound_of(const caf::scheduled_actor& actor);

/// Forgets that of an actor that is destroyed.
void forget_bound(const caf::scheduled_actor& actor) noexcept;

/// Tells whether a message is one that a bound counts. It says the same before it comes in and before it is handled.
[[nodiscard]] bool counts(const caf::mailbox_element& x);

/// Tells whether a bounded actor takes `x`, and counts it then. Otherwise it has been refused. It may stop who
/// sends it. Thread: any.
[[nodiscard]] bool admits(const caf::scheduled_actor& actor, const caf::mailbox_element& x);

void refuse_message(const caf::scheduled_actor& actor, const caf::mailbox_element& x,
                    dead_letter_reason why);

/// Lets all go on that wait for room in this mailbox. Thread: its actor's.
void let_go(bound& b);

/// A message that counts has left the mailbox. Thread: its actor's.
inline void leaves(bound& b) {
  const auto left = b.waiting.fetch_sub(1, std::memory_order_relaxed) - 1;
  if (b.slept.load(std::memory_order_relaxed)) [[unlikely]]
    b.slept.store(false, std::memory_order_relaxed);
  if (b.holds.load(std::memory_order_relaxed) && left <= b.most / 2) [[unlikely]]
    let_go(b);
}

/// Tells whether an actor waits for room in any mailbox. Thread: any.
[[nodiscard]] bool waits_for_room(const caf::abstract_actor& actor);

/// An actor ends: nobody waits for it, and it waits for nobody. Thread: that in which it ends.
void ends_feeding(const caf::scheduled_actor& actor);

} // namespace troupe::detail
