// SOCKS over real sockets: our server with plain clients, and our client through our server.

#include <array>
#include <string>

#include <troupe/basic/socks_endpoint.hpp>
#include <troupe/basic/socks_server.hpp>
#include <troupe/basic/wire.hpp>
#include <troupe/net/endpoint_description.hpp>
#include <troupe/net/host_name.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/tcp_endpoint.hpp>
#include <troupe/testing/memory_resolver.hpp>

#include "loop_time.hpp"
#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/on_loop.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

struct served {
  explicit served(socks_server_options options = {}, std::size_t loops = 2)
    : server(loops), target(listen_tcp(server.rt, 0, factory::for_protocol<wire::echo>())),
      port(
        listen_tcp(server.rt, 0, factory::of<socks_server_factory>(std::ref(server.rt), options))) {
    server.start();
  }
  [[nodiscard]] client connect() const { return client{port.get_host().port()}; }
  [[nodiscard]] std::string port_bytes(const listening_port& p) const {
    const auto n = p.get_host().port();
    return {static_cast<char>(n >> 8), static_cast<char>(n)};
  }
  running server;
  listening_port target;
  listening_port port;
};

std::string request4(const std::string& port, const std::string& host = {}) {
  return "\x04\x01" + port + (host.empty() ? "\x7f\0\0\x01\0"s : "\0\0\0\x01\0"s + host + '\0');
}

std::string request5(const std::string& port, const std::string& host = {}) {
  return "\x05\x01\0"s
         + (host.empty() ? "\x01\x7f\0\0\x01"s
                         : '\x03' + std::string(1, static_cast<char>(host.size())) + host)
         + port;
}

std::uint16_t closed_port(running& r) {
  return on_loop(r, [&] {
    auto p = listen_tcp(r.rt, 0, factory::for_protocol<wire::discard>());
    p.stop_listening();
    return p.get_host().port();
  });
}

std::string bytes_of(std::uint16_t n) {
  return {static_cast<char>(n >> 8), static_cast<char>(n)};
}

class asking : public protocol {
public:
  asking(caf::actor_config& cfg, events* log, std::string say)
    : protocol(cfg), log_(log), say_(std::move(say)) {}
  void connection_made() override {
    log_->add("made " + transport().get_peer().to_string());
    transport().write(say_);
  }
  void data_received(bytes_view data) override {
    got_ += as_text(data);
    if (got_.size() < say_.size())
      return;
    log_->add("got " + std::to_string(got_.size()));
    transport().lose_connection();
  }
  void connection_lost(const failure& why) override { log_->add("lost: " + why.message()); }

private:
  events* log_;
  std::string say_;
  std::string got_;
};

// Says something at once, and answers nothing.
class rude : public protocol {
public:
  rude(caf::actor_config& cfg, std::string say, bool close)
    : protocol(cfg), say_(std::move(say)), close_(close) {}
  void connection_made() override {
    transport().write(say_);
    if (close_)
      transport().lose_connection();
  }

private:
  std::string say_;
  bool close_;
};

// Connects through what listens at `port`; returns what came of it.
std::string outcome_of(running& r, std::uint16_t port, events& log, const std::string& host,
                       std::uint16_t to, socks_client_options options = {}, duration timeout = 30s,
                       const std::string& say = "hello") {
  return on_loop(r, [&, host, to, options, timeout, say] {
    const auto via = std::make_shared<tcp_client_endpoint>(r.rt, "127.0.0.1", port);
    socks_client_endpoint endpoint{r.rt, via, host, to, options, timeout};
    return connect_protocol<asking>(endpoint, &log, say)
      .add_callbacks([](const connected_protocol&) { return "connected"s; },
                     [](const failure& why) { return why.message(); });
  });
}

} // namespace

