// What any thread may ask of a loop: to run something, to wake up, and what it did so far.
#include <troupe/runtime/event_loop.hpp>

#include <atomic>

#include <asio/post.hpp>

#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe {

void event_loop::post(task fn) {
  count_message();
  auto* node = new detail::inbox_node;
  node->fn = std::move(fn);
  push_from_outside(node);
}

void event_loop::post_quietly(task fn) {
  count_message();
  auto* node = new detail::inbox_node;
  node->fn = std::move(fn);
  inbox_.push(node);
}

void event_loop::exec_later(caf::resumable* job) {
  if (is_current()) {
    const auto waiting = floating_.push(job);
    ++woken_;
    if (alone_)
      return;
    if (waiting > 1)
      scheduler_.work_available(*this);
    else
      scheduler_.look_out(*this); // whoever queues it may go on for long
    return;
  }
  if (alone_) {
    auto* node = new detail::inbox_node;
    node->job = job;
    return push_from_outside(node);
  }
  arrivals_.push(job);
  if (!wake_if_asleep())
    scheduler_.look_out(*this);
}

void event_loop::enqueue_pinned(caf::resumable* job) {
  if (is_current())
    return pinned_.push(job);
  auto* node = new detail::inbox_node;
  node->job = job;
  node->pinned = true;
  push_from_outside(node);
}

void event_loop::push_from_outside(detail::inbox_node* node) {
  inbox_.push(node);
  if (!is_current())
    wake_if_asleep();
}

// The loop says that it sleeps before it looks at the inbox for the last time, and whoever pushes
// looks at `asleep_` after the push. So one of both sees the other, and of many that push only
// the first pays for the wake-up.
bool event_loop::wake_if_asleep() {
  if (!asleep_.load(std::memory_order_seq_cst) || !asleep_.exchange(false))
    return false;
  woken_at_.store(now().time_since_epoch().count(), std::memory_order_relaxed);
  wake();
  return true;
}

void event_loop::wake() {
  if (scheduler_.winding_.load(std::memory_order_acquire))
    return scheduler_.wake_winding();
  asio::post(*io_, [] {});
}

void event_loop::leave() {
  leaving_.store(true, std::memory_order_release);
  wake();
}

// -- counting -----------------------------------------------------------------------------------

void event_loop::count_message() noexcept {
  auto* const from = current_;
  if (from != nullptr && from != this && &from->scheduler_ == &scheduler_)
    from->counting_.sent_to[index_].add();
}

loop_counters event_loop::counters() const noexcept {
  const auto& c = counting_;
  loop_counters result;
  result.turns = c.turns.get();
  result.sleeps = c.sleeps.get();
  result.io_events = c.io_events.get();
  result.delayed_calls = c.delayed_calls.get();
  result.actors_resumed = c.actors_resumed.get();
  result.actors_stolen = c.actors_stolen.get();
  result.jobs_from_outside = c.jobs_from_outside.get();
  result.bytes_received = c.bytes_received.get();
  result.bytes_sent = c.bytes_sent.get();
  result.unhandled_messages = c.unhandled_messages.get();
  result.dead_letters = c.dead_letters.get();
  result.writes_dropped = c.writes_dropped.get();
  result.publications_dropped = c.publications_dropped.get();
  for (const auto& sent : c.sent_to)
    result.messages_sent += sent.get();
  for (const auto& loop : scheduler_.loops_)
    result.messages_received += loop->counting_.sent_to[index_].get();
  result.busy = c.busy.total(time());
  result.long_turns = c.long_turns.get();
  for (std::size_t i = 0; i < result.turn_lengths.size(); ++i)
    result.turn_lengths[i] = c.turn_lengths[i].get();
  result.longest_turn = duration(static_cast<duration::rep>(c.longest_turn.get()));
  result.actors = load();
  return result;
}

} // namespace troupe
