#include <troupe/runtime/loop_scheduler.hpp>

#include <stdexcept>
#include <string>

#include <sched.h>

#include <caf/actor_system_config.hpp>
#include <caf/logger.hpp>
#include <spdlog/spdlog.h>

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "late_printer.hpp"
#include "log_sink.hpp"
#include "loop_clock.hpp"
#include "system_config.hpp"
#include "telling.hpp"
#include "theft_watch.hpp"
#include "wake_timer.hpp"

namespace troupe {

namespace detail {

system_config::system_config(runtime_options o) : options(std::move(o)) {
  set("logger.verbosity", caf::atom("quiet"));
  set("scheduler.max-throughput", options.messages_per_actor);
  register_failure(*this);
  load<loop_scheduler>();
  if (options.configure)
    options.configure(*this);
}

namespace {

// The cores that this process may use: in a container fewer than the machine has.
std::size_t usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0)
    return static_cast<std::size_t>(CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

void pin_this_thread(std::size_t nth) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    return;
  nth %= static_cast<std::size_t>(CPU_COUNT(&allowed));
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || nth-- != 0)
      continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ::sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

} // namespace
} // namespace detail

loop_scheduler::loop_scheduler(caf::actor_system& sys)
  : super(sys), options_(static_cast<const detail::system_config&>(sys.config()).options) {}

loop_scheduler::~loop_scheduler() {
  if (!threads_.empty()) // CAF failed to start another module
    stop_threads();
  if (caretaker_.joinable())
    stop_caretaker();
  if (telling_)
    telling_->close();
  is_alive_->store(false, std::memory_order_release);
}

caf::actor_system::module* loop_scheduler::make(caf::actor_system& sys, caf::detail::type_list<>) {
  return new loop_scheduler(sys);
}

void loop_scheduler::init(caf::actor_system_config& cfg) {
  super::init(cfg);
  // CAF waits, when a system ends, for the actors that it has made for groups, and by then no loop turns. Under the
  // scheduler of this name, which turns by hand as well, it leaves them to the end of the scheduler. Nothing else asks
  // for the name from here on: which scheduler there is, is decided.
  cfg.set("scheduler.policy", caf::atom("testing"));
  logger_ = options_.logger ? options_.logger : detail::usual_logger();
  clock_ = std::make_unique<detail::loop_clock>(*this);
  pool_ = std::make_unique<thread_pool>(0, options_.max_pool_threads, logger_.get());
  const auto count = options_.loops != 0 ? options_.loops : detail::usable_cores();
  num_workers_ = count;
  if (count > 1)
    detail::let_actors_move();
  max_throughput_ = options_.messages_per_actor;
  for (std::size_t i = 0; i < count; ++i)
    loops_.push_back(std::make_unique<event_loop>(*this, i, options_, count));
  telling_ = std::make_unique<detail::telling>(*this);
}

void loop_scheduler::refuse_loop(std::size_t index) const {
  throw std::out_of_range("there is no loop " + std::to_string(index) + "; the runtime has "
                          + std::to_string(loops_.size()) + ", from 0 on");
}

troupe::repeats& loop_scheduler::repeats() const noexcept {
  return *telling_->repeats;
}

troupe::metrics& loop_scheduler::metrics() const noexcept {
  return telling_->metrics;
}

void loop_scheduler::set_role(caf::actor_id actor, std::string role) {
  telling_->set_role(actor, std::move(role));
}

std::string loop_scheduler::role_of(caf::actor_id actor) const {
  return telling_->role_of(actor);
}

void loop_scheduler::start() {
  utility_actors_[printer_id] = detail::late_printer::make(system());
  if (system().has_middleman()) // at the end there might be no thread left
    caretaker_ = std::thread([this] { care_for_modules(); });
}

void loop_scheduler::enqueue(caf::resumable* job) {
  auto* const current = event_loop::current();
  auto& loop = current != nullptr && &current->scheduler() == this ? *current : loop_for_outside();
  loop.exec_later(job);
}

// The next one in turn, but one that sleeps before one that is busy, perhaps for long.
event_loop& loop_scheduler::loop_for_outside() noexcept {
  auto& next = next_loop();
  if (asleep_.load(std::memory_order_relaxed) == 0)
    return next;
  for (std::size_t i = 0; i < loops_.size(); ++i)
    if (auto& loop = *loops_[(next.index() + i) % loops_.size()];
        loop.asleep_.load(std::memory_order_relaxed))
      return loop;
  return next;
}

