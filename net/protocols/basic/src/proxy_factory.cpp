#include <troupe/basic/proxy_factory.hpp>

#include <stdexcept>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/runtime/loop_scheduler.hpp>

#include "proxy_clients.hpp"

namespace troupe {

proxy_server::proxy_server(caf::actor_config& cfg, std::shared_ptr<client_endpoint> to, bool noisy)
  : proxy(cfg), to_(std::move(to)), noisy_(noisy) {}

deferred<connected_protocol> proxy_server::connect_out() {
  if (!to_)
    throw std::logic_error("a proxy_server has nowhere to connect to: override connect_out");
  return detail::connect_proxy_client(*to_, loop());
}

void proxy_server::connect() {
  auto d = maybe_deferred([this] { return connect_out(); });
  connecting_ = d.canceller();
  // Whoever connects may do so for longer than this lives.
  const caf::strong_actor_ptr self{ctrl()};
  std::move(d).add_callbacks(
    [this, self](const connected_protocol& p) {
      if (over_)
        return p.lose_connection();
      enter([&] { connected_out(p); });
    },
    [this, self](const failure& why) {
      if (!over_)
        enter([&] { connect_failed(why); });
    });
}

void proxy_server::connected_out(const connected_protocol& p) {
  connecting_ = {};
  auto* const out = p.local<proxy>();
  if (out == nullptr || !out->connected()) {
    p.lose_connection(); // which may be one that cannot be joined
    return connect_failed(errc::connection_lost);
  }
  if (!transport().disconnecting())
    return join(*out);
  p.lose_connection();
}

void proxy_server::connect_failed(const failure& why) {
  if (noisy_)
    loop().scheduler().logger().warn("[{}] Unable to connect to peer: {}", log_name(),
                                     why.message());
  transport().lose_connection();
}

void proxy_server::connection_lost(const failure& reason) {
  over_ = true;
  std::exchange(connecting_, {}).cancel();
  proxy::connection_lost(reason);
}

proxy_factory::proxy_factory(caf::actor_config& cfg, std::shared_ptr<client_endpoint> to,
                             bool log_failures)
  : factory(cfg), to_(std::move(to)), log_failures_(log_failures) {}

protocol_ptr proxy_factory::build_protocol(const net_address&) {
  return make_protocol<proxy_server>(to_, log_failures_);
}

} // namespace troupe
