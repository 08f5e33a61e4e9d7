// Starts a program for each connection, as /etc/inetd.conf or a file like it says.
//
//   $ cat services
//   # service type   protocol wait   user program   arguments
//   7007      stream tcp      nowait me   /bin/cat  cat
//   7013      stream tcp      nowait me   internal  daytime
//   $ build/release/examples/inetd --config services
//   inetd listens on 127.0.0.1:7007 for /bin/cat
//   inetd listens on 127.0.0.1:7013 for daytime
//
// Ctrl-C stops it; programs go on. `--help` lists the options.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include <troupe/basic/inetd.hpp>
#include <troupe/net/listening_port.hpp>
#include <troupe/runtime/logger.hpp>

#include "command_line.hpp"

int main(int argc, char** argv) {
  std::string path = "/etc/inetd.conf", log_level = "info";
  troupe::inetd_options options;
  bool no_internal = false;
  CLI::App app{"Starts a program for each connection.", "inetd"};
  app.add_option("--config", path, "what to serve, in inetd's format (/etc/inetd.conf)");
  app
    .add_option("--interface", options.interface,
                "local address; 0.0.0.0 or :: opens it to the network (127.0.0.1)")
    ->check(command_line::local_address);
  app.add_option("--max-children", options.max_children,
                 "how many programs of one service run at once (40)");
  app.add_flag("--no-internal", no_internal, "serves no echo, discard, chargen, daytime, time");
  command_line::add_log_level(app, log_level);
  if (const auto status = command_line::parse(app, argc, argv))
    return *status;

  std::ifstream file{path};
  if (!file) {
    std::fprintf(stderr, "inetd: cannot read %s\n", path.c_str());
    return EXIT_FAILURE;
  }
  troupe::inetd_config config;
  try {
    config = troupe::inetd_config::parse(std::string{std::istreambuf_iterator<char>{file}, {}},
                                         !no_internal);
  } catch (const troupe::inetd_syntax_error& e) {
    std::fprintf(stderr, "inetd: %s: %s\n", path.c_str(), e.what());
    return EXIT_FAILURE;
  }
  troupe::runtime_options how;
  how.loops = 1;
  how.logger = troupe::make_logger("inetd");
  command_line::set_level(*how.logger, log_level);
  for (const auto& why : config.skipped)
    how.logger->warn("{}: {}", path, why);
  troupe::runtime rt{how};
  std::size_t listening = 0;
  for (const auto& s : config.services) {
    try {
      const auto host = troupe::listen_inetd(rt, s, options);
      std::printf("inetd listens on %s for %s\n", host.to_string().c_str(),
                  s.internal.empty() ? s.program.c_str() : s.internal.c_str());
      ++listening;
    } catch (const troupe::cannot_listen_error& e) { // the others are served all the same
      rt.logger().error("{}", e.what());
    }
  }
  std::fflush(stdout);
  if (listening == 0) {
    std::fprintf(stderr, "inetd: there is nothing to serve\n");
    return EXIT_FAILURE;
  }
  return rt.run().exit_code();
}
