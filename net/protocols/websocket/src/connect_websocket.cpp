#include <troupe/websocket/connect_websocket.hpp>

#include <utility>

#include <troupe/net/ssl_endpoint.hpp>
#include <troupe/net/tcp_endpoint.hpp>

#include "websocket_attempt.hpp"

namespace troupe {

namespace detail {

/// Builds the one WebSocket of an attempt, and ends with it.
class websocket_client_factory final : public factory {
public:
  websocket_client_factory(caf::actor_config& cfg, builder<websocket_protocol> make,
                           std::shared_ptr<websocket_attempt> attempt)
    : factory(cfg), make_(std::move(make)), attempt_(std::move(attempt)) {
    noisy = false;
  }

  protocol_ptr build_protocol(const net_address&) override {
    if (!attempt_->wanted())
      return nullptr;
    protocol_ptr built{make_(system(), connection_loop())};
    static_cast<websocket_protocol*>(built.get())->set_up_client(attempt_);
    return built;
  }

  void stop_factory() override { quit(); }
  std::string log_prefix() const override { return "WebSocket clients"; }

private:
  builder<websocket_protocol> make_;
  std::shared_ptr<websocket_attempt> attempt_;
};

} // namespace detail

deferred<connected_protocol> connect_websocket(client_endpoint& to, const websocket_url& url,
                                               builder<websocket_protocol> make,
                                               websocket_client_options options) {
  const auto a = std::make_shared<detail::websocket_attempt>(detail::websocket_attempt{
    websocket_handshake{url, {options.fields, options.socket.subprotocols, options.socket.deflate}},
    std::make_shared<const websocket_options>(std::move(options.socket)),
    options.handshake_timeout});
  a->waiting.emplace([weak = std::weak_ptr<detail::websocket_attempt>{a}] {
    if (const auto self = weak.lock()) {
      std::exchange(self->reaching, {}).cancel();
      if (self->socket != nullptr && self->socket->connected())
        self->socket->transport().abort_connection();
    }
  });
  auto waits = a->waiting->get_deferred();
  auto d = to.connect(factory::of<detail::websocket_client_factory>(std::move(make), a));
  a->reaching = d.canceller();
  std::move(d).add_callbacks([](const connected_protocol&) {},
                             [a](const failure& why) { a->fail(why); });
  return waits;
}

deferred<connected_protocol> connect_websocket(runtime& rt, std::string_view url,
                                               builder<websocket_protocol> make,
                                               websocket_client_options options,
                                               std::optional<tls_client_context> tls,
                                               connect_options connecting) {
  const auto where = websocket_url::parse(url);
  if (where.tls) {
    ssl_client_endpoint to{rt, where.host, where.port, tls ? *std::move(tls) : tls_client_context{},
                           std::move(connecting)};
    return connect_websocket(to, where, std::move(make), std::move(options));
  }
  tcp_client_endpoint to{rt, where.host, where.port, std::move(connecting)};
  return connect_websocket(to, where, std::move(make), std::move(options));
}

} // namespace troupe
