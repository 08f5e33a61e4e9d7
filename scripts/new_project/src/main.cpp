// @NAME@ [PORT [METRICS_PORT]]: a supervised service. Ctrl-C and SIGTERM end it in order.

#include <cstdio>
#include <cstdlib>
#include <exception>

#include <troupe/actors/root_supervisor.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/metrics_page.hpp>
#include <troupe/net/net_children.hpp>

#include "@NAME@.hpp"

int main(int argc, char** argv) {
  const auto port_argument = [&](int i, int otherwise) {
    return static_cast<std::uint16_t>(argc > i ? std::atoi(argv[i]) : otherwise);
  };
  try {
    troupe::runtime rt;
    const auto connections = troupe::factory::for_protocol<@NAME@>(rt.names().get("words"));
    const auto listening = [](const troupe::listening_port& port) {
      std::printf("@NAME@ listens on %s\n", port.get_host().to_string().c_str());
      std::fflush(stdout);
    };
    const char* const interface = std::getenv("LISTEN"); // such as 0.0.0.0, in a container
    troupe::root_supervisor(rt)->start_child(troupe::supervisor::as_child(
      {.name = "@NAME@", .strategy = troupe::restart_strategy::rest_for_one, .intensity = 5},
      {{.id = "words", .start = troupe::start_actor<tally>(), .name = "words"},
       troupe::factory_child("connections", connections),
       troupe::port_child("port", port_argument(1, 7000), connections,
                          {.interface = interface != nullptr ? interface : "127.0.0.1"}, listening)}));
    if (argc > 2)
      troupe::listen_tcp(rt, port_argument(2, 0), troupe::metrics_page(rt)); // /metrics, /healthz
    return rt.run().exit_code();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "@NAME@: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
