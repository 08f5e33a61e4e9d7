// Connects a UDP port, says hello, and tells what comes back, if anybody is there.
//
//   $ build/release/examples/udp_helloer 127.0.0.1 9999
//   now we can only send to 127.0.0.1:9999
//   received "hello" from 127.0.0.1:9999      (udp_echo_server runs)
//   No one listening                          (it does not)
//
// Ctrl-C stops it.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <troupe/net/listen_udp.hpp>

class helloer : public troupe::datagram_protocol {
public:
  helloer(caf::actor_config& cfg, troupe::net_address to)
    : datagram_protocol(cfg), to_(std::move(to)) {}

  void start_protocol() override {
    if (const auto wrong = transport().connect(to_)) // "localhost", for example
      return say(to_.to_string() + ": " + wrong.message());
    say("now we can only send to " + to_.to_string());
    transport().write("hello"); // no need for an address
  }

  void datagram_received(troupe::bytes_view data, const troupe::net_address& from) override {
    say("received \"" + std::string(troupe::as_text(data)) + "\" from " + from.to_string());
  }

  void connection_refused() override { say("No one listening"); }

private:
  static void say(const std::string& text) {
    std::puts(text.c_str());
    std::fflush(stdout);
  }

  const troupe::net_address to_;
};

int main(int argc, char** argv) {
  const std::string host = argc > 1 ? argv[1] : "127.0.0.1";
  const auto port = static_cast<std::uint16_t>(argc > 2 ? std::atoi(argv[2]) : 9999);
  troupe::runtime rt;
  // 0 means any port: we do not care. "0.0.0.0" lets it reach other machines.
  troupe::listen_udp(rt, 0,
                     troupe::datagram_protocol::of<helloer>(troupe::net_address::ip(host, port)),
                     {.interface = host.find(':') == std::string::npos ? "0.0.0.0" : "::"});
  rt.run();
}
