// WebSockets in streams (RFC 8441): the routes and the protocols are those of HTTP/1.1.

#include <troupe/actors/topic.hpp>
#include <troupe/http/http_router.hpp>
#include <troupe/http2/http2_server.hpp>
#include <troupe/testing/logged_errors.hpp>
#include <troupe/websocket/websocket_acceptor.hpp>

#include "../websocket/parser_events.hpp"
#include "http2_exchange.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using strings = std::vector<std::string>;

namespace {

std::string masked(websocket_opcode opcode, std::string_view payload) {
  std::string frame;
  append_websocket_frame(frame, opcode, payload, {9, 8, 7, 6});
  return frame;
}

std::string text(std::string_view payload) {
  return masked(websocket_opcode::text, payload);
}

std::string goodbye(std::string_view code_and_reason) {
  return masked(websocket_opcode::close, code_and_reason);
}

const std::string normal{"\x03\xe8"};

struct seen {
  strings events;
  std::vector<websocket_close> ends;
  std::vector<websocket_protocol*> sockets; // in the order in which they were opened
};

class greeter : public websocket_protocol {
public:
  greeter(caf::actor_config& cfg, seen* s, troupe::topic* room)
    : websocket_protocol(cfg), seen_(*s), room_(*room) {}
  void websocket_opened() override {
    seen_.events.push_back("opened " + subprotocol());
    seen_.sockets.push_back(this);
    room_.subscribe(this);
    send_text("hi");
  }
  void text_received(std::string_view t) override {
    if (t.size() < 20)
      seen_.events.emplace_back(t);
    if (t == "throw")
      throw std::runtime_error("oops");
    if (t == "quit")
      return quit();
    if (t == "close")
      return close(3000, "enough");
    if (t == "pause")
      return transport().pause_producing();
    send_text(t);
  }
  void websocket_closed(const websocket_close& how) override { seen_.ends.push_back(how); }

private:
  seen& seen_;
  troupe::topic& room_;
};

// A server with a room, and a client that speaks HTTP/2.
struct served {
  explicit served(websocket_server_options options = {},
                  std::vector<nghttp2_settings_entry> settings = {}, http2_options http2 = {})
    : t(site(std::move(options)), {}, http2, std::move(settings)), room(t.wire.rt) {}

  ~served() { t.wire.lose(errc::runtime_stopped); }

  http_handler site(websocket_server_options options) {
    http_router all;
    all.get("/ws", websocket_acceptor{std::move(options)}.handler(build<greeter>(&log, &room)));
    all.get("/", [](http_request) { return http_response{200, "a page"}; });
    return all.handler();
  }

  std::int32_t ask(http2_exchange::fields more = {{"sec-websocket-version", "13"}},
                   std::string path = "/ws", std::string what = "websocket") {
    more.insert(more.begin(), {":protocol", std::move(what)});
    const auto s = t.ask("CONNECT", std::move(path), std::move(more), true);
    t.turn();
    return s;
  }

  // What the server has said on a stream.
  strings heard(std::int32_t s) {
    strings events;
    websocket_parser parser{websocket_parser::peer::server};
    feed_websocket(parser, t.answers[s].body, events);
    return events;
  }

  std::string status(std::int32_t s) { return t.answers[s].status(); }

  // Reads as the client's windows were at first, until nothing more comes.
  void read_all(std::int32_t s) {
    for (std::size_t before = 0; before != t.answers[s].body.size();) {
      const auto now = t.answers[s].body.size();
      t.read(s, now - before);
      before = now;
    }
  }

  http2_exchange t;
  troupe::topic room;
  seen log;
};

} // namespace

TEST_CASE("a WebSocket is opened in a stream, and echoes what comes, beside requests") {
  served s;
  const auto ws = s.ask();
  CHECK(s.t.answers[ws].head
        == std::map<std::string, std::string>{
          {":status", "200"}, {"date", "Sun, 06 Nov 1994 08:49:37 GMT"}, {"server", "troupe"}});
  s.t.send(ws, text("hello"), false);
  CHECK(s.t.get().body == "a page");
  s.t.send(ws, text("again"), false);
  CHECK(s.heard(ws) == strings{"text hi", "text hello", "text again"});
  CHECK(s.log.events == strings{"opened ", "hello", "again"});
}

TEST_CASE("frames of a WebSocket are cut as they may be") {
  served s;
  const auto ws = s.ask();
  const auto all = text("hello") + masked(websocket_opcode::ping, "p") + text(std::string(300, 'x'))
                   + goodbye(normal);
  for (const char c : all)
    s.t.send(ws, std::string(1, c), false);
  CHECK(
    s.heard(ws)
    == strings{"text hi", "text hello", "pong p", "text " + std::string(300, 'x'), "close 1000 "});
}

