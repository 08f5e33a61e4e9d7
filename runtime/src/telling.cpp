#include "telling.hpp"

#include <algorithm>
#include <typeinfo>

#include <caf/abstract_actor.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/system_messages.hpp>
#include <caf/type_nr.hpp>

#include <troupe/runtime/detail/class_name.hpp>

#include "log.hpp"
#include "log_sink.hpp"

namespace troupe::detail {

std::mutex telling::live_mutex;
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

// -- messages to those that have ended ----------------------------------------------------------

namespace {

// What actors tell each other about their ends, and what a clock sends, is not missed by anybody.
bool is_of_the_system(const caf::type_erased_tuple& content) {
  const auto is_one = [token = content.type_token()](auto... tokens) {
    return ((token == tokens) || ...);
  };
  return is_one(caf::make_type_token<caf::exit_msg>(), caf::make_type_token<caf::down_msg>(),
                caf::make_type_token<caf::timeout_msg>(),
                caf::make_type_token<caf::group_down_msg>());
}

void tell(loop_scheduler& scheduler, event_loop& loop, const caf::abstract_actor& to,
          const caf::type_erased_tuple& content) {
  loop.count_dead_letter();
  auto kind = std::string{"dead letter "} + typeid(to).name();
  append_types(kind, content);
  scheduler.repeats().note(kind, log_level::debug, [&] {
    return "[" + class_name(typeid(to)) + ", actor " + std::to_string(to.id())
           + "] has ended, and does not get " + describe_message(content);
  });
}

} // namespace

void note_dead_letter(const caf::abstract_actor& to, const caf::mailbox_element& what) noexcept {
  try {
    const auto& content = what.content();
    if (what.mid.is_response() || is_of_the_system(content) || is_internal(content))
      return;
    auto* const here = event_loop::current();
    if (here != nullptr && &here->scheduler().system() == &to.home_system())
      return tell(here->scheduler(), *here, to, content);
    // The handle of an actor that has ended may be there longer than its runtime.
    telling::with_scheduler_of(to.home_system(), [&](loop_scheduler& scheduler) {
      tell(scheduler, scheduler.loop(0), to, content);
    });
  } catch (...) {
    // It was counted, if that was possible.
  }
}

} // namespace troupe::detail
