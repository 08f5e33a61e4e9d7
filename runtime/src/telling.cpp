#include "telling.hpp"

#include "log.hpp"
#include "log_sink.hpp"

namespace troupe::detail {

std::recursive_mutex telling::live_mutex;
telling* telling::live = nullptr;

delayed_call first_loop_clock::call_later(duration delay, task fn) {
  if (loop_.is_current())
    return loop_.timers().add(saturating_add(loop_.time(), delay), std::move(fn));
  loop_.post([this, delay, due = std::move(fn)]() mutable {
    loop_.timers().add(saturating_add(loop_.time(), delay), std::move(due));
  });
  return {};
}

telling::telling(loop_scheduler& scheduler)
  : scheduler_(scheduler), clock_(scheduler.loop(0)),
    repeats(std::in_place, scheduler.logger(), clock_) {
  remind(true);
  const std::lock_guard hold{live_mutex};
  next_ = std::exchange(live, this);
}

void telling::close() {
  {
    const std::lock_guard hold{live_mutex};
    auto** place = &live;
    while (*place != this)
      place = &(*place)->next_;
    *place = next_;
  }
  remind(false);
  repeats.reset();
}

void telling::remind(bool on) {
  for (const auto& sink : scheduler_.logger().sinks())
    if (const auto ours = std::dynamic_pointer_cast<log_sink>(sink)) {
      if (!on) {
        ours->set_reminder(this, nullptr);
        continue;
      }
      ours->set_reminder(this, [this, weak = std::weak_ptr{ours}](duration delay) {
        clock_.call_later(delay, [weak] {
          if (const auto there = weak.lock())
            there->try_again();
        });
      });
    }
}

void telling::set_observer(const loop_scheduler& scheduler, observer fn) {
  auto next = fn ? std::make_shared<const observer>(std::move(fn)) : nullptr;
  const std::lock_guard all{live_mutex};
  for (auto* t = live; t != nullptr; t = t->next_)
    if (&t->scheduler_ == &scheduler) {
      const std::lock_guard hold{t->mutex_};
      t->observer_.swap(next); // destroyed without the locks
      return;
    }
}

std::shared_ptr<const telling::observer> telling::observer_of(const loop_scheduler& scheduler) {
  const std::lock_guard all{live_mutex};
  for (auto* t = live; t != nullptr; t = t->next_)
    if (&t->scheduler_ == &scheduler) {
      const std::lock_guard hold{t->mutex_};
      return t->observer_;
    }
  return nullptr;
}

void telling::set_role(caf::actor_id actor, std::string role) {
  const std::lock_guard hold{mutex_};
  if (role.empty())
    roles_.erase(actor);
  else
    roles_.insert_or_assign(actor, std::move(role));
}

std::string telling::role_of(caf::actor_id actor) const {
  const std::lock_guard hold{mutex_};
  const auto found = roles_.find(actor);
  return found != roles_.end() ? found->second : std::string{};
}

} // namespace troupe::detail
