#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include <caf/fwd.hpp>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/dead_letter.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/metrics.hpp>
#include <troupe/runtime/repeats.hpp>

namespace troupe::detail {

/// The time of a runtime's first loop, for any thread: a call that is added by another one is added in a
/// coming turn, and has no handle.
class first_loop_clock final : public clock {
public:
  explicit first_loop_clock(event_loop& loop) noexcept : loop_(loop) {}
  [[nodiscard]] time_point now() const override { return loop_.time(); }
  delayed_call call_later(duration delay, task fn) override;
  [[nodiscard]] std::vector<delayed_call> get_delayed_calls() const override { return {}; }

private:
  event_loop& loop_;
};

/// What a runtime tells of itself: counts, names, and what repeats. It is made before the first actor and
/// goes after the last, but is closed before the loops go.
///
/// Thread: any.
class telling {
public:
  explicit telling(loop_scheduler& scheduler);
  /// Ends what needs loops, and tells what was counted; names are still known.
  void close();

  telling(const telling&) = delete;
  telling& operator=(const telling&) = delete;

  /// Calls `fn` with the scheduler of `system` if that is there still, and keeps it there meanwhile.
  template <class F>
  static void with_scheduler_of(const caf::actor_system& system, F fn) {
    const std::lock_guard hold{live_mutex};
    for (auto* t = live; t != nullptr; t = t->next_)
      if (&t->scheduler_.system() == &system)
        return fn(t->scheduler_);
  }

  /// What is told of dead letters; null if nobody is.
  using observer = std::function<void(const dead_letter&)>;
  static void set_observer(const loop_scheduler& scheduler, observer fn);
  [[nodiscard]] static std::shared_ptr<const observer> observer_of(const loop_scheduler& scheduler);

  void set_role(caf::actor_id actor, std::string role);
  [[nodiscard]] std::string role_of(caf::actor_id actor) const;

private:
  void remind(bool on); // the sinks of the logger that can be

  static std::recursive_mutex live_mutex; // an observer of dead letters may send
  static telling* live;                   // the first of those that there are

  loop_scheduler& scheduler_;
  first_loop_clock clock_;
  telling* next_ = nullptr;
  mutable std::mutex mutex_;
  std::shared_ptr<const observer> observer_;
  std::unordered_map<caf::actor_id, std::string> roles_;

public:
  troupe::metrics metrics;
  std::optional<troupe::repeats> repeats; // until it is closed
};

} // namespace troupe::detail
