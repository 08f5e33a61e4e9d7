// Joins a group, and answers every "Client: Ping" that is sent to it.
//
//   $ build/release/examples/multicast_server     $ build/release/examples/multicast_client
//
// Arguments are the port (9999) and the interface of the group: an address or a name; without one
// the system chooses. Ctrl-C stops it. If it cannot join, it says so and fails with status 1.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <troupe/net/listen_multicast.hpp>
#include <troupe/net/printable.hpp>

#include "command_line.hpp"

using command_line::say;

class ping_pong : public troupe::datagram_protocol {
public:
  ping_pong(caf::actor_config& cfg, troupe::runtime* rt, std::string interface)
    : datagram_protocol(cfg), rt_(rt), interface_(std::move(interface)) {}

  void start_protocol() override {
    multicast().set_ttl(5); // with more than 1 it crosses routers
    multicast()
      .join_group("228.0.0.5", interface_)
      .add_callbacks([] { say("joined 228.0.0.5"); },
                     [this](const troupe::failure& f) {
                       std::fprintf(stderr, "multicast_server: %s\n", f.message().c_str());
                       rt_->give_up(f); // run() returns it
                     });
  }

  void datagram_received(troupe::bytes_view data, const troupe::net_address& from) override {
    const auto text = troupe::as_text(data);
    say("Datagram " + troupe::quoted_text(text, 500) + " received from " + from.to_string());
    if (text == "Client: Ping")
      transport().write("Server: Pong", from); // to who asked, and not to the group
  }

private:
  troupe::runtime* rt_;
  const std::string interface_;
};

int main(int argc, char** argv) {
  std::uint16_t number = 9999;
  std::string interface;
  CLI::App app{"Answers pings that are sent to a group.", "multicast_server"};
  app.add_option("port", number, "UDP port; 0 takes a free one (9999)");
  app.add_option("interface", interface, "of the group: an address or a name");
  if (const auto wrong = command_line::parse(app, argc, argv))
    return *wrong;
  try {
    troupe::runtime rt;
    // listen_multiple lets several of these run on one machine: all of them get the question.
    const auto port =
      troupe::listen_multicast(rt, number, troupe::datagram_protocol::of<ping_pong>(&rt, interface),
                               {.listen_multiple = true});
    say("multicast_server listens on " + port.get_host().to_string());
    return rt.run().exit_code();
  } catch (const troupe::cannot_listen_error& e) {
    std::fprintf(stderr, "multicast_server: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
