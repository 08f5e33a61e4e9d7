#include <stdexcept>
#include <utility>

#include <troupe/testing/string_transport.hpp>

namespace troupe::testing {

string_transport::string_transport()
  : peer_(net_address::kind::ipv4, "192.168.1.1", 54321),
    host_(net_address::kind::ipv4, "10.0.0.1", 12345) {}

string_transport::~string_transport() = default;

void string_transport::write_sequence(std::span<const bytes_view> pieces) {
  std::string whole;
  for (const auto piece : pieces)
    whole += as_text(piece);
  write(as_bytes(whole));
}

void string_transport::write(bytes_view data) {
  if (data.empty())
    return;
  const bool too_late = disconnecting_ && producer_ == nullptr;
  if (!connected_ || aborting_ || write_closed_ || too_late) {
    ++refused_;
    return;
  }
  sent_ += as_text(data);
  ++writes_;
}

void string_transport::lose_connection() {
  disconnecting_ = true;
  state_ = testing::producer_state::stopped;
}

void string_transport::abort_connection() {
  lose_connection();
  aborting_ = true;
}

void string_transport::register_producer(producer& p, bool streaming) {
  if (producer_ != nullptr)
    throw std::logic_error("register_producer: a producer is registered already");
  if (!connected_)
    return p.stop_producing();
  producer_ = &p;
  streaming_ = streaming;
}

void string_transport::pause_producing() {
  if (state_ != testing::producer_state::stopped)
    state_ = testing::producer_state::paused;
}

void string_transport::resume_producing() {
  if (state_ != testing::producer_state::stopped)
    state_ = testing::producer_state::producing;
}

void string_transport::close() noexcept {
  connected_ = false;
  disconnecting_ = true;
  state_ = testing::producer_state::stopped;
  if (auto* const p = std::exchange(producer_, nullptr))
    p->stop_producing();
}

} // namespace troupe::testing
