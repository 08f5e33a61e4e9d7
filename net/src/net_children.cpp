#include <troupe/net/net_children.hpp>

#include <troupe/actors/supervisor.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "acceptor.hpp"

namespace troupe {

namespace {

event_loop& loop_0_of(supervisor& parent) {
  if (parent.loop().index() != 0)
    failure{errc::invalid_argument, "ports and factories are children of supervisors on loop 0"}
      .raise();
  return parent.loop();
}

} // namespace

child_spec factory_child(std::string id, factory_ref f, restart_type restart) {
  auto start = [f = std::move(f)](supervisor& parent) -> outcome<caf::actor> {
    auto started = f.start_supervised(parent.system(), loop_0_of(parent));
    if (!started)
      return failure{errc::child_start_failed, "the factory did not start"};
    return started;
  };
  return {.id = std::move(id), .start = std::move(start), .restart = restart};
}

namespace {

child_spec port_of(std::string id, detail::listening_opener open, factory_ref f,
                   std::shared_ptr<const detail::transport_kind> kind, detail::accept_rules rules,
                   std::function<void(const listening_port&)> listening, restart_type restart) {
  auto start =
    [=, kept = std::make_shared<detail::kept_socket>()](supervisor& parent) -> outcome<caf::actor> {
    const auto made = detail::acceptor::make_supervised(parent.system(), loop_0_of(parent), open, f,
                                                        kind, rules, kept);
    if (!made.actor())
      return failure{errc::not_listening, "the factory does not run"};
    if (listening)
      listening(made);
    return made.actor();
  };
  return {.id = std::move(id), .start = std::move(start), .restart = restart};
}

} // namespace

child_spec port_child(std::string id, std::uint16_t port, factory_ref f,
                      const listen_options& options,
                      std::function<void(const listening_port&)> listening, restart_type restart) {
  return port_of(
    std::move(id), detail::tcp_listener(port, options), std::move(f),
    std::make_shared<const detail::tcp_kind>(options.no_delay, options.keep_alive, options.output),
    options, std::move(listening), restart);
}

} // namespace troupe
