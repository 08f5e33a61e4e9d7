#include <troupe/net/net_children.hpp>

#include <spdlog/logger.h>

#include <troupe/actors/supervisor.hpp>
#include <troupe/net/reconnecting_client_factory.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "acceptor.hpp"
#include "connector_actor.hpp"
#include "tls_kind.hpp"

namespace troupe {

namespace {

// A factory that is made anew runs on the loop of the one before, where its ports are.
event_loop& loop_for(const factory_ref& f, supervisor& parent) {
  auto& loop = parent.loop();
  if (const auto* const started = f.started(); started != nullptr && &started->loop() != &loop)
    failure{errc::invalid_argument, "the factory runs on loop "
                                      + std::to_string(started->loop().index())
                                      + ", its supervisor on loop " + std::to_string(loop.index())}
      .raise();
  return loop;
}

} // namespace

child_spec factory_child(std::string id, factory_ref f, restart_type restart) {
  auto start = [f = std::move(f)](supervisor& parent) -> outcome<caf::actor> {
    auto started = f.start_supervised(parent.system(), loop_for(f, parent));
    if (!started)
      return failure{errc::child_start_failed, "the factory ended as it started"};
    return started;
  };
  return {.id = std::move(id), .start = std::move(start), .restart = restart};
}

namespace {

child_spec port_of(std::string id, detail::listening_opener open, factory_ref f,
                   std::shared_ptr<const detail::transport_kind> kind, detail::accept_rules rules,
                   std::size_t loop, std::function<void(const listening_port&)> listening,
                   restart_type restart) {
  const auto kept = std::make_shared<detail::kept_socket>();
  auto start = [=](supervisor& parent) -> outcome<caf::actor> {
    if (loop != 0 && loop != parent.loop().index()) // 0 may mean that nothing was said
      return failure{errc::invalid_argument, "the port is to run on loop " + std::to_string(loop)
                                               + ", and its supervisor does on loop "
                                               + std::to_string(parent.loop().index())};
    const auto made = detail::acceptor::make_supervised(parent.system(), loop_for(f, parent), open,
                                                        f, kind, rules, kept);
    if (listening)
      listening(made);
    return made.actor();
  };
  return {.id = std::move(id), .start = std::move(start), .restart = restart, .stopped = [kept] {
            kept->socket.reset();
          }};
}

} // namespace

child_spec port_child(std::string id, std::uint16_t port, factory_ref f,
                      const listen_options& options,
                      std::function<void(const listening_port&)> listening, restart_type restart) {
  return port_of(std::move(id), detail::tcp_listener(port, options), std::move(f),
                 detail::accepted_tcp(options), options, options.loop, std::move(listening),
                 restart);
}

child_spec unix_port_child(std::string id, const std::string& path, factory_ref f,
                           const unix_listen_options& options,
                           std::function<void(const listening_port&)> listening,
                           restart_type restart) {
  return port_of(std::move(id), detail::unix_listener(path, options), std::move(f),
                 std::make_shared<const detail::unix_kind>(options.output), options, 0,
                 std::move(listening), restart);
}

child_spec ssl_port_child(std::string id, std::uint16_t port, factory_ref f,
                          const tls_server_context& tls, const listen_options& options,
                          std::function<void(const listening_port&)> listening,
                          restart_type restart) {
  auto told = [listening = std::move(listening),
               warnings = tls.warnings()](const listening_port& at) {
    for (const auto& warning : warnings)
      event_loop::current()->scheduler().logger().warn("{}", warning);
    if (listening)
      listening(at);
  };
  return port_of(std::move(id), detail::tcp_listener(port, options), std::move(f),
                 detail::accepted_tls(tls, options), options, options.loop, std::move(told),
                 restart);
}

// -- connectors ---------------------------------------------------------------------------------

namespace {

child_spec connector_of(std::string id, detail::destination to, client_factory_ref f,
                        const connect_options& options,
                        std::shared_ptr<const detail::transport_kind> kind,
                        std::function<void(const connector&)> connected, restart_type restart) {
  auto start = [=, options = detail::checked(options)](supervisor& parent) -> deferred<caf::actor> {
    const auto on = options.loop;
    if (on != current_loop && on != any_loop && on != parent.loop().index())
      failure{errc::invalid_argument, "the connection is to be on loop " + std::to_string(on)
                                        + ", and its supervisor is on loop "
                                        + std::to_string(parent.loop().index())}
        .raise();
    if (!f.start_supervised(parent.system(), loop_for(f, parent)))
      failure{errc::child_start_failed, "the factory ended as it started"}.raise();
    if (dynamic_cast<reconnecting_client_factory*>(f.get()) != nullptr)
      failure{errc::invalid_argument, "a factory that connects again by itself has a supervisor"}
        .raise();
    const detail::connecting_place place{parent.loop(), on == any_loop};
    return detail::connector_actor::start(
      parent, std::make_shared<detail::connecting>(place, to, f, options, kind), connected);
  };
  return {.id = std::move(id), .start = std::move(start), .restart = restart};
}

} // namespace

child_spec connector_child(runtime& rt, std::string id, const std::string& host, std::uint16_t port,
                           client_factory_ref f, const connect_options& options,
                           std::function<void(const connector&)> connected, restart_type restart) {
  return connector_of(
    std::move(id), detail::tcp_destination(rt, host, port, options), std::move(f), options,
    std::make_shared<const detail::tcp_kind>(options.no_delay, options.keep_alive, options.output),
    std::move(connected), restart);
}

child_spec unix_connector_child(runtime&, std::string id, const std::string& path,
                                client_factory_ref f, const unix_connect_options& options,
                                std::function<void(const connector&)> connected,
                                restart_type restart) {
  return connector_of(std::move(id), detail::unix_destination(path, options), std::move(f),
                      {.timeout = options.timeout, .output = options.output, .loop = options.loop},
                      std::make_shared<const detail::unix_kind>(options.output),
                      std::move(connected), restart);
}

child_spec ssl_connector_child(runtime& rt, std::string id, const std::string& host,
                               std::uint16_t port, client_factory_ref f,
                               const tls_client_context& tls, const connect_options& options,
                               std::function<void(const connector&)> connected,
                               restart_type restart) {
  for (const auto& warning : tls.warnings())
    rt.logger().warn("{}", warning);
  return connector_of(std::move(id), detail::tcp_destination(rt, host, port, options), std::move(f),
                      options,
                      std::make_shared<const detail::tls_kind>(
                        tls.settings(), options.no_delay, options.keep_alive, options.output, host,
                        host + ':' + std::to_string(port)),
                      std::move(connected), restart);
}

} // namespace troupe
