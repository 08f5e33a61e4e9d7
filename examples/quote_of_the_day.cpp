// Sends each who connects a quote, and closes (RFC 865).
//
//   $ build/release/examples/quote_of_the_day        $ nc 127.0.0.1 8017
//   quotes at 127.0.0.1:8017                         An apple a day keeps the doctor away

#include <cstdio>
#include <cstdlib>

#include <troupe/net/listen_tcp.hpp>

class quote_of_the_day : public troupe::protocol {
public:
  using protocol::protocol;

  void connection_made() override {
    transport().write("An apple a day keeps the doctor away\r\n");
    transport().lose_connection();
  }
};

int main() {
  try {
    troupe::runtime rt;
    const auto port =
      troupe::listen_tcp(rt, 8017, troupe::factory::for_protocol<quote_of_the_day>());
    std::printf("quotes at %s\n", port.get_host().to_string().c_str());
    std::fflush(stdout);
    return rt.run().exit_code();
  } catch (const troupe::cannot_listen_error& e) {
    std::fprintf(stderr, "quote_of_the_day: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
