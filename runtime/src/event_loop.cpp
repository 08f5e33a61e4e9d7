#include <troupe/runtime/event_loop.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

#include <caf/logger.hpp>
#include <sched.h>

#include <troupe/runtime/loop_scheduler.hpp>

#include "log.hpp"
#include "theft_watch.hpp"
#include "wake_timer.hpp"

namespace troupe {

namespace {

// So many writes take far longer than a look at what has come meanwhile.
constexpr std::size_t worth_gathering = 16;

// In how many turns a loop that has work does not look at its descriptors, at most.
constexpr std::uint8_t most_turns_without_io = 32;

void log_uncaught_call() noexcept {
  detail::log_uncaught(event_loop::current()->scheduler().logger(), "a delayed call");
}

time_point tell_time(const void* loop) noexcept {
  return static_cast<const event_loop*>(loop)->time();
}

} // namespace

constinit thread_local event_loop* event_loop::current_ = nullptr;

event_loop::event_loop(loop_scheduler& scheduler, std::size_t index, const runtime_options& options,
                       std::size_t loops)
  : caf::execution_unit(&scheduler.system()), scheduler_(scheduler), index_(index),
    options_(options), time_source_(options.time_source), alone_(loops == 1),
    home_(index, options.check_threads),
    // Sockets and descriptors are touched by the loop's thread alone, so Asio need lock none of
    // them; what it keeps a lock for is `wake`, which posts from other threads.
    io_(std::in_place, ASIO_CONCURRENCY_HINT_UNSAFE_IO), work_(std::in_place, io_->get_executor()),
    wake_timer_(std::make_unique<detail::wake_timer>(*io_)),
    lookout_(loops > 1 ? std::make_unique<detail::wake_timer>(*io_) : nullptr),
    thefts_(loops > 1 ? std::make_unique<detail::theft_watch>(loops) : nullptr),
    timers_(&tell_time, this, 8, &home_), lane_(&scheduler.system(), *this), floating_(loops > 1),
    no_message_(caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, caf::message{})),
    counting_(loops), watch_(index, options, options.time_source, counting_),
    portion_(first_portion), mean_gap_(options.poll_before_sleep.count() * 2) {}

event_loop::~event_loop() {
  for (auto* node : kept_) // none, if the runtime was made to its end
    delete node;
  arrivals_.take_all([this](caf::resumable* job) { drop(job, *this, false); });
  while (auto* node = inbox_.pop()) {
    if (node == &inbox_end_)
      continue;
    if (node->job != nullptr)
      drop(node->job, *this, false);
    delete node;
  }
}

// -- a turn -------------------------------------------------------------------------------------

void event_loop::run() {
  const turning here{*this};
  begin_work();
  while (!leaving_.load(std::memory_order_acquire)) {
    counting_.turns.add();
    if (!goes_on_without_io())
      take_io(true);
    work();
  }
  detail::forget_place();
  counting_.busy.end(watch_.began());
  leaving_.store(false, std::memory_order_release);
}

void event_loop::iterate(mode how) {
  const turning here{*this};
  begin_work();
  counting_.turns.add();
  take_io(how == mode::block);
  work();
  counting_.busy.end(watch_.began());
}

// All of a turn but I/O.
void event_loop::work() {
  if (!timers_.empty())
    make_calls();
  take_inbox();
  if (has_jobs()) {
    run_actors();
  } else {
    hastened_ = 0; // they may have been stolen
    watch_.begin_step();
  }
  const bool others_work = !gathering_.empty() && hand_on();
  if ((!alone_ || others_work) && ending_.size() >= worth_gathering)
    gather();
  flush();
  if (in_order_)
    settle_ended();
  // An actor that spawned another one left CAF's logger in this thread, where it would make every
  // resume slower from then on.
  CAF_SET_LOGGER_SYS(nullptr);
  // One look at the clock a turn, if that is short: the next one begins here, or after a wait.
  watch_.end_turn(time(), scheduler_.logger());
}

// A look at the descriptors is a system call, which costs more than a short turn: who has work does it for some
// microseconds before the next look.
bool event_loop::goes_on_without_io() {
  return turns_without_io_ < most_turns_without_io
         && watch_.began() - looked_at_io_ < between_looks_at_io && (has_queued() || has_due_call())
         && ++turns_without_io_;
}

bool event_loop::has_due_call() {
  if (timers_.empty())
    return false;
  const auto due = timers_.next_due();
  return due && *due <= watch_.began();
}

void event_loop::take_io(bool may_wait) {
  if (may_wait && !has_queued() && (alone_ || !steal()))
    wait_for_io();
  const auto looked_at = looked_at_io_ = watch_.looked_at();
  turns_without_io_ = 0;
  watch_.begin_share();
  for (std::size_t n = 0; n < options_.events_per_turn; ++n) {
    if (!run_operation(false)) {
      heard_until_ = looked_at;
      return;
    }
    counting_.io_events.add();
    if (watch_.step_was_long() && watch_.look(time(), "the handler of an operation", nullptr))
      return;
    watch_.begin_step();
  }
}

