#include <troupe/websocket/websocket_acceptor.hpp>

#include <stdexcept>

#include <troupe/actors/topic.hpp>
#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/testing/logged_errors.hpp>
#include <troupe/testing/memory_network.hpp>
#include <troupe/websocket/websocket_handshake.hpp>

#include "support/catch.hpp"
#include "websocket_origin.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using strings = std::vector<std::string>;

namespace {

std::string text(std::string_view payload) {
  std::string frame;
  append_websocket_frame(frame, websocket_opcode::text, payload, {9, 8, 7, 6});
  return frame;
}

// Bytes as they come, from a client that says what it is told.
class raw : public protocol {
public:
  using protocol::protocol;
  void data_received(bytes_view data) override { got += as_text(data); }
  void connection_lost(const failure&) override { lost = true; }
  std::string got;
  bool lost = false;
};

struct seen {
  strings events;
  std::vector<websocket_close> ends;
};

class greeter : public websocket_protocol {
public:
  greeter(caf::actor_config& cfg, seen* s) : websocket_protocol(cfg), seen_(*s) {}
  void websocket_opened() override {
    seen_.events.push_back("opened " + subprotocol());
    send_text("hi");
  }
  void text_received(std::string_view t) override {
    seen_.events.emplace_back(t);
    if (t == "throw")
      throw std::runtime_error("oops");
    if (t == "quit")
      return quit();
    send_text(t);
  }
  void websocket_closed(const websocket_close& how) override { seen_.ends.push_back(how); }

private:
  seen& seen_;
};

struct served {
  explicit served(websocket_server_options options = {}) {
    http_router site;
    site.get("/ws", websocket_acceptor{std::move(options)}.handler(build<greeter>(&log)));
    net.listen(80, http_server(site.handler()));
  }

  raw& ask(const std::string& bytes) {
    auto& c = net.connect<raw>(80);
    say(c, bytes);
    return c;
  }

  void say(raw& c, const std::string& bytes) {
    net.enter(c, [&] { c.transport().write(bytes); });
    net.flush();
  }

  seen log;
  memory_network net;
};

std::string request(const std::string& fields = {}, const std::string& start = "GET /ws HTTP/1.1",
                    const std::string& key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                    const std::string& version = "Sec-WebSocket-Version: 13\r\n",
                    const std::string& upgrade = "Upgrade: websocket\r\n"
                                                 "Connection: keep-alive, Upgrade\r\n") {
  return start + "\r\nHost: Example.org\r\n" + upgrade + key + version + fields + "\r\n";
}

int status_of(const std::string& response) {
  return response.size() > 12 ? std::stoi(response.substr(9, 3)) : 0;
}

std::string behind_head(const std::string& response) {
  return response.substr(response.find("\r\n\r\n") + 4);
}

} // namespace

