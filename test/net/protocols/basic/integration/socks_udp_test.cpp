// Datagrams through a server of SOCKS, over real sockets.

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include <troupe/basic/socks_server.hpp>
#include <troupe/net/listen_tcp.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/on_loop.hpp"
#include "support/running.hpp"
#include "support/udp_peer.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

const auto localhost = "\x7f\0\0\x01"s;

std::string bytes_of(std::uint16_t n) {
  return {static_cast<char>(n >> 8), static_cast<char>(n)};
}

// What a client sends, or gets.
std::string wrapped(std::uint16_t port, const std::string& data, const std::string& ip = localhost,
                    char fragment = 0) {
  return "\0\0"s + fragment + '\x01' + ip + bytes_of(port) + data;
}

struct served {
  explicit served(socks_server_options options = {})
    : server(1), port(listen_tcp(server.rt, 0,
                                 factory::of<socks_server_factory>(std::ref(server.rt), options))) {
    server.start();
  }
  running server;
  listening_port port;
};

// A client that has asked for datagrams, and where it may send them.
struct associated {
  explicit associated(const served& s, std::uint16_t from = 0,
                      const std::string& host = "\0\0\0\0"s)
    : control(s.port.get_host().port()) {
    control.send("\x05\x01\0"s);
    CHECK(control.receive(2) == "\x05\0"s);
    control.send("\x05\x03\0\x01"s + host + bytes_of(from));
    const auto reply = control.receive(10);
    CHECK(reply.substr(0, 8) == "\x05\0\0\x01"s + localhost);
    port = static_cast<std::uint16_t>(static_cast<unsigned char>(reply[8]) << 8
                                      | static_cast<unsigned char>(reply[9]));
    REQUIRE(port != 0);
  }
  client control;
  std::uint16_t port;
};

} // namespace

