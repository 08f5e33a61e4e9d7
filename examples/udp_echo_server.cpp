// Sends every datagram back to where it came from.
//
//   $ build/release/examples/udp_echo_server       $ nc -u 127.0.0.1 9999
//   udp_echo_server listens on 127.0.0.1:9999      hello
//   received "hello" from 127.0.0.1:40123          hello
//
// What anybody sends is shown on one line, with what a terminal would obey in escapes, and 500 bytes of
// it at most. An argument is another port; 0 takes a free one. Ctrl-C stops it.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <troupe/net/listen_udp.hpp>
#include <troupe/net/printable.hpp>

#include "command_line.hpp"

class echo : public troupe::datagram_protocol {
public:
  using datagram_protocol::datagram_protocol;

  void datagram_received(troupe::bytes_view data, const troupe::net_address& from) override {
    // Whatever a stranger sent, it is one line, and no terminal obeys it.
    command_line::say("received " + troupe::quoted_text(troupe::as_text(data), 500) + " from "
                      + from.to_string());
    transport().write(data, from);
  }
};

int main(int argc, char** argv) {
  std::uint16_t number = 9999;
  CLI::App app{"Sends every datagram back.", "udp_echo_server"};
  app.add_option("port", number, "UDP port; 0 takes a free one (9999)");
  if (const auto wrong = command_line::parse(app, argc, argv))
    return *wrong;
  try {
    troupe::runtime rt;
    const auto port = troupe::listen_udp(rt, number, troupe::datagram_protocol::of<echo>());
    std::printf("udp_echo_server listens on %s\n", port.get_host().to_string().c_str());
    std::fflush(stdout);
    return rt.run().exit_code();
  } catch (const troupe::cannot_listen_error& e) {
    std::fprintf(stderr, "udp_echo_server: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
