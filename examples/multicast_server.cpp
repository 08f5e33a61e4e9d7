// Joins a group, and answers every "Client: Ping" that is sent to it.
//
//   $ build/release/examples/multicast_server     $ build/release/examples/multicast_client
//
// Arguments are the port (9999) and the interface of the group: an address or a name; without one
// the system chooses. Ctrl-C stops it.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <troupe/net/listen_multicast.hpp>

void say(const std::string& text) {
  std::puts(text.c_str());
  std::fflush(stdout);
}

class ping_pong : public troupe::datagram_protocol {
public:
  ping_pong(caf::actor_config& cfg, std::string interface)
    : datagram_protocol(cfg), interface_(std::move(interface)) {}

  void start_protocol() override {
    multicast().set_ttl(5); // with more than 1 it crosses routers
    multicast()
      .join_group("228.0.0.5", interface_)
      .add_callbacks([] { say("joined 228.0.0.5"); },
                     [](const troupe::failure& f) { say(f.message()); });
  }

  void datagram_received(troupe::bytes_view data, const troupe::net_address& from) override {
    const std::string text{troupe::as_text(data)};
    say("Datagram \"" + text + "\" received from " + from.to_string());
    if (text == "Client: Ping")
      transport().write("Server: Pong", from); // to who asked, and not to the group
  }

private:
  const std::string interface_;
};

int main(int argc, char** argv) {
  const auto number = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 9999);
  const std::string interface = argc > 2 ? argv[2] : "";
  try {
    troupe::runtime rt;
    // listen_multiple lets several of these run on one machine: all of them get the question.
    const auto port = troupe::listen_multicast(
      rt, number, troupe::datagram_protocol::of<ping_pong>(interface), {.listen_multiple = true});
    say("multicast_server listens on " + port.get_host().to_string());
    rt.run();
  } catch (const troupe::cannot_listen_error& e) {
    std::fprintf(stderr, "multicast_server: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
