#include "topic_subscribers.hpp"

namespace troupe::detail {

topic_subscribers::topic_subscribers(std::size_t loops)
  : loops_(loops), shards_(std::make_unique<shard[]>(loops)) {}

void intrusive_ptr_add_ref(const topic_subscribers* all) noexcept {
  all->references_.fetch_add(1, std::memory_order_relaxed);
}

void intrusive_ptr_release(const topic_subscribers* all) noexcept {
  if (all->references_.fetch_sub(1, std::memory_order_acq_rel) == 1)
    delete all;
}

bool topic_subscribers::try_hold() const noexcept {
  auto count = references_.load(std::memory_order_relaxed);
  while (count != 0)
    if (references_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed))
      return true;
  return false;
}

void topic_subscribers::comes(const event_loop& home) noexcept {
  if (shards_[home.index()].interested.fetch_add(1, std::memory_order_acq_rel) == 0)
    interest_changed();
}

void topic_subscribers::left(const event_loop& home) noexcept {
  if (shards_[home.index()].interested.fetch_sub(1, std::memory_order_acq_rel) == 1)
    interest_changed();
}

std::size_t topic_subscribers::count() const noexcept {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < loops_; ++i)
    sum += shards_[i].interested.load(std::memory_order_relaxed);
  return sum;
}

subscriber_list& topic_subscribers::list(const event_loop& home, bool readers) {
  auto& here = shards_[home.index()].here;
  if (!here)
    here = std::make_unique<lists>();
  return readers ? here->readers : here->transports;
}

} // namespace troupe::detail
