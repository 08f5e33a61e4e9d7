// UDP ports: what is sent and received, what is refused, and how a port starts and stops.

#include <cstring>
#include <random>
#include <thread>

#include <netinet/in.h>
#include <sys/socket.h>

#include <caf/send.hpp>
#include <spdlog/logger.h>
#include <spdlog/sinks/ringbuffer_sink.h>

#include <troupe/net/listen_udp.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "support/catch.hpp"
#include "support/datagrams.hpp"
#include "support/udp_peer.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using script = datagram_script;
using strings = std::vector<std::string>;

datagram_protocol_ref told(events& log, script s = {}) {
  return datagram_protocol::of<told_datagrams>(&log, std::move(s));
}

const script echo{.received = [](auto& self, auto data, const auto& from) {
  if (const auto error = self.transport().write(data, from)) // Catch2's checks are for one thread
    throw std::system_error(error);
}};

/// Remembers what is logged while it lives.
class log_watch {
public:
  explicit log_watch(running& server) : sinks_(server.rt.logger().sinks()) {
    sinks_.push_back(sink_);
  }
  ~log_watch() { std::erase(sinks_, sink_); }

  std::size_t count(const std::string& text) const {
    std::size_t n = 0;
    for (const auto& line : sink_->last_formatted())
      n += line.find(text) != std::string::npos ? 1 : 0;
    return n;
  }

private:
  std::vector<spdlog::sink_ptr>& sinks_;
  std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> sink_ =
    std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(1000);
};

/// Sets an option of the socket in this process that is bound to `host`, which no user can.
void set_option_of_port(const net_address& host, int option, int value) {
  for (int fd = 3; fd < 1000; ++fd) {
    sockaddr_storage at{};
    socklen_t length = sizeof at;
    int type = 0;
    socklen_t type_length = sizeof type;
    sockaddr_in in; // the port is at the same place in both families
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &length) != 0
        || ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_length) != 0 || type != SOCK_DGRAM)
      continue;
    std::memcpy(&in, &at, sizeof in);
    if (ntohs(in.sin_port) == host.port())
      REQUIRE(::setsockopt(fd, SOL_SOCKET, option, &value, sizeof value) == 0);
  }
}

} // namespace

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
  running server{1};
  const auto protocol = told(log);
  CHECK_FALSE(protocol.actor());
  auto first = listen_udp(server.rt, 0, protocol);
  CHECK(protocol.actor() == first.actor());
  CHECK_THROWS_AS(listen_udp(server.rt, 0, protocol), std::logic_error);
  server.start();
  std::promise<void> stopped;
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

TEST_CASE("U02: datagrams arrive whole, with the address of who sent them", "[U02]") {
  const auto host = GENERATE(as<std::string>{}, "127.0.0.1", "::1");
  events log;
  running server{1};
  const auto port = listen_udp(server.rt, 0,
                               told(log, {.received =
                                            [](auto& self, auto data, const auto& from) {
                                              self.transport().write(data, from);
                                              const auto copy = from; // is no quicker, and as good
                                              self.transport().write(copy.to_string(), copy);
                                            }}),
                               {.interface = host});
  server.start();
  for (int i = 0; i < 100; ++i) { // more peers than the loop remembers
    udp_peer peer{host};
    for (const auto& text : {std::string("a"), std::string(8000, 'x')}) {
      peer.send(port.get_host().port(), text);
      CHECK(peer.receive() == text);
      CHECK(peer.from() == port.get_host().port());
      CHECK(peer.receive() == net_address::ip(host, peer.port()).to_string());
    }
  }
}

TEST_CASE("U03: an empty datagram is delivered, and sent", "[U03]") {
  events log;
  running server{1};
  const auto port = listen_udp(server.rt, 0, told(log, echo));
  server.start();
  udp_peer peer;
  peer.send(port.get_host().port(), "");
  CHECK(peer.receive().empty());
  CHECK(log.all() == strings{"start", "got "});
}

TEST_CASE("U03: a datagram longer than max_packet_size is cut, and counted", "[U03]") {
  events log;
  running server{1};
  const auto port = listen_udp(server.rt, 0, told(log, echo), {.max_packet_size = 8});
  server.start();
  udp_peer peer;
  peer.send(port.get_host().port(), "0123456789abcdef");
  CHECK(peer.receive() == "01234567");
  peer.send(port.get_host().port(), "01234567");
  CHECK(peer.receive() == "01234567");
  on_loop(server, [&] {
    CHECK(protocol_of(port).transport().counters().truncated == 1);
    CHECK(protocol_of(port).transport().counters().received == 2);
    CHECK(protocol_of(port).transport().counters().sent == 2);
  });
}

