#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include <caf/message_id.hpp>

#include <troupe/runtime/basic_actor.hpp>
#include <troupe/runtime/detail/block_cache.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/timer_queue.hpp>

namespace troupe::detail {

/// A response that is awaited, and until when. The time-out is a call of the loop on which the actor was when it asked:
/// CAF's clock would look the actor up, with a lock, to set it and to take it back.
struct awaited_response {
  std::shared_ptr<response_taker> taker;
  event_loop* loop = nullptr; // null: it has none, or CAF's clock has it
  delayed_call timeout{};

  void cancel_timeout() {
    auto* const there = std::exchange(loop, nullptr);
    if (there == nullptr)
      return;
    auto cancel = [call = timeout]() mutable {
      if (call.active())
        call.cancel();
    };
    if (there->is_current())
      cancel();
    else
      there->post(std::move(cancel)); // the actor has moved
  }
};

/// What an actor waits for.
struct awaited {
  std::unordered_map<std::uint64_t, awaited_response, std::hash<std::uint64_t>, std::equal_to<>,
                     block_allocator<std::pair<const std::uint64_t, awaited_response>>>
    takers;
  caf::message_id keep_alive;             // of the entry that keeps an actor without behavior alive
  coroutine_base* coroutines = nullptr;   // of this actor, which wait for a deferred
  std::vector<std::weak_ptr<debt>> debts; // and some that are gone

  /// Returns an empty one, perhaps of another actor of this thread before. Thread: any.
  static std::unique_ptr<awaited> take();
  /// Takes back one that waits for nothing, unless it is large. Thread: any.
  static void give_back(std::unique_ptr<awaited>& one) noexcept;
};

} // namespace troupe::detail
