// A server that protects itself: policies, one around the other, around the factory of any protocol.
//
//   $ build/release/examples/limited_server      $ nc 127.0.0.1 8009
//   limited_server listens on 127.0.0.1:8009     hello
//                                                hello
//
// Who says nothing for ten seconds is closed, and so is a fourth connection from the same address;
// the eleventh in all is told that the server is busy. Ctrl-C stops it.

#include <troupe/net/limit_connections.hpp>
#include <troupe/net/throttling_factory.hpp>
#include <troupe/net/timeout_factory.hpp>

#include "server_program.hpp"

class echo : public troupe::protocol {
public:
  using protocol::protocol;
  void data_received(troupe::bytes_view data) override { transport().write(data); }
};

class busy : public troupe::protocol {
public:
  using protocol::protocol;
  void connection_made() override {
    transport().write("The server is busy, please try again later.\r\n");
    transport().lose_connection();
  }
};

int main(int argc, char** argv) {
  using troupe::factory;
  return server_program::run(
    argc, argv, "limited_server", "Writes back what it gets, within limits.", 8009, [](auto&) {
      auto f = factory::for_protocol<echo>();
      f = factory::of<troupe::timeout_factory>(f, std::chrono::seconds(10));
      f = factory::of<troupe::throttling_factory>(f, troupe::throttle_limits{.read = 1'000'000});
      f = factory::of<troupe::limit_connections_by_peer_factory>(f, 3u);
      return factory::of<troupe::limit_total_connections_factory>(f, 10u,
                                                                  factory::for_protocol<busy>());
    });
}
