#include <troupe/runtime/reactor.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <optional>
#include <vector>

#include <asio/signal_set.hpp>

#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "log.hpp"
#include "reactor_actor_impl.hpp"

namespace troupe {

struct reactor::triggers {
  struct entry {
    std::uint64_t id;
    trigger fn;
  };
  // [event][phase], each in the order of adding
  std::array<std::array<std::vector<entry>, 3>, 2> lists;
  std::uint64_t next_id = 1;

  std::vector<entry>& of(trigger_phase phase, system_event event) {
    return lists[static_cast<std::size_t>(event)][static_cast<std::size_t>(phase)];
  }
};

struct reactor::signals {
  explicit signals(asio::io_context& io) : set(io) {}
  asio::signal_set set;
};

reactor::reactor(loop_scheduler& scheduler)
  : scheduler_(scheduler), loop_(scheduler.loop(0)), triggers_(std::make_unique<triggers>()),
    actor_(detail::spawn_reactor_actor(scheduler)) {}

reactor::~reactor() = default;

// -- running ------------------------------------------------------------------------------------

void reactor::run() {
  auto expected = state::fresh;
  if (!state_.compare_exchange_strong(expected, state::started)) {
    if (expected == state::stopped)
      throw reactor_not_restartable("run: this reactor was stopped; make a new runtime");
    throw reactor_already_running("run: the reactor runs already");
  }
  loop_.post([this] { start_up(); });
  scheduler_.start_threads(1);
  scheduler_.turn_loop(loop_);
  scheduler_.stop_threads();
  signals_.reset();
  if (not_started_)
    std::rethrow_exception(std::exchange(not_started_, nullptr));
}

void reactor::stop() {
  auto expected = state::started;
  if (!state_.compare_exchange_strong(expected, state::stopping))
    throw reactor_not_running("Can't stop reactor that isn't running.");
  loop_.post([this] { shut_down(); });
}

void reactor::crash() {
  for (auto s = state_.load();;) {
    if (s != state::started && s != state::stopping)
      throw reactor_not_running("Can't crash a reactor that isn't running.");
    if (state_.compare_exchange_weak(s, state::fresh))
      break;
  }
  running_.store(false, std::memory_order_release);
  loop_.leave();
}

void reactor::iterate(duration wait) {
  if (((state_.load() == state::started || state_.load() == state::stopping) && !by_hand_)
      || event_loop::current() == &loop_)
    throw reactor_already_running("iterate: the reactor runs already");
  auto* const before = std::exchange(event_loop::current_, &loop_);
  std::optional<delayed_call> limit;
  if (wait > duration::zero())
    limit = loop_.timers().add(loop_.time() + wait, [] {});
  loop_.turn_began_ = loop_.time();
  loop_.counting_.busy.begin(loop_.turn_began_);
  loop_.turn(limit ? event_loop::mode::block : event_loop::mode::poll);
  loop_.counting_.busy.end(loop_.turn_began_);
  if (limit && limit->active())
    limit->cancel();
  if (by_hand_) // there is no run() to be left, but the destructor's threads
    loop_.leaving_.store(false, std::memory_order_relaxed);
  event_loop::current_ = before;
}

void reactor::start_up() {
  fire(system_event::startup, [this] {
    if (shutting_down_)
      return; // the wait for a `before` trigger outlasted the run
    run_phase(trigger_phase::during, system_event::startup);
    running_.store(true, std::memory_order_release);
    try {
      watch_signals();
    } catch (...) { // no descriptors left
      not_started_ = std::current_exception();
      if (state_.load() == state::started)
        stop();
      return;
    }
    scheduler_.pool().start();
    run_phase(trigger_phase::after, system_event::startup);
  });
}

void reactor::shut_down() {
  fire(system_event::shutdown, [this] {
    shutting_down_ = true;
    running_.store(false, std::memory_order_release);
    begin_drain();
    run_phase(trigger_phase::during, system_event::shutdown);
  });
}

// Asks all pinned actors to end, and ends them after the grace time; finish() follows when none is
// left.
void reactor::begin_drain() {
  scheduler_.drained_ = [this] {
    finish();
  };
  scheduler_.pinned_.fetch_add(1); // this pass itself, so that it is over before the drain is
  scheduler_.draining_.store(true, std::memory_order_release);
  for (auto& loop : scheduler_.loops_) {
    scheduler_.pinned_.fetch_add(1);
    loop->post([l = loop.get()] {
      l->begin_stop();
      l->scheduler().pinned_ended();
    });
  }
  // The pool finishes what it has; a call that does not end within the grace time is left to the
  // destructor, for a thread cannot be ended from outside.
  scheduler_.pinned_.fetch_add(1);
  const auto pool_counts = std::make_shared<std::atomic<bool>>(true);
  const auto pool_done = [this, pool_counts] {
    if (pool_counts->exchange(false))
      scheduler_.pinned_ended();
  };
  scheduler_.pool().stop(pool_done);
  loop_.timers().add(loop_.time() + scheduler_.options().grace, [this, pool_done] {
    pool_done();
    for (auto& loop : scheduler_.loops_)
      loop->post([l = loop.get()] { l->end_pinned(); });
  });
  scheduler_.pinned_ended();
}

void reactor::finish() {
  run_phase(trigger_phase::after, system_event::shutdown);
  auto expected = state::stopping;
  if (state_.compare_exchange_strong(expected, state::stopped)) // else: crashed meanwhile
    loop_.leave();
}

void reactor::watch_signals() {
  if (!scheduler_.options().install_signal_handlers)
    return;
  const auto is_default = [](int signal) {
    struct sigaction now {};
    return ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_DFL;
  };
  signals_ = std::make_unique<signals>(loop_.io());
  if (is_default(SIGINT))
    signals_->set.add(SIGINT);
  signals_->set.add(SIGTERM);
  signals_->set.async_wait([this](const asio::error_code& ec, int) {
    if (!ec && state_.load() == state::started)
      stop();
  });
}

// -- events -------------------------------------------------------------------------------------

trigger_id reactor::call_when_running(task fn) {
  if (!fn)
    throw std::logic_error("call_when_running: the function is empty");
  if (running()) {
    fn();
    return {};
  }
  return add_system_event_trigger(trigger_phase::after, system_event::startup, std::move(fn));
}

trigger_id reactor::add_trigger(trigger_phase phase, system_event event, trigger fn) {
  const auto id = triggers_->next_id++;
  triggers_->of(phase, event).push_back({id, std::move(fn)});
  return trigger_id{id};
}

void reactor::remove_system_event_trigger(trigger_id id) {
  for (auto& phases : triggers_->lists)
    for (auto& list : phases)
      if (std::erase_if(list, [&](const auto& e) { return e.id == id.value_; }) != 0)
        return;
  throw std::invalid_argument("remove_system_event_trigger: it ran, was removed, or never was");
}

// Runs the `before` triggers, waits for what they returned, and then runs `then`.
void reactor::fire(system_event event, task then) {
  struct wait {
    std::size_t left = 1; // the pass over the triggers
    task then;
    void one_less() {
      if (--left == 0)
        std::exchange(then, nullptr)();
    }
  };
  const auto all = std::make_shared<wait>();
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
  if (delay < duration::zero())
    throw std::logic_error("call_later: the delay is negative");
  return loop_.timers().add(saturating_add(now(), delay), std::move(fn));
}

std::vector<delayed_call> reactor::get_delayed_calls() const {
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
