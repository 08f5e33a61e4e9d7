#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <troupe/runtime/event_loop.hpp>

#include "subscriber_list.hpp"

namespace troupe::detail {

/// Who subscribes to one topic, by loop. It exists as long as anything refers to it: a handle of the
/// topic, or a subscription.
///
/// Each loop has a counter, which any thread reads, and two lists, which only that loop touches.
class topic_subscribers {
public:
  struct lists {
    subscriber_list transports;
    subscriber_list readers;
  };

  explicit topic_subscribers(std::size_t loops);
  virtual ~topic_subscribers() = default;
  topic_subscribers(const topic_subscribers&) = delete;
  topic_subscribers& operator=(const topic_subscribers&) = delete;

  // -- from any thread --------------------------------------------------------------------------

  /// Counts a subscriber of `home`, which may be on its way to it.
  void comes(const event_loop& home) noexcept;

  /// Counts one less: it has gone, or is not one after all.
  void left(const event_loop& home) noexcept;

  [[nodiscard]] std::size_t count() const noexcept;

  /// Tells whether there are subscribers on that loop, or on their way to it.
  [[nodiscard]] bool any(std::size_t loop) const noexcept {
    return shards_[loop].interested.load(std::memory_order_acquire) != 0;
  }

  /// Adds a reference, unless the last one is gone already.
  [[nodiscard]] bool try_hold() const noexcept;

  // -- in the thread of the loop in question ----------------------------------------------------

  /// Returns the lists of `home`, or null if it never had a subscriber.
  [[nodiscard]] lists* here(const event_loop& home) const noexcept {
    return shards_[home.index()].here.get();
  }
  [[nodiscard]] bool has_transports(const event_loop& home) const noexcept {
    const auto* const all = here(home);
    return all != nullptr && !all->transports.empty();
  }
  [[nodiscard]] bool has_readers(const event_loop& home) const noexcept {
    const auto* const all = here(home);
    return all != nullptr && !all->readers.empty();
  }

  /// Returns those of `home` that get messages (`readers`), or whose transports are written to.
  [[nodiscard]] subscriber_list& list(const event_loop& home, bool readers);

  friend void intrusive_ptr_add_ref(const topic_subscribers* all) noexcept;
  friend void intrusive_ptr_release(const topic_subscribers* all) noexcept;

private:
  /// Hears that a loop has its first subscriber, or lost its last one. Thread: any.
  virtual void interest_changed() noexcept {}

  struct shard {
    std::atomic<std::uint32_t> interested{0}; // subscribers, and those on their way to it
    std::unique_ptr<lists> here;              // of that loop's thread
  };

  mutable std::atomic<std::size_t> references_{0};
  const std::size_t loops_;
  std::unique_ptr<shard[]> shards_; // by number of loop
};

} // namespace troupe::detail
