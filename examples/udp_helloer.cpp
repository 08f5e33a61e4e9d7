// Connects a UDP port, says hello, and tells what comes back, if anybody is there.
//
//   $ build/release/examples/udp_helloer 127.0.0.1 9999
//   now we can only send to 127.0.0.1:9999
//   received "hello" from 127.0.0.1:9999      (udp_echo_server runs)
//   No one listening                          (it does not)
//
// Ctrl-C stops it. If that is no address to send to, it says so and fails with status 1.

#include <cstdio>
#include <string>

#include <troupe/net/listen_udp.hpp>
#include <troupe/net/printable.hpp>

#include "command_line.hpp"

using command_line::say;

class helloer : public troupe::datagram_protocol {
public:
  helloer(caf::actor_config& cfg, troupe::runtime* rt, troupe::net_address to)
    : datagram_protocol(cfg), rt_(rt), to_(std::move(to)) {}

  void start_protocol() override {
    if (const auto wrong = transport().connect(to_)) { // "localhost", for example
      std::fprintf(stderr, "udp_helloer: %s: %s\n", to_.to_string().c_str(),
                   wrong.message().c_str());
      return rt_->give_up(wrong); // run() returns it
    }
    say("now we can only send to " + to_.to_string());
    transport().write("hello"); // no need for an address
  }

  void datagram_received(troupe::bytes_view data, const troupe::net_address& from) override {
    say("received " + troupe::quoted_text(troupe::as_text(data), 500) + " from "
        + from.to_string());
  }

  void connection_refused() override { say("No one listening"); }

private:
  troupe::runtime* rt_;
  const troupe::net_address to_;
};

int main(int argc, char** argv) {
  std::string host = "127.0.0.1";
  std::uint16_t port = 9999;
  CLI::App app{"Says hello over UDP.", "udp_helloer"};
  app.add_option("host", host, "an address in numbers (127.0.0.1)");
  app.add_option("port", port, "UDP port (9999)");
  if (const auto wrong = command_line::parse(app, argc, argv))
    return *wrong;
  troupe::runtime rt;
  // 0 means any port: we do not care. "0.0.0.0" lets it reach other machines.
  troupe::listen_udp(
    rt, 0, troupe::datagram_protocol::of<helloer>(&rt, troupe::net_address::ip(host, port)),
    {.interface = host.find(':') == std::string::npos ? "0.0.0.0" : "::"});
  return rt.run().exit_code();
}
