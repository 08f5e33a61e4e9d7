// How a UDP port starts and stops, and its protocol with it.

#include <string>
#include <system_error>
#include <vector>

#include <caf/send.hpp>

#include <troupe/net/listen_udp.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "support/catch.hpp"
#include "support/datagrams.hpp"
#include "support/log_watch.hpp"
#include "support/on_loop.hpp"
#include "support/udp_peer.hpp"

using namespace troupe;
using namespace troupe::testing;
using strings = std::vector<std::string>;

TEST_CASE("U01: a protocol starts with its port, stops after it, and starts again", "[U01]") {
  events log;
  const auto before = open_descriptors();
  {
    running server{1};
    bool inside = false;
    auto port = listen_udp(server.rt, 0, told(log, {.stop = [&](auto& self) {
                                                CHECK_FALSE(inside);
                                                CHECK_FALSE(self.listening());
                                                CHECK(self.transport().write("late", local(9))
                                                      == errc::not_listening);
                                              }}));
    CHECK(port.get_host().host() == "127.0.0.1");
    CHECK(port.get_host().port() != 0);
    server.start();
    REQUIRE(log.wait(1));
    const auto stop = [&] {
      on_loop(server, [&] {
        inside = true;
        port.stop_listening().add_callback([&] { log.add("stopped"); });
        inside = false;
      });
    };
    stop();
    REQUIRE(log.wait(3));
    on_loop(server, [&] {
      port.stop_listening().add_callback([&] { log.add("again"); });
      port.start_listening();
      CHECK_THROWS_AS(port.start_listening(), std::logic_error);
    });
    udp_peer peer;
    peer.send(port.get_host().port(), "hi");
    REQUIRE(log.wait(6));
    stop();
    REQUIRE(log.wait(8));
    CHECK(log.all()
          == strings{"start", "stop", "stopped", "again", "start", "got hi", "stop", "stopped"});
  }
  CHECK(log.count("destroyed") == 1);
  CHECK(open_descriptors() == before);
}

TEST_CASE("U01: a protocol listens at one port at a time, and then at another one", "[U01]") {
  events log;
  std::promise<void> stopped;
  running server{1};
  const auto protocol = told(log);
  CHECK_FALSE(protocol.actor());
  auto first = listen_udp(server.rt, 0, protocol);
  CHECK(protocol.actor() == first.actor());
  CHECK_THROWS_AS(listen_udp(server.rt, 0, protocol), std::logic_error);
  server.start();
  on_loop(server, [&] { first.stop_listening().add_callback([&] { stopped.set_value(); }); });
  stopped.get_future().get();
  datagram_port second;
  on_loop(server, [&] { second = listen_udp(server.rt, 0, protocol); });
  udp_peer peer;
  peer.send(second.get_host().port(), "hi");
  REQUIRE(log.wait(4));
  CHECK(log.all() == strings{"start", "stop", "start", "got hi"});
  CHECK(first.actor() == second.actor());
}

TEST_CASE("U10: a port can be stopped from inside datagram_received", "[U10]") {
  events log;
  running server{1};
  auto port =
    listen_udp(server.rt, 0,
               told(log, {.received = [&](auto& self, auto data, auto& from) {
                      CHECK_FALSE(self.transport().write(data, from));
                      self.transport().stop_listening().add_callback([&] { log.add("stopped"); });
                      CHECK(self.transport().write("late", from) == errc::not_listening);
                      CHECK_FALSE(self.transport().listening());
                    }}));
  udp_peer peer;
  for (int i = 0; i < 5; ++i) // all are there when it starts; the first one ends it
    peer.send(port.get_host().port(), "hi");
  server.start();
  const bool stopped = log.wait(4); // no check here while the loop's thread makes its own
  on_loop(server, [] {});
  REQUIRE(stopped);
  CHECK(peer.receive() == "hi");
  CHECK(log.all() == strings{"start", "got hi", "stop", "stopped"});
}

TEST_CASE("an address that is taken or is none is refused with the reason", "[F-U1]") {
  events log;
  running server{1};
  udp_peer other;
  const auto protocol = told(log);
  try {
    listen_udp(server.rt, other.port(), protocol);
    FAIL("it was not refused");
  } catch (const cannot_listen_error& e) {
    CHECK(e.where().port() == other.port());
    CHECK(e.code() == std::errc::address_in_use);
  }
  CHECK_THROWS_AS(listen_udp(server.rt, 0, protocol, {.interface = "localhost"}),
                  cannot_listen_error);
  CHECK_THROWS_AS(listen_udp(server.rt, 0, protocol, {.max_packet_size = 0}),
                  std::invalid_argument);
  CHECK_THROWS_AS(listen_udp(server.rt, 0, protocol, {.loop = 7}), std::out_of_range);
  const auto port = listen_udp(server.rt, 0, protocol); // none of these has taken it
  server.start();
  CHECK(log.wait(1));
}

