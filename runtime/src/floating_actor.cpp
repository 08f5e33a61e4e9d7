#include <troupe/runtime/floating_actor.hpp>

#include <caf/actor_clock.hpp>
#include <caf/system_messages.hpp>

#include <troupe/runtime/detail/uncaught.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe {

namespace {

constexpr auto call_later_word = caf::atom("call_later");

time_point tell_steady_time(const void*) noexcept {
  return event_loop::now();
}

} // namespace

delayed_call floating_actor::call_later(duration delay, task fn) {
  // Who makes an actor has it for himself, and a detached one has a thread of its own.
  if (getf(is_initialized_flag) && !getf(is_detached_flag))
    loop_scheduler::of(home_system())
      .expect_any_loop("call_later", "send this actor a message, or use run_as");
  if (delay < duration::zero())
    throw std::logic_error("call_later: the delay is negative");
  if (!calls_)
    calls_ = std::make_unique<timer_queue>(&tell_steady_time, nullptr, 2);
  const auto call = calls_->add(saturating_add(event_loop::now(), delay), std::move(fn));
  arm();
  return call;
}

std::vector<delayed_call> floating_actor::get_delayed_calls() const {
  return calls_ ? calls_->pending() : std::vector<delayed_call>{};
}

// One timeout of the clock stands for all calls. It is moved only to come earlier; one that comes
// too early, because its call was cancelled or delayed, finds nothing due and arms the next.
void floating_actor::arm() {
  const auto due = calls_->next_due();
  if (!due || *due >= armed_)
    return;
  armed_ = *due;
  clock().set_ordinary_timeout(*due, this, call_later_word, 0);
}

caf::invoke_message_result floating_actor::consume_other(caf::mailbox_element& x) {
  if (!calls_) // it has never had one
    return super::consume_other(x);
  const auto& content = x.content();
  if (content.type_token() != caf::make_type_token<caf::timeout_msg>()
      || content.get_as<caf::timeout_msg>(0).type != call_later_word)
    return super::consume_other(x);
  current_mailbox_element(&x);
  armed_ = time_point::max();
  // One call after the other, not a pass over all: if one fails, or quits, the actor ends, and the
  // others must not run.
  constexpr int ending = is_shutting_down_flag | is_terminated_flag;
  auto* const loop = event_loop::current(); // null if detached
  detail::in_callback("a delayed call", [&] {
    for (const auto until = event_loop::now(); calls_ && !getf(ending) && calls_->run_one(until);)
      if (loop != nullptr && loop->should_yield())
        break;
  });
  if (calls_ && !getf(ending))
    arm();
  return caf::invoke_message_result::consumed;
}

void floating_actor::on_exit() {
  if (calls_)
    calls_->clear(); // it stays for handles of calls that members of the actor have
  super::on_exit();
}

} // namespace troupe
