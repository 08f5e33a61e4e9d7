// The chat, third step: rooms, commands, an end for those who are silent. Its tests are beside it.

#include <cstdio>
#include <cstdlib>

#include <troupe/net/listen_tcp.hpp>

#include "chat.hpp"

int main(int argc, char** argv) {
  troupe::runtime rt;
  if (!rt.names().put("users", rt.spawn<registry>()))
    return EXIT_FAILURE;
  const auto users =
    troupe::factory::for_protocol<chat>(rt.names().get("users"), troupe::topics{rt});
  const auto port =
    troupe::listen_tcp(rt, static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 8123), users);
  std::printf("chat listens on %s\n", port.get_host().to_string().c_str());
  std::fflush(stdout);
  return rt.run().exit_code();
}
