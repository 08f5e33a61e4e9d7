// Which actors run in a turn, in which order, and how long each may go on.
#include <troupe/runtime/event_loop.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <typeinfo>
#include <utility>

#include <caf/actor_registry.hpp>

#include <troupe/runtime/detail/block_cache.hpp>
#include <troupe/runtime/detail/turn_references.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "handler_timing.hpp"
#include "mailbox.hpp"

namespace troupe {

namespace {

// How many messages an actor handles at most before the time is looked at again.
constexpr std::size_t largest_portion = 256;

// An actor that has made so much for others lets them run first: what it sends next would drive out of the
// processor's cache what they have not handled yet.
constexpr std::ptrdiff_t much_for_others = 16 * 1024;

// One that only works off what has come, and for which so many wait, may handle some times as many messages as
// others: what waits for it takes memory, and keeps those who sent it.
constexpr std::size_t many_waiting = 64;
constexpr std::size_t times_as_many = 8;

// And as many as there are, for as long as actors may run in a turn, if they fill the processor's second cache: otherwise
// those who feed it make more in each round than it gets to.
constexpr std::size_t heap_of_waiting = 4096;

// One that goes on, or has made so much, lets those whom it has woken run before all others, if they are as few: it feeds
// them, perhaps with many like it, and what all of them send would come long after it has left the cache.
constexpr std::size_t few_woken = 8;
constexpr std::ptrdiff_t much_for_few = 4 * 1024;

// When what a loop has made for others grows by so much, half of a processor's second cache, it finishes what it has
// begun: who is woken runs next.
constexpr std::ptrdiff_t much_in_all = 256 * 1024;

// In one of so many turns, all run in the order in which they were queued.
constexpr std::uint64_t turns_until_in_order = 64;

} // namespace

void event_loop::run_actors() {
  watch_.begin_share();
  hastened_ = std::min(hastened_, floating_.size()); // some may have been stolen
  const auto bytes = detail::bytes_taken();
  usual_bytes_ = std::min(usual_bytes_ + (bytes - usual_bytes_) / 64, bytes);
  in_order_ = counting_.turns.get() % turns_until_in_order == 0;
  for (std::size_t n = 0; n < options_.actors_per_turn;) {
    auto* const pinned = pinned_.pop_front();
    if (pinned != nullptr) {
      if (resume(pinned, true))
        return;
      ++n;
    }
    auto* const floating = floating_.pop_front();
    if (floating != nullptr) {
      runs_hastened_ = hastened_ > 0;
      hastened_ -= runs_hastened_ ? 1 : 0;
      if (!alone_ && floating_.size() > 0)
        scheduler_.work_available(*this);
      if (resume(floating, false))
        return;
      ++n;
    }
    if (pinned == nullptr && floating == nullptr)
      return;
  }
}

// Returns whether no more actors are to run in this turn.
bool event_loop::resume(caf::resumable* job, bool pinned) {
  counting_.actors_resumed.add();
  runs_floating_ = !pinned;
  woken_ = 0;
  caf::resumable::resume_result result;
  bool over = false;
  const bool is_actor = job->subtype() == caf::resumable::scheduled_actor;
  acting_ = is_actor ? static_cast<caf::scheduled_actor*>(job) : nullptr;
  if (is_actor)
    detail::this_turn.begin(caf::actor_control_block::from(acting_));
  // A few messages first, then more: messages that take long are noticed early.
  auto portion = portion_;
  const auto taken = detail::bytes_taken();
  auto left = options_.messages_per_actor;
  auto spare = std::min(left, SIZE_MAX / times_as_many) * (times_as_many - 1);
  for (;;) {
    watch_.begin_step(&typeid(*job));
    const auto count = std::min(left, portion);
    if (!is_actor)
      result = job->resume(this, count);
    else if (!detail::times_handlers()) [[likely]]
      result = detail::resume_actor(static_cast<caf::scheduled_actor&>(*job), this, count);
    else
      result = detail::resume_timed(static_cast<caf::scheduled_actor&>(*job), this, count);
    left -= count;
    portion = std::min(portion * 2, largest_portion);
    if (watch_.step_was_long()) {
      over = watch_.look(time(), "a message", nullptr);
      if (watch_.latest() > options_.time_per_turn / 8)
        portion = portion_ = 1;
    } else if (portion_ < first_portion) {
      portion_ *= 2;
    }
    if (result != caf::resumable::resume_later || over)
      break;
    const auto made = detail::bytes_taken() - taken;
    if (left == 0 && made < 0 && is_actor) {
      const auto waiting = detail::waiting_messages(static_cast<caf::scheduled_actor&>(*job));
      if (waiting > heap_of_waiting)
        left = waiting;
      else if (waiting > many_waiting
               || (!pinned && runs_hastened_)) // behind others it would be fed by all
        left = std::min(waiting, std::exchange(spare, 0));
    }
    if (left == 0 || (made > much_for_others && has_jobs()))
      break;
  }
  runs_floating_ = false;
  acting_ = nullptr;
  detail::this_turn.end();
  if (woken_ > 0 && !pinned && floating_.size() > woken_) // others wait
    hasten_woken(result == caf::resumable::resume_later
                 || detail::bytes_taken() - taken > much_for_few);
  switch (result) {
  case caf::resumable::resume_later:
    if (pinned) {
      pinned_.push(job);
      break;
    }
    // The system may have taken the thread away meanwhile, and those who feed it would all come before it.
    was_cut_ = over && !was_cut_
               && (runs_hastened_
                   || (is_actor
                       && detail::waiting_messages(static_cast<caf::scheduled_actor&>(*job))
                            > heap_of_waiting));
    exec_later(job); // from here on another loop may have it
    if (was_cut_) {
      floating_.hasten(1);
      ++hastened_;
    }
    break;
  default: // awaiting_message, done; no job of ours shuts its unit down
    caf::intrusive_ptr_release(job);
  }
  if (!alone_)
    judge_theft(false);
  return over;
}

void event_loop::settle_ended() {
  if (ended_ == 0)
    return;
  for (auto& registry = system().registry(); ended_ != 0; --ended_)
    registry.dec_running();
}

// Those who wait come to their turn all the same: who was hastened hastens nobody as one who feeds, and in some turns
// nobody does because of what the loop has made.
void event_loop::hasten_woken(bool feeds) {
  feeds = feeds && woken_ <= few_woken && !runs_hastened_;
  if (!feeds && (in_order_ || detail::bytes_taken() - usual_bytes_ <= much_in_all))
    return;
  floating_.hasten(woken_);
  hastened_ += woken_;
}

} // namespace troupe