TEST_CASE("the answer to a key is the one of the RFC") {
  CHECK(websocket_accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  for (const char* bad :
       {"", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ==x", "dGhlIHNhbXBsZSBub25jZTEx",
        "!!hlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j"})
    CHECK(websocket_accept_key(bad).empty());
}

TEST_CASE(
  "a request for a WebSocket gets one, and frames that came with it are read behind the head") {
  served s;
  auto& c = s.ask(request() + text("early"));
  CHECK(status_of(c.got) == 101);
  CHECK(c.got.find("\r\nUpgrade: websocket\r\n") != std::string::npos);
  CHECK(c.got.find("\r\nConnection: Upgrade\r\n") != std::string::npos);
  CHECK(c.got.find("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")
        != std::string::npos);
  CHECK(c.got.find("Sec-WebSocket-Protocol") == std::string::npos);
  CHECK(behind_head(c.got)
        == "\x81\x02hi\x81\x05"
           "early");
  s.say(c, text("late"));
  CHECK(behind_head(c.got)
        == "\x81\x02hi\x81\x05"
           "early\x81\x04late");
  CHECK(s.log.events == strings{"opened ", "early", "late"});
}

TEST_CASE("what is no handshake is told why") {
  served s;
  const std::string none;
  CHECK(status_of(s.ask(request(none, "GET /ws HTTP/1.0")).got) == 400);
  CHECK(status_of(s.ask(request(none, "GET /ws HTTP/1.1", "")).got) == 400);
  CHECK(status_of(s.ask(request(none, "GET /ws HTTP/1.1", "Sec-WebSocket-Key: abc\r\n")).got)
        == 400);
  CHECK(status_of(s.ask(request("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")).got) == 400);
  CHECK(status_of(s.ask(request("Content-Length: 1\r\n") + "x").got) == 400);
  const auto key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const auto& old =
    s.ask(request(none, "GET /ws HTTP/1.1", key, "Sec-WebSocket-Version: 8\r\n")).got;
  CHECK(status_of(old) == 426);
  CHECK(old.find("Sec-WebSocket-Version: 13\r\n") != std::string::npos);
  CHECK(status_of(s.ask(request(none, "GET /ws HTTP/1.1", key, "")).got) == 426);
  const auto version = "Sec-WebSocket-Version: 13\r\n";
  for (const char* upgrade : {"", "Upgrade: websocket\r\n", "Connection: Upgrade\r\n",
                              "Upgrade: h2c\r\nConnection: Upgrade\r\n"})
    CHECK(status_of(s.ask(request(none, "GET /ws HTTP/1.1", key, version, upgrade)).got) == 400);
  CHECK(status_of(s.ask(request(none, "GET /ws HTTP/1.1", key, version,
                                "Upgrade: foo, WebSocket\r\nConnection: UPGRADE\r\n"))
                    .got)
        == 101);
  CHECK(s.log.events == strings{"opened "});
}

TEST_CASE("pages of other origins are refused unless they are named") {
  served s{websocket_server_options{.origins = {"https://Friend.example", "null"}}};
  const auto status = [&](const std::string& origin) {
    return status_of(s.ask(request("Origin: " + origin + "\r\n")).got);
  };
  CHECK(status("http://example.org") == 101);
  CHECK(status("HTTP://EXAMPLE.ORG:80") == 101);
  CHECK(status("https://friend.example:443") == 101);
  CHECK(status("null") == 101);
  for (const char* foreign :
       {"https://example.org", "http://example.org:81", "http://example.org.evil.example",
        "http://evil.example", "https://friend.example:444", "example.org", "http://", "",
        "http://example.org/", "http://user@example.org", "http://example.org\r\nOrigin: http://a"})
    CHECK(status(foreign) == 403);
  served all{websocket_server_options{.origins = {"*"}}};
  CHECK(status_of(all.ask(request("Origin: http://evil.example\r\n")).got) == 101);
  const websocket_server_options bad{.origins = {"example.org"}};
  CHECK_THROWS_AS(websocket_acceptor{bad}, std::invalid_argument);
}

TEST_CASE("origins are compared by scheme, host and port") {
  CHECK(troupe::detail::normal_origin("HTTPS://A.b:443") == "https://a.b");
  CHECK(troupe::detail::normal_origin("http://[::1]") == "http://[::1]");
  CHECK(troupe::detail::normal_origin("http://[::1]:80") == "http://[::1]");
  CHECK(troupe::detail::normal_origin("http://[::1]:8080") == "http://[::1]:8080");
  CHECK(troupe::detail::normal_origin("http://a:x").empty());
  CHECK(troupe::detail::is_origin_allowed("https://a", true, "a", {}));
  CHECK_FALSE(troupe::detail::is_origin_allowed("http://a", true, "a", {}));
}

TEST_CASE("the subprotocol is the first of ours that is offered") {
  websocket_server_options options;
  options.socket.subprotocols = {"chat.v2", "chat.v1"};
  const auto answer = [&](const std::string& offer) {
    served s{options};
    return s.ask(request(offer.empty() ? offer : "Sec-WebSocket-Protocol: " + offer + "\r\n")).got;
  };
  CHECK(answer("chat.v1, chat.v2").find("\r\nSec-WebSocket-Protocol: chat.v2\r\n")
        != std::string::npos);
  CHECK(
    answer("a\r\nSec-WebSocket-Protocol: chat.v1").find("\r\nSec-WebSocket-Protocol: chat.v1\r\n")
    != std::string::npos);
  const auto other = answer("CHAT.V1, soap");
  CHECK(status_of(other) == 101);
  CHECK(other.find("Sec-WebSocket-Protocol") == std::string::npos);
  CHECK(status_of(answer("chat.v1, chat.v1")) == 400);
  CHECK(status_of(answer("a b")) == 400);
  options.needs_subprotocol = true;
  CHECK(status_of(answer("soap")) == 400);
  CHECK(status_of(answer("")) == 400);
  CHECK(status_of(answer("chat.v1")) == 101);
}

TEST_CASE("both sides say goodbye, and the server closes") {
  served s;
  auto& c = s.ask(request());
  c.got.clear();
  std::string bye;
  append_websocket_frame(bye, websocket_opcode::close,
                         "\x03\xe9"
                         "bye",
                         {1, 2, 3, 4});
  s.say(c, bye);
  CHECK(c.got == "\x88\x02\x03\xe9");
  CHECK(c.lost);
  REQUIRE(s.log.ends.size() == 1);
  CHECK(s.log.ends[0].clean);
  CHECK(s.log.ends[0].code == 1001);
  CHECK(s.log.ends[0].text == "bye");
}

TEST_CASE("an actor that fails, or quits, takes its connection with it") {
  served s;
  logged_errors errors{s.net.rt};
  auto& c = s.ask(request());
  c.got.clear();
  s.say(c, text("throw"));
  CHECK(c.got == "\x88\x02\x03\xf3");
  CHECK(c.lost);
  CHECK(errors.flush<std::runtime_error>().size() == 1);
  auto& d = s.ask(request());
  d.got.clear();
  s.say(d, text("quit"));
  CHECK(d.got == "\x88\x02\x03\xe8");
  CHECK(d.lost);
  CHECK(s.log.ends.size() == 2);
}

TEST_CASE("a client that vanishes ends the WebSocket") {
  served s;
  auto& c = s.ask(request());
  s.net.enter(c, [&] { c.transport().abort_connection(); });
  s.net.flush();
  REQUIRE(s.log.ends.size() == 1);
  CHECK(s.log.ends[0].code == 1006);
  CHECK_FALSE(s.log.ends[0].clean);
}

TEST_CASE("a client that takes nothing gets its latest pong later, and costs one timer") {
  served s;
  auto& c = s.ask(request());
  const auto timers = s.net.rt.scheduler().loop(0).timers().size();
  std::string ping;
  append_websocket_frame(ping, websocket_opcode::ping, "old", {1, 2, 3, 4});
  append_websocket_frame(ping, websocket_opcode::ping, "new", {1, 2, 3, 4});
  for (int i = 0; i < 5; ++i) {
    s.net.enter(c, [&] { c.transport().pause_producing(); });
    s.say(c, text(std::string(200'000, 'x')) + ping);
    c.got.clear();
    s.net.enter(c, [&] { c.transport().resume_producing(); });
    s.net.flush();
    CHECK(c.got.find('\x8a') == std::string::npos);
    c.got.clear();
    s.say(c, text("y"));
    CHECK(c.got
          == "\x8a\x03"
             "new\x81\x01y");
  }
  CHECK(s.net.rt.scheduler().loop(0).timers().size() <= timers + 1);
  s.net.advance(50ms);
  CHECK(s.net.rt.scheduler().loop(0).timers().size() == timers);
}

TEST_CASE("the time-outs of HTTP are not those of a WebSocket") {
  served s;
  auto& c = s.ask(request());
  s.net.advance(30s);
  CHECK(behind_head(c.got) == std::string("\x81\x02hi\x89\0", 6));
  std::string pong;
  append_websocket_frame(pong, websocket_opcode::pong, "", {1, 2, 3, 4});
  s.say(c, pong);
  s.net.advance(20s);
  CHECK_FALSE(c.lost);
  s.net.advance(30s);
  s.net.advance(20s);
  CHECK(c.lost);
  REQUIRE(s.log.ends.size() == 1);
  CHECK(s.log.ends[0].reason.check(errc::idle_timed_out));
}
