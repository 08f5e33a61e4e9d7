// Sends every datagram back to where it came from.
//
//   $ build/release/examples/udp_echo_server       $ nc -u 127.0.0.1 9999
//   udp_echo_server listens on 127.0.0.1:9999      hello
//   received "hello" from 127.0.0.1:40123          hello
//
// An argument is another port; 0 takes a free one. Ctrl-C stops it.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <CLI/CLI.hpp>

#include <troupe/net/listen_udp.hpp>

class echo : public troupe::datagram_protocol {
public:
  using datagram_protocol::datagram_protocol;

  void datagram_received(troupe::bytes_view data, const troupe::net_address& from) override {
    const std::string text{troupe::as_text(data)};
    std::printf("received \"%s\" from %s\n", text.c_str(), from.to_string().c_str());
    std::fflush(stdout);
    transport().write(data, from);
  }
};

int main(int argc, char** argv) {
  std::uint16_t number = 9999;
  CLI::App app{"Sends every datagram back.", "udp_echo_server"};
  app.add_option("port", number, "UDP port; 0 takes a free one (9999)");
  CLI11_PARSE(app, argc, argv);
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
