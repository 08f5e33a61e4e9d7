// A WebSocket gets its connection from HTTP, whose actor ends with that.
#include <troupe/websocket/websocket_acceptor.hpp>

#include <stdexcept>

#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>
#include <troupe/net/limit_connections.hpp>
#include <troupe/net/timeout_factory.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/promise.hpp>
#include <troupe/testing/logged_errors.hpp>
#include <troupe/testing/memory_network.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using strings = std::vector<std::string>;

namespace {

const std::string asks =
  "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
  "Sec-WebSocket-Version: 13\r\n\r\n";

std::string frame(std::string_view payload, websocket_opcode opcode = websocket_opcode::text) {
  std::string all;
  append_websocket_frame(all, opcode, payload, {9, 8, 7, 6});
  return all;
}

const std::string goodbye = frame("\x03\xe9", websocket_opcode::close);

class browser : public protocol {
public:
  using protocol::protocol;
  void data_received(bytes_view data) override { got += as_text(data); }
  void connection_lost(const failure& reason) override { lost = reason; }
  [[nodiscard]] std::string frames() const { return got.substr(got.find("\r\n\r\n") + 4); }
  std::string got;
  std::optional<failure> lost;

protected:
  void stop_requested() override {} // it is in the same runtime, and listens on
};

struct seen {
  strings events;
  websocket_protocol* socket = nullptr;
  caf::actor factory;
};

class member : public websocket_protocol {
public:
  member(caf::actor_config& cfg, seen* s, const char* fails = "")
    : websocket_protocol(cfg), seen_(*s), fails_(fails) {
    if (fails_ == "at once")
      quit();
  }
  void websocket_opened() override {
    seen_.socket = this;
    seen_.factory = factory();
    seen_.events.emplace_back("opened");
    if (fails_ == "quits")
      return quit();
    if (fails_ == "throws")
      throw std::runtime_error("oops");
    send_text("hi");
  }
  void text_received(std::string_view t) override {
    seen_.events.emplace_back(t);
    send_text(t);
  }
  void websocket_closed(const websocket_close& how) override {
    seen_.events.push_back("closed " + std::to_string(how.code));
  }

private:
  seen& seen_;
  const std::string fails_;
};

class staying_factory : public wrapping_factory {
public:
  using wrapping_factory::wrapping_factory;
  std::unique_ptr<protocol_wrapper> make_wrapper() override { return std::make_unique<staying>(); }

private:
  struct staying : protocol_wrapper {};
};

struct door {
  explicit door(const std::function<factory_ref(factory_ref)>& policy = {},
                const char* fails = "") {
    http_router site;
    site.get("/ws", [this, fails](http_request r) -> http_reply {
      requested = caf::actor_cast<caf::actor>(caf::strong_actor_ptr{r.actor().ctrl()});
      if (waits)
        return later.get_deferred().add_callback(
          [this, fails, r] { return sockets.accept(r, build<member>(&log, fails)); });
      return sockets.accept(r, build<member>(&log, fails));
    });
    server.emplace(http_server(site.handler()));
    net.listen(80, policy ? policy(*server) : *server);
  }

  browser& open(const std::string& behind = {}) {
    auto& c = net.connect<browser>(80);
    say(c, asks + behind);
    return c;
  }
  void say(browser& c, const std::string& bytes) {
    net.enter(c, [&] {
      if (c.connected())
        c.transport().write(bytes);
    });
    net.flush();
  }
  std::size_t actors() {
    std::size_t count = 0;
    net.rt.in_turn([&] {
      net.rt.scheduler().loop(0).each_pinned([&](pinned_actor& a) {
        if (auto* const p = dynamic_cast<protocol*>(&a); p != nullptr && p->connected())
          ++count;
      });
    });
    return count;
  }
  [[nodiscard]] bool http_has_ended() const {
    return static_cast<protocol*>(caf::actor_cast<caf::abstract_actor*>(requested))
      ->getf(caf::abstract_actor::is_cleaned_up_flag);
  }
  std::size_t counted() { return server->get()->connections(); }

  seen log;
  caf::actor requested; // what the handler saw
  websocket_acceptor sockets;
  bool waits = false;
  promise<void> later;
  std::optional<factory_ref> server;
  memory_network net;
};

} // namespace

TEST_CASE(
  "behind the handshake the WebSocket's is the one actor, and counts in the place of HTTP's") {
  door d;
  auto& c = d.open();
  CHECK(d.actors() == 2); // the browser is one
  CHECK(d.http_has_ended());
  CHECK(d.counted() == 1);
  CHECK(d.log.factory == d.server->actor());
  CHECK(c.frames() == "\x81\x02hi");
  CHECK(d.log.socket->log_name().find("member 127.0.0.1") != std::string::npos);
  d.say(c, goodbye);
  REQUIRE(c.lost);
  CHECK(c.lost->check(errc::connection_done));
  CHECK(d.counted() == 0);
  CHECK(d.actors() == 0);
  CHECK(d.log.events == strings{"opened", "closed 1001"});
}