TEST_CASE("version 4, 4a and 5 connect, and bytes go both ways, also those sent early") {
  served s;
  const auto port = s.port_bytes(s.target);
  {
    auto c = s.connect();
    c.send(request4(port) + "early");
    CHECK(c.receive(8) == "\0\x5a"s + port + "\x7f\0\0\x01"s);
    CHECK(c.receive(5) == "early");
    c.send("late");
    c.shut_write();
    CHECK(c.rest() == "late");
  }
  {
    auto c = s.connect();
    c.send(request4(port, "localhost"));
    CHECK(c.receive(8).substr(0, 2) == "\0\x5a"s);
    c.send("hello");
    CHECK(c.receive(5) == "hello");
  }
  for (const auto& host : {""s, "localhost"s, "127.0.0.1"s}) {
    auto c = s.connect();
    c.send("\x05\x02\0\x02"s);
    CHECK(c.receive(2) == "\x05\0"s);
    c.send(request5(port, host) + "hello");
    const auto reply = c.receive(10);
    CHECK(reply.substr(0, 4) == "\x05\0\0\x01"s);
    CHECK(reply.substr(4, 4) == "\x7f\0\0\x01"s);
    CHECK(reply.substr(8) != "\0\0"s);
    CHECK(c.receive(5) == "hello");
  }
}

TEST_CASE("what fails is answered with its reason, and closed") {
  served s{{.names = std::make_shared<memory_resolver>(), .noisy = false}};
  const auto nobody = bytes_of(closed_port(s.server));
  struct row {
    std::string sent, answered;
  };
  const row rows[] = {
    {request4(nobody), "\0\x5b\0\0\0\0\0\0"s},
    {request4(nobody, "no.such.host.invalid"), "\0\x5b\0\0\0\0\0\0"s},
    {"\x04\x03\0\x50\x7f\0\0\x01\0"s, "\0\x5b\0\0\0\0\0\0"s},
    {"\x04\x09\0\x50\x7f\0\0\x01\0"s, "\0\x5b\0\0\0\0\0\0"s},
    {"\x05\x01\0"s + request5(nobody), "\x05\0\x05\x05\0\x01\0\0\0\0\0\0"s},
    {"\x05\x01\0"s + request5(nobody, "no.such.host.invalid"), "\x05\0\x05\x04\0\x01\0\0\0\0\0\0"s},
    {"\x05\x01\0\x05\x04\0\x01\x7f\0\0\x01\0\x50"s, "\x05\0\x05\x07\0\x01\0\0\0\0\0\0"s},
    {"\x05\x01\0\x05\x01\0\x09"s, "\x05\0\x05\x08\0\x01\0\0\0\0\0\0"s},
    {"\x05\x01\x02"s, "\x05\xff"s},
    {"\x05\0"s, "\x05\xff"s},
    {"GET / HTTP/1.1\r\n\r\n", ""},
    {"\x16\x03\x01\x02", ""},
  };
  for (const auto& r : rows) {
    auto c = s.connect();
    c.send(r.sent);
    CHECK(c.rest() == r.answered);
  }
}

TEST_CASE("user and password are asked for, and a client of version 4 is refused then") {
  served s{{.authenticate = [](std::string_view user, std::string_view password) {
    return user == "joe" && password == "secret";
  }}};
  const auto port = s.port_bytes(s.target);
  auto right = s.connect();
  right.send("\x05\x02\0\x02\x01\x03joe\x06secret"s + request5(port) + "hello");
  CHECK(right.receive(4) == "\x05\x02\x01\0"s);
  right.receive(10);
  CHECK(right.receive(5) == "hello");
  auto wrong = s.connect();
  wrong.send("\x05\x01\x02\x01\x03joe\x05wrong"s + request5(port));
  CHECK(wrong.rest() == "\x05\x02\x01\x01"s);
  auto none = s.connect();
  none.send("\x05\x01\0"s);
  CHECK(none.rest() == "\x05\xff"s);
  auto four = s.connect();
  four.send(request4(port));
  CHECK(four.rest() == "\0\x5b\0\0\0\0\0\0"s);
}

TEST_CASE("a rule sees the address that a name has, and may take its time") {
  events asked;
  served s{
    {.rule = [&](const socks_request& r, const net_address& client, const net_address& target) {
      asked.add(r.target.host() + " for " + client.host() + ": " + target.host());
      return succeed(!is_local_address(target));
    }}};
  auto c = s.connect();
  c.send("\x05\x01\0"s + request5(s.port_bytes(s.target), "localhost"));
  CHECK(c.rest() == "\x05\0\x05\x02\0\x01\0\0\0\0\0\0"s);
  REQUIRE(asked.wait(1));
  CHECK_THAT(asked.all().back(), Catch::StartsWith("localhost for 127.0.0.1: "));
  CHECK(asked.all().back() != "localhost for 127.0.0.1: localhost");
}

