// UDP ports that are connected to one peer: whom they hear, and what they hear of refusals.

#include <string>
#include <vector>

#include <troupe/net/listen_udp.hpp>

#include "support/catch.hpp"
#include "support/datagrams.hpp"
#include "support/on_loop.hpp"
#include "support/udp_peer.hpp"

using namespace troupe;
using namespace troupe::testing;
using strings = std::vector<std::string>;

TEST_CASE("U09: a connected port hears of refusals, stays open, and sends again", "[U09][S9]") {
  events log;
  running server{1};
  const auto nobody = unused_udp_port();
  const auto port =
    listen_udp(server.rt, 0, told(log, {.start = [nobody](auto& self) {
                                    CHECK_FALSE(self.transport().connect(local(nobody)));
                                    CHECK(self.transport().get_peer() == local(nobody));
                                    for (int i = 0; i < 10; ++i)
                                      CHECK_FALSE(self.transport().write("hello"));
                                  }}));
  server.start();
  REQUIRE(log.wait(2));
  on_loop(server, [&] { CHECK(protocol_of(port).transport().listening()); });
  CHECK(log.all()[1] == "refused");
  const auto refusals = log.all().size();
  udp_peer peer{"127.0.0.1", nobody}; // now there is somebody
  on_loop(server, [&] { protocol_of(port).transport().write("anyone?"); });
  CHECK(peer.receive() == "anyone?");
  peer.send(port.get_host().port(), "yes");
  REQUIRE(log.wait(refusals + 1));
  CHECK(log.count("got yes") == 1);
}

TEST_CASE("U09: a refusal that arrives while nothing is sent is told, too", "[U09][S9]") {
  events log;
  running server{1};
  const auto nobody = unused_udp_port();
  const auto port = listen_udp(server.rt, 0,
                               told(log, {.start =
                                            [nobody](auto& self) {
                                              self.transport().connect(local(nobody));
                                              self.transport().write("one");
                                            },
                                          .refused =
                                            [](auto&) {
                                              throw std::runtime_error("it is logged");
                                            }}));
  server.start();
  REQUIRE(log.wait(2));
  CHECK(log.all() == strings{"start", "refused"});
  on_loop(server, [&] { CHECK(protocol_of(port).listening()); });
}

TEST_CASE("U09: a port that is not connected ignores refusals", "[U09]") {
  events log;
  running server{1};
  const auto nobody = unused_udp_port();
  const auto port = listen_udp(server.rt, 0, told(log));
  server.start();
  REQUIRE(log.wait(1));
  on_loop(server, [&] {
    for (int i = 0; i < 10; ++i)
      CHECK_FALSE(protocol_of(port).transport().write("hello", local(nobody)));
  });
  udp_peer peer;
  peer.send(port.get_host().port(), "hi");
  REQUIRE(log.wait(2));
  CHECK(log.all() == strings{"start", "got hi"});
}

TEST_CASE("a connected port hears its peer only", "[F-U3]") {
  events log;
  running server{1};
  udp_peer peer, stranger;
  const auto port = listen_udp(server.rt, 0, told(log, {.start = [&](auto& self) {
                                                    self.transport().connect(local(peer.port()));
                                                  }}));
  stranger.send(port.get_host().port(), "early"); // is there before the port is connected
  server.start();
  REQUIRE(log.wait(1));
  on_loop(server, [] {}); // it is connected now
  stranger.send(port.get_host().port(), "late");
  peer.send(port.get_host().port(), "hi");
  REQUIRE(log.wait(2));
  CHECK(log.all() == strings{"start", "got hi"});
  on_loop(server, [&] {
    auto& t = protocol_of(port).transport();
    CHECK(t.counters().strangers == 1); // the system keeps late ones out
    CHECK_THROWS_AS(t.connect(local(peer.port())), std::logic_error);
    CHECK_THROWS_AS(t.write("x", local(stranger.port())), std::logic_error);
    CHECK_FALSE(t.write("with its address", local(peer.port())));
    CHECK_FALSE(t.write("without"));
  });
  CHECK(peer.receive() == "with its address");
  CHECK(peer.receive() == "without");
}

TEST_CASE("a write without an address needs a connected port", "[F-U3]") {
  events log;
  running server{1};
  const auto port = listen_udp(server.rt, 0, told(log));
  server.start();
  REQUIRE(log.wait(1));
  on_loop(server, [&] {
    CHECK_THROWS_AS(protocol_of(port).transport().write("x"), std::logic_error);
    CHECK_THROWS_AS(protocol_of(port).multicast(), std::logic_error);
  });
}
