#include <troupe/net/client_factory.hpp>

#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/repeats.hpp>

#include "connecting.hpp"

namespace troupe {

void client_factory::started_connecting(connector&) {}

void client_factory::client_connection_failed(connector& c, const failure& why) {
  // Its supervisor says so; or our own side has called it off, and knows.
  if (!noisy || c.supervised() || why.check(errc::cancelled) || why.check(errc::runtime_stopped))
    return;
  const auto text =
    log_prefix() + " could not connect to " + detail::with_reason(c.get_destination(), why);
  loop().scheduler().repeats().note(text, log_level::warn, [&] { return text; });
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
