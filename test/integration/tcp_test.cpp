// Connections over real sockets: what arrives, how they end, and that each end is told once.

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/puppet.hpp"
#include "support/running.hpp"
#include "support/text.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Does more that its input may say.
class tcp_puppet : public puppet {
public:
  using puppet::puppet;

  void data_received(bytes_view data) override {
    const auto text = std::string{as_text(data)};
    if (text == "abort") {
      puppet::data_received(data);
      transport().abort_connection();
      transport().lose_connection();
      log().add("aborted");
    } else if (text == "abort and throw") {
      transport().abort_connection();
      throw std::runtime_error("after the abort");
    } else if (text == "throw later") {
      call_later(0s, [] { throw std::runtime_error("in a delayed call"); });
    } else if (text == "throw in message") {
      send(caf::actor{this}, 1);
    } else if (text == "very big") {
      transport().write(std::string(60u << 20, 'x'));
      transport().lose_connection();
    } else if (text == "options") {
      const bool before = transport().get_tcp_no_delay() && !transport().get_tcp_keep_alive();
      transport().set_tcp_no_delay(false);
      transport().set_tcp_keep_alive(true);
      log().add(before && !transport().get_tcp_no_delay() && transport().get_tcp_keep_alive()
                  ? "options hold"
                  : "options fail");
    } else if (text == "who") {
      transport().write(transport().get_peer().to_string() + ' '
                        + transport().get_host().to_string() + "\r\n");
    } else {
      puppet::data_received(data);
    }
  }

  void connection_lost(const failure& why) override {
    puppet::connection_lost(why);
    if (why.message() == "in connection_lost")
      throw std::runtime_error("again");
  }

  caf::behavior make_behavior() override {
    return {[](int) {
      throw std::runtime_error("in a message handler");
    }};
  }
};

struct served {
  explicit served(std::size_t loops, listen_options options = {})
    : server(loops),
      port(listen_tcp(server.rt, 0, factory::for_protocol<tcp_puppet>(&log), options)) {
    server.start();
  }
  [[nodiscard]] std::uint16_t number() const { return port.get_host().port(); }
  [[nodiscard]] client connect() const { return client{number()}; }

  events log;
  running server;
  listening_port port;
};

} // namespace

TEST_CASE("bytes come back, in both families of addresses", "[T01]") {
  for (const auto* host : {"127.0.0.1", "::1"}) {
    served s{2, {.interface = host}};
    client c{s.number(), host};
    c.send("hello");
    CHECK(c.receive(5) == "hello");
    c.send("who");
    CHECK(c.line().find(s.port.get_host().to_string()) != std::string::npos);
  }
}

TEST_CASE("every chunk of binary data arrives whole and in order") {
  served s{2};
  auto c = s.connect();
  std::string data;
  for (std::size_t i = 0; i < load_size(4'000'000); ++i)
    data += static_cast<char>(i * 31 + (i >> 8)); // NUL and all other bytes
  std::thread sender([&] { c.send(data); });
  const auto back = c.receive(data.size());
  sender.join();
  CHECK(back == data);
}

TEST_CASE("what was written before lose_connection is sent, what comes after is refused", "[S1]") {
  served s{1};
  auto c = s.connect();
  c.send("lose");
  CHECK(c.rest() == "bye");
  REQUIRE(s.log.wait(3));
  CHECK(
    s.log.all()
    == std::vector<std::string>{"made", "refused 1", "lost: " + text_of(errc::connection_done)});
}

TEST_CASE("sixty megabytes arrive before the connection closes", "[T17]") {
  served s{1};
  auto c = s.connect();
  c.send("very big");
  CHECK(c.rest() == std::string(60u << 20, 'x'));
}

TEST_CASE("pieces and shared bytes keep their order") {
  served s{1};
  auto c = s.connect();
  c.send("pieces");
  CHECK(c.rest() == "one two three" + std::string(100'000, 's') + std::string(20'000, 'm') + "end");
}

TEST_CASE("an aborted connection is reset and told once", "[W14]") {
  served s{1};
  auto c = s.connect();
  c.send("abort");
  CHECK(c.rest().empty());
  CHECK(c.was_reset());
  REQUIRE(s.log.wait(3));
  CHECK(s.log.all().back() == "lost: " + text_of(errc::connection_aborted));
}

