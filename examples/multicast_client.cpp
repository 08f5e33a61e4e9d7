// Sends "Client: Ping" to a group, and tells who answers.
//
//   $ build/release/examples/multicast_client
//   Datagram "Server: Pong" received from 192.168.1.7:9999     (multicast_server runs there)
//
// Arguments are the port (9999) and the interface of the group: an address or a name; without one
// the system chooses. Ctrl-C stops it.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <troupe/net/listen_multicast.hpp>

class ping_client : public troupe::datagram_protocol {
public:
  ping_client(caf::actor_config& cfg, std::uint16_t port, std::string interface)
    : datagram_protocol(cfg), port_(port), interface_(std::move(interface)) {}

  void start_protocol() override {
    multicast().set_outgoing_interface(interface_);
    transport().write("Client: Ping", troupe::net_address::ip("228.0.0.5", port_));
  }

  void datagram_received(troupe::bytes_view data, const troupe::net_address& from) override {
    const std::string text{troupe::as_text(data)};
    std::printf("Datagram \"%s\" received from %s\n", text.c_str(), from.to_string().c_str());
    std::fflush(stdout);
  }

private:
  const std::uint16_t port_;
  const std::string interface_;
};

int main(int argc, char** argv) {
  const auto port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 9999);
  const std::string interface = argc > 2 ? argv[2] : "";
  troupe::runtime rt;
  // A port of its own: answers come to it and not to the group. At the server's port, on the
  // server's machine, both would share what is sent to either.
  troupe::listen_multicast(rt, 0, troupe::datagram_protocol::of<ping_client>(port, interface));
  rt.run();
}