TEST_CASE("what is no handshake of a WebSocket is told why, in a stream, too") {
  served s;
  CHECK(s.status(s.ask({})) == "426");
  CHECK(s.t.answers[1].head["sec-websocket-version"] == "13");
  CHECK(s.status(s.ask({{"sec-websocket-version", "8"}})) == "426");
  const http2_exchange::fields version{{"sec-websocket-version", "13"}};
  CHECK(s.status(s.ask(version, "/ws", "connect-udp")) == "400");
  CHECK(s.status(s.ask(version, "/")) == "501");
  CHECK(s.status(s.ask(version, "/nowhere")) == "404");
  CHECK(s.t.get("/ws").status() == "400");
  CHECK(s.t.get("/ws", version).status() == "400");
  CHECK(s.log.events.empty());
  CHECK(s.status(s.ask()) == "200");
}

TEST_CASE("pages of other origins are refused in a stream as elsewhere") {
  served s{websocket_server_options{.origins = {"https://friend.example"}}};
  const auto status = [&](const std::string& origin) {
    return s.status(s.ask({{"sec-websocket-version", "13"}, {"origin", origin}}));
  };
  CHECK(status("http://a") == "200"); // the authority of the fixture
  CHECK(status("https://friend.example") == "200");
  CHECK(status("https://a") == "403");
  CHECK(status("http://evil.example") == "403");
  CHECK(status("null") == "403");
}

