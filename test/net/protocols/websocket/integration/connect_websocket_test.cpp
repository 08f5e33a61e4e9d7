// Our client and our server over real sockets, with rooms on several loops.

#include <troupe/websocket/connect_websocket.hpp>

#include <string>

#include <troupe/actors/topic.hpp>
#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>
#include <troupe/net/listen_ssl.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/websocket/websocket_acceptor.hpp>

#include "support/catch.hpp"
#include "support/on_loop.hpp"
#include "support/running.hpp"
#include "support/tls.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

class member : public websocket_protocol {
public:
  member(caf::actor_config& cfg, events* seen, topic room)
    : websocket_protocol(cfg), seen_(*seen), room_(std::move(room)) {}
  void websocket_opened() override { room_.subscribe(this); }
  void text_received(std::string_view text) override {
    if (text == "bye")
      return close(4000, "you said so");
    room_.publish(text);
  }
  void binary_received(bytes_view data) override { send_binary(data); }
  void websocket_closed(const websocket_close& how) override {
    seen_.add("server closed " + std::to_string(how.code) + (how.clean ? " clean" : ""));
  }

private:
  events& seen_;
  topic room_;
};

class visitor : public websocket_protocol {
public:
  visitor(caf::actor_config& cfg, events* seen) : websocket_protocol(cfg), seen_(*seen) {}
  void websocket_opened() override { seen_.add("opened " + subprotocol()); }
  void text_received(std::string_view text) override { seen_.add("text " + std::string{text}); }
  void binary_received(bytes_view data) override {
    seen_.add("bytes " + std::to_string(data.size()));
  }
  void websocket_closed(const websocket_close& how) override {
    seen_.add("closed " + std::to_string(how.code) + ' ' + how.text + (how.clean ? " clean" : ""));
  }

private:
  events& seen_;
};

struct served {
  explicit served(const websocket_server_options& options = {})
    : server(2), room(server.rt), port(listen_tcp(server.rt, 0, site(options))) {
    server.start();
  }
  factory_ref site(const websocket_server_options& options) {
    http_router routes;
    routes.get("/room", websocket_acceptor{options}.handler(build<member>(&seen, room)));
    return http_server(routes.handler());
  }
  [[nodiscard]] std::string url(const std::string& path = "/room") const {
    return "ws://127.0.0.1:" + std::to_string(port.get_host().port()) + path;
  }

  // Connects from loop 0; what becomes of it is told.
  void connect(const std::string& to, const websocket_client_options& options = {}) {
    on_loop(server, [&] {
      connect_websocket(server.rt, to, build<visitor>(&seen), options)
        .add_callbacks(
          [this](const connected_protocol& p) {
            clients.push_back(p);
            seen.add("connected");
          },
          [this](const failure& why) { seen.add(why.message()); });
    });
  }
  template <class F>
  void as_client(std::size_t i, F fn) {
    clients.at(i).enter<visitor>(std::move(fn));
  }

  events seen;
  running server;
  topic room;
  listening_port port;
  std::vector<connected_protocol> clients; // go before the runtime
};

} // namespace

