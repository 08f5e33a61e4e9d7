// Passes each connection on to another place.
//
//   $ build/release/examples/port_forward tcp:8080 tcp:localhost:80
//   port_forward listens on 127.0.0.1:8080
//   $ build/release/examples/port_forward tcp:6667 tls:irc.example:6697     # with TLS on the way out
//   $ build/release/examples/port_forward unix:/run/db tcp:localhost:5432
//
// Ctrl-C stops it: what was read is passed on first. `--help` lists the options.

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <troupe/basic/proxy_factory.hpp>
#include <troupe/net/endpoint_string.hpp>
#include <troupe/runtime/logger.hpp>

#include "command_line.hpp"

int main(int argc, char** argv) {
  std::string from, to, log_level = "info";
  std::size_t max_connections = 10'000;
  troupe::runtime_options options;
  CLI::App app{"Passes each connection on to another place.", "port_forward"};
  app.add_option("listen", from, "such as tcp:8080, tcp:8080:interface=0.0.0.0, unix:/path")
    ->required();
  app.add_option("connect", to, "such as tcp:localhost:80, tls:example.org:443, unix:/path")
    ->required();
  app.add_option("--max-connections", max_connections, "more of them wait (10000)");
  app.add_option("--loops", options.loops, "event loops, and so threads; 0 is one a core (0)");
  command_line::add_log_level(app, log_level);
  if (const auto status = command_line::parse(app, argc, argv))
    return *status;

  options.logger = troupe::make_logger("port_forward");
  command_line::set_level(*options.logger, log_level);
  troupe::runtime rt{options};
  std::unique_ptr<troupe::server_endpoint> server;
  std::shared_ptr<troupe::client_endpoint> target;
  try {
    server = troupe::server_from_string(rt, from);
    target = troupe::client_from_string(rt, to);
  } catch (const std::exception& e) { // a description is wrong, or a file that it names
    std::fprintf(stderr, "port_forward: %s\n", e.what());
    return EXIT_FAILURE;
  }
  const auto forwards = troupe::factory::of<troupe::proxy_factory>(target);
  int status = EXIT_SUCCESS;
  server->listen(forwards).add_callbacks(
    [&](const troupe::listening_port& port) {
      forwards.get()->set_max_connections(max_connections);
      std::printf("port_forward listens on %s\n", port.get_host().to_string().c_str());
      std::fflush(stdout);
    },
    [&](const troupe::failure& why) {
      std::fprintf(stderr, "port_forward: %s\n", why.message().c_str());
      status = EXIT_FAILURE;
    });
  if (status != EXIT_SUCCESS)
    return status;
  return rt.run().exit_code();
}
