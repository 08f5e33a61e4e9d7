#include <troupe/runtime/basic_actor.hpp>

#include <memory>

#include <caf/actor_clock.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "log.hpp"

namespace troupe {

namespace {

// A message that is a function to run. CAF copies messages, so the function is shared.
struct actor_call {
  std::shared_ptr<task> fn;
};

} // namespace
} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actor_call)

namespace troupe {

namespace {

caf::error log_and_convert(caf::scheduled_actor* self, std::exception_ptr& e) {
  loop_scheduler::of(self->home_system())
    .logger()
    .error("unhandled exception in actor {} ({}): {}", self->id(), self->name(),
           detail::describe(e));
  return failure{e}.to_caf_error();
}

} // namespace

basic_actor::basic_actor(caf::actor_config& cfg) : super(cfg) {
  set_default_handler(caf::drop);
  set_exception_handler(&log_and_convert);
}

caf::invoke_message_result basic_actor::consume(caf::mailbox_element& x) {
  if (x.mid.is_response())
    clock().cancel_request_timeout(this, x.mid);
  const auto& content = x.content();
  if (content.type_token() == caf::make_type_token<actor_call>() // cheap, and nearly always enough
      && content.match_elements<actor_call>()) {
    current_mailbox_element(&x);
    (*x.content().get_as<actor_call>(0).fn)();
    return caf::invoke_message_result::consumed;
  }
  return super::consume(x);
}

void basic_actor::run_as(const caf::strong_actor_ptr& actor, task fn) {
  actor->enqueue(nullptr, caf::make_message_id(),
                 caf::make_message(actor_call{std::make_shared<task>(std::move(fn))}), nullptr);
}

thread_pool& basic_actor::pool() const {
  return loop_scheduler::of(home_system()).pool();
}

} // namespace troupe
