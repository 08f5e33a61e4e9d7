#include <troupe/sharded/entity.hpp>

#include <utility>

#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/logger.hpp>

#include "sharded_core.hpp"

namespace troupe {

std::string_view to_string(entity_end why) noexcept {
  switch (why) {
  case entity_end::idle:
    return "idle";
  case entity_end::moved:
    return "moved";
  case entity_end::stopped:
    return "stopped";
  }
  return "unknown";
}

entity::entity(caf::actor_config& cfg, entity_start begin)
  : pinned_actor(cfg), begin_(std::move(begin)) {
  if (const auto core = begin_.place.core.lock())
    idle_after_ = core->options().idle_after;
}

entity::~entity() = default;

std::string entity::log_name() const {
  return "entity " + escape_text(begin_.key, 64);
}

actor_description entity::describe() const {
  return {"entity", escape_text(begin_.key, 64)};
}

void entity::initialize() {
  pinned_actor::initialize();
  used_ = loop().time();
  if (idle_after_ > duration::zero())
    idle_ = call_later(idle_after_, [this] { look_whether_idle(); });
}

caf::invoke_message_result entity::consume(caf::mailbox_element& x) {
  used_ = loop().time();
  return pinned_actor::consume(x);
}

void entity::look_whether_idle() {
  const auto rest = used_ + idle_after_ - loop().time();
  if (rest <= duration::zero() && may_sleep())
    sleep();
  idle_ = call_later(rest > duration::zero() ? rest : idle_after_, [this] { look_whether_idle(); });
}

void entity::sleep() {
  if (const auto core = begin_.place.core.lock())
    core->sleep(*this);
}

deferred<caf::message> entity::hand_over(entity_end) {
  return succeed(caf::message{});
}

void entity::merge(caf::message) {}

void entity::let_go(entity_end why) {
  if (std::exchange(going_, true))
    return;
  const auto done = [this](outcome<caf::message> state) {
    if (const auto core = begin_.place.core.lock())
      core->handed(*this, std::move(state));
    quit();
  };
  try {
    hand_over(why).add_both(done);
  } catch (...) {
    log_current_exception();
    done(failure::current());
  }
}

void entity::stop_requested() {
  let_go(entity_end::stopped);
}

} // namespace troupe
