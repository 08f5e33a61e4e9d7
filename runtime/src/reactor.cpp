#include <troupe/runtime/reactor.hpp>

#include <algorithm>
#include <optional>

#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "log.hpp"
#include "process_signals.hpp"
#include "reactor_actor_impl.hpp"
#include "reactor_parts.hpp"

namespace troupe {

reactor::reactor(loop_scheduler& scheduler)
  : scheduler_(scheduler), loop_(scheduler.loop(0)), triggers_(std::make_unique<triggers>()),
    actor_(detail::spawn_reactor_actor(scheduler)) {}

reactor::~reactor() = default;

// -- running ------------------------------------------------------------------------------------

run_result reactor::run() {
  auto expected = state::fresh;
  if (!state_.compare_exchange_strong(expected, state::started)) {
    if (expected == state::stopped || (expected == state::stopping && !running()))
      throw reactor_not_restartable("run: this reactor was stopped; make a new runtime");
    throw reactor_already_running("run: the reactor runs already");
  }
  triggers_->started_up = false;
  try {
    watch_signals(); // before the other loops serve anybody, who may send one
    scheduler_.start_threads(1);
  } catch (...) { // no descriptors left, or no threads
    stop_signals();
    state_.store(state::fresh);
    throw;
  }
  loop_.post([this] { start_up(); });
  scheduler_.turn_loop(loop_);
  scheduler_.stop_threads();
  stop_signals();
  const std::lock_guard hold{result_mutex_};
  return std::exchange(result_, {});
}

void reactor::crash() {
  for (auto s = state_.load();;) {
    if (s != state::started && s != state::stopping)
      throw reactor_not_running("Can't crash a reactor that isn't running.");
    if (state_.compare_exchange_weak(s, s == state::started ? state::fresh : state::stopped))
      break;
  }
  running_.store(false, std::memory_order_release);
  {
    const std::lock_guard hold{result_mutex_};
    result_.how = run_end::crashed;
  }
  loop_.leave();
}

void reactor::iterate(duration wait) {
  if (((state_.load() == state::started || state_.load() == state::stopping) && !by_hand_)
      || event_loop::current() == &loop_)
    throw reactor_already_running("iterate: the reactor runs already");
  std::optional<delayed_call> limit;
  if (wait > duration::zero())
    limit = loop_.timers().add(saturating_add(loop_.time(), wait), [] {});
  loop_.iterate(limit ? event_loop::mode::block : event_loop::mode::poll);
  if (limit && limit->active())
    limit->cancel();
  if (by_hand_) // there is no run() to be left, but the destructor's threads
    loop_.leaving_.store(false, std::memory_order_relaxed);
}

void reactor::start_up() {
  triggers_->started_up = true;
  fire(system_event::startup, [this] {
    if (shutting_down_)
      return; // the wait for a `before` trigger outlasted the run
    running_.store(true, std::memory_order_release);
    run_phase(trigger_phase::during, system_event::startup);
    scheduler_.pool().start();
    run_phase(trigger_phase::after, system_event::startup);
  });
}

// -- events -------------------------------------------------------------------------------------

trigger_id reactor::call_when_running(task fn) {
  loop_.expect_here("call_when_running", "use call_from_thread");
  if (!fn)
    throw std::logic_error("call_when_running: the function is empty");
  if (running()) {
    fn();
    return {};
  }
  return add_system_event_trigger(trigger_phase::after, system_event::startup, std::move(fn));
}

trigger_id reactor::add_trigger(trigger_phase phase, system_event event, trigger fn) {
  loop_.expect_here("add_system_event_trigger", "use call_from_thread");
  const auto id = triggers_->next_id++;
  triggers_->of(phase, event).push_back({id, std::move(fn)});
  return trigger_id{id};
}

void reactor::remove_system_event_trigger(trigger_id id) {
  loop_.expect_here("remove_system_event_trigger", "use call_from_thread");
  for (auto& phases : triggers_->lists)
    for (auto& list : phases)
      if (std::erase_if(list, [&](const auto& e) { return e.id == id.value_; }) != 0)
        return;
  throw std::invalid_argument("remove_system_event_trigger: it ran, was removed, or never was");
}

// Runs the `before` triggers, waits for what they returned, and then runs `then`.
void reactor::fire(system_event event, task then) {
  const auto all = std::make_shared<triggers::wait>();
  triggers_->waiting = all;
  all->then = std::move(then);
  auto& list = triggers_->of(trigger_phase::before, event);
  while (!list.empty()) { // a trigger may remove others
    auto fn = std::move(list.front().fn);
    list.erase(list.begin());
    ++all->left;
    try {
      fn().add_callbacks([all] { all->one_less(); },
                         [this, all](const failure& f) {
                           log_failure(f);
                           all->one_less();
                         });
    } catch (...) {
      detail::log_uncaught(scheduler_.logger(), "a system event trigger");
      all->one_less();
    }
  }
  all->one_less();
}

void reactor::run_phase(trigger_phase phase, system_event event) {
  auto& list = triggers_->of(phase, event);
  while (!list.empty()) {
    auto fn = std::move(list.front().fn);
    list.erase(list.begin());
    try {
      fn().add_errback([this](const failure& f) { log_failure(f); });
    } catch (...) {
      detail::log_uncaught(scheduler_.logger(), "a system event trigger");
    }
  }
}

void reactor::log_failure(const failure& f) {
  scheduler_.logger().error("a system event trigger failed: {}", f.message());
}

// -- time and threads ---------------------------------------------------------------------------

time_point reactor::now() const {
  return loop_.time();
}

delayed_call reactor::call_later(duration delay, task fn) {
  loop_.expect_here("call_later", "use call_from_thread");
  if (delay < duration::zero())
    throw std::logic_error("call_later: the delay is negative");
  return loop_.timers().add(saturating_add(now(), delay), std::move(fn));
}

std::vector<delayed_call> reactor::get_delayed_calls() const {
  loop_.expect_here("get_delayed_calls", "use call_from_thread");
  return loop_.timers().pending();
}

void reactor::call_from_thread(task fn) {
  if (!fn)
    throw std::logic_error("call_from_thread: the function is empty");
  loop_.post(std::move(fn));
}

void reactor::call_in_thread(task fn) {
  scheduler_.pool().call_in_thread(std::move(fn));
}

void reactor::suggest_thread_pool_size(std::size_t count) {
  auto& pool = scheduler_.pool();
  pool.adjust_size(std::min(pool.min(), count), count);
}

thread_pool& reactor::get_thread_pool() const noexcept {
  return scheduler_.pool();
}

} // namespace troupe
