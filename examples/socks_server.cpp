// A proxy that speaks SOCKS 4, 4a and 5.
//
//   $ build/release/examples/socks_server --port 1080
//   socks_server listens on 127.0.0.1:1080
//   $ curl --socks5-hostname localhost:1080 https://example.org/
//
// It serves this machine only. --interface opens it to the network: then clients must give a user and a
// password, and may not go to what listens on this machine alone.
//
// Ctrl-C stops it. `--help` lists the options.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <troupe/basic/socks_server.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/runtime/logger.hpp>

#include "command_line.hpp"

int main(int argc, char** argv) {
  std::uint16_t port = 1080;
  std::string user, password, log_level = "info";
  troupe::listen_options listen;
  troupe::runtime_options options;
  CLI::App app{"A proxy that speaks SOCKS 4, 4a and 5.", "socks_server"};
  app.add_option("--port", port, "TCP port; 0 takes a free one (1080)");
  app
    .add_option("--interface", listen.interface,
                "local address; 0.0.0.0 or :: opens it to the network (127.0.0.1)")
    ->check(command_line::local_address);
  app.add_option("--user", user, "whom clients must be, and so speak version 5");
  app.add_option("--password-file", password, "a file with the password in its first line")
    ->check(CLI::ExistingFile);
  app.add_option("--loops", options.loops, "event loops, and so threads; 0 is one a core (0)");
  command_line::add_log_level(app, log_level);
  if (const auto status = command_line::parse(app, argc, argv))
    return *status;

  troupe::socks_server_options serving;
  if (!password.empty()) {
    std::string line;
    if (std::FILE* const file = std::fopen(password.c_str(), "r")) {
      for (int c; (c = std::fgetc(file)) != EOF && c != '\n' && c != '\r';)
        line += static_cast<char>(c);
      std::fclose(file);
    }
    serving.authenticate = [user, line](std::string_view u, std::string_view p) {
      return u == user && p == line && !line.empty();
    };
  }
  const bool open = listen.interface.rfind("127.", 0) != 0 && listen.interface != "::1";
  if ((open || !user.empty() || !password.empty()) && (user.empty() || password.empty())) {
    std::fprintf(stderr, "socks_server: give --user and --password-file\n");
    return command_line::wrong_usage;
  }
  if (open)
    serving.rule = [](const troupe::socks_request&, const troupe::net_address& client,
                      const troupe::net_address& target) {
      return troupe::succeed(troupe::is_local_address(client) || !troupe::is_local_address(target));
    };

  options.logger = troupe::make_logger("socks_server");
  command_line::set_level(*options.logger, log_level);
  troupe::runtime rt{options};
  try {
    const auto p = troupe::listen_tcp(
      rt, port, troupe::factory::of<troupe::socks_server_factory>(std::ref(rt), serving), listen);
    std::printf("socks_server listens on %s\n", p.get_host().to_string().c_str());
    std::fflush(stdout);
  } catch (const troupe::cannot_listen_error& e) {
    std::fprintf(stderr, "socks_server: %s\n", e.what());
    return EXIT_FAILURE;
  }
  return rt.run().exit_code();
}
