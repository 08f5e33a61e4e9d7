// The chat, fourth step: supervised, limited, observed; it ends without losing a line.

#include <cstdio>
#include <cstdlib>

#include <troupe/actors/root_supervisor.hpp>
#include <troupe/net/limit_connections.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/metrics_page.hpp>
#include <troupe/net/net_children.hpp>

#include "../chat3/chat.hpp"

using namespace std::chrono_literals;

// [tree]
int main(int argc, char** argv) {
  const auto number = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 8123);
  troupe::runtime rt{{.grace = 10s}};

  // [limits]
  auto users = troupe::factory::for_protocol<chat>(rt.names().get("users"), troupe::topics{rt});
  users = troupe::factory::of<troupe::limit_connections_by_peer_factory>(users, std::size_t{100});
  // [/limits]

  troupe::root_supervisor(rt)->start_child(troupe::supervisor::as_child(
    {.name = "chat",
     .strategy = troupe::restart_strategy::rest_for_one,
     .intensity = 5,
     .period = 1min},
    {{.id = "users", .start = troupe::start_actor<registry>(), .name = "users"},
     troupe::factory_child("connections", users),
     troupe::port_child("port", number, users, {}, [](const troupe::listening_port& port) {
       std::printf("chat listens on %s\n", port.get_host().to_string().c_str());
       std::fflush(stdout);
     })}));

  // [metrics]
  if (argc > 2) // for Prometheus, and for who balances load: /metrics, /healthz
    troupe::listen_tcp(rt, static_cast<std::uint16_t>(std::atoi(argv[2])),
                       troupe::metrics_page(rt));
  // [/metrics]
  return rt.run().exit_code();
}
// [/tree]
