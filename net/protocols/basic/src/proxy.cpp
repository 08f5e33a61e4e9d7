#include <troupe/basic/proxy.hpp>

#include <stdexcept>
#include <utility>

namespace troupe {

proxy::proxy(caf::actor_config& cfg) : protocol(cfg) {}

void proxy::join(proxy& other) {
  if (&loop() != &other.loop())
    throw std::logic_error("join: the two sides of a proxy are on different loops");
  if (!connected() || !other.connected() || other_ != nullptr || other.other_ != nullptr
      || &other == this)
    throw std::logic_error("join: a side of a proxy has no connection, or another side");
  other_ = &other;
  other.other_ = this;
  transport().register_producer(other.transport(), true);
  other.transport().register_producer(transport(), true);
  transport().resume_producing();
  other.transport().resume_producing();
  for (auto* side : {this, &other}) {
    if (const auto kept = std::exchange(side->pending_, {});
        !kept.empty() && side->other_ != nullptr)
      side->forward(as_bytes(kept));
    if (side->read_ended_)
      side->pass_end_on();
  }
}

void proxy::forward(bytes_view data) {
  other_->transport().write(data);
}

void proxy::data_received(bytes_view data) {
  if (other_ != nullptr)
    forward(data);
  else
    keep(data);
}

void proxy::keep(bytes_view data) {
  pending_ += as_text(data);
  if (pending_.size() >= max_pending)
    transport().pause_producing();
}

void proxy::read_connection_lost() {
  read_ended_ = true;
  pass_end_on();
}

// Tells the other peer that this one has sent everything.
void proxy::pass_end_on() {
  if (other_ == nullptr || !other_->connected())
    return;
  other_->transport().unregister_producer();
  other_->transport().lose_write_connection();
}

void proxy::connection_lost(const failure& reason) {
  if (auto* const o = std::exchange(other_, nullptr)) {
    o->other_ = nullptr;
    o->other_ended(reason);
  }
}

void proxy::other_ended(const failure& reason) {
  if (!connected())
    return;
  transport().unregister_producer(); // that was the one which has ended
  if (reason.check(errc::connection_lost) || reason.check(errc::connection_aborted))
    transport().abort_connection();
  else
    transport().lose_connection();
}

void proxy::stop_requested() {
  if (connected())
    transport().unregister_producer(); // the connection would wait for more output
  protocol::stop_requested();
}

} // namespace troupe