event_loop& loop_scheduler::least_loaded_loop() noexcept {
  // Begins with another one each time, so that equals take turns.
  auto* best = &next_loop();
  for (std::size_t i = 1, first = best->index(); i < loops_.size(); ++i)
    if (auto& other = *loops_[(first + i) % loops_.size()]; other.load() < best->load())
      best = &other;
  return *best;
}

std::vector<loop_counters> loop_scheduler::counters() const {
  std::vector<loop_counters> result;
  result.reserve(loops_.size());
  for (const auto& loop : loops_)
    result.push_back(loop->counters());
  return result;
}

caf::actor_clock& loop_scheduler::clock() noexcept {
  return *clock_;
}

// -- threads ------------------------------------------------------------------------------------

void loop_scheduler::start_threads(std::size_t first) {
  try {
    for (auto i = first; i < loops_.size(); ++i)
      threads_.emplace_back([this, i] { run_thread(*loops_[i]); });
  } catch (...) { // the system makes no more
    stop_threads(first);
    throw;
  }
}

void loop_scheduler::run_thread(event_loop& loop) {
  system().thread_started();
  turn_loop(loop);
  system().thread_terminates();
}

void loop_scheduler::turn_loop(event_loop& loop) {
  cpu_set_t before;
  const bool pin = options_.pin_threads && ::sched_getaffinity(0, sizeof before, &before) == 0;
  if (pin)
    detail::pin_this_thread(loop.index());
  loop.run();
  if (pin) // the thread of run() goes on to other things
    ::sched_setaffinity(0, sizeof before, &before);
}

void loop_scheduler::stop_threads(std::size_t first) {
  for (std::size_t i = 0; i < threads_.size(); ++i)
    loops_[first + i]->leave();
  for (auto& thread : threads_)
    thread.join();
  threads_.clear();
}

// -- winding down -------------------------------------------------------------------------------

// CAF's modules stop before the scheduler does, in the thread that destroys, and the middleman then
// waits for workers of its own that are jobs for the loops. They are no actors.
void loop_scheduler::care_for_modules() {
  winding_.wait(false);
  wind_down(caretaker_done_, event_loop::leftovers::keep_actors);
}

void loop_scheduler::stop_caretaker() {
  begin_winding();
  caretaker_done_.store(true);
  wake_winding();
  caretaker_.join();
}

void loop_scheduler::begin_winding() noexcept {
  winding_.store(true);
  winding_.notify_all();
}

void loop_scheduler::wake_winding() noexcept {
  windings_.fetch_add(1, std::memory_order_seq_cst);
  windings_.notify_all();
}

// Takes what comes for any loop in this thread, until `done`.
void loop_scheduler::wind_down(const std::atomic<bool>& done, event_loop::leftovers what) {
  // After so many generations, actors that make others as they end are not asked any more. Those that there
  // are may all end one after the other, where each is linked to the next.
  const auto most_generations = 1000 + system().registry().running();
  for (std::size_t generations = 0;;) {
    const auto seen = windings_.load(std::memory_order_seq_cst);
    const bool last = done.load();
    bool any = false;
    for (auto& loop : loops_) {
      loop->asleep_.store(true, std::memory_order_seq_cst); // whoever pushes wakes
      any = loop->take_leftovers(what) || any;
    }
    if (last && !any)
      return;
    if (last && ++generations > most_generations && what == event_loop::leftovers::end_actors)
      what = event_loop::leftovers::drop_actors;
    if (!any)
      windings_.wait(seen);
  }
}

