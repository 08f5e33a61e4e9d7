// UNIX ports of datagrams and their peers: connected ones, those that are gone, and those that do not read.

#include <fstream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <troupe/net/connect_unix_datagram.hpp>
#include <troupe/net/listen_unix_datagram.hpp>

#include "support/catch.hpp"
#include "support/datagrams.hpp"
#include "support/descriptors.hpp"
#include "support/directory.hpp"
#include "support/on_loop.hpp"
#include "support/text.hpp"
#include "support/unix_peer.hpp"

using namespace troupe;
using namespace troupe::testing;
using strings = std::vector<std::string>;

namespace {

/// How many datagrams the system keeps for a port that does not read: 10, or 512 under systemd.
std::size_t kept_by_system() {
  std::size_t count = 0;
  std::ifstream{"/proc/sys/net/unix/max_dgram_qlen"} >> count;
  return count;
}

/// For so many: the sender's account holds them.
constexpr std::size_t much = 212'992;

} // namespace

TEST_CASE("two UNIX ports talk, one of them connected") {
  const std::size_t loops = GENERATE(1, 4);
  const bool bound = GENERATE(true, false);
  const auto before = open_descriptors();
  {
    const directory d;
    events server_log, client_log;
    running server{loops};
    listen_unix_datagram(server.rt, d / "server",
                         told(server_log, bound ? echoing : datagram_script{}),
                         {.loop = loops - 1});
    const auto port =
      connect_unix_datagram(server.rt, d / "server",
                            told(client_log, {.start =
                                                [](auto& self) {
                                                  self.transport().write("hello");
                                                  self.transport().write("again");
                                                }}),
                            {.bind_address = bound ? d / "client" : "", .mode = 0600});
    CHECK(port.get_host() == net_address::path(bound ? d / "client" : ""));
    CHECK(std::filesystem::exists(d / "client") == bound);
    server.start();
    REQUIRE(server_log.wait(3));
    CHECK(server_log.all() == strings{"start", "got hello", "got again"});
    if (bound)
      REQUIRE(client_log.wait(3));
    CHECK(client_log.all()
          == (bound ? strings{"start", "got hello", "got again"} : strings{"start"}));
    on_loop(server, [&] {
      auto& t = protocol_of(port).transport();
      CHECK(t.get_peer() == net_address::path(d / "server"));
      CHECK_THROWS_AS(t.connect(net_address::path(d / "server")), std::logic_error);
      CHECK_THROWS_AS(t.write("x", net_address::path(d / "other")), std::logic_error);
    });
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("what a UNIX datagram port cannot be connected to is told by name and reason") {
  const directory d;
  events log;
  const auto before = open_descriptors();
  {
    running server{1};
    const auto connect = [&](const std::string& path, const std::string& from = {}) {
      return refusal_of(
        [&] { connect_unix_datagram(server.rt, path, told(log), {.bind_address = from}); });
    };
    CHECK(connect(d / "none")
          == "Couldn't connect to " + d / "none" + ": No such file or directory");
    CHECK(contains(connect(d / "peer", d / "no/where"), "Couldn't listen on " + d / "no/where"));
    CHECK(contains(connect(std::string(200, 'x')), "Couldn't connect to xxx"));
    CHECK(contains(connect(std::string(200, 'x')), "longer than 107 bytes"));
    CHECK(contains(connect(""), "empty"));
    { const unix_peer gone{d / "gone"}; }
    unix_peer peer{d / "peer"};
    CHECK(contains(connect(d / "peer", d / "no/where"), d / "no/where"));
    CHECK(contains(connect(d / "none", d / "mine"), "No such file"));
    CHECK_FALSE(std::filesystem::exists(d / "mine"));
    CHECK(connect(d / "peer", d / "mine") == "it is open");
    CHECK(contains(connect(d / "peer", d / "mine"), "its lock is held"));
    server.start();
    datagram_port port;
    on_loop(server, [&] { port = listen_unix_datagram(server.rt, d / "late", told(log)); });
    REQUIRE(log.wait(2));
    on_loop(server, [&] {
      auto& t = protocol_of(port).transport();
      CHECK(t.connect(net_address::ip("127.0.0.1", 9)) == errc::invalid_address);
      CHECK(t.connect(net_address::path(d / "none")) == std::errc::no_such_file_or_directory);
      CHECK_FALSE(t.connect(net_address::path(d / "peer")));
      CHECK_FALSE(t.write("hi"));
      CHECK_FALSE(t.write("hi", net_address::path(d / "peer")));
    });
    CHECK(peer.receive() == "hi");
    CHECK(peer.from() == d / "late");
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a connected UNIX port hears that its peer has gone, and finds it when it is back") {
  const directory d;
  events log;
  running server{1};
  std::optional<unix_peer> peer{std::in_place, d / "peer"};
  const auto port =
    connect_unix_datagram(server.rt, d / "peer", told(log, echoing), {.bind_address = d / "port"});
  server.start();
  const auto write = [&](const std::string& text) {
    on_loop(server, [&] { CHECK_FALSE(protocol_of(port).transport().write(text)); });
  };
  write("one");
  CHECK(peer->receive() == "one");
  peer.reset();
  write("two");
  REQUIRE(log.wait_for("refused"));
  write("three"); // still nobody
  REQUIRE(log.wait_for("refused", 2));
  CHECK(counters_of(server, port).lost == 2);
  peer.emplace(d / "peer");
  write("four");
  CHECK(peer->receive() == "four");
  CHECK(peer->send(d / "port", "five") == 0);
  CHECK(peer->receive() == "five");
  peer.emplace(d / "again"); // another takes its place without a word in between
  peer.emplace(d / "peer");
  write("six");
  CHECK(peer->receive() == "six");
  unix_peer stranger{d / "stranger"};
  CHECK(stranger.send(d / "port", "hi") == EPERM);
  CHECK(log.count("refused") == 2);
  CHECK(counters_of(server, port).lost == 2);
}

TEST_CASE("what goes to a path where nobody listens is lost, and the port goes on") {
  const directory d;
  events log;
  running server{1};
  const auto port = listen_unix_datagram(server.rt, d / "port", told(log, echoing));
  server.start();
  REQUIRE(log.wait(1));
  on_loop(server, [&] {
    auto& t = protocol_of(port).transport();
    CHECK_FALSE(t.write("x", net_address::path(d / "none")));
    CHECK_FALSE(t.write("y", net_address::path(d / "none")));
  });
  unix_peer peer{d / "peer"};
  CHECK(peer.send(d / "port", "hi") == 0);
  CHECK(peer.receive() == "hi");
  CHECK(counters_of(server, port).lost == 2);
  CHECK(log.count("refused") == 0);
}

TEST_CASE("a peer that does not read holds up nobody, and gets all in order when it does") {
  const directory d;
  events log;
  running server{1};
  const auto port = listen_unix_datagram(server.rt, d / "port", told(log),
                                         {.max_unsent = 100'000, .send_buffer = much});
  server.start();
  REQUIRE(log.wait(1));
  unix_peer slow{d / "slow"};
  unix_peer quick{d / "quick"};
  const auto to_slow = net_address::path(d / "slow");
  const auto to_quick = net_address::path(d / "quick");
  const auto kept = kept_by_system();
  std::size_t accepted = 0;
  std::error_code refused;
  on_loop(server, [&] {
    auto& t = protocol_of(port).transport();
    for (; accepted < kept + 50; ++accepted) // among them what goes elsewhere
      CHECK_FALSE((t.write(std::to_string(accepted), to_slow)
                   || (accepted % 10 == 0 && t.write(std::to_string(accepted), to_quick))));
  });
  for (std::size_t i = 0; i < kept + 50; i += 10)
    CHECK(quick.receive() == std::to_string(i));
  on_loop(server, [&] {
    auto& t = protocol_of(port).transport();
    CHECK(t.unsent() > 0);
    while (!(refused = t.write(std::to_string(accepted), to_slow)))
      ++accepted;
    CHECK_FALSE(t.write("still", to_quick)); // what is left is for others
  });
  CHECK(refused == errc::queue_overflow);
  CHECK(accepted >= 100'000 / 4 / 70);
  CHECK(accepted <= 100'000 / 4 / 64 + 2 * kept + 50);
  CHECK(quick.receive() == "still");
  for (std::size_t i = 0; i < accepted; ++i)
    CHECK(slow.receive() == std::to_string(i));
  const auto counts = counters_of(server, port);
  CHECK(counts.sent == accepted + (kept + 50 + 9) / 10 + 1);
  CHECK(counts.lost == 0);
  CHECK(counts.refused == 1);
  on_loop(server, [&] { CHECK(protocol_of(port).transport().unsent() == 0); });
}

TEST_CASE("order is kept for each peer, whoever of them reads when") {
  const directory d;
  events log;
  running server{1};
  const auto port = listen_unix_datagram(server.rt, d / "port", told(log));
  server.start();
  REQUIRE(log.wait(1));
  std::vector<std::unique_ptr<unix_peer>> peers;
  for (int i = 0; i < 5; ++i)
    peers.push_back(std::make_unique<unix_peer>(d / std::to_string(i)));
  std::vector<int> next(5);
  constexpr int rounds = 40;
  for (int round = 0; round < rounds; ++round) {
    on_loop(server, [&] {
      for (int n = 0; n < 5; ++n)
        for (int i = 0; i < 5; ++i)
          if (protocol_of(port).transport().write(std::to_string(round * 5 + n),
                                                  net_address::path(d / std::to_string(i))))
            log.add("refused");
    });
    for (std::size_t i = 0; i < 5; ++i) // peer 4 reads most, peer 0 nothing
      for (std::size_t n = 0; n < i * 2 && peers[i]->readable(); ++n)
        CHECK(peers[i]->receive() == std::to_string(next[i]++));
  }
  for (std::size_t i = 0; i < 5; ++i)
    while (next[i] < rounds * 5)
      REQUIRE(peers[i]->receive() == std::to_string(next[i]++));
  CHECK(log.count("refused") == 0);
}

TEST_CASE("order is kept for a peer that reads while the port writes") {
  const directory d;
  events log;
  running server{1};
  const auto port = listen_unix_datagram(server.rt, d / "port", told(log));
  server.start();
  REQUIRE(log.wait(1));
  unix_peer peer{d / "peer"};
  constexpr int bursts = 300;
  constexpr int burst = 60;
  int wrong = 0;
  std::thread reader{[&] {
    for (int i = 0; i < bursts * burst; ++i)
      wrong += peer.receive() == std::to_string(i) ? 0 : 1;
  }};
  for (int next = 0; next < bursts * burst;) {
    on_loop(server, [&] {
      auto& t = protocol_of(port).transport();
      const auto to = net_address::path(d / "peer");
      if (t.unsent() == 0) // some of each burst find the peer crowded, and room behind that
        for (const auto end = next + burst; next < end; ++next)
          if (t.write(std::to_string(next), to))
            log.add("refused");
    });
  }
  reader.join();
  CHECK(wrong == 0);
  CHECK(log.count("refused") == 0);
}

TEST_CASE("a connected UNIX port waits for a peer that is slow, and loses nothing") {
  const directory d;
  events log;
  running server{1};
  unix_peer peer{d / "peer"};
  constexpr int count = 500;
  const auto port = connect_unix_datagram(
    server.rt, d / "peer",
    told(log, {.start = [](auto& self) {
           for (int i = 0; i < count; ++i)
             if (self.transport().write(std::string(1000, 'x') + std::to_string(i)))
               self.log().add("refused");
         }}));
  server.start();
  REQUIRE(log.wait(1));
  for (int i = 0; i < count; ++i)
    REQUIRE(peer.receive().substr(1000) == std::to_string(i));
  CHECK(log.all() == strings{"start"});
  CHECK(counters_of(server, port).sent == count);
}

TEST_CASE("what waits for a peer is lost with the port, and counted") {
  const directory d;
  events log;
  const auto before = open_descriptors();
  {
    unix_peer slow{d / "slow"};
    running server{1};
    datagram_counters counts;
    const auto port = listen_unix_datagram(
      server.rt, d / "port",
      told(log, {.start =
                   [&](auto& self) {
                     for (std::size_t i = 0; i < kept_by_system() + 40; ++i)
                       self.transport().write("x", net_address::path(d / "slow"));
                   }}),
      {.send_buffer = much});
    server.start();
    REQUIRE(log.wait(1));
    std::size_t waiting = 0;
    on_loop(server, [&] {
      auto& t = protocol_of(port).transport();
      waiting = t.unsent();
      t.stop_listening().add_callback([&] { log.add("stopped"); });
    });
    REQUIRE(log.wait_for("stopped"));
    CHECK(waiting > 0);
    CHECK_FALSE(std::filesystem::exists(d / "port"));
  }
  CHECK(open_descriptors() == before);
}
