#include <troupe/net/client_factory.hpp>

#include <spdlog/logger.h>

#include <troupe/runtime/loop_scheduler.hpp>

#include "connecting.hpp"

namespace troupe {

void client_factory::started_connecting(connector&) {}

void client_factory::client_connection_failed(connector& c, const failure& why) {
  // Our own side has called it off, and knows.
  if (noisy && !why.check(errc::cancelled) && !why.check(errc::runtime_stopped))
    loop().scheduler().logger().warn("{} could not connect to {}", log_prefix(),
                                     detail::with_reason(c.get_destination(), why));
}

void client_factory::client_connection_lost(connector&, const failure&) {}
void client_factory::client_connection_made(connector&, const protocol_ptr&) {}

void client_factory::stop_attempts(const failure& why) {
  const auto active = active_; // what is stopped here leaves it
  for (const auto& c : active)
    if (c->get_state() == connector::state::connecting)
      c->stop_connecting(why);
}

void client_factory::stop_requested() {
  stop_attempts(errc::runtime_stopped);
  factory::stop_requested();
}

void client_factory::take_over(factory& old) {
  active_ = std::move(static_cast<client_factory&>(old).active_); // their places stay
  factory::take_over(old);
}

} // namespace troupe
