// UNIX ports of datagrams: what is sent and received, and how a port starts and ends.

#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <troupe/net/connect_unix_datagram.hpp>
#include <troupe/net/listen_unix.hpp>
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

TEST_CASE("UNIX datagrams arrive whole, with the path of who sent them") {
  const std::size_t loops = GENERATE(1, 2);
  const bool named = GENERATE(true, false);
  const auto before = open_descriptors();
  {
    const directory d;
    const auto name = "troupe-test-" + std::to_string(::getpid());
    const auto path = named ? d / "port" : '@' + name;
    const auto to = named ? path : '\0' + name;
    events log;
    running server{loops};
    const auto port =
      listen_unix_datagram(server.rt, path,
                           told(log, {.received =
                                        [](auto& self, auto data, const auto& from) {
                                          self.transport().write(data, from);
                                          const auto copy = from; // is no quicker, and as good
                                          self.transport().write(copy.to_string(), copy);
                                        }}),
                           {.loop = loops - 1});
    CHECK(port.get_host() == net_address::path(path));
    server.start();
    for (int i = 0; i < 100; ++i) { // more peers than the loop remembers
      const auto number = std::to_string(i);
      const auto at = i % 3 == 0   ? d / number
                      : i % 3 == 1 ? '\0' + name + '-' + number
                                   : '\0' + name + '\0' + number + '\0'; // binds as C programs do
      unix_peer peer{at};
      for (const auto& text : {std::string("a"), std::string(), std::string(8000, 'x')}) {
        CHECK(peer.send(to, text) == 0);
        CHECK(peer.receive() == text);
        CHECK(peer.from() == to);
        auto shown = at;
        if (at[0] == '\0')
          shown[0] = '@';
        CHECK(peer.receive() == shown);
      }
    }
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a sender without a name has an empty path, to which nothing can be written") {
  const directory d;
  events log;
  std::error_code why;
  running server{1};
  const auto port = listen_unix_datagram(
    server.rt, d / "port", told(log, {.received = [&](auto& self, auto, const auto& from) {
                                  self.log().add(from == net_address::path("") ? "empty" : "not");
                                  why = self.transport().write("x", from);
                                }}));
  server.start();
  unix_peer peer;
  CHECK(peer.send(d / "port", "hi") == 0);
  REQUIRE(log.wait(3));
  CHECK(log.all() == strings{"start", "got hi", "empty"});
  on_loop(server, [&] {
    CHECK(why == errc::invalid_address);
    auto& t = protocol_of(port).transport();
    CHECK(t.write("x", net_address::ip("127.0.0.1", 7)) == errc::invalid_address);
    CHECK(t.write("x", net_address::path(std::string(200, 'x'))) == errc::invalid_address);
    CHECK(t.set_broadcast_allowed(true) == errc::not_supported);
    CHECK_THROWS_AS(protocol_of(port).multicast(), std::logic_error);
    CHECK(t.counters().refused == 3);
  });
}

TEST_CASE("a UNIX datagram is as long as the system's buffer lets it") {
  const directory d;
  events log;
  running server{1};
  const auto port = listen_unix_datagram(server.rt, d / "port", told(log, echoing),
                                         {.max_packet_size = 524'288, .send_buffer = 150'000});
  const auto cut =
    listen_unix_datagram(server.rt, d / "cut", told(log, echoing), {.max_packet_size = 8});
  server.start();
  unix_peer peer{d / "peer"};
  for (const std::size_t size : {65'535, 65'536, 200'000}) {
    CHECK(peer.send(d / "port", std::string(size, 'x')) == 0);
    CHECK(peer.receive().size() == size);
  }
  CHECK(peer.send(d / "cut", "0123456789") == 0);
  CHECK(peer.receive() == "01234567");
  CHECK(counters_of(server, cut).truncated == 1);
  on_loop(server, [&] {
    auto& t = protocol_of(port).transport();
    const auto to = net_address::path(d / "peer");
    CHECK_FALSE(t.write(std::string(299'968, 'x'), to));
    CHECK(t.write(std::string(299'969, 'x'), to) == errc::message_too_long);
  });
  CHECK(peer.receive().size() == 299'968);
  CHECK_THROWS_AS(listen_unix_datagram(server.rt, d / "none", told(log), {.max_packet_size = 0}),
                  std::invalid_argument);
}

TEST_CASE("a UNIX datagram port leaves neither its file nor its lock behind, and starts again") {
  const directory d;
  const auto path = d / "port";
  const auto before = open_descriptors();
  {
    events log;
    running server{1};
    auto port = listen_unix_datagram(server.rt, path, told(log, echoing), {.mode = 0620});
    struct stat made {};
    REQUIRE(::stat(path.c_str(), &made) == 0);
    CHECK((made.st_mode & 0777) == 0620);
    long holder = 0;
    std::ifstream{path + ".lock"} >> holder;
    CHECK(holder == ::getpid());
    server.start();
    REQUIRE(log.wait(1));
    on_loop(server, [&] {
      port.stop_listening().add_callback([&] {
        log.add(std::filesystem::exists(path) || std::filesystem::exists(path + ".lock") ? "there"
                                                                                         : "gone");
        port.start_listening();
      });
    });
    REQUIRE(log.wait(4));
    CHECK(log.all() == strings{"start", "stop", "gone", "start"});
    unix_peer peer{d / "peer"};
    CHECK(peer.send(path, "hi") == 0);
    CHECK(peer.receive() == "hi");
  }
  CHECK(std::filesystem::is_empty(d.path));
  CHECK(open_descriptors() == before);
}

TEST_CASE("a path that a UNIX datagram port cannot have is told by name and reason") {
  const directory d;
  events log;
  const auto before = open_descriptors();
  {
    runtime rt{{.loops = 1, .install_signal_handlers = false}};
    const auto listen = [&](const std::string& path, const unix_datagram_options& options = {}) {
      return refusal_of([&] { listen_unix_datagram(rt, path, told(log), options); });
    };
    CHECK(contains(listen(d / std::string(120, 'x')), "longer than 107 bytes"));
    CHECK(contains(listen(""), "empty"));
    CHECK(contains(listen(d / "no/port"), "No such file or directory"));
    std::ofstream{d / "file"} << "precious";
    CHECK(contains(listen(d / "file"), "Address already in use"));
    CHECK(std::filesystem::file_size(d / "file") == 8);
    {
      runtime other{{.loops = 1, .install_signal_handlers = false}};
      listen_unix_datagram(other, d / "used", told(log));
      CHECK(
        contains(listen(d / "used"), d / "used" + ": its lock is held: Address already in use"));
      CHECK(contains(listen(d / "used", {.lock_file = false}), "Address already in use"));
      CHECK(contains(
        refusal_of([&] { listen_unix(rt, d / "used", factory::for_protocol<protocol>()); }),
        "lock"));
    }
    { // left behind by a process that died
      const file_descriptor dead{::socket(AF_UNIX, SOCK_DGRAM, 0)};
      sockaddr_un at{.sun_family = AF_UNIX, .sun_path = {}};
      (d / "stale").copy(at.sun_path, sizeof at.sun_path - 1);
      REQUIRE(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    }
    CHECK(contains(listen(d / "stale", {.lock_file = false}), "Address already in use"));
    CHECK(listen(d / "stale") == "it is open");
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a live UNIX socket of datagrams without a lock is refused, and does not notice") {
  const directory d;
  events log;
  unix_peer peer{d / "peer"};
  unix_peer live{d / "live"};
  const bool of_one_peer = GENERATE(false, true); // takes nothing from others
  if (of_one_peer)
    live.connect(d / "peer");
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  const auto refused =
    d / "live" + ": it is in use, though nobody holds its lock: Address already in use";
  CHECK(contains(refusal_of([&] { listen_unix_datagram(rt, d / "live", told(log)); }), refused));
  CHECK(contains(refusal_of([&] {
                   connect_unix_datagram(rt, d / "peer", told(log), {.bind_address = d / "live"});
                 }),
                 refused));
  CHECK(contains(
    refusal_of([&] { listen_unix(rt, d / "live", factory::for_protocol<protocol>()); }), refused));
  CHECK_FALSE(live.readable());
  CHECK(peer.send(d / "live", "hi") == 0);
  CHECK(live.receive() == "hi");
}

TEST_CASE("a file that another has put in the place of a socket stays") {
  const bool stream = GENERATE(true, false);
  const directory d;
  events log;
  {
    runtime rt{{.loops = 1, .install_signal_handlers = false}};
    if (stream)
      listen_unix(rt, d / "port", factory::for_protocol<protocol>());
    else
      listen_unix_datagram(rt, d / "port", told(log));
    std::ofstream{d / "other"} << "precious";
    std::filesystem::rename(d / "other", d / "port");
  }
  CHECK(std::filesystem::file_size(d / "port") == 8);
  CHECK_FALSE(std::filesystem::exists(d / "port.lock"));
}

TEST_CASE("descriptors that are sent to a UNIX datagram port are closed") {
  const directory d;
  events log;
  running server{1};
  listen_unix_datagram(server.rt, d / "port", told(log));
  server.start();
  REQUIRE(log.wait(1));
  unix_peer peer;
  const auto a = named_descriptor("a");
  CHECK(peer.send(d / "port", "x") == 0);
  REQUIRE(log.wait(2));
  const auto before = open_descriptors();
  for (std::size_t i = 0; i < 20; ++i) {
    CHECK(peer.send(d / "port", "x", a.get()) == 0);
    REQUIRE(log.wait(3 + i));
  }
  CHECK(open_descriptors() == before);
}
