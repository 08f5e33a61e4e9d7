// How long actors are at their messages, by class.
#include <troupe/runtime/handler_times.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <typeindex>
#include <typeinfo>
#include <unordered_map>

#include <asio/execution_context.hpp>
#include <caf/scheduled_actor.hpp>

#include <troupe/runtime/detail/class_name.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/runtime.hpp>

#include "handler_timing.hpp"
#include "mailbox.hpp"

namespace troupe {

namespace detail {

constinit std::atomic<unsigned> runtimes_that_time{0};

} // namespace detail

namespace {

/// What one loop has measured. Only that loop writes, so that its lock is free but for a reader now and then.
struct loop_times {
  std::mutex mutex;
  bool on = false;
  std::atomic<bool> gone = false; // with its loop
  std::unordered_map<std::type_index, handler_time> kinds;
};

class times_service final : public asio::execution_context::service {
public:
  using key_type = times_service;
  static inline asio::execution_context::id id;
  explicit times_service(asio::execution_context& context) : service(context) {}

  const std::shared_ptr<loop_times> times = std::make_shared<loop_times>();
  // Of the first loop's, for the runtime.
  std::mutex turned; // held while it is turned on or off
  bool counts_the_runtime = false;

private:
  void shutdown() override {
    times->gone.store(true, std::memory_order_relaxed);
    const std::lock_guard alone{turned};
    const std::lock_guard hold{times->mutex};
    times->on = false;
    if (std::exchange(counts_the_runtime, false))
      detail::runtimes_that_time.fetch_sub(1, std::memory_order_relaxed);
  }
};

times_service& times_of(event_loop& loop) {
  return asio::use_service<times_service>(loop.io());
}

/// Since when actors have something to do. They are found by their address, as no actor has room for it.
class arrivals {
public:
  void note(const void* actor, time_point when) {
    auto& part = shard_of(actor);
    const std::lock_guard hold{part.mutex};
    part.since.insert_or_assign(actor, when); // what is left there came too late
  }
  std::optional<time_point> take(const void* actor) {
    auto& part = shard_of(actor);
    const std::lock_guard hold{part.mutex};
    const auto found = part.since.find(actor);
    if (found == part.since.end())
      return std::nullopt;
    const auto when = found->second;
    part.since.erase(found);
    return when;
  }
  void clear() {
    for (auto& part : shards_) {
      const std::lock_guard hold{part.mutex};
      part.since.clear();
    }
  }

private:
  struct alignas(64) shard {
    std::mutex mutex;
    std::unordered_map<const void*, time_point> since;
  };
  shard& shard_of(const void* actor) {
    return shards_[(reinterpret_cast<std::uintptr_t>(actor) >> 6) % shards_.size()];
  }
  std::array<shard, 16> shards_;
};

arrivals& arrived() {
  static auto* const all = new arrivals; // actors may end after static objects
  return *all;
}

// The present loop's, found once for each loop and thread: a service is looked up with a lock.
loop_times* times_here() {
  static thread_local std::pair<const event_loop*, std::shared_ptr<loop_times>> known;
  auto* const here = event_loop::current();
  if (here == nullptr)
    return nullptr;
  if (known.first != here
      || known.second->gone.load(std::memory_order_relaxed)) // another at its address
    known = {here, times_of(*here).times};
  return known.second.get();
}

} // namespace

void detail::note_arrival(const caf::scheduled_actor& actor) noexcept {
  try {
    arrived().note(&actor, loop_scheduler::of(actor.home_system()).loop(0).time());
  } catch (...) {
    // Without memory it is not measured.
  }
}

void detail::forget_arrival(const caf::scheduled_actor& actor) noexcept {
  arrived().take(&actor);
}

caf::resumable::resume_result detail::resume_timed(caf::scheduled_actor& actor,
                                                   caf::execution_unit* unit, std::size_t most) {
  const auto& kind = typeid(actor); // the actor itself may be gone behind its turn
  const auto began = event_loop::now();
  const auto since = arrived().take(&actor);
  std::size_t messages = 0;
  const auto result = resume_actor(actor, unit, most, &messages);
  const duration took = event_loop::now() - began;
  try {
    auto* const times = times_here();
    if (times == nullptr)
      return result;
    const std::lock_guard hold{times->mutex};
    if (!times->on)
      return result;
    auto& its = times->kinds[kind];
    if (its.kind.empty())
      its.kind = class_name(kind);
    its.messages += messages;
    ++its.turns;
    its.busy += took;
    its.longest_turn = std::max(its.longest_turn, took);
    if (since)
      its.longest_wait = std::max(its.longest_wait, duration{began - *since});
  } catch (...) {
    // Without memory it is not measured.
  }
  return result;
}

void time_handlers(runtime& rt, bool on) {
  auto& scheduler = rt.scheduler();
  auto& first = times_of(scheduler.loop(0));
  const std::lock_guard alone{first.turned};
  for (std::size_t i = 0; i < scheduler.size(); ++i) {
    auto& times = *times_of(scheduler.loop(i)).times;
    const std::lock_guard hold{times.mutex};
    times.on = on;
    times.kinds.clear();
  }
  if (std::exchange(first.counts_the_runtime, on) == on)
    return;
  if (on)
    detail::runtimes_that_time.fetch_add(1, std::memory_order_relaxed);
  else if (detail::runtimes_that_time.fetch_sub(1, std::memory_order_relaxed) == 1)
    arrived().clear();
}

std::vector<handler_time> handler_times(runtime& rt) {
  auto& scheduler = rt.scheduler();
  std::unordered_map<std::type_index, handler_time> sums;
  for (std::size_t i = 0; i < scheduler.size(); ++i) {
    auto& times = *times_of(scheduler.loop(i)).times;
    const std::lock_guard hold{times.mutex};
    for (const auto& [kind, one] : times.kinds) {
      auto& sum = sums[kind];
      sum.kind = one.kind;
      sum.messages += one.messages;
      sum.turns += one.turns;
      sum.busy += one.busy;
      sum.longest_turn = std::max(sum.longest_turn, one.longest_turn);
      sum.longest_wait = std::max(sum.longest_wait, one.longest_wait);
    }
  }
  std::vector<handler_time> all;
  for (auto& [kind, sum] : sums)
    all.push_back(std::move(sum));
  std::sort(all.begin(), all.end(), [](const handler_time& a, const handler_time& b) {
    return a.busy != b.busy ? a.busy > b.busy : a.kind < b.kind;
  });
  return all;
}

} // namespace troupe