TEST_CASE("clients speak in a room, and close") {
  websocket_server_options options;
  options.socket.subprotocols = {"b"};
  served s{options};
  for (std::size_t i = 1; i <= 4; ++i) {
    s.connect(s.url(), {.socket = {.subprotocols = {"a", "b"}}});
    REQUIRE(s.seen.wait_for("connected", i));
  }
  CHECK(s.seen.count("opened b") == 4);
  s.as_client(0, [](visitor& v) { v.send_text("hello"); });
  REQUIRE(s.seen.wait_for("text hello", 4));
  s.as_client(1, [](visitor& v) { v.send_binary(as_bytes(std::string(300'000, 'x'))); });
  REQUIRE(s.seen.wait_for("bytes 300000"));
  s.as_client(2, [](visitor& v) { v.send_text("bye"); });
  CHECK(s.seen.wait_for("closed 4000 you said so clean"));
  CHECK(s.seen.wait_for("server closed 4000 clean"));
  s.as_client(3, [](visitor& v) { v.close(); });
  CHECK(s.seen.wait_for("closed 1000  clean"));
  CHECK(s.seen.wait_for("server closed 1000 clean"));
  s.as_client(0, [](visitor& v) { v.transport().abort_connection(); });
  CHECK(s.seen.wait_for("closed 1006 "));
  CHECK(s.seen.wait_for("server closed 1006"));
}

TEST_CASE("where both sides want it, what is said is packed") {
  websocket_server_options options;
  options.socket.deflate = true;
  served s{options};
  s.connect(s.url(), {.socket = {.deflate = true}});
  REQUIRE(s.seen.wait_for("connected"));
  s.connect(s.url());
  REQUIRE(s.seen.wait_for("connected", 2));
  const std::string text(100'000, 'x');
  s.as_client(0, [&](visitor& v) {
    const auto sent = [&] {
      return v.transport().bytes_written() + v.transport().unsent();
    };
    const auto before = sent();
    v.send_text(text);
    v.send_binary(as_bytes(std::string(300'000, 'y')));
    const auto cost = sent() - before;
    s.seen.add(v.is_deflated() && cost > 100 && cost < 4000 ? "packed" : "not packed");
  });
  s.as_client(1, [&](visitor& v) { s.seen.add(v.is_deflated() ? "packed" : "as it is"); });
  CHECK(s.seen.wait_for("packed"));
  CHECK(s.seen.wait_for("as it is"));
  CHECK(s.seen.wait_for("text " + text, 2));
  CHECK(s.seen.wait_for("bytes 300000"));
}

TEST_CASE("a client is told why there is no WebSocket") {
  served s;
  s.connect(s.url("/elsewhere"));
  REQUIRE(s.seen.wait(1));
  s.connect(s.url(), {.fields = {{"Origin", "http://evil.example"}}});
  REQUIRE(s.seen.wait(2));
  const auto all = s.seen.all();
  CHECK(all[0].find("WebSocket: the server answers 404 Not Found") != std::string::npos);
  CHECK(all[1].find("WebSocket: the server answers 403 Forbidden") != std::string::npos);
}

TEST_CASE("a message that is too long is told so") {
  websocket_server_options options;
  options.socket.limits.max_message = 1000;
  served s{options};
  s.connect(s.url());
  REQUIRE(s.seen.wait_for("connected"));
  s.as_client(0, [](visitor& v) { v.send_binary(as_bytes(std::string(1001, 'x'))); });
  CHECK(s.seen.wait_for("closed 1009 the message is too long clean"));
}

TEST_CASE("the end of the runtime says goodbye to both sides") {
  served s;
  s.connect(s.url());
  REQUIRE(s.seen.wait_for("connected"));
  s.server.stop();
  CHECK(s.seen.count("closed 1001  clean") == 1);
  CHECK(s.seen.count("server closed 1001 clean") == 1);
}

TEST_CASE("over TLS the WebSocket has the connection to itself, in whatever pieces it comes") {
  events seen;
  authority ca;
  running server{2};
  const topic room{server.rt};
  http_router routes;
  routes.get("/room", websocket_acceptor{}.handler(build<member>(&seen, room)));
  const auto site = http_server(routes.handler());
  auto port = listen_ssl(server.rt, 0, site,
                         tls_server_context{{.identities = {ca.issue({.names = {"localhost"}})}}});
  std::vector<connected_protocol> clients;
  server.start();
  const auto url = "wss://localhost:" + std::to_string(port.get_host().port()) + "/room";
  for (std::size_t i = 1; i <= 4; ++i) {
    on_loop(server, [&] {
      connect_websocket(server.rt, url, build<visitor>(&seen), {},
                        tls_client_context{{.trusted_file = ca.file()}})
        .add_callbacks(
          [&](const connected_protocol& p) {
            clients.push_back(p);
            seen.add("connected");
          },
          [&](const failure& why) { seen.add(why.message()); });
    });
    REQUIRE(seen.wait_for("connected", i));
  }
  CHECK(on_loop(server, [&] { return site.get()->connections(); }) == 4);
  clients.at(0).enter<visitor>([](visitor& v) {
    for (int i = 0; i < 200; ++i)
      v.send_binary(as_bytes(std::string(3000, 'x')));
    v.send_text("hello");
  });
  CHECK(seen.wait_for("bytes 3000", 200));
  CHECK(seen.wait_for("text hello", 4));
  for (auto& c : clients)
    c.enter<visitor>([](visitor& v) { v.close(); });
  CHECK(seen.wait_for("server closed 1000 clean", 4));
  CHECK(seen.wait_for("closed 1000  clean", 4));
  clients.clear();
}
