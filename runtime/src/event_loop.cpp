#include <troupe/runtime/event_loop.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

#include <caf/actor_registry.hpp>
#include <caf/logger.hpp>
#include <sched.h>

#include <troupe/runtime/detail/block_cache.hpp>
#include <troupe/runtime/detail/turn_references.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "handler_timing.hpp"
#include "log.hpp"
#include "mailbox.hpp"
#include "theft_watch.hpp"
#include "wake_timer.hpp"

namespace troupe {

namespace {

// So many writes take far longer than a look at what has come meanwhile.
constexpr std::size_t worth_gathering = 16;

// How many messages an actor handles before the time is looked at for the first time.
constexpr std::size_t first_portion = 2;
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

// In how many turns a loop that has work does not look at its descriptors, at most.
constexpr std::uint8_t most_turns_without_io = 32;

// One that goes on, or has made so much, lets those whom it has woken run before all others, if they are as few: it feeds
// them, perhaps with many like it, and what all of them send would come long after it has left the cache.
constexpr std::size_t few_woken = 8;
constexpr std::ptrdiff_t much_for_few = 4 * 1024;

// When what a loop has made for others grows by so much, half of a processor's second cache, it finishes what it has
// begun: who is woken runs next.
constexpr std::ptrdiff_t much_in_all = 256 * 1024;

// In one of so many turns, all run in the order in which they were queued.
constexpr std::uint64_t turns_until_in_order = 64;

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
  turning_.store(true, std::memory_order_relaxed);
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
  turning_.store(false, std::memory_order_relaxed);
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
    settle_ended();
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