TEST_CASE("U05: an exception in datagram_received is logged once, and the port goes on", "[U05]") {
  events log;
  running server{1};
  const log_watch logged{server};
  const auto port = listen_udp(server.rt, 0, told(log, {.received = [](auto&, auto data, auto&) {
                                                    if (data == "bad")
                                                      throw std::runtime_error("bad client");
                                                  }}));
  server.start();
  udp_peer peer;
  peer.send(port.get_host().port(), "bad");
  peer.send(port.get_host().port(), "good");
  REQUIRE(log.wait(3));
  CHECK(log.all() == strings{"start", "got bad", "got good"});
  CHECK(logged.count("bad client") == 1);
  CHECK(logged.count("told_datagrams] unhandled exception in datagram_received") == 1);
}

TEST_CASE("U06: a datagram that is too long is refused, the longest one arrives", "[U06]") {
  events log;
  running server{1};
  udp_peer peer;
  const auto port = listen_udp(server.rt, 0, told(log));
  server.start();
  REQUIRE(log.wait(1));
  on_loop(server, [&] {
    auto& t = protocol_of(port).transport();
    CHECK(t.write(std::string(70000, 'x'), local(peer.port())) == errc::message_too_long);
    CHECK(t.write(std::string(65508, 'x'), local(peer.port())) == errc::message_too_long);
    CHECK_FALSE(t.write(std::string(65507, 'x'), local(peer.port())));
    CHECK(t.counters().refused == 2);
  });
  CHECK(peer.receive().size() == 65507);
}

