#include <troupe/runtime/basic_actor.hpp>

#include <caf/actor_clock.hpp>

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "log.hpp"

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
  return super::consume(x);
}

} // namespace troupe
