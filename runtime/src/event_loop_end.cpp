// How a loop ends: its actors, what was queued for it, and what waits for the system.
#include <troupe/runtime/event_loop.hpp>

#include <chrono>

#include <caf/scheduled_actor.hpp>

#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "wake_timer.hpp"

namespace troupe {

void event_loop::each_pinned(const std::function<void(pinned_actor&)>& fn) {
  pinned_actor::each(first_pinned_, fn);
}

bool event_loop::stop_requested() const noexcept {
  return scheduler_.stop_requested();
}

void event_loop::begin_stop() {
  stopping_ = true;
  each_pinned([](pinned_actor& a) { a.ask_to_stop(); });
}

void event_loop::end_pinned() {
  stopping_ = over_ = true;
  while (first_pinned_ != nullptr) // an ending actor may start others
    each_pinned([](pinned_actor& a) { a.end_now(); });
  while (has_endings()) {
    hand_on();
    flush();
  }
}

void event_loop::drop(caf::resumable* job, caf::execution_unit& unit, bool briefly) {
  const auto type = job->subtype();
  if (type == caf::resumable::scheduled_actor || type == caf::resumable::io_actor) {
    auto* actor = static_cast<caf::scheduled_actor*>(job);
    actor->context(&unit);
    actor->quit(caf::exit_reason::user_shutdown);
    if (briefly || !actor->finalize()) // it runs on_exit, which a bare cleanup() would leave out
      actor->cleanup(caf::exit_reason::user_shutdown, &unit);
  }
  caf::intrusive_ptr_release(job);
}

// As long as nothing turns: in the thread that destroys the runtime, or in the caretaker's, which leaves
// actors and functions to the former.
bool event_loop::take_leftovers(leftovers what) {
  const bool end_actors = what != leftovers::keep_actors;
  auto* const before = std::exchange(current_, this);
  const void* const owner = end_actors ? home_.move() : nullptr; // the caretaker has no say
  bool any = false;
  const auto take = [&](caf::resumable* job) {
    any = true;
    if (end_actors)
      return drop(job, *this, what == leftovers::drop_actors);
    while (job->resume(this, options_.messages_per_actor) == caf::resumable::resume_later)
      ;
    caf::intrusive_ptr_release(job);
  };
  const auto is_actor = [](const caf::resumable* job) {
    return job->subtype() == caf::resumable::scheduled_actor
           || job->subtype() == caf::resumable::io_actor;
  };
  // One generation: what comes of this is for the next pass.
  take_arrivals(*this);
  while (auto* node = inbox_.pop())
    if (node != &inbox_end_)
      kept_.push_back(node);
  inbox_end_queued_ = false;
  for (auto* node : std::exchange(kept_, {})) {
    if (!end_actors && (node->job == nullptr || is_actor(node->job))) {
      kept_.push_back(node);
      continue;
    }
    any = true;
    if (node->job != nullptr)
      take(node->job);
    delete node;
  }
  if (end_actors) {
    for (auto left = pinned_.size(); left > 0; --left)
      take(pinned_.pop_front());
    timers_.clear();
  }
  for (auto left = floating_.size(); left > 0; --left) {
    auto* const job = floating_.pop_front();
    if (job == nullptr)
      break;
    if (end_actors || !is_actor(job))
      take(job);
    else
      floating_.push(job);
  }
  if (end_actors)
    end_pinned();
  settle_ended();
  if (end_actors)
    home_.give_back(owner);
  current_ = before;
  return any;
}

void event_loop::end_pinned_from_outside() {
  const turning here{*this};
  end_pinned();
  timers_.clear();
}

// Transports that are closed delete themselves when their last operation comes back, cancelled: those
// are taken in. What still waits for the system is destroyed unrun.
void event_loop::shut_io() {
  const turning here{*this};
  wake_timer_->close();
  if (lookout_)
    lookout_->close();
  if (index_ == 0)
    scheduler_.receiver_watches_ = nullptr;
  work_.reset();
  io_->restart();
  // A handler of the user's own that posts itself must not keep the end from coming.
  const auto until = now() + std::chrono::seconds(1);
  for (bool any = true; any && now() < until;) {
    any = run_operation(false);
    for (; has_endings(); any = true) {
      hand_on();
      flush();
    }
  }
  io_.reset();
  wake_timer_.reset();
  lookout_.reset();
}

} // namespace troupe
