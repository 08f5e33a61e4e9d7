#include <troupe/net/timeout_factory.hpp>

#include <typeinfo>
#include <utility>

namespace troupe {

void timeout_protocol::timeout_connection() {
  close(inner(), [this] { lose_connection(failure{errc::idle_timed_out}); });
}

// A connection that is made once more arms the time-out anew, as the other protocol's.
bool timeout_protocol::may_move() const noexcept {
  return typeid(*this) == typeid(timeout_protocol);
}

void timeout_protocol::data_received(bytes_view data) {
  reset_timeout();
  protocol_wrapper::data_received(data);
}

// Who is not listened to cannot be silent, unless it is the one who does not listen.
void timeout_protocol::timed_out() {
  if ((paused_ || held_) && !inner().disconnecting()) {
    const auto before = std::exchange(unsent_, inner().unsent());
    if (unsent_ == 0 || unsent_ < before) {
      set_timeout(detail::idle_timer::timeout());
      return;
    }
  }
  timeout_connection();
}

void timeout_protocol::pause_producing() {
  paused_ = true;
  unsent_ = SIZE_MAX;
  protocol_wrapper::pause_producing();
}

void timeout_protocol::resume_producing() {
  if (std::exchange(paused_, false) && !inner().disconnecting())
    reset_timeout();
  protocol_wrapper::resume_producing();
}

void timeout_protocol::reading_held(bool held) {
  held_ = held;
  unsent_ = SIZE_MAX;
  if (!held && !inner().disconnecting())
    reset_timeout();
  protocol_wrapper::reading_held(held);
}

// A write that is refused is no sign of life: it must not keep a closing connection open.
void timeout_protocol::wrote() noexcept {
  if (producing_ || !inner().disconnecting())
    reset_timeout();
}

void timeout_protocol::write(bytes_view data) {
  wrote();
  protocol_wrapper::write(data);
}

void timeout_protocol::write(const shared_bytes& data) {
  wrote();
  protocol_wrapper::write(data);
}

void timeout_protocol::write_sequence(std::span<const bytes_view> pieces) {
  wrote();
  protocol_wrapper::write_sequence(pieces);
}

void timeout_protocol::register_producer(producer& p, bool streaming) {
  const auto before = std::exchange(producing_, true); // it may write within the call
  try {
    protocol_wrapper::register_producer(p, streaming);
  } catch (...) {
    producing_ = before;
    throw;
  }
}

void timeout_protocol::unregister_producer() {
  producing_ = false;
  protocol_wrapper::unregister_producer();
}

timeout_factory::timeout_factory(caf::actor_config& cfg, factory_ref inner, duration time_out)
  : wrapping_factory(cfg, std::move(inner)), time_out_(time_out) {}

std::unique_ptr<protocol_wrapper> timeout_factory::make_wrapper() {
  return std::make_unique<timeout_protocol>(time_out_);
}

} // namespace troupe