// Waits for threads that run code of the user: calls in the pool, and detached actors. What they send
// is dropped meanwhile, for they may wait to hear that there is no answer. A thread for it is needed
// because CAF tells the end of detached actors in no other way.
void loop_scheduler::await_threads() {
  std::atomic<bool> done{false};
  const auto busy = pool_->workers();
  if (busy == 0 && system().detached_actors() == 0)
    done = true;
  else if (busy > pool_->idle())
    logger_->warn("the runtime ends when calls in threads have returned; there are {}", busy);
  std::thread waiting;
  const auto wait = [&] {
    pool_->join();
    system().await_detached_threads();
    done = true;
    wake_winding();
  };
  if (!done) {
    try {
      waiting = std::thread{wait};
    } catch (const std::system_error&) { // then they must do without an answer
      wind_down(std::atomic<bool>{true}, event_loop::leftovers::end_actors);
      wait();
    }
  }
  wind_down(done, event_loop::leftovers::end_actors);
  if (waiting.joinable())
    waiting.join();
}

// Called by CAF when the actor system ends. From here on nothing of the user's is called, but what
// belongs to an end, in this thread. The order matters: actors first, then what may still send to
// them, then the loops. See "Shutdown" in runtime/README.md.
void loop_scheduler::stop() {
  begin_winding();
  if (caretaker_.joinable())
    stop_caretaker();
  pool_->stop();
  pool_->drop_queued();
  for (auto& loop : loops_)
    loop->end_pinned_from_outside();
  static_cast<detail::late_printer*>(caf::actor_cast<caf::abstract_actor*>(printer()))->stop();
  clock_->cancel_all();
  await_threads();
  pool_->join();
  for (auto& loop : loops_)
    loop->shut_io();
  wind_down(std::atomic<bool>{true}, event_loop::leftovers::end_actors); // what that still queued
  is_alive_->store(false, std::memory_order_release);
}

// -- stealing -----------------------------------------------------------------------------------

void loop_scheduler::work_available(event_loop& from) {
  // One thief at a time: it wakes the next if it leaves something behind.
  if (asleep_.load(std::memory_order_seq_cst) == 0
      || searching_.load(std::memory_order_relaxed) != 0)
    return;
  for (std::size_t i = 1; i < loops_.size(); ++i) {
    auto& peer = *loops_[(from.index() + i) % loops_.size()];
    if (!peer.asleep_.load(std::memory_order_relaxed) || peer.thefts_->sleeps_in())
      continue;
    searching_.store(1, std::memory_order_relaxed);
    if (peer.wake_if_asleep())
      return;
    searching_.store(0, std::memory_order_relaxed);
  }
}

// A loop that is busy will get to the work that waits, usually within microseconds, and a loop that is
// woken for it would come too late. But the busy one may be blocked: so one that sleeps looks after a
// while. Whoever looks says first that it no longer looks out, and whoever queues looks at that
// afterwards: so one of both sees the other.
void loop_scheduler::look_out(const event_loop& busy) {
  constexpr auto patience = std::chrono::milliseconds(10);
  if (asleep_.load(std::memory_order_seq_cst) == 0 || looks_out_.load(std::memory_order_seq_cst))
    return;
  for (std::size_t i = 1; i < loops_.size(); ++i) {
    auto& peer = *loops_[(busy.index() + i) % loops_.size()];
    if (!peer.asleep_.load(std::memory_order_seq_cst))
      continue;
    if (looks_out_.exchange(true))
      return;
    peer.on_lookout_.store(true);
    peer.lookout_->end_wait_in(patience);
    if (peer.asleep_.load(std::memory_order_seq_cst) || !peer.on_lookout_.exchange(false))
      return;
    looks_out_.store(false); // it woke before it knew, and may be busy for long itself
  }
}

event_loop* loop_scheduler::has_work(const event_loop& but) const noexcept {
  for (std::size_t i = 1; i < loops_.size(); ++i) {
    auto& peer = *loops_[(but.index() + i) % loops_.size()];
    if (peer.floating_.size() > 0 || !peer.arrivals_.empty())
      return &peer;
  }
  return nullptr;
}

event_loop* loop_scheduler::victim(const event_loop& thief) const noexcept {
  for (std::size_t i = 1; i < loops_.size(); ++i) {
    auto& peer = *loops_[(thief.index() + i) % loops_.size()];
    if (thief.may_take_from(peer))
      return &peer;
  }
  return nullptr;
}

void loop_scheduler::pinned_ended() {
  if (pinned_.fetch_sub(1, std::memory_order_acq_rel) == 1
      && draining_.exchange(false, std::memory_order_acq_rel))
    loops_[0]->post(std::move(drained_));
}

} // namespace troupe
