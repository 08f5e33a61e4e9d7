#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include <caf/actor_clock.hpp>
#include <caf/atom.hpp>
#include <caf/message_id.hpp>

#include <troupe/runtime/delayed_call.hpp>

namespace troupe {

class event_loop;
class loop_scheduler;

namespace detail {

/// CAF's clock on the timers of the loops, in place of a clock thread.
///
/// A timeout goes to the timers of the loop that asks for it, or, asked for by another thread, to
/// loop 0. CAF names a timeout by actor and kind, or actor and request; a table finds the timer
/// for it. The table is cut into shards with a mutex each, as an actor may set a timeout on one
/// loop and, stolen, take it back on another.
///
/// Thread: any.
class loop_clock final : public caf::actor_clock {
public:
  explicit loop_clock(loop_scheduler& scheduler) : scheduler_(scheduler) {}

  [[nodiscard]] time_point now() const noexcept override;
  void set_ordinary_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type,
                            std::uint64_t id) override;
  void set_multi_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type,
                         std::uint64_t id) override;
  void set_request_timeout(time_point t, caf::abstract_actor* self, caf::message_id id) override;
  void cancel_ordinary_timeout(caf::abstract_actor* self, caf::atom_value type) override;
  void cancel_request_timeout(caf::abstract_actor* self, caf::message_id id) override;
  void cancel_timeouts(caf::abstract_actor* self) override;
  void schedule_message(time_point t, caf::strong_actor_ptr receiver,
                        caf::mailbox_element_ptr content) override;
  void schedule_message(time_point t, caf::group target, caf::strong_actor_ptr sender,
                        caf::message content) override;
  void cancel_all() override;

private:
  // A kind (an atom) or a request's number with the first bit set. They cannot be mistaken: the
  // first four bits of an atom are 0000 to 0111, or 1111.
  using key = std::uint64_t;

  struct timer {
    event_loop* loop;
    std::uint64_t serial; // names this timer while its handle is still on the way to its loop
    delayed_call call;
  };

  struct shard {
    std::mutex mutex;
    std::unordered_map<caf::abstract_actor*, std::unordered_map<key, timer>> actors;
  };

  shard& shard_of(const caf::abstract_actor* self) noexcept {
    return shards_[(reinterpret_cast<std::uintptr_t>(self) >> 7) % shards_.size()];
  }

  event_loop& home() noexcept;
  template <class Fire>
  void set(time_point t, caf::abstract_actor* self, key k, Fire fire);
  void cancel(caf::abstract_actor* self, key k);
  static void drop(timer& t);
  bool take(caf::abstract_actor* self, key k, std::uint64_t serial);
  void at(time_point t, task fn);

  loop_scheduler& scheduler_;
  std::atomic<std::uint64_t> serials_{1};
  std::atomic<std::size_t> actors_{0}; // in the shards; lets other actors end cheaply
  std::array<shard, 64> shards_;
};

} // namespace detail
} // namespace troupe
