#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include <caf/actor_control_block.hpp>

namespace troupe::detail {

/// References to senders, in the turn of one actor, counted together.
///
/// Each message refers to who sent it, and to count that for each one would be two atomic operations of its cost. An actor
/// that sends much in a turn adds some at once, and gives back at the end what it did not need; whoever handles many of one
/// sender takes theirs back together. One more or one less between two turns there is not.
///
/// Thread: each has its own.
struct turn_references {
  caf::actor_control_block* acting = nullptr; // whose turn it is; null between turns
  std::uint32_t credit = 0;                   // references to it that no message has
  std::uint32_t more = 0;  // how many the next addition adds; none but the first one yet
  std::uint32_t count = 0; // references to `dropped` that are not taken back yet
  caf::actor_control_block* dropped = nullptr;

  /// Returns a reference to `self`, which sends.
  caf::strong_actor_ptr take(caf::actor_control_block* self) {
    if (acting == self) {
      if (credit == 0 && more != 0)
        add();
      if (credit != 0) {
        --credit;
        return {self, false};
      }
      more = 1; // the first one
    }
    self->strong_refs.fetch_add(1, std::memory_order_relaxed);
    return {self, false};
  }

  /// Takes back a reference that a message had.
  void drop(caf::strong_actor_ptr& what) noexcept {
    if (acting == nullptr)
      return what.reset();
    auto* const sender = what.release();
    if (sender == nullptr)
      return;
    if (sender == acting) {
      ++credit;
    } else if (sender == dropped) {
      ++count;
    } else {
      if (dropped != nullptr)
        take_back();
      dropped = sender;
      count = 1;
    }
  }

  /// The turn of `actor` begins, to whom whoever calls this has a reference.
  void begin(caf::actor_control_block* actor) noexcept {
    if (acting != nullptr)
      end(); // an actor turns the loop of another runtime
    acting = actor;
  }

  /// It ends: all counts are exact again.
  void end() noexcept {
    if (credit != 0)
      acting->strong_refs.fetch_sub(credit, std::memory_order_release); // it is not the last one
    credit = 0;
    more = 0;
    acting = nullptr;
    if (dropped != nullptr)
      take_back();
  }

private:
  void add() noexcept;
  // What ends with it may drop others.
  void take_back() noexcept {
    auto* const before = std::exchange(dropped, nullptr);
    if (count > 1)
      before->strong_refs.fetch_sub(count - 1, std::memory_order_release);
    caf::intrusive_ptr_release(before);
  }
};

/// Those of the calling thread.
extern constinit thread_local turn_references this_turn __attribute__((tls_model("initial-exec")));

} // namespace troupe::detail