TEST_CASE("subprotocols and packing are agreed on in a stream") {
  websocket_server_options options;
  options.socket.subprotocols = {"chat.v2", "chat.v1"};
  options.socket.deflate = true;
  served s{options};
  const auto ws = s.ask({{"sec-websocket-version", "13"},
                         {"sec-websocket-protocol", "chat.v1, soap"},
                         {"sec-websocket-extensions", "permessage-deflate"}});
  auto& head = s.t.answers[ws].head;
  CHECK(head["sec-websocket-protocol"] == "chat.v1");
  CHECK(head["sec-websocket-extensions"].starts_with("permessage-deflate"));
  CHECK(s.log.events == strings{"opened chat.v1"});
  const auto before = s.t.answers[ws].body.size();
  s.t.send(ws, text(std::string(10'000, 'x')), false);
  CHECK(s.t.answers[ws].body.size() < before + 200);
  CHECK(s.t.answers[ws].body.size() > before);
}

TEST_CASE("a large message goes through small windows, both ways") {
  served s{{}, {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 5000}}, {.stream_window = 5000}};
  const auto ws = s.ask();
  std::string large;
  for (int i = 0; large.size() < 1'000'000; ++i)
    large += std::to_string(i) + ' ';
  s.t.send(ws, text(large), false);
  CHECK(s.t.uploads[ws].text.empty());
  CHECK(s.t.answers[ws].body.size() == 5000);
  s.read_all(ws);
  CHECK((s.heard(ws) == strings{"text hi", "text " + large}));
}

TEST_CASE(
  "a client that does not read is given up at the limit, and the others of its connection go on") {
  served s{{}, {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 10'000}}};
  const auto slow = s.ask();
  const auto quick = s.ask();
  REQUIRE(s.log.sockets.size() == 2);
  for (auto* const socket : s.log.sockets)
    socket->transport().set_output_limits({.hard = 100'000});
  auto read = [&, before = std::size_t{0}]() mutable {
    const auto now = s.t.answers[quick].body.size();
    s.t.read(quick, now - std::exchange(before, now));
  };
  std::size_t most = 0;
  for (int i = 0; i < 100; ++i) {
    s.t.wire.rt.in_turn([&] { s.room.publish(shared_bytes{std::string(2000, 'x')}); });
    s.t.wire.settle();
    s.t.turn();
    read();
    if (s.log.ends.empty())
      most = std::max(most, s.log.sockets[0]->transport().unsent());
  }
  CHECK(most >= 80'000);
  CHECK(most < 104'100);
  REQUIRE(s.log.ends.size() == 1);
  CHECK(s.log.ends[0].reason.check(errc::output_limit_reached));
  CHECK(s.t.answers[slow].code == NGHTTP2_CANCEL);
  s.read_all(quick);
  CHECK(s.heard(quick).size() == 101);
}

TEST_CASE("what is published reaches the WebSockets of both versions alike") {
  served s;
  const auto one = s.ask();
  const auto two = s.ask();
  string_transport other;
  const auto handle =
    s.t.wire.rt.spawn_on<http_connection>(0, http2_wire::service(s.site({}), {}, {}));
  auto& older = *static_cast<http_connection*>(caf::actor_cast<caf::abstract_actor*>(handle));
  s.t.wire.rt.in_turn([&] {
    older.enter([&] {
      older.make_connection(other);
      older.receive(as_bytes("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
    });
  });
  s.t.wire.rt.in_turn([&] { s.room.publish(shared_bytes{std::string("news")}); });
  s.t.wire.settle();
  s.t.turn();
  CHECK(s.heard(one) == strings{"text hi", "text news"});
  CHECK(s.heard(two) == strings{"text hi", "text news"});
  CHECK(other.value().ends_with("\x81\x02hi\x81\x04news"));
  s.t.wire.rt.in_turn([&] { older.end_connection(errc::connection_done); });
  CHECK(s.log.ends.size() == 1);
}

TEST_CASE("the client says goodbye first, and the stream ends with the answer") {
  served s;
  const auto ws = s.ask();
  s.t.send(ws, goodbye(normal + "bye"), false);
  CHECK(s.heard(ws) == strings{"text hi", "close 1000 "});
  CHECK(s.t.answers[ws].whole);
  REQUIRE(s.log.ends.size() == 1);
  CHECK(s.log.ends[0].clean);
  CHECK(s.log.ends[0].text == "bye");
  CHECK_FALSE(s.t.answers[ws].closed);
  s.t.send(ws, "", true);
  CHECK(s.t.answers[ws].closed);
  CHECK(s.t.answers[ws].code == NGHTTP2_NO_ERROR);
  CHECK(s.t.get().body == "a page");
}

TEST_CASE("the server says goodbye first, and waits for the answer") {
  served s;
  const auto ws = s.ask();
  s.t.send(ws, text("close"), false);
  CHECK(s.heard(ws) == strings{"text hi", "close 3000 enough"});
  CHECK_FALSE(s.t.answers[ws].whole);
  s.t.send(ws, text("late") + goodbye("\x0b\xb8"), true);
  CHECK(s.t.answers[ws].whole);
  CHECK(s.t.answers[ws].closed);
  REQUIRE(s.log.ends.size() == 1);
  CHECK(s.log.ends[0].clean);
  CHECK(s.log.ends[0].code == 3000);

  const auto silent = s.ask();
  s.t.send(silent, text("close"), false);
  s.t.wire.advance(10s - 1ms);
  CHECK(s.log.ends.size() == 1);
  s.t.wire.advance(1ms);
  s.t.turn();
  CHECK(s.t.answers[silent].code == NGHTTP2_CANCEL);
  CHECK(s.log.ends.size() == 2);
}

TEST_CASE("a WebSocket that breaks the protocol is told so, and its stream is given up in time") {
  served s;
  const auto ws = s.ask();
  s.t.send(ws, "\xff\xff\xff", false);
  CHECK(s.heard(ws).back().starts_with("close 1002 "));
  CHECK(s.t.answers[ws].whole);
  s.t.send(ws, std::string(100'000, 'x'), false);
  CHECK_FALSE(s.t.answers[ws].closed);
  s.t.wire.advance(2s);
  s.t.turn();
  CHECK(s.t.answers[ws].code == NGHTTP2_CANCEL);
  REQUIRE(s.log.ends.size() == 1);
  CHECK(s.log.ends[0].reason.check(errc::malformed_input));

  const auto polite = s.ask(); // closes when it has read why
  s.t.send(polite, "\xff\xff\xff", false);
  s.t.send(polite, "", true);
  CHECK(s.t.answers[polite].closed);
  CHECK(s.t.answers[polite].code == NGHTTP2_NO_ERROR);
  CHECK(s.log.ends.size() == 2);
}

TEST_CASE("an actor that fails, or quits, takes its stream with it, and nothing else") {
  served s;
  logged_errors errors{s.t.wire.rt};
  const auto other = s.ask();
  const auto fails = s.ask();
  s.t.send(fails, text("throw"), false);
  CHECK(s.heard(fails) == strings{"text hi", "close 1011 "});
  CHECK(s.t.answers[fails].whole);
  CHECK(errors.flush<std::runtime_error>().size() == 1);
  const auto quits = s.ask();
  s.t.send(quits, text("quit"), false);
  CHECK(s.heard(quits) == strings{"text hi", "close 1000 "});
  CHECK(s.t.answers[quits].whole);
  const auto outside = s.ask(); // told to by somebody else, in no call of the connection
  s.t.wire.rt.in_turn([&] { s.log.sockets.back()->quit(); });
  s.t.wire.advance(0s);
  s.t.turn();
  CHECK(s.heard(outside) == strings{"text hi", "close 1000 "});
  CHECK(s.log.ends.size() == 3);
  for (const auto ws : {fails, quits, outside})
    s.t.send(ws, "", true);
  s.t.send(other, text("still here"), false);
  CHECK(s.heard(other).back() == "text still here");
  CHECK(s.t.get().body == "a page");
}

TEST_CASE("resets in every phase end the WebSocket, and nothing else") {
  served s;
  const auto other = s.ask();
  const strings phases{"", text("x").substr(0, 3), text("close"), goodbye(normal), "\xff\xff"};
  for (const auto& phase : phases) {
    const auto ws = s.ask();
    if (!phase.empty())
      s.t.send(ws, phase, false);
    s.t.reset(ws);
  }
  CHECK(s.log.ends.size() == phases.size());
  CHECK(s.log.ends[0].code == websocket_code::abnormal);
  CHECK(s.log.ends[0].reason.check(errc::connection_lost));
  CHECK(s.log.ends[3].clean);
  s.t.send(other, text("y"), false);
  CHECK(s.heard(other).back() == "text y");
  s.t.wire.lose(errc::connection_lost);
  CHECK(s.log.ends.size() == phases.size() + 1);
  CHECK(s.log.ends.back().code == websocket_code::abnormal);
}

TEST_CASE(
  "a silent client is pinged, and given up; the time-outs of HTTP are not those of a WebSocket") {
  served s;
  const auto ws = s.ask();
  const auto other = s.ask();
  s.t.wire.advance(30s);
  s.t.turn();
  CHECK(s.heard(ws) == strings{"text hi", "ping "});
  s.t.send(other, masked(websocket_opcode::pong, ""), false);
  s.t.wire.advance(20s);
  s.t.turn();
  CHECK(s.t.answers[ws].code == NGHTTP2_CANCEL);
  REQUIRE(s.log.ends.size() == 1);
  CHECK(s.log.ends[0].reason.check(errc::idle_timed_out));
  CHECK_FALSE(s.t.answers[other].closed);
  CHECK_FALSE(s.t.wire.closing());
}

TEST_CASE("a WebSocket that is not read holds its client, and no other one") {
  served s{{}, {}, {.stream_window = 50'000, .connection_window = 500'000}};
  const auto ws = s.ask();
  const auto other = s.ask();
  s.t.send(ws, text("pause"), false);
  for (int i = 0; i < 300; ++i)
    s.t.send(ws, text(std::string(1000, 'x')), false);
  CHECK(s.t.uploads[ws].text.size() > 200'000);
  CHECK(s.heard(ws).size() == 1);
  s.t.send(other, text(std::string(200'000, 'y')), false);
  s.read_all(other);
  CHECK(s.heard(other).back().size() == 200'005);
  s.t.wire.rt.in_turn([&] { s.log.sockets[0]->transport().resume_producing(); });
  for (int i = 0; i < 5; ++i)
    s.t.wire.advance(0s);
  s.read_all(ws);
  CHECK(s.t.uploads[ws].text.empty());
  CHECK(s.heard(ws).size() == 301);
}

TEST_CASE("many WebSockets share a connection with requests") {
  served s;
  std::vector<std::int32_t> all;
  for (int i = 0; i < 90; ++i)
    all.push_back(s.ask());
  for (int round = 0; round < 3; ++round) {
    for (const auto ws : all)
      s.t.send(ws, text(std::to_string(ws)), false);
    CHECK(s.t.get().body == "a page");
    s.t.wire.rt.in_turn([&] { s.room.publish(shared_bytes{std::string("news")}); });
    s.t.wire.settle();
    s.t.turn();
  }
  for (const auto ws : all) {
    const auto echo = "text " + std::to_string(ws);
    CHECK(s.heard(ws)
          == strings{"text hi", echo, "text news", echo, "text news", echo, "text news"});
  }
  s.t.wire.lose();
  CHECK(s.log.ends.size() == 90);
}

TEST_CASE("a runtime that stops says goodbye to the WebSockets of a connection, and to it") {
  served s;
  const auto ws = s.ask();
  s.t.wire.rt.stop();
  s.t.turn();
  CHECK(s.heard(ws) == strings{"text hi", "close 1001 "});
  REQUIRE(s.t.goodbyes.size() == 2);
  CHECK(s.t.goodbyes[1] == std::pair<std::int32_t, std::uint32_t>{ws, NGHTTP2_NO_ERROR});
  CHECK_FALSE(s.t.wire.closing());
  s.t.send(ws, goodbye("\x03\xe9"), true);
  REQUIRE(s.log.ends.size() == 1);
  CHECK(s.log.ends[0].clean);
  CHECK(s.t.wire.closing());
}
