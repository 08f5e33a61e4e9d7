// Says hello to the echo server, prints what comes back, and stops. If nobody listens yet it tries
// again, after waits that grow.
//
//   $ build/release/examples/echo_server
//   $ build/release/examples/echo_client 127.0.0.1 8007

#include <cstdio>
#include <string>

#include <spdlog/sinks/stdout_sinks.h>

#include <troupe/net/connect_tcp.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/net/reconnecting_client_factory.hpp>

#include "command_line.hpp"

using namespace std::chrono_literals;

class greeter : public troupe::protocol {
public:
  greeter(caf::actor_config& cfg, troupe::runtime& rt) : protocol(cfg), rt_(rt) {}

  void connection_made() override { transport().write("Hello, world!\n"); }

  void data_received(troupe::bytes_view data) override {
    got_ += troupe::as_text(data);
    if (got_.back() != '\n')
      return;
    got_.pop_back();
    std::printf("Server said: %s\n", troupe::printable(got_).c_str());
    std::fflush(stdout);
    rt_.stop(); // which closes the connection
  }

private:
  troupe::runtime& rt_;
  std::string got_;
};

int main(int argc, char** argv) {
  std::string host;
  std::uint16_t port = 0;
  CLI::App app{"Says hello to the echo server.", "echo_client"};
  app.add_option("host", host, "a name or an address")->required();
  app.add_option("port", port, "TCP port")->required();
  std::string log_level = "info";
  command_line::add_log_level(app, log_level);
  if (const auto status = command_line::parse(app, argc, argv))
    return *status;
  const auto logger = spdlog::stderr_logger_mt("echo_client");
  command_line::set_level(*logger, log_level);
  troupe::runtime rt{{.logger = logger}};
  troupe::connect_tcp(rt, host, port,
                      troupe::reconnecting_client_factory::for_protocol<greeter>(
                        {.initial = 100ms, .max = 5s}, std::ref(rt)));
  return rt.run().exit_code();
}