TEST_CASE("the end of the protocol closes the port") {
  events log;
  const auto before = open_descriptors();
  {
    running server{1};
    const log_watch logged{server};
    const auto how = GENERATE(as<std::string>{}, "quit", "throw", "exit");
    auto port = listen_udp(server.rt, 0,
                           told(log, {.received =
                                        [](auto& self, auto data, auto& from) {
                                          self.transport().write(data, from);
                                          if (data == "quit")
                                            self.quit();
                                        },
                                      .behavior =
                                        [](auto&) {
                                          return caf::behavior{[](int) {
                                            throw std::runtime_error("a bad message");
                                          }};
                                        }}));
    udp_peer peer;
    peer.send(port.get_host().port(), how);
    peer.send(port.get_host().port(), how);
    server.start();
    CHECK(peer.receive() == how); // what was written is sent
    if (how == "throw")
      caf::anon_send(port.actor(), 1);
    else if (how == "exit")
      caf::anon_send_exit(port.actor(), caf::exit_reason::kill);
    const std::size_t got = how == "quit" ? 1 : 2;
    REQUIRE(log.wait(2 + got));
    CHECK(log.all()[1 + got] == "stop");
    udp_peer again{"127.0.0.1", port.get_host().port()}; // it is free
    on_loop(server, [&] { CHECK_THROWS_AS(port.start_listening(), std::logic_error); });
    CHECK(logged.count("a bad message") == (how == "throw" ? 1 : 0));
  }
  CHECK(log.count("stop") == 1);
  CHECK(log.count("destroyed") == 1);
  CHECK(open_descriptors() == before);
}

TEST_CASE("an exception in start_protocol closes the port and ends the protocol") {
  events log;
  running server{1};
  const log_watch logged{server};
  const auto port = listen_udp(server.rt, 0, told(log, {.start = [](auto&) {
                                                    throw std::runtime_error("no start");
                                                  }}));
  server.start();
  REQUIRE(log.wait(2));
  CHECK(log.all() == strings{"start", "stop"});
  on_loop(server, [] {});
  CHECK(logged.count("no start") == 1);
  udp_peer again{"127.0.0.1", port.get_host().port()};
}

TEST_CASE("an exception in stop_protocol fails the deferred, and the port is closed") {
  events log;
  running server{1};
  auto port = listen_udp(server.rt, 0, told(log, {.stop = [](auto&) {
                                              throw std::runtime_error("no stop");
                                            }}));
  server.start();
  REQUIRE(log.wait(1));
  on_loop(server, [&] {
    port.stop_listening().add_errback([&](const failure& f) { log.add(f.message()); });
  });
  REQUIRE(log.wait(3));
  CHECK(log.all() == strings{"start", "stop", "no stop"});
  udp_peer again{"127.0.0.1", port.get_host().port()};
}

TEST_CASE("stopping the runtime stops the protocol, once") {
  events log;
  const auto before = open_descriptors();
  {
    running server{2};
    std::vector<datagram_port> ports;
    for (std::size_t i = 0; i < 20; ++i)
      ports.push_back(listen_udp(server.rt, 0, told(log, echoing), {.loop = i % 2}));
    server.start();
    REQUIRE(log.wait(20));
    udp_peer peer;
    peer.send(ports[7].get_host().port(), "hi");
    CHECK(peer.receive() == "hi");
  }
  CHECK(log.count("stop") == 20);
  CHECK(log.count("destroyed") == 20);
  CHECK(open_descriptors() == before);
}

TEST_CASE("a port that is never run, or stopped before it ran, closes") {
  events log, unused;
  const auto before = open_descriptors();
  {
    running never{1};
    const auto port = listen_udp(never.rt, 0, told(unused));
  }
  CHECK(unused.count("destroyed") == 1);
  CHECK(unused.count("start") == unused.count("stop"));
  {
    running server{2};
    auto port = listen_udp(server.rt, 0, told(log), {.loop = 1});
    port.stop_listening().add_callback([&] { log.add("stopped"); });
    server.start();
    REQUIRE(log.wait(3));
    CHECK(log.all() == strings{"start", "stop", "stopped"});
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a protocol ends when it is stopped and nobody names it any more") {
  events log;
  running server{2};
  {
    auto port = listen_udp(server.rt, 0, told(log), {.loop = 1});
    server.start();
    REQUIRE(log.wait(1));
    on_loop(server, [&] {
      port.stop_listening().add_callback([&] {
        CHECK(server.rt.scheduler().loop(0).is_current()); // where it was asked for
        log.add("stopped");
      });
    });
    REQUIRE(log.wait(3));
  }
  REQUIRE(log.wait(4));
  CHECK(log.all() == strings{"start", "stop", "stopped", "destroyed"});
  on_loop(server, [&] { auto lives_without_handle = listen_udp(server.rt, 0, told(log)); });
  REQUIRE(log.wait(5));
  CHECK(log.count("destroyed") == 1);
}
