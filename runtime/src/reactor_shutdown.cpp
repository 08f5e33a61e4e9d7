#include <algorithm>
#include <map>
#include <mutex>
#include <string_view>

#include <spdlog/fmt/fmt.h>
#include <spdlog/logger.h>

#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "log.hpp"
#include "reactor_parts.hpp"

namespace troupe {

namespace {

// When it pays to say what is waited for; most ends take less.
constexpr auto soon = std::chrono::milliseconds(100);

// How long a loop may take to answer before it is said that it does not.
constexpr auto patience = std::chrono::seconds(1);

// What `before` triggers get after the deadline: a root supervisor kills its tree in order.
duration hurry_time(duration grace) {
  return std::max<duration>(grace / 10, std::chrono::milliseconds(100));
}

std::string in_seconds(duration d) {
  return fmt::format("{:.3g} s", std::chrono::duration<double>(d).count());
}

/// Who is waited for, by kind, with the names of the first.
class census {
public:
  static constexpr std::size_t most_names = 10;

  /// \param kind  the only one that counts, if not empty
  void add(const pinned_actor& a, std::string_view kind = {}) {
    actor_description what;
    try {
      what = a.describe();
    } catch (...) { // it is the user's
      what = {"actor", a.name()};
    }
    if (!kind.empty() && kind != what.kind)
      return;
    const std::lock_guard hold{mutex_};
    ++count_;
    auto& [count, names] = kinds_[what.kind];
    if (++count <= most_names)
      names += (names.empty() ? "" : ", ") + what.name;
  }

  [[nodiscard]] std::size_t count() const {
    const std::lock_guard hold{mutex_};
    return count_;
  }

  /// Returns such as "3 connections (chat 127.0.0.1:5123, ...)", for each kind.
  [[nodiscard]] std::vector<std::string> by_kind() const {
    const std::lock_guard hold{mutex_};
    std::vector<std::string> result;
    for (const auto& [kind, all] : kinds_)
      result.push_back(some(all.count, kind) + " (" + list(all) + ")");
    return result;
  }

  /// Returns such as "chat 127.0.0.1:5123, chat 127.0.0.1:5124 and 17 more".
  [[nodiscard]] std::string names() const {
    const std::lock_guard hold{mutex_};
    std::string result;
    for (const auto& [kind, all] : kinds_)
      result += (result.empty() ? "" : ", ") + list(all);
    return result;
  }

  static std::string some(std::size_t count, const std::string& noun) {
    if (count == 1)
      return "1 " + noun;
    return std::to_string(count) + " " + noun + (noun.ends_with('s') ? "es" : "s");
  }

private:
  struct one_kind {
    std::size_t count = 0;
    std::string names;
  };

  static std::string list(const one_kind& all) {
    return all.count <= most_names
             ? all.names
             : fmt::format("{} and {} more", all.names, all.count - most_names);
  }

  mutable std::mutex mutex_;
  std::size_t count_ = 0;
  std::map<std::string, one_kind> kinds_;
};

/// A question to all loops.
struct inquiry {
  explicit inquiry(std::size_t loops) : left(loops), answered(loops) {}
  census found;
  std::atomic<std::size_t> left;
  std::vector<std::atomic<bool>> answered;
  bool over = false; // on loop 0