TEST_CASE("datagrams go both ways, with the address of who sent them in front") {
  served s;
  associated a{s};
  udp_peer own, one, two;
  own.send(a.port, wrapped(one.port(), "hello"));
  CHECK(one.receive() == "hello");
  const auto outside = one.from();
  one.send(outside, "back");
  CHECK(own.receive() == wrapped(one.port(), "back"));
  own.send(a.port, wrapped(two.port(), ""));
  CHECK(two.receive().empty());
  CHECK(two.from() == outside);
  two.send(outside, "");
  CHECK(own.receive() == wrapped(two.port(), ""));
  const std::string large(60'000, 'x');
  own.send(a.port, wrapped(one.port(), large));
  CHECK(one.receive() == large);
  one.send(outside, large);
  CHECK(own.receive() == wrapped(one.port(), large));
}

TEST_CASE("a target may have a name, whose address the rule sees, and is asked about once") {
  const auto asked = std::make_shared<std::deque<std::string>>();
  socks_server_options o;
  o.rule = [asked](const socks_request& r, const net_address& peer, const net_address& target) {
    const bool expected = r.command == socks_command::udp_associate && peer.host() == "127.0.0.1";
    asked->push_back(r.target.host() + ' ' + (expected ? target.host() : "asked wrongly"));
    return succeed(target.host() == "127.0.0.1");
  };
  served s{o};
  associated a{s};
  udp_peer own, target, forbidden{"127.0.0.2"};
  for (int i = 0; i < 3; ++i) {
    own.send(a.port, wrapped(forbidden.port(), "no", "\x7f\0\0\x02"s));
    own.send(a.port, "\0\0\0\x03\x09localhost"s + bytes_of(target.port()) + "yes");
    CHECK(target.receive() == "yes");
  }
  target.send(target.from(), "back");
  CHECK(own.receive() == wrapped(target.port(), "back"));
  CHECK_FALSE(forbidden.readable());
  const auto seen = on_loop(s.server, [&] { return *asked; });
  CHECK(seen.size() == 2);
  CHECK(std::ranges::count(seen, "127.0.0.2 127.0.0.2") == 1);
  CHECK(std::ranges::count(seen, "localhost 127.0.0.1") == 1);
}

TEST_CASE("what comes while the rule thinks is kept in order, and bounded") {
  const auto asked = std::make_shared<std::deque<promise<bool>>>();
  socks_server_options o;
  o.rule = [asked](auto&&...) {
    asked->emplace_back();
    return asked->back().get_deferred();
  };
  served s{o};
  associated a{s};
  udp_peer own, target;
  target.set_receive_buffer(1 << 20);
  const std::string part(6'000, 'x');
  for (int i = 0; i < 12; ++i)
    own.send(a.port, wrapped(target.port(), std::to_string(i) + part));
  // More questions than are asked at once.
  for (int i = 1; i <= 40; ++i)
    own.send(a.port, wrapped(static_cast<std::uint16_t>(i), "x"));
  const auto end = std::chrono::steady_clock::now() + 10s;
  std::size_t questions = 0;
  while (questions < 16 && std::chrono::steady_clock::now() < end)
    questions = on_loop(s.server, [&] { return asked->size(); });
  CHECK(questions == 16);
  on_loop(s.server, [&] {
    asked->front().callback(true);
    return true;
  });
  for (int i = 0; i < 10; ++i)
    CHECK(target.receive() == std::to_string(i) + part);
  own.send(a.port, wrapped(target.port(), "now"));
  CHECK(target.receive() == "now"); // the others were too much
  a.control.close();
  const auto places = on_loop(s.server, [&] {
    return std::exchange(*asked, {}).size(); // whoever still waits is told so, after the end
  });
  CHECK(places <= 17); // 16 at once, and that of the one that was answered
}

TEST_CASE("nobody else is served: neither other addresses and ports, nor who was not asked") {
  served s;
  udp_peer own, target, stranger, elsewhere{"127.0.0.2"};
  for (const bool said : {false, true}) {
    CAPTURE(said);
    associated a = said ? associated{s, own.port(), localhost} : associated{s};
    elsewhere.send(a.port, wrapped(target.port(), "no"), "127.0.0.1");
    if (said)
      stranger.send(a.port, wrapped(target.port(), "no"));
    own.send(a.port, wrapped(target.port(), "fragment", localhost, 1));
    own.send(a.port, "\0\0\0\x01\x7f"s);
    own.send(a.port, ""s);
    own.send(a.port, wrapped(target.port(), "first"));
    CHECK(target.receive() == "first");
    stranger.send(a.port, wrapped(target.port(), "no"));
    own.send(a.port, wrapped(target.port(), "second"));
    CHECK(target.receive() == "second");
    stranger.send(target.from(), "nobody has asked me");
    target.send(target.from(), "back");
    CHECK(own.receive() == wrapped(target.port(), "back"));
    CHECK_FALSE(own.readable());
  }
}

TEST_CASE(
  "a client that says another address than it has is behind a translator: its port counts not") {
  served s;
  udp_peer own, target;
  associated a{s, 9, "\x0a\0\0\x01"s};
  own.send(a.port, wrapped(target.port(), "hello"));
  CHECK(target.receive() == "hello");
}

TEST_CASE("more targets than are remembered replace those not used for long") {
  served s;
  associated a{s};
  udp_peer own, first, last;
  own.send(a.port, wrapped(first.port(), "a"));
  CHECK(first.receive() == "a");
  const auto outside = first.from();
  for (int i = 0; i < 256; ++i) {
    own.send(a.port, wrapped(1, "x", "\x7f\x01\x01"s + static_cast<char>(i)));
    if (i % 32 != 31)
      continue;
    own.send(a.port, wrapped(last.port(), "b")); // none is lost
    CHECK(last.receive() == "b");
  }
  first.send(outside, "forgotten");
  last.send(outside, "known");
  CHECK(own.receive() == wrapped(last.port(), "known"));
}

TEST_CASE("it ends with the connection that asked for it, also when that is ended half") {
  served s;
  for (const bool half : {false, true}) {
    CAPTURE(half);
    associated a{s};
    a.control.send("what is said here has no meaning");
    udp_peer own, target;
    own.send(a.port, wrapped(target.port(), "hello"));
    CHECK(target.receive() == "hello");
    if (half) {
      a.control.shut_write();
      CHECK(a.control.rest().empty());
    } else {
      a.control.close();
    }
    // Then its port can be had again.
    const auto end = std::chrono::steady_clock::now() + 10s;
    bool closed = false;
    while (!closed && std::chrono::steady_clock::now() < end)
      try {
        udp_peer again{"127.0.0.1", a.port};
        closed = true;
      } catch (const std::exception&) {
      }
    CHECK(closed);
  }
}

TEST_CASE("datagrams are refused where they are turned off, and in version 4") {
  socks_server_options off;
  off.udp = false;
  served s{off};
  client c{s.port.get_host().port()};
  c.send("\x05\x01\0\x05\x03\0\x01\0\0\0\0\0\0"s);
  CHECK(c.rest() == "\x05\0\x05\x07\0\x01\0\0\0\0\0\0"s);
}
