// How a loop with nothing to do waits: it takes work from others, watches for more, and sleeps.
#include <troupe/runtime/event_loop.hpp>

#include <algorithm>

#include <troupe/runtime/detail/cpu.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "log.hpp"
#include "theft_watch.hpp"
#include "wake_timer.hpp"

namespace troupe {

namespace {

constexpr auto longest_nap = std::chrono::milliseconds(10);

} // namespace

// A stretch of work begins: turns, one after the other, until the next wait.
void event_loop::begin_work() {
  waits_ = false;
  const auto t = time();
  watch_.begin_turn(t);
  counting_.busy.begin(t);
  if (alone_)
    return;
  stop_sleeping();
  if (on_lookout_.load(std::memory_order_seq_cst) && on_lookout_.exchange(false)) {
    scheduler_.looks_out_.store(false, std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (auto* const peer = scheduler_.has_work(*this))
      scheduler_.look_out(*peer); // in case that this loop is busy for long, too
  }
  if (!arrivals_.empty())
    scheduler_.look_out(*this);
}

void event_loop::stop_sleeping() {
  if (!std::exchange(sleeps_, false))
    return;
  if (alone_ || !thefts_->sleeps_in())
    scheduler_.asleep_.fetch_sub(1, std::memory_order_relaxed);
  asleep_.store(false, std::memory_order_seq_cst);
  scheduler_.searching_.store(0, std::memory_order_relaxed); // this loop looks for itself now
}

void event_loop::wait_for_io() {
  settle_ended();
  detail::forget_place();
  counting_.busy.end(watch_.began()); // the last turn ended then
  watch_.begin_step();
  waits_ = true;
  wait_for_event();
  // The handler of the event has run already. Where it entered an actor, the turn began there.
  if (waits_)
    return begin_work();
  if (watch_.step_was_long())
    watch_.look(time(), "the handler of an operation", nullptr);
}

void event_loop::wait_for_event() {
  if (!alone_)
    note_what_others_did();
  if (!alone_ && mean_gap_ < options_.poll_before_sleep.count() && poll_for_peers())
    return;
  const auto dry_since = now();
  if (const auto due = timers_.next_due()) {
    if (*due <= dry_since)
      return;
    if (!wake_timer_->arm(saturating_add(*due, options_.timer_slack), dry_since))
      return;
  }
  asleep_.store(true, std::memory_order_seq_cst);
  const auto rest = alone_ ? duration::zero() : thefts_->rests_for();
  if (!alone_)
    thefts_->sleep_in(rest > duration::zero());
  if (rest == duration::zero())
    scheduler_.asleep_.fetch_add(1, std::memory_order_seq_cst);
  sleeps_ = true;
  std::atomic_thread_fence(std::memory_order_seq_cst); // see stealable_queue::push
  const bool found = has_queued() || leaving_.load(std::memory_order_seq_cst)
                     || (!alone_ && scheduler_.victim(*this) != nullptr);
  if (!found) {
    if (rest > duration::zero())
      lookout_->end_wait_in(std::min<duration>(rest, longest_nap)); // others may be slow by then
    else if (auto* const peer = alone_ ? nullptr : scheduler_.has_work(*this))
      scheduler_.look_out(*peer); // what it would not steal yet
    counting_.sleeps.add();
    counting_.io_events.add(run_operation(true) ? 1 : 0);
  }
  stop_sleeping();
  if (const auto woken = woken_at_.exchange(0, std::memory_order_relaxed); woken != 0) {
    constexpr std::int64_t long_gap = 1'000'000; // 1 ms: beyond it, all gaps are alike
    const auto gap =
      std::clamp<std::int64_t>(woken - dry_since.time_since_epoch().count(), 0, long_gap);
    mean_gap_ = (mean_gap_ + gap) / 2;
  }
}

// Looks for work from other threads for as long as it has lately taken to come. Waking a sleeping
// thread costs some 30 us of latency and several of CPU on both sides.
bool event_loop::poll_for_peers() {
  const auto start = now();
  auto looked_at_io = start;
  for (;;) {
    for (int i = 0; i < 32; ++i) {
      if (has_arrived() || floating_.size() > 0) { // a thief may have given back what it took
        mean_gap_ = (mean_gap_ + (now() - start).count()) / 2;
        return true;
      }
      detail::cpu_relax();
    }
    const auto t = now();
    if (t - start > options_.poll_before_sleep)
      break;
    if (t - looked_at_io > between_looks_at_io) {
      looked_at_io = t;
      if (run_operation(false)) {
        counting_.io_events.add();
        return true;
      }
      if (const auto due = timers_.next_due(); due && *due <= t)
        return true;
      if (steal())
        return true;
    }
  }
  // It did not pay. Only gaps that are measured to be short bring the mean down again.
  mean_gap_ = 4 * options_.poll_before_sleep.count();
  return false;
}

} // namespace troupe