void event_loop::make_calls() {
  const auto t = turns_without_io_ != 0 ? watch_.began() : time(); // nothing has come before them
  if (watch_.step_was_long())
    watch_.look(t, "I/O", nullptr);
  watch_.begin_share();
  counting_.delayed_calls.add(timers_.run_due(
    t, &log_uncaught_call,
    [](void* self, const task& made) {
      auto& loop = *static_cast<event_loop*>(self);
      if (loop.watch_.step_was_long()
          && loop.watch_.look(loop.time(), "a delayed call", &made.target_type()))
        return false;
      loop.watch_.begin_step();
      return true;
    },
    this));
}

// Runs the handler of one completed operation. What the handler of a user throws stays here.
bool event_loop::run_operation(bool wait) noexcept {
  try {
    return (wait ? io_->run_one() : io_->poll_one()) != 0;
  } catch (...) {
    detail::log_uncaught(scheduler_.logger(), "the handler of an operation");
    return true;
  }
}

void event_loop::take_inbox() {
  if (!alone_ && !arrivals_.empty()) {
    counting_.jobs_from_outside.add(take_arrivals(*this));
    if (floating_.size() > 1)
      scheduler_.work_available(*this);
  }
  if (inbox_.empty())
    return;
  // What is pushed by the functions below waits for the next turn: the marker is where to stop. If the
  // time does not suffice to get there, it stays for the next turn.
  if (!std::exchange(inbox_end_queued_, true))
    inbox_.push(&inbox_end_);
  watch_.begin_share();
  for (bool any = false; auto* node = inbox_.pop(); any = true) {
    if (node == &inbox_end_) {
      inbox_end_queued_ = false;
      if (any || inbox_.empty())
        return;
      inbox_end_queued_ = true; // it was all that the turn before had left
      inbox_.push(&inbox_end_);
      continue;
    }
    const std::unique_ptr<detail::inbox_node> owned{node};
    counting_.jobs_from_outside.add();
    if (node->job != nullptr) {
      if (node->pinned)
        pinned_.push(node->job);
      else
        floating_.push(node->job);
      continue;
    }
    try {
      node->fn();
    } catch (...) {
      detail::log_uncaught(scheduler_.logger(), "a function from another thread");
    }
    if (watch_.step_was_long()
        && watch_.look(time(), "a function from another thread", &node->fn.target_type()))
      return;
    watch_.begin_step();
  }
}

// Queues here what other threads have queued for `of`.
std::size_t event_loop::take_arrivals(event_loop& of) {
  return of.arrivals_.take_all([this](caf::resumable* job) { floating_.push(job); });
}

// Who gathers hands on what it has, and a transport that it writes to sends it. Returns whether one did: then another
// process works for us. Who gathers on does so in the next turn.
bool event_loop::hand_on() noexcept {
  const auto before = ending_.size();
  const auto count = gathering_.size();
  for (std::size_t i = 0; i < count; ++i)
    if (auto* const what = std::exchange(gathering_[i], nullptr))
      what->turn_ended();
  gathering_.erase(gathering_.begin(), gathering_.begin() + static_cast<std::ptrdiff_t>(count));
  const auto end = ending_.size();
  for (auto i = before; i < end; ++i)
    if (auto* const what = std::exchange(ending_[i], nullptr))
      what->turn_ended();
  while (ending_.size() > before && ending_.back() == nullptr)
    ending_.pop_back();
  return end != before;
}

// Other loops and processes, and who sends to us, may wait for this core, with more for the same connections. They
// go first, if there are any, and then one write carries all of it.
void event_loop::gather() {
  ::sched_yield();
  take_io(false);
  take_inbox();
  run_actors();
}

void event_loop::flush() {
  watch_.begin_share();
  // What is added by these calls waits for the next turn: a producer that always has more must
  // not keep the loop here. So does what there is no time for.
  const auto count = ending_.size();
  std::size_t done = 0;
  while (done < count) {
    auto* const what = std::exchange(ending_[done++], nullptr);
    if (what == nullptr)
      continue;
    what->turn_ended();
    if (watch_.step_was_long() && watch_.look(time(), "sending what was written", nullptr))
      break;
  }
  ending_.erase(ending_.begin(), ending_.begin() + static_cast<std::ptrdiff_t>(done));
  for (std::size_t i = 0; i < flushed_.size(); ++i)
    flushed_[i]->turn_flushed();
  flushed_.clear();
}

void event_loop::forget(end_of_turn& what) noexcept {
  for (auto* const all : {&gathering_, &ending_})
    std::replace(all->begin(), all->end(), &what, static_cast<end_of_turn*>(nullptr));
}

} // namespace troupe
