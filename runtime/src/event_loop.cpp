#include <troupe/runtime/event_loop.hpp>

#include <algorithm>

#include <asio/post.hpp>
#include <caf/logger.hpp>
#include <caf/scheduled_actor.hpp>
#include <sched.h>

#include <troupe/runtime/detail/cpu.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "log.hpp"
#include "wake_timer.hpp"

namespace troupe {

namespace {

// So many writes take far longer than a look at what has come meanwhile.
constexpr std::size_t worth_gathering = 16;

// How many messages an actor handles before the time is looked at for the first time.
constexpr std::size_t first_portion = 8;
constexpr std::size_t largest_portion = 256;

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
    io_(std::in_place, 1), // Asio's hint for a context with one thread
    work_(std::in_place, io_->get_executor()),
    wake_timer_(std::make_unique<detail::wake_timer>(*io_)),
    lookout_(loops > 1 ? std::make_unique<detail::wake_timer>(*io_) : nullptr),
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

// -- from any thread ----------------------------------------------------------------------------

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

// -- the loop -----------------------------------------------------------------------------------

void event_loop::run() {
  const turning here{*this};
  turning_.store(true, std::memory_order_relaxed);
  begin_work();
  while (!leaving_.load(std::memory_order_acquire))
    turn(mode::block);
  counting_.busy.end(watch_.began());
  leaving_.store(false, std::memory_order_release);
  turning_.store(false, std::memory_order_relaxed);
}

void event_loop::iterate(mode how) {
  const turning here{*this};
  begin_work();
  turn(how);
  counting_.busy.end(watch_.began());
}

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
    if (auto* const peer = scheduler_.victim(*this))
      scheduler_.look_out(*peer); // in case that this loop is busy for long, too
  }
  if (!arrivals_.empty())
    scheduler_.look_out(*this);
}

void event_loop::stop_sleeping() {
  if (!std::exchange(sleeps_, false))
    return;
  scheduler_.asleep_.fetch_sub(1, std::memory_order_relaxed);
  asleep_.store(false, std::memory_order_seq_cst);
  scheduler_.searching_.store(0, std::memory_order_relaxed); // this loop looks for itself now
}

void event_loop::turn(mode how) {
  counting_.turns.add();
  take_io(how == mode::block);
  if (!timers_.empty())
    make_calls();
  take_inbox();
  run_actors();
  if (!alone_ && ending_.size() >= worth_gathering)
    gather();
  watch_.begin_step();
  flush();
  // An actor that spawned another one left CAF's logger in this thread, where it would make every
  // resume slower from then on.
  CAF_SET_LOGGER_SYS(nullptr);
  // One look at the clock a turn, if that is short: the next one begins here, or after a wait.
  watch_.end_turn(time(), scheduler_.logger());
}

void event_loop::take_io(bool may_wait) {
  if (may_wait && !has_jobs() && !has_arrived() && ending_.empty() && flushed_.empty()
      && (alone_ || !steal()))
    wait_for_io();
  const auto looked_at = watch_.looked_at();
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
  const auto t = time();
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

void event_loop::wait_for_io() {
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
  if (!alone_ && mean_gap_ < options_.poll_before_sleep.count() && poll_for_peers())
    return;
  const auto dry_since = now();
  if (const auto due = timers_.next_due()) {
    if (*due <= dry_since)
      return;
    if (!wake_timer_->arm(saturating_add(*due, options_.timer_slack)))
      return;
  }
  asleep_.store(true, std::memory_order_seq_cst);
  scheduler_.asleep_.fetch_add(1, std::memory_order_seq_cst);
  sleeps_ = true;
  std::atomic_thread_fence(std::memory_order_seq_cst); // see stealable_queue::push
  const bool found = has_arrived() || leaving_.load(std::memory_order_seq_cst)
                     || (!alone_ && scheduler_.victim(*this) != nullptr);
  if (!found) {
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
  constexpr auto between_looks_at_io = std::chrono::microseconds(10);
  const auto start = now();
  auto looked_at_io = start;
  for (;;) {
    for (int i = 0; i < 32; ++i) {
      if (has_arrived()) {
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
  for (std::size_t n = 0; n < options_.actors_per_turn;) {
    auto* const pinned = pinned_.pop_front();
    if (pinned != nullptr) {
      if (resume(pinned, true))
        return;
      ++n;
    }
    auto* const floating = floating_.pop_front();
    if (floating != nullptr) {
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
  caf::resumable::resume_result result;
  bool over = false;
  // A few messages first, then more: messages that take long are noticed early.
  auto portion = portion_;
  for (auto left = options_.messages_per_actor;;) {
    watch_.begin_step(&typeid(*job));
    const auto count = std::min(left, portion);
    result = job->resume(this, count);
    left -= count;
    portion = std::min(portion * 2, largest_portion);
    if (watch_.step_was_long()) {
      over = watch_.look(time(), "a message", nullptr);
      if (watch_.latest() > options_.time_per_turn / 8)
        portion = portion_ = 1;
    } else if (portion_ < first_portion) {
      portion_ *= 2;
    }
    if (result != caf::resumable::resume_later || over || left == 0)
      break;
  }
  runs_floating_ = false;
  switch (result) {
  case caf::resumable::resume_later:
    if (pinned)
      pinned_.push(job);
    else
      exec_later(job);
    break;
  default: // awaiting_message, done; no job of ours shuts its unit down
    caf::intrusive_ptr_release(job);
  }
  return over;
}

// Other loops, and who sends to us, may wait for this core, with more for the same connections. They
// go first, if there are any, and then one write carries all of it.
void event_loop::gather() {
  ::sched_yield();
  take_io(false);
  take_inbox();
  run_actors();
}

void event_loop::flush() {
  // What is added by these calls waits for the next turn: a producer that always has more must
  // not keep the loop here.
  const auto count = ending_.size();
  for (std::size_t i = 0; i < count; ++i)
    if (ending_[i] != nullptr)
      std::exchange(ending_[i], nullptr)->turn_ended();
  ending_.erase(ending_.begin(), ending_.begin() + static_cast<std::ptrdiff_t>(count));
  for (std::size_t i = 0; i < flushed_.size(); ++i)
    flushed_[i]->turn_flushed();
  flushed_.clear();
}

void event_loop::forget(end_of_turn& what) noexcept {
  std::replace(ending_.begin(), ending_.end(), &what, static_cast<end_of_turn*>(nullptr));
}

bool event_loop::steal() {
  auto* const victim = scheduler_.victim(*this);
  if (victim == nullptr)
    return false;
  auto count = victim->floating_.steal_half(floating_);
  if (count == 0)
    count = take_arrivals(*victim);
  if (count == 0)
    return false;
  counting_.actors_stolen.add(count);
  if (victim->floating_.size() > 0 || floating_.size() > 1)
    scheduler_.work_available(*this); // one more thief may find something
  return true;
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

// -- the end ------------------------------------------------------------------------------------

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
  while (!ending_.empty() || !flushed_.empty())
    flush();
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
  work_.reset();
  io_->restart();
  // A handler of the user's own that posts itself must not keep the end from coming.
  const auto until = now() + std::chrono::seconds(1);
  for (bool any = true; any && now() < until;) {
    any = run_operation(false);
    for (; !ending_.empty() || !flushed_.empty(); any = true)
      flush();
  }
  io_.reset();
  wake_timer_.reset();
  lookout_.reset();
}

} // namespace troupe
