// A server that counts down for each client. In a second terminal: telnet 127.0.0.1 7008, then 5.

#include <troupe/net/listen_tcp.hpp>

#include "countdown.hpp"

int main() {
  troupe::runtime rt;
  troupe::listen_tcp(rt, 7008, troupe::factory::for_protocol<countdown>());
  rt.run();
}