TEST_CASE("who does not say what he wants is not kept") {
  served s{{.handshake_timeout = 50ms}};
  auto c = s.connect();
  c.send("\x05"s);
  CHECK(c.rest() == "");
}

TEST_CASE("our client connects through our server, and says whom it talks to") {
  served s;
  const auto port = s.port.get_host().port();
  const auto to = s.target.get_host().port();
  for (const auto& options :
       {socks_client_options{}, socks_client_options{.version = 4},
        socks_client_options{.version = 4, .user = "me", .remote_names = false}})
    for (const auto& host : {"127.0.0.1"s, "localhost"s}) {
      events log;
      CHECK(outcome_of(s.server, port, log, host, to, options) == "connected");
      REQUIRE(log.wait(3));
      const auto shown = options.remote_names ? host : "127.0.0.1"s;
      CHECK(log.all()
            == std::vector{"made " + shown + ':' + std::to_string(to), "got 5"s,
                           "lost: " + failure{errc::connection_done}.message()});
    }
  events log;
  CHECK(outcome_of(s.server, port, log, "localhost", to, {}, 30s, std::string(3'000'000, 'x'))
        == "connected");
  REQUIRE(log.wait(3)); // it has ended, too
  CHECK(log.count("got 3000000") == 1);
}

TEST_CASE("our client is told why there is no connection") {
  served s{{.names = std::make_shared<memory_resolver>(), .noisy = false}};
  const auto port = s.port.get_host().port();
  events log;
  const auto what = [&](const std::string& host, std::uint16_t to, socks_client_options o = {}) {
    return outcome_of(s.server, port, log, host, to, std::move(o));
  };
  const auto nobody = closed_port(s.server);
  CHECK_THAT(what("127.0.0.1", nobody), Catch::StartsWith("SOCKS server: connection refused (5)"));
  CHECK_THAT(what("no.such.host.invalid", 80),
             Catch::StartsWith("SOCKS server: host unreachable (4)"));
  CHECK_THAT(what("127.0.0.1", nobody, {.version = 4}),
             Catch::StartsWith("SOCKS server: general failure (91)"));
  CHECK_THAT(what(std::string(300, 'h'), 80), Catch::Contains("more than 255 bytes"));
  CHECK_THAT(what("::1", 80, {.version = 4}), Catch::Contains("version 4"));
  CHECK_THAT(outcome_of(s.server, nobody, log, "127.0.0.1", 80), Catch::Contains("refused"));
  CHECK(log.all().empty()); // no protocol heard of any of these
}

TEST_CASE("servers that are none are found out") {
  events log;
  running r{1};
  const auto serve = [&](const std::string& say, bool close) {
    return listen_tcp(r.rt, 0, factory::for_protocol<rude>(say, close)).get_host().port();
  };
  const auto banner = serve("SSH-2.0-x\r\n", false);
  const auto silent = serve("", false);
  const auto closing = serve("", true);
  const auto half = serve("\x05", true);
  const auto login = serve("\x05\x02\x01\x01", false);
  r.start();
  const auto what = [&](std::uint16_t port, duration timeout = 30s) {
    return outcome_of(r, port, log, "127.0.0.1", 80, {.user = "joe", .password = "pw"}, timeout);
  };
  CHECK_THAT(what(banner), Catch::Contains("no answer of a SOCKS server"));
  CHECK_THAT(what(silent, 50ms), Catch::Contains("handshake with the SOCKS server"));
  CHECK_THAT(what(closing), Catch::Contains("hung up"));
  CHECK_THAT(what(half), Catch::Contains("hung up"));
  CHECK_THAT(what(login), Catch::Contains("refuses user and password"));
  CHECK(log.all().empty());
}

TEST_CASE("a cancelled attempt ends in any phase, and leaves nothing") {
  const auto before = open_descriptors();
  {
    running r{1};
    const auto silent = listen_tcp(r.rt, 0, factory::for_protocol<wire::discard>());
    r.start();
    for (const auto delay : {0ms, 30ms}) {
      const auto code = on_loop(r, [&] {
        const auto via =
          std::make_shared<tcp_client_endpoint>(r.rt, "127.0.0.1", silent.get_host().port());
        socks_client_endpoint endpoint{r.rt, via, "127.0.0.1", 80};
        auto d = connect_protocol<wire::discard>(endpoint);
        d.add_timeout(delay, troupe::detail::clock_of(r.rt.scheduler().loop(0)));
        return std::move(d).add_callbacks(
          [](const connected_protocol&) { return std::string{"connected"}; },
          [](const failure& why) { return why.message(); });
      });
      CHECK_THAT(code, Catch::Contains("longer than allowed"));
    }
  }
  CHECK(comes_down_to(before));
}

