// How a loop takes floating actors from others, and gives back those that talk to them.
#include <troupe/runtime/event_loop.hpp>

#include <troupe/runtime/loop_scheduler.hpp>

#include "theft_watch.hpp"

namespace troupe {

bool event_loop::steal() {
  judge_theft(true);
  auto* const victim = scheduler_.victim(*this);
  if (victim == nullptr)
    return false;
  auto count = victim->floating_.steal_half(floating_);
  if (count == 0)
    count = take_arrivals(*victim);
  if (count == 0)
    return false;
  counting_.actors_stolen.add(count);
  thefts_->begin(victim->index_);
  if (victim->floating_.size() > 1 || floating_.size() > 1)
    scheduler_.work_available(*this); // one more thief may find something
  return true;
}

// A single actor waits for no longer than it takes to move it, unless those before it take long.
bool event_loop::may_take_from(const event_loop& peer) const noexcept {
  const auto waiting = peer.floating_.size();
  if (waiting == 0 && peer.arrivals_.empty())
    return false;
  if (thefts_->is_slow(peer.index_, peer.counting_.actors_resumed.get()))
    return true;
  return waiting != 1 && thefts_->rests_for() == duration::zero();
}

// Looks, now and then, at what the latest theft has brought.
void event_loop::judge_theft(bool is_over) {
  if (!thefts_->is_watching() || !(is_over || thefts_->is_due()))
    return;
  if (!thefts_->was_bad(is_over) || is_over)
    return;
  auto& other = *scheduler_.loops_[thefts_->victim()];
  hastened_ = 0;
  if (floating_.give_all(other.floating_) == 0)
    return;
  std::atomic_thread_fence(std::memory_order_seq_cst); // see stealable_queue::push
  other.wake_if_asleep();
}

void event_loop::note_what_others_did() noexcept {
  thefts_->note_progress([this](std::size_t i) {
    const auto& peer = *scheduler_.loops_[i];
    return peer.floating_.size() > 0 || !peer.arrivals_.empty()
             ? peer.counting_.actors_resumed.get()
             : detail::theft_watch::nothing_waited;
  });
}

} // namespace troupe