  std::vector<std::string> silent() const {
    std::vector<std::string> result;
    for (std::size_t i = 0; i < answered.size(); ++i)
      if (!answered[i].load())
        result.push_back(fmt::format("loop {}, which does not return", i));
    return result;
  }
};

std::string joined(const std::vector<std::string>& all) {
  std::string result;
  for (const auto& one : all)
    result += (result.empty() ? "" : ", ") + one;
  return result;
}

// Two looks, between which a thread may end or become idle.
std::size_t busy_threads(const thread_pool& pool) {
  const auto idle = pool.idle();
  const auto all = pool.workers();
  return all - std::min(all, idle);
}

void take_back(delayed_call& call) {
  if (call.active())
    call.cancel();
}

} // namespace

// -- how it begins ------------------------------------------------------------------------------

void reactor::stop() {
  begin_stop({});
}

void reactor::give_up(failure why) {
  begin_stop({run_end::gave_up, 0, std::move(why)});
}

void reactor::begin_stop(run_result why) {
  {
    const std::lock_guard hold{result_mutex_};
    auto expected = state::started;
    if (!state_.compare_exchange_strong(expected, state::stopping)) {
      if (expected == state::fresh)
        throw reactor_not_running("Can't stop reactor that isn't running.");
      if (why.how == run_end::gave_up && result_.how != run_end::gave_up)
        result_ = std::move(why);
      return;
    }
    result_ = std::move(why);
    scheduler_.stop_requested_.store(true, std::memory_order_release);
  }
  loop_.post([this] { shut_down(); });
}

bool reactor::stop_requested() const noexcept {
  return scheduler_.stop_requested();
}

void reactor::watch_signals() {
  if (scheduler_.options().install_signal_handlers)
    signals_ = std::make_unique<signals>(loop_.io(), [this](int number) { signal_came(number); });
}

void reactor::stop_signals() noexcept {
  signals_.reset();
}

void reactor::signal_came(int number) {
  const auto now = state_.load();
  if (now != state::started && now != state::stopping)
    return;
  if (!ending_)
    ending_ = std::make_unique<ending>();
  ending_->cause = std::string{"received "} + detail::name_of_signal(number);
  ending_->signalled = true;
  begin_stop({run_end::signalled, number, {}});
  if (ending_->told) // but by another cause
    tell();
}

void reactor::shut_down() {
  if (!triggers_->started_up && !by_hand_) // another loop asked for it as soon as that turned
    return loop_.post([this] { shut_down(); });
  if (!ending_)
    ending_ = std::make_unique<ending>();
  if (ending_->cause.empty()) {
    const std::lock_guard hold{result_mutex_};
    ending_->cause = result_.how == run_end::gave_up ? "the program gave up" : "stop() was called";
  }
  const auto grace = scheduler_.options().grace;
  ending_->deadline = saturating_add(loop_.time(), grace);
  if (ending_->deadline != time_point::max())
    ending_->limit = loop_.timers().add(ending_->deadline, [this] { hurry(); });
  tell_soon();
  fire(system_event::shutdown, [this] {
    shutting_down_ = true;
    running_.store(false, std::memory_order_release);
    begin_drain();
    run_phase(trigger_phase::during, system_event::shutdown);
  });
}

// -- the end of the waiting ---------------------------------------------------------------------

void reactor::hurry() {
  if (ending_->draining)
    return grace_is_over();
  ending_->limit = loop_.timers().add(
    saturating_add(loop_.time(), hurry_time(scheduler_.options().grace)), [this] {
      if (ending_->draining)
        return;
      scheduler_.logger().warn("grace is over: {} left that {} waited for no more",
                               census::some(triggers_->waiting->left, "`before` trigger"),
                               triggers_->waiting->left == 1 ? "is" : "are");
      triggers_->waiting->go_on();
    });
}

// Asks all pinned actors to end, and ends them after the grace time; finish() follows when none is
// left, and no call in a thread.
void reactor::begin_drain() {
  ending_->draining = true;
  scheduler_.drained_ = [this] {
    ending_->actors_gone = true;
    blocked_.end(); // nothing is left that could answer them
    if (ending_->pool_gone)
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
  scheduler_.pool().stop([this] { loop_.post([this] { pool_ended(); }); });
  if (loop_.time() >= ending_->deadline)
    loop_.post([this] { grace_is_over(); });
  else
    tell_soon();
  scheduler_.pinned_ended();
}

void reactor::pool_ended() {
  if (!std::exchange(ending_->pool_gone, true) && ending_->actors_gone)
    finish();
}

void reactor::grace_is_over() {
  if (std::exchange(ending_->grace_is_over, true))
    return;
  take_back(ending_->limit);
  auto& pool = scheduler_.pool();
  pool.drop_queued();
  std::string threads;
  if (const auto busy = busy_threads(pool); busy > 0 && !ending_->pool_gone)
    threads = census::some(busy, "call in a thread") + (busy == 1 ? " has" : " have")
              + " not returned, and cannot be ended";
  const auto asked = std::make_shared<inquiry>(scheduler_.size());
  for (auto& loop : scheduler_.loops_)
    loop->post([l = loop.get(), asked, threads] {
      l->each_pinned([&](pinned_actor& a) { asked->found.add(a); });
      asked->answered[l->index()].store(true);
      if (asked->left.fetch_sub(1) == 1) {
        auto text = asked->found.count() > 0 ? "ended " + asked->found.names() : std::string{};
        if (!threads.empty())
          text += (text.empty() ? "" : "; ") + threads;
        if (!text.empty())
          l->scheduler().logger().warn("grace is over: {}", text);
      }
      l->end_pinned();
    });
  if (scheduler_.size() > 1)
    loop_.timers().add(saturating_add(loop_.time(), patience), [this, asked] {
      for (const auto& loop : asked->silent())
        scheduler_.logger().error("grace is over, but there is {}", loop);
    });
  blocked_.end();
  pool_ended();
}

void reactor::finish() {
  take_back(ending_->limit);
  take_back(ending_->telling);
  if (ending_->signalled && !ending_->told)
    scheduler_.logger().info("{}; stopped", ending_->cause);
  run_phase(trigger_phase::after, system_event::shutdown);
  auto expected = state::stopping;
  if (state_.compare_exchange_strong(expected, state::stopped)) // else: crashed meanwhile
    loop_.leave();
}

// -- saying what is waited for ------------------------------------------------------------------

void reactor::tell_soon() {
  take_back(ending_->telling);
  ending_->telling = loop_.timers().add(saturating_add(loop_.time(), soon), [this] { tell(); });
}

void reactor::tell() {
  take_back(ending_->telling);
  const auto asked = std::make_shared<inquiry>(scheduler_.size());
  const auto say = [this, asked] {
    if (std::exchange(asked->over, true) || state_.load() != state::stopping)
      return;
    auto all = asked->silent();
    if (!ending_->draining && triggers_->waiting && triggers_->waiting->left > 0)
      all.push_back(census::some(triggers_->waiting->left, "`before` trigger"));
    for (auto& kind : asked->found.by_kind())
      all.push_back(std::move(kind));
    if (const auto busy = busy_threads(scheduler_.pool()); busy > 0)
      all.push_back(census::some(busy, "call in a thread"));
    if (all.empty())
      return;
    std::string limit;
    if (ending_->deadline != time_point::max()) {
      const auto left = ending_->deadline - loop_.time();
      const auto grace = scheduler_.options().grace;
      limit = " up to "
              + in_seconds(left > grace - 2 * soon ? grace
                                                   : std::chrono::round<std::chrono::milliseconds>(
                                                     std::max<duration>(left, {})));
    }
    scheduler_.logger().info("{}; waiting{} for {}", ending_->cause, limit, joined(all));
    ending_->told = true;
    if (ending_->signalled) {
      scheduler_.logger().flush(); // a second signal leaves no time for it
      detail::process_signals::told();
    }
  };
  for (auto& loop : scheduler_.loops_)
    loop->post([this, l = loop.get(), asked, say, draining = ending_->draining] {
      l->each_pinned([&](pinned_actor& a) { asked->found.add(a, draining ? "" : "connection"); });
      asked->answered[l->index()].store(true);
      if (asked->left.fetch_sub(1) == 1)
        loop_.post(say);
    });
  loop_.timers().add(saturating_add(loop_.time(), patience), say);
}

} // namespace troupe