TEST_CASE("strings describe clients behind servers behind servers") {
  served s;
  const auto port = std::to_string(s.port.get_host().port());
  const auto to = std::to_string(s.target.get_host().port());
  const auto once = "socks5:localhost:" + to + ":via=tcp\\:127.0.0.1\\:" + port;
  const auto twice = "socks4a:127.0.0.1:" + port + ":tcp\\:127.0.0.1\\:" + port;
  const auto chained = "SOCKS5:localhost:" + to + ":" + quote_string_argument(twice);
  for (const auto& text : {once, chained, "tcp:127.0.0.1:" + to}) {
    events log;
    CHECK(on_loop(s.server,
                  [&, text] {
                    const std::shared_ptr<client_endpoint> e =
                      proxied_client_from_string(s.server.rt, text);
                    return connect_protocol<asking>(*e, &log, "hello")
                      .add_callbacks([e](const connected_protocol&) { return "connected"s; },
                                     [](const failure& why) { return why.message(); });
                  })
          == "connected");
    REQUIRE(log.wait(3)); // it has ended, too
    CHECK(log.count("got 5") == 1);
  }
  for (const auto* wrong :
       {"socks5:host:80", "socks5:host:0:tcp\\:h\\:1", "socks5:host:x:tcp\\:h\\:1",
        "socks5:host:80:via=gopher\\:x", "socks5:h:80:via=tcp\\:h\\:1:via=tcp\\:h\\:1",
        "socks4:h:80:via=tcp\\:h\\:1:password=x", "socks5:h:80:tcp\\:h\\:1:a:b:c:d", "socks6:h:80"})
    CHECK_THROWS_AS(proxied_client_from_string(s.server.rt, wrong), endpoint_syntax_error);
}

TEST_CASE("a stop ends clients in the middle, of the handshake and behind it") {
  auto s = std::make_unique<served>();
  auto waiting = s->connect();
  auto passing = s->connect();
  passing.send(request4(s->port_bytes(s->target)) + "x");
  passing.receive(9);
  s->server.stop();
  CHECK(passing.rest() == "");
  CHECK(waiting.rest() == "");
}

TEST_CASE("BIND lets one connection in, from the address that was named, and tells of it twice") {
  served s;
  for (const bool five : {false, true}) {
    CAPTURE(five);
    auto c = s.connect();
    if (five) {
      c.send("\x05\x01\0"s);
      CHECK(c.receive(2) == "\x05\0"s);
    }
    c.send((five ? "\x05\x02\0\x01\x7f\0\0\x01\0\0"s : "\x04\x02\0\0\x7f\0\0\x01\0"s) + "early");
    const auto first = c.receive(five ? 10 : 8);
    CHECK(first.substr(0, 2) == (five ? "\x05\0"s : "\0\x5a"s));
    const auto at = five ? first.substr(8) : first.substr(2, 2);
    client peer{static_cast<std::uint16_t>(static_cast<unsigned char>(at[0]) << 8
                                           | static_cast<unsigned char>(at[1]))};
    peer.send("from the peer");
    const auto second = c.receive(five ? 10 : 8);
    CHECK(second.substr(0, 2) == (five ? "\x05\0"s : "\0\x5a"s));
    CHECK(second.find("\x7f\0\0\x01"s) == 4);
    CHECK((five ? second.substr(8) : second.substr(2, 2)) != at);
    CHECK(c.receive(13) == "from the peer");
    CHECK(peer.receive(5) == "early");
    c.send("back");
    c.shut_write();
    CHECK(peer.rest() == "back");
  }
}

