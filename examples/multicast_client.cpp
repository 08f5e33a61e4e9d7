// Sends "Client: Ping" to a group, and tells who answers.
//
//   $ build/release/examples/multicast_client
//   Datagram "Server: Pong" received from 192.168.1.7:9999     (multicast_server runs there)
//
// Arguments are the port (9999) and the interface of the group: an address or a name; without one
// the system chooses. Ctrl-C stops it. If there is no such interface, it says so and fails with
// status 1.

#include <cstdio>
#include <string>

#include <troupe/net/listen_multicast.hpp>
#include <troupe/net/printable.hpp>

#include "command_line.hpp"

class ping_client : public troupe::datagram_protocol {
public:
  ping_client(caf::actor_config& cfg, troupe::runtime* rt, std::uint16_t port,
              std::string interface)
    : datagram_protocol(cfg), rt_(rt), port_(port), interface_(std::move(interface)) {}

  void start_protocol() override {
    multicast()
      .set_outgoing_interface(interface_)
      .add_callbacks(
        [this] { transport().write("Client: Ping", troupe::net_address::ip("228.0.0.5", port_)); },
        [this](const troupe::failure& f) {
          std::fprintf(stderr, "multicast_client: %s\n", f.message().c_str());
          rt_->give_up(f); // run() returns it
        });
  }

  void datagram_received(troupe::bytes_view data, const troupe::net_address& from) override {
    command_line::say("Datagram " + troupe::quoted_text(troupe::as_text(data), 500)
                      + " received from " + from.to_string());
  }

private:
  troupe::runtime* rt_;
  const std::uint16_t port_;
  const std::string interface_;
};

int main(int argc, char** argv) {
  std::uint16_t port = 9999;
  std::string interface;
  CLI::App app{"Pings a group.", "multicast_client"};
  app.add_option("port", port, "UDP port of the group (9999)");
  app.add_option("interface", interface, "of the group: an address or a name");
  if (const auto wrong = command_line::parse(app, argc, argv))
    return *wrong;
  troupe::runtime rt;
  // A port of its own: answers come to it and not to the group. At the server's port, on the
  // server's machine, both would share what is sent to either.
  troupe::listen_multicast(rt, 0, troupe::datagram_protocol::of<ping_client>(&rt, port, interface));
  return rt.run().exit_code();
}