TEST_CASE("what comes with the request, and what comes while its handler waits, is read first") {
  {
    door d;
    auto& c = d.open(frame("1") + frame("2"));
    d.say(c, frame("3"));
    CHECK(d.log.events == strings{"opened", "1", "2", "3"});
  }
  door d;
  d.waits = true;
  auto& c = d.open(frame("1"));
  d.say(c, frame("2").substr(0, 3));
  d.say(c, frame("2").substr(3)
             + frame(std::string(20'000, 'x'))); // more than HTTP keeps: it does not read
  d.say(c, frame("3"));
  CHECK(d.log.events.empty());
  d.net.rt.in_turn([&] { d.later.callback(); });
  d.net.flush();
  CHECK(d.log.events == strings{"opened", "1", "2", std::string(20'000, 'x'), "3"});
  CHECK(d.http_has_ended());
  CHECK(d.counted() == 1);
}

TEST_CASE("a WebSocket that fails or quits when it opens takes its connection with it, and counts "
          "no more") {
  for (const std::string fails : {"at once", "quits", "throws"}) {
    CAPTURE(fails);
    door d{{}, fails.c_str()};
    logged_errors errors{d.net.rt};
    auto& c = d.open(frame("1"));
    CHECK(c.lost);
    CHECK(d.counted() == 0);
    CHECK(d.actors() == 0);
    CHECK(errors.flush<std::runtime_error>().size() == (fails == "throws" ? 1 : 0));
    CHECK(std::ranges::count(d.log.events, "1") == 0);
    CHECK(d.counted() == 0);
  }
}

TEST_CASE(
  "a server that drains says to its WebSockets that it goes away, and waits for their answer") {
  door d;
  auto& c = d.open();
  bool drained = false;
  d.net.rt.in_turn([&] { d.server->get()->drain().add_callback([&] { drained = true; }); });
  d.net.flush();
  CHECK(c.frames() == "\x81\x02hi\x88\x02\x03\xe9");
  CHECK_FALSE(drained);
  d.say(c, goodbye);
  CHECK(drained);
  CHECK(c.lost);
}

TEST_CASE("the end of the runtime closes a WebSocket with 1001") {
  door d;
  auto& c = d.open();
  d.net.rt.stop();
  d.net.flush();
  CHECK(c.frames() == "\x81\x02hi\x88\x02\x03\xe9");
}

TEST_CASE("a limit by peer counts a WebSocket until it ends, and costs no second actor") {
  door d{[](factory_ref f) {
    return factory::of<limit_connections_by_peer_factory>(f, 1);
  }};
  auto& c = d.open(frame("1"));
  CHECK(d.actors() == 2);
  CHECK(d.http_has_ended());
  CHECK(d.log.events == strings{"opened", "1"});
  CHECK(d.open().lost);
  CHECK(d.counted() == 1);
  bool drained = false;
  d.net.rt.in_turn([&] { d.server->get()->drain().add_callback([&] { drained = true; }); });
  d.net.flush();
  CHECK(c.frames() == "\x81\x02hi\x81\x01\x31\x88\x02\x03\xe9");
  d.say(c, goodbye);
  CHECK(drained);
  CHECK(c.lost);
  CHECK(d.counted() == 0);
  CHECK_FALSE(d.open().lost);
}

TEST_CASE(
  "with a limit by peer a WebSocket that quits says goodbye, and so does the end of the runtime") {
  const auto limited = [](factory_ref f) {
    return factory::of<limit_connections_by_peer_factory>(f, 1);
  };
  {
    door d{limited};
    auto& c = d.open();
    d.net.rt.in_turn([&] { d.log.socket->quit(); });
    d.net.flush();
    CHECK(c.frames() == "\x81\x02hi\x88\x02\x03\xe8");
    CHECK(c.lost);
    CHECK(d.counted() == 0);
  }
  door d{limited};
  auto& c = d.open();
  d.net.rt.stop();
  d.net.flush();
  CHECK(c.frames() == "\x81\x02hi\x88\x02\x03\xe9");
  CHECK_FALSE(c.lost);
  d.say(c, goodbye);
  CHECK(c.lost);
}

TEST_CASE("a time-out that stands around HTTP goes along, and is the WebSocket's") {
  door d{[](factory_ref f) {
    return factory::of<timeout_factory>(f, 20s);
  }};
  auto& c = d.open(frame("1"));
  CHECK(d.actors() == 2);
  CHECK(d.http_has_ended());
  CHECK(d.log.events == strings{"opened", "1"});
  d.net.advance(19s);
  d.say(c, frame("2"));
  d.net.advance(19s);
  CHECK_FALSE(c.lost);
  d.net.advance(1s);
  CHECK(c.lost);
  CHECK(d.counted() == 0);
  CHECK(d.actors() == 0);
}

TEST_CASE(
  "where a policy cannot go along, the connection stays HTTP's, and hands all of it through") {
  door d{[](factory_ref f) {
    return factory::of<staying_factory>(f);
  }};
  auto& c = d.open(frame("1"));
  CHECK(d.actors() == 3);
  CHECK_FALSE(d.http_has_ended());
  d.say(c, frame("2"));
  CHECK(d.log.events == strings{"opened", "1", "2"});
  CHECK(d.counted() == 1);
  bool drained = false;
  d.net.rt.in_turn([&] { d.server->get()->drain().add_callback([&] { drained = true; }); });
  d.net.flush();
  CHECK(c.frames().substr(10) == "\x88\x02\x03\xe9");
  d.say(c, goodbye);
  CHECK(drained);
  CHECK(c.lost);
  CHECK(d.actors() == 0);
  CHECK(d.log.events.back() == "closed 1001");
}

TEST_CASE(
  "a client that goes while the handler waits ends HTTP's actor, and no WebSocket is made") {
  door d;
  d.waits = true;
  auto& c = d.open();
  d.net.enter(c, [&] { c.transport().abort_connection(); });
  d.net.flush();
  d.net.rt.in_turn([&] {
    if (!d.later.called())
      d.later.callback();
  });
  d.net.flush();
  CHECK(d.log.events.empty());
  CHECK(d.counted() == 0);
  CHECK(d.http_has_ended());
}
