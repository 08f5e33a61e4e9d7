#include <troupe/net/datagram_protocol.hpp>

#include <stdexcept>

#include <troupe/net/multicast_transport.hpp>
#include <troupe/runtime/detail/uncaught.hpp>
#include <troupe/runtime/failure.hpp>

#include "datagram_binding.hpp"

namespace troupe {

namespace {

// What `transport()` is before the port is opened and after it is closed. It has no state, so all
// share one.
class closed_transport final : public datagram_transport {
public:
  std::error_code write(bytes_view, const net_address&) override { return errc::not_listening; }
  std::error_code write(bytes_view) override { return errc::not_listening; }
  std::error_code connect(const net_address&) override { return errc::not_listening; }
  std::error_code set_broadcast_allowed(bool) override { return errc::not_listening; }
  bool get_broadcast_allowed() const override { return false; }
  chained<void> stop_listening() override { return chained<void>(succeed()); }
  net_address get_host() const override { return {}; }
  net_address get_peer() const override { return {}; }
  bool listening() const noexcept override { return false; }
  std::size_t unsent() const noexcept override { return 0; }
  const datagram_counters& counters() const noexcept override {
    static const datagram_counters none;
    return none;
  }
  void protocol_ended() noexcept override {}
};

class closed_multicast final : public multicast_transport {
public:
  chained<void> join_group(const std::string&, const std::string&) override { return refuse(); }
  chained<void> leave_group(const std::string&, const std::string&) override { return refuse(); }
  std::error_code set_ttl(int) override { return errc::not_listening; }
  int get_ttl() const override { return 0; }
  std::error_code set_loopback_mode(bool) override { return errc::not_listening; }
  bool get_loopback_mode() const override { return false; }
  chained<void> set_outgoing_interface(const std::string&) override { return refuse(); }
  std::string get_outgoing_interface() const override { return {}; }

private:
  static chained<void> refuse() { return chained<void>(fail(errc::not_listening)); }
};

closed_transport closed;
closed_multicast closed_groups;

} // namespace

datagram_protocol::datagram_protocol(caf::actor_config& cfg) : super(cfg), transport_(&closed) {}

datagram_protocol::~datagram_protocol() = default;

void datagram_protocol::datagram_received(bytes_view, const net_address&) {}

multicast_transport& datagram_protocol::multicast() const {
  if (multicast_ == nullptr)
    throw std::logic_error("multicast: this port was not opened by listen_multicast");
  return *multicast_;
}

const char* datagram_protocol::name() const {
  return "datagram_protocol";
}

// -- starting and stopping ----------------------------------------------------------------------

void datagram_protocol::make_connection(datagram_transport& t, multicast_transport* m) {
  transport_ = &t;
  multicast_ = m;
  open_ = true;
  detail::in_callback("start_protocol", [this] { start_protocol(); });
}

void datagram_protocol::end_connection() {
  enter([this] { stopped(); });
}

chained<void> datagram_protocol::when_stopped() {
  if (!open_)
    return chained<void>(succeed());
  stopping_.emplace_back();
  return chained<void>(stopping_.back().get_deferred());
}

void datagram_protocol::stopped() {
  open_ = false;
  transport_ = &closed;
  if (multicast_ != nullptr)
    multicast_ = &closed_groups;
  auto waiting = std::exchange(stopping_, {});
  failure why;
  try {
    stop_protocol();
  } catch (...) {
    why = failure::current();
    if (waiting.empty())
      log_exception("stop_protocol");
  }
  if (const auto b = std::move(binding_))
    b->in_use = false;
  for (auto& p : waiting) {
    if (why)
      p.errback(why);
    else
      p.callback();
  }
}

void datagram_protocol::on_exit() {
  if (open_) {
    transport_->protocol_ended();
    stopped();
  }
  super::on_exit();
}

// -- what the transport delivers ----------------------------------------------------------------

bool datagram_protocol::deliver(bytes_view data, const net_address& from) noexcept {
  guarded("datagram_received", [&] { datagram_received(data, from); });
  return !getf(is_shutting_down_flag | is_cleaned_up_flag);
}

bool datagram_protocol::deliver_refusal() noexcept {
  guarded("connection_refused", [this] { connection_refused(); });
  return !getf(is_shutting_down_flag | is_cleaned_up_flag);
}

// -- naming one ---------------------------------------------------------------------------------

datagram_protocol_ref::datagram_protocol_ref(start_function start)
  : binding_(std::make_shared<detail::datagram_binding>(std::move(start))) {}

caf::actor datagram_protocol_ref::actor() const {
  return binding_->actor ? caf::actor_cast<caf::actor>(binding_->actor) : caf::actor{};
}

} // namespace troupe