TEST_CASE("an exception after an abort is the reason", "[W15]") {
  served s{1};
  auto c = s.connect();
  c.send("abort and throw");
  c.rest();
  REQUIRE(s.log.wait(2));
  CHECK(s.log.all().back() == "lost: after the abort");
}

TEST_CASE("an exception in a callback ends that connection with it, and no other", "[T13]") {
  const auto [input, reason] = GENERATE(table<std::string, std::string>({
    {"throw", "in data_received"},
    {"throw later", "in a delayed call"},
    {"throw in message", "in a message handler"},
  }));
  served s{2};
  auto other = s.connect();
  other.send("x");
  CHECK(other.receive(1) == "x");
  auto c = s.connect();
  c.send(input);
  CHECK(c.rest().empty());
  REQUIRE(s.log.wait(3));
  CHECK(s.log.count("lost: " + reason) == 1);
  other.send("still here");
  CHECK(other.receive(10) == "still here");
}

TEST_CASE("a protocol that quits closes its connection, and sends what it wrote") {
  served s{1};
  auto c = s.connect();
  c.send("quit");
  CHECK(c.rest() == "so long");
  REQUIRE(s.log.wait(2));
  CHECK(s.log.all().back() == "lost: " + text_of(errc::connection_done));
}

TEST_CASE("a peer that closes ends the connection cleanly, and one that resets does not") {
  served s{1};
  s.connect().close();
  REQUIRE(s.log.wait(2));
  CHECK(s.log.all().back() == "lost: " + text_of(errc::connection_done));
  auto c = s.connect();
  c.send("x");
  CHECK(c.receive(1) == "x");
  c.reset();
  REQUIRE(s.log.wait(4));
  CHECK(s.log.all().back().find(text_of(errc::connection_done)) == std::string::npos);
}

TEST_CASE("a peer that closes its side first gets its answer") {
  served s{1};
  auto c = s.connect();
  const std::string data(300'000, 'z');
  std::thread sender([&] {
    c.send(data);
    c.shut_write();
  });
  const auto back = c.rest();
  sender.join();
  CHECK(back == data);
}

TEST_CASE("socket options are off at first and hold once set", "[T25]") {
  served s{1};
  auto c = s.connect();
  c.send("options");
  REQUIRE(s.log.wait(2));
  CHECK(s.log.all().back() == "options hold");
}

namespace {

/// Throws where it is told to.
class thrower : public protocol {
public:
  thrower(caf::actor_config& cfg, events* log, std::string where)
    : protocol(cfg), log_(log), where_(std::move(where)) {}
  void make_connection(troupe::transport& t) override {
    protocol::make_connection(t);
    at("make_connection");
  }
  void connection_made() override { at("connection_made"); }
  void connection_lost(const failure& why) override {
    log_->add("lost: " + why.message());
    at("connection_lost");
  }
  caf::behavior make_behavior() override {
    at("make_behavior");
    return protocol::make_behavior();
  }

private:
  void at(const std::string& here) {
    if (here == where_)
      throw std::runtime_error(here);
  }
  events* log_;
  std::string where_;
};

} // namespace

TEST_CASE("an exception at the start or the end of a connection harms nothing else", "[S5]") {
  const auto where =
    GENERATE(as<std::string>{}, "make_connection", "connection_made", "connection_lost");
  events log;
  running server{2};
  const auto port = listen_tcp(server.rt, 0, factory::for_protocol<thrower>(&log, where));
  server.start();
  for (int i = 0; i < 3; ++i) {
    client c{port.get_host().port()};
    if (where == "connection_lost")
      c.close();
    else
      CHECK(c.rest().empty());
  }
  REQUIRE(log.wait(3));
  server.stop();
  CHECK(log.all().size() == 3);
  if (where != "connection_lost")
    CHECK(log.count("lost: " + where) == 3);
}

TEST_CASE("an exception in make_behavior closes the connection", "[S5]") {
  events log;
  running server{1};
  const auto port =
    listen_tcp(server.rt, 0, factory::for_protocol<thrower>(&log, std::string{"make_behavior"}));
  server.start();
  CHECK(client{port.get_host().port()}.rest().empty());
  server.stop();
  CHECK(log.all().empty()); // it was never connected
}
