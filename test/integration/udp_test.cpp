// UDP ports: what is sent and received, and what is refused.

#include <cstring>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>

#include <troupe/net/listen_udp.hpp>

#include "support/catch.hpp"
#include "support/datagrams.hpp"
#include "support/log_watch.hpp"
#include "support/on_loop.hpp"
#include "support/udp_peer.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using strings = std::vector<std::string>;

namespace {

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
  const auto port = listen_udp(server.rt, 0, told(log, echoing));
  server.start();
  udp_peer peer;
  peer.send(port.get_host().port(), "");
  CHECK(peer.receive().empty());
  CHECK(log.all() == strings{"start", "got "});
}

TEST_CASE("U03: a datagram longer than max_packet_size is cut, and counted", "[U03]") {
  events log;
  running server{1};
  const auto port = listen_udp(server.rt, 0, told(log, echoing), {.max_packet_size = 8});
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
  const auto port = listen_udp(server.rt, 0, told(log, echoing)); // 127.0.0.1 cannot reach these
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
  std::atomic<bool> over{false};
  running server{1};
  struct counting : datagram_protocol {
    using datagram_protocol::datagram_protocol;
    void datagram_received(bytes_view data, const net_address& from) override {
      transport().write(data, from);
    }
  };
  const auto flooded = listen_udp(server.rt, 0, datagram_protocol::of<counting>());
  const auto other = listen_udp(server.rt, 0, told(quiet, echoing));
  server.start();
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

TEST_CASE("several ports at one address share its peers, each on its own loop") {
  events log;
  running server{2};
  const auto first = listen_udp(server.rt, 0, told(log, echoing), {.listen_multiple = true});
  const auto second = listen_udp(server.rt, first.get_host().port(), told(log, echoing),
                                 {.listen_multiple = true, .loop = 1});
  server.start();
  REQUIRE(log.wait(2));
  for (int i = 0; i < 50; ++i) {
    udp_peer peer;
    peer.send(first.get_host().port(), "hi");
    CHECK(peer.receive() == "hi");
  }
  on_loop(server, [&] { CHECK(protocol_of(first).transport().counters().received > 0); });
  on_loop(server, 1, [&] { CHECK(protocol_of(second).transport().counters().received > 0); });
}