TEST_CASE("U07: names, ports of zero and addresses of another family are refused", "[U07]") {
  events log;
  running server{1};
  const auto v4 = listen_udp(server.rt, 0, told(log));
  const auto v6 = listen_udp(server.rt, 0, told(log), {.interface = "::1"});
  udp_peer peer{"::1"};
  server.start();
  REQUIRE(log.wait(2));
  on_loop(server, [&] {
    const auto& v4_host = v4.get_host();
    const auto refused = [](const datagram_port& port, const net_address& to) {
      return protocol_of(port).transport().write("x", to) == errc::invalid_address;
    };
    CHECK(refused(v4, net_address::ip("localhost", 80)));
    CHECK(refused(v4, net_address::ip("127.0.0.1", 0)));
    CHECK(refused(v4, net_address::ip("::1", 80)));
    CHECK(refused(v6, v4_host));
    CHECK(refused(v4, {}));
    CHECK(refused(v4, net_address::ip(std::string("\0\xff%", 3), 80)));
    CHECK(refused(v6, net_address::ip("::1%nowhere", 80)));
    CHECK(refused(v6, net_address::ip(std::string(100'000, ':'), 80)));
    CHECK(refused(v4, {net_address::kind::unix_socket, "/tmp/socket", 0}));
    CHECK(protocol_of(v4).transport().connect(net_address::ip("localhost", 80))
          == errc::invalid_address);
    CHECK_FALSE(protocol_of(v6).transport().write("x", net_address::ip("::1", peer.port())));
  });
  CHECK(peer.receive() == "x");
}

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

TEST_CASE("U11: broadcasting is allowed when asked for, and not before", "[U11]") {
  events log;
  running server{1};
  const auto port = listen_udp(server.rt, 0, told(log), {.interface = "0.0.0.0"});
  server.start();
  REQUIRE(log.wait(1));
  on_loop(server, [&] {
    auto& t = protocol_of(port).transport();
    const auto everybody = net_address::ip("<broadcast>", 9);
    CHECK_FALSE(t.get_broadcast_allowed());
    CHECK(t.write("x", everybody) == std::errc::permission_denied);
    CHECK_FALSE(t.set_broadcast_allowed(true));
    CHECK(t.get_broadcast_allowed());
    CHECK_FALSE(t.write("x", everybody));
    CHECK_FALSE(t.set_broadcast_allowed(false));
    CHECK_FALSE(t.get_broadcast_allowed());
  });
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

TEST_CASE("what is written in a turn arrives in order, whatever its sizes and addresses") {
  const auto host = GENERATE(as<std::string>{}, "127.0.0.1", "::1");
  const bool refuses_runs = GENERATE(false, true);
  events log;
  running server{1};
  const auto port = listen_udp(server.rt, 0, told(log), {.interface = host});
  udp_peer a{host}, b{host};
  if (refuses_runs) // of several datagrams as one message: as some network devices do
    set_option_of_port(port.get_host(), SO_NO_CHECK, 1);
  a.set_receive_buffer(8 << 20);
  b.set_receive_buffer(8 << 20);
  server.start();
  REQUIRE(log.wait(1));
  std::mt19937 random{7};
  std::vector<strings> expected(2);
  on_loop(server, [&] {
    auto& t = protocol_of(port).transport();
    std::size_t to = 0, size = 64;
    for (int i = 0; i < 500; ++i) {
      if (random() % 4 == 0)
        to = random() % 2;
      if (random() % 4 == 0)
        size = random() % 8 == 0 ? 0 : random() % 1500;
      std::string text(size, static_cast<char>('a' + i % 26));
      CHECK_FALSE(t.write(text, net_address::ip(host, to == 0 ? a.port() : b.port())));
      expected[to].push_back(std::move(text));
    }
    CHECK(t.unsent() > 0); // the last of them wait for the end of the turn
  });
  for (auto* p : {&a, &b}) {
    strings got;
    for (std::size_t i = 0; i < expected[p == &b].size(); ++i)
      got.push_back(p->receive());
    CHECK(got == expected[p == &b]);
  }
  on_loop(server, [&] {
    CHECK(protocol_of(port).transport().unsent() == 0);
    CHECK(protocol_of(port).transport().counters().sent == 500);
  });
}

TEST_CASE("more than max_unsent bytes are refused and counted, not kept") {
  events log;
  running server{1};
  const auto port = listen_udp(server.rt, 0, told(log), {.max_unsent = 1000});
  udp_peer peer;
  server.start();
  REQUIRE(log.wait(1));
  on_loop(server, [&] {
    auto& t = protocol_of(port).transport();
    std::error_code got;
    int taken = 0;
    for (; !got; taken += got ? 0 : 1)
      got = t.write(std::string(36, 'x'), local(peer.port()));
    CHECK(got == errc::queue_overflow);
    CHECK(taken == 10);
    CHECK(t.counters().refused == 1);
  });
  for (int i = 0; i < 10; ++i)
    CHECK(peer.receive().size() == 36);
  on_loop(server,
          [&] { CHECK_FALSE(protocol_of(port).transport().write("again", local(peer.port()))); });
  CHECK(peer.receive() == "again");
}

TEST_CASE("a datagram that the network refuses counts as lost, and the port goes on") {
  events log;
  running server{1};
  const auto port = listen_udp(server.rt, 0, told(log, echo)); // 127.0.0.1 cannot reach these
  server.start();
  REQUIRE(log.wait(1));
  on_loop(server, [&] {
    for (int i = 0; i < 100; ++i)
      CHECK_FALSE(protocol_of(port).transport().write("x", net_address::ip("203.0.113.1", 9)));
  });
  udp_peer peer;
  peer.send(port.get_host().port(), "hi");
  CHECK(peer.receive() == "hi");
  on_loop(server, [&] {
    const auto& c = protocol_of(port).transport().counters();
    CHECK(c.lost == 100);
    CHECK(c.sent == 1);
  });
}

TEST_CASE("a flooded port starves neither others nor timers of its loop") {
  events log, quiet;
  running server{1};
  struct counting : datagram_protocol {
    using datagram_protocol::datagram_protocol;
    void datagram_received(bytes_view data, const net_address& from) override {
      transport().write(data, from);
    }
  };
  const auto flooded = listen_udp(server.rt, 0, datagram_protocol::of<counting>());
  const auto other = listen_udp(server.rt, 0, told(quiet, echo));
  server.start();
  std::atomic<bool> over{false};
  std::vector<std::thread> floods;
  for (int i = 0; i < 2; ++i)
    floods.emplace_back([&] {
      udp_peer peer;
      const std::string text(1000, 'x');
      while (!over)
        peer.send(flooded.get_host().port(), text);
    });
  udp_peer peer;
  for (std::size_t i = 0; i < load_size(200); ++i) {
    peer.send(other.get_host().port(), "hi");
    CHECK(peer.receive() == "hi");
  }
  on_loop(server, [&] { server.rt.reactor().call_later(1ms, [&] { log.add("timer"); }); });
  CHECK(log.wait(1));
  over = true;
  for (auto& f : floods)
    f.join();
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
      ports.push_back(listen_udp(server.rt, 0, told(log, echo), {.loop = i % 2}));
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

TEST_CASE("several ports at one address share its peers, each on its own loop") {
  events log;
  running server{2};
  const auto first = listen_udp(server.rt, 0, told(log, echo), {.listen_multiple = true});
  const auto second = listen_udp(server.rt, first.get_host().port(), told(log, echo),
                                 {.listen_multiple = true, .loop = 1});
  server.start();
  REQUIRE(log.wait(2));
  for (int i = 0; i < 50; ++i) {
    udp_peer peer;
    peer.send(first.get_host().port(), "hi");
    CHECK(peer.receive() == "hi");
  }
  on_loop(server, [&] { CHECK(protocol_of(first).transport().counters().received > 0); });
  on_loop(
    server, [&] { CHECK(protocol_of(second).transport().counters().received > 0); }, 1);
}
