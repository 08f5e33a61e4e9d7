#include "proxy_clients.hpp"

#include <memory>
#include <optional>

#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>

#include <troupe/basic/proxy_factory.hpp>

namespace troupe::detail {

namespace {

using shared_factory = std::shared_ptr<std::optional<factory_ref>>;

/// The factory of one loop, while it has connections.
class proxy_clients final : public asio::execution_context::service {
public:
  using key_type = proxy_clients; // as Asio wants it
  static inline asio::execution_context::id id;

  explicit proxy_clients(asio::execution_context& context)
    : asio::execution_context::service(context) {}

  const shared_factory current = std::make_shared<std::optional<factory_ref>>();

private:
  void shutdown() override { current->reset(); }
};

class proxy_client_factory final : public factory {
public:
  proxy_client_factory(caf::actor_config& cfg, const shared_factory& current)
    : factory(cfg), current_(current) {
    noisy = false;
  }

  protocol_ptr build_protocol(const net_address&) override { return make_protocol<proxy_client>(); }
  std::string log_prefix() const override { return "factory of proxy_client"; }

  void stop_factory() override {
    forget(); // at once: who connects in this very turn gets another one
    quit();
  }

  void on_exit() override {
    forget();
    factory::on_exit();
  }

private:
  void forget() {
    if (const auto current = current_.lock(); current && *current && (*current)->started() == this)
      current->reset();
  }

  const std::weak_ptr<std::optional<factory_ref>> current_;
};

} // namespace

deferred<connected_protocol> connect_proxy_client(client_endpoint& to, event_loop& here) {
  const auto& current = asio::use_service<proxy_clients>(here.io()).current;
  if (!*current)
    current->emplace(factory::of<proxy_client_factory>(current));
  return to.connect(factory_ref{**current});
}

} // namespace troupe::detail