TEST_CASE("BIND lets nobody else in, and ends in time") {
  socks_server_options o;
  o.bind_timeout = 1s; // long enough for the one who is not let in
  served s{o};
  auto c = s.connect();
  c.send("\x04\x02\0\0\x7f\0\0\x02\0"s); // 127.0.0.2 alone
  const auto first = c.receive(8);
  REQUIRE(first.substr(0, 2) == "\0\x5a"s);
  client peer{static_cast<std::uint16_t>(static_cast<unsigned char>(first[2]) << 8
                                         | static_cast<unsigned char>(first[3]))};
  CHECK(peer.rest().empty());
  CHECK(c.receive(8).substr(0, 2) == "\0\x5b"s);
  CHECK(c.rest().empty());
}

TEST_CASE("BIND takes the first who comes, and its port is closed behind it, or with its client") {
  served s;
  const auto is_closed_soon = [](std::uint16_t port) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < end) {
      try {
        client late{port};
        CHECK(late.rest().empty());
      } catch (const std::exception&) {
        return true; // refused
      }
    }
    return false;
  };
  const auto bind = [&](client& c) {
    c.send("\x04\x02\0\0\0\0\0\x01\0localhost\0"s); // 4a: whose address has a name
    const auto first = c.receive(8);
    REQUIRE(first.substr(0, 2) == "\0\x5a"s);
    return static_cast<std::uint16_t>(static_cast<unsigned char>(first[2]) << 8
                                      | static_cast<unsigned char>(first[3]));
  };
  auto c = s.connect();
  const auto port = bind(c);
  client peer{port};
  CHECK(c.receive(8).substr(0, 2) == "\0\x5a"s);
  CHECK(is_closed_soon(port));
  peer.send("still there");
  CHECK(c.receive(11) == "still there");
  auto leaving = s.connect();
  const auto other = bind(leaving);
  leaving.close();
  CHECK(is_closed_soon(other));
  auto hasty = s.connect();
  const auto third = bind(hasty);
  hasty.send(std::string(proxy::max_pending, 'x')); // and is not held until nobody has come
  CHECK(hasty.rest().substr(0, 2) == "\0\x5b"s);
  CHECK(is_closed_soon(third));
  auto hastier = s.connect();
  hastier.send("\x04\x02\0\0\0\0\0\x01\0localhost\0"s + std::string(proxy::max_pending, 'x'));
  const auto replies = hastier.rest(); // with where it is, or at once
  REQUIRE(replies.size() >= 8);
  CHECK(replies.substr(replies.size() - 8, 2) == "\0\x5b"s);
  auto alone = s.connect();
  alone.send("\x04\x02\0\0\x7f\0\0\x02\0"s); // 127.0.0.2, from which nobody comes
  const auto first = alone.receive(8);
  REQUIRE(first.substr(0, 2) == "\0\x5a"s);
  alone.close();
  CHECK(is_closed_soon(static_cast<std::uint16_t>(static_cast<unsigned char>(first[2]) << 8
                                                  | static_cast<unsigned char>(first[3]))));
}

TEST_CASE("BIND is refused where it is turned off, and by the rule, which sees what is asked") {
  socks_server_options off;
  off.bind = false;
  socks_server_options ruled;
  ruled.rule = [](const socks_request& r, const net_address&, const net_address&) {
    return succeed(r.command != socks_command::bind);
  };
  for (const auto& [o, reply] : {std::pair{off, '\x07'}, std::pair{ruled, '\x02'}}) {
    served s{o};
    auto c = s.connect();
    c.send("\x05\x01\0"s);
    CHECK(c.receive(2) == "\x05\0"s);
    c.send("\x05\x02\0\x01\x7f\0\0\x01\0\0"s);
    CHECK(c.receive(10).substr(0, 2) == '\x05' + std::string(1, reply));
    CHECK(c.rest().empty());
  }
}

TEST_CASE("a target whose name is not ASCII is asked for as DNS has it") {
  if (!ascii_host_name("\u00fc"))
    return; // a build without libidn2
  const auto names = std::make_shared<memory_resolver>();
  names->add("xn--bcher-kva.example", {"127.0.0.1"});
  socks_server_options options;
  options.names = names;
  events log;
  served s{options, 1};
  const auto reach = [&](const std::string& host) {
    return outcome_of(s.server, s.port.get_host().port(), log, host, s.target.get_host().port());
  };
  CHECK(reach("b\u00fccher.example") == "connected");
  CHECK(reach("\xff.example").find("characters that no name has") != std::string::npos);
}
