// Sends "Client: Ping" to a group, and tells who answers.
//
//   $ build/release/examples/multicast_client
//   Datagram "Server: Pong" received from 192.168.1.7:9999     (multicast_server runs there)
//
// Arguments are the port (9999) and the interface of the group: an address or a name; without one
// the system chooses. Ctrl-C stops it. If there is no such interface, it says so and fails with
// status 1.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <CLI/CLI.hpp>

#include <troupe/net/listen_multicast.hpp>

class ping_client : public troupe::datagram_protocol {
public:
  ping_client(caf::actor_config& cfg, troupe::runtime* rt, int* status, std::uint16_t port,
              std::string interface)
    : datagram_protocol(cfg), rt_(rt), status_(status), port_(port),
      interface_(std::move(interface)) {}

  void start_protocol() override {
    multicast()
      .set_outgoing_interface(interface_)
      .add_callbacks(
        [this] { transport().write("Client: Ping", troupe::net_address::ip("228.0.0.5", port_)); },
        [this](const troupe::failure& f) {
          std::fprintf(stderr, "multicast_client: %s\n", f.message().c_str());
          *status_ = EXIT_FAILURE;
          rt_->stop();
        });
  }

  void datagram_received(troupe::bytes_view data, const troupe::net_address& from) override {
    const std::string text{troupe::as_text(data)};
    std::printf("Datagram \"%s\" received from %s\n", text.c_str(), from.to_string().c_str());
    std::fflush(stdout);
  }

private:
  troupe::runtime* rt_;
  int* status_;
  const std::uint16_t port_;
  const std::string interface_;
};

int main(int argc, char** argv) {
  std::uint16_t port = 9999;
  std::string interface;
  CLI::App app{"Pings a group.", "multicast_client"};
  app.add_option("port", port, "UDP port of the group (9999)");
  app.add_option("interface", interface, "of the group: an address or a name");
  CLI11_PARSE(app, argc, argv);
  int status = EXIT_SUCCESS;
  troupe::runtime rt;
  // A port of its own: answers come to it and not to the group. At the server's port, on the
  // server's machine, both would share what is sent to either.
  troupe::listen_multicast(
    rt, 0, troupe::datagram_protocol::of<ping_client>(&rt, &status, port, interface));
  rt.run();
  return status;
}
