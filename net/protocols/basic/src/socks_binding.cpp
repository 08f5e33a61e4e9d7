#include "socks_binding.hpp"

#include <utility>

#include <caf/send.hpp>

#include <troupe/net/factory.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe::detail {

namespace {

using binding = std::shared_ptr<socks_binding>;

class bound_proxy final : public proxy {
public:
  bound_proxy(caf::actor_config& cfg, binding of) : proxy(cfg), of_(std::move(of)) {}

  void connection_made() override {
    transport().pause_producing();
    // Joined in a turn of its own, as the side that connects out is.
    loop().post([this, self = caf::strong_actor_ptr{ctrl()}] {
      if (connected())
        of_->take(*this);
    });
  }

private:
  const binding of_;
};

class binding_factory final : public factory {
public:
  binding_factory(caf::actor_config& cfg, binding of) : factory(cfg), of_(std::move(of)) {
    noisy = false;
  }
  protocol_ptr build_protocol(const net_address& peer) override {
    if (!of_->lets_in(peer))
      return nullptr;
    return make_protocol<bound_proxy>(of_);
  }
  void stop_factory() override { quit(); } // nobody else has it

private:
  const binding of_;
};

} // namespace

socks_binding::socks_binding(std::string expected, handler came)
  : expected_(std::move(expected)), came_(std::move(came)) {}

net_address socks_binding::listen(runtime& rt, std::size_t where, const std::string& interface) {
  listen_options o;
  o.interface = interface;
  o.backlog = 5;
  o.placement = placement::same_loop;
  o.loop = where;
  port_ = listen_tcp(rt, 0, factory::of<binding_factory>(shared_from_this()), o);
  return port_.get_host();
}

void socks_binding::close() {
  if (!std::exchange(came_, {}))
    return;
  const auto open = std::exchange(port_, {}).actor(); // whose factory has this
  if (open)
    caf::anon_send_exit(open, caf::exit_reason::user_shutdown);
}

bool socks_binding::lets_in(const net_address& peer) const {
  return came_ && !taken_
         && (expected_ == peer.host() || expected_ == "0.0.0.0" || expected_ == "::");
}

void socks_binding::take(proxy& other) {
  if (!came_ || std::exchange(taken_, true))
    return other.transport().abort_connection();
  const auto came = came_;
  close();
  came(other);
}

} // namespace troupe::detail
