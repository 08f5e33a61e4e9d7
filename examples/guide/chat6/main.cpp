// The chat, sixth step: several processes, which meet at a NATS server.
//
//   chat6 8123 chat-1 nats://127.0.0.1:4222        chat6 8124 chat-2 nats://127.0.0.1:4222

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include <troupe/cluster/cluster.hpp>
#include <troupe/nats_backplane/nats_backplane.hpp>
#include <troupe/net/listen_tcp.hpp>

#include "../chat3/chat.hpp"

// [main]
int main(int argc, char** argv) {
  if (argc != 4)
    return EXIT_FAILURE;
  troupe::runtime rt;
  troupe::nats_options nats;
  nats.servers = {argv[3]};
  const auto wire = std::make_shared<troupe::nats_backplane>(std::move(nats));
  troupe::cluster cluster{rt, {.name = argv[2], .via = wire}};

  if (!rt.names().put("users", rt.spawn<registry>()))
    return EXIT_FAILURE;
  const auto users =
    troupe::factory::for_protocol<chat>(rt.names().get("users"), troupe::topics{cluster});
  const auto port = troupe::listen_tcp(rt, static_cast<std::uint16_t>(std::atoi(argv[1])), users);
  std::printf("chat listens on %s\n", port.get_host().to_string().c_str());
  std::fflush(stdout);
  return rt.run().exit_code();
}
// [/main]
