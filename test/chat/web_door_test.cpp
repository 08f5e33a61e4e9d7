// The chat's door for browsers: pages and the users of other doors see the same.

#include <algorithm>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <troupe/testing/memory_network.hpp>

#include "chat/chat.hpp"
#include "chat/web_door.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using nlohmann::json;
using strings = std::vector<std::string>;

namespace {

class telnet_user : public line_receiver {
public:
  using line_receiver::line_receiver;
  void line_received(std::string_view line) override { heard.emplace_back(line); }
  strings heard;
};

/// A browser: asks by HTTP, and if that was a WebSocket, takes messages.
class browser : public protocol {
public:
  browser(caf::actor_config& cfg, std::string request)
    : protocol(cfg), request_(std::move(request)) {}

  void connection_made() override { transport().write(request_ + "\r\n"); }

  void data_received(bytes_view data) override {
    came += as_text(data);
    while (head.empty() ? take_head() : head.starts_with("HTTP/1.1 101") && take_frame()) {
    }
  }

  void send_message(const std::string& text) {
    std::string frame = "\x81";
    if (text.size() < 126) {
      frame += static_cast<char>(0x80 | text.size());
    } else {
      frame += static_cast<char>(0xfe);
      frame += static_cast<char>(text.size() >> 8);
      frame += static_cast<char>(text.size() & 0xff);
    }
    transport().write(frame.append(4, '\0') + text); // with a mask that changes nothing
  }

  [[nodiscard]] bool has(const json& message) const {
    return std::ranges::find(heard, message) != heard.end();
  }

  /// Returns the last message that is such a one.
  [[nodiscard]] json last(const std::string& is) const {
    for (auto at = heard.rbegin(); at != heard.rend(); ++at)
      if (at->value("is", "") == is)
        return *at;
    return {};
  }

  std::string head;
  std::string came; // that is not taken yet
  std::vector<json> heard;
  bool closed = false;

private:
  bool take_head() {
    const auto end = came.find("\r\n\r\n");
    if (end == std::string::npos)
      return false;
    head = came.substr(0, end + 4);
    came.erase(0, end + 4);
    return true;
  }

  bool take_frame() {
    if (came.size() < 2)
      return false;
    const auto byte = [this](std::size_t i) {
      return static_cast<std::size_t>(static_cast<unsigned char>(came[i]));
    };
    std::size_t size = byte(1), begin = 2;
    if (size == 126) {
      if (came.size() < 4)
        return false;
      size = byte(2) << 8 | byte(3);
      begin = 4;
    }
    REQUIRE(size <= 0xffff);
    if (came.size() < begin + size)
      return false;
    const auto opcode = byte(0) & 15;
    if (opcode == 1)
      heard.push_back(json::parse(came.substr(begin, size)));
    closed = closed || opcode == 8;
    came.erase(0, begin + size);
    return true;
  }

  const std::string request_;
};

const std::string upgrade = "GET /chat HTTP/1.1\r\nHost: chat\r\nConnection: Upgrade\r\n"
                            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

struct doors {
  doors()
    : service(net.rt), telnet(net.listen(0, service.make_factory())),
      web(net.listen(0, make_web_door(net.rt, service))) {}

  void say(telnet_user& u, const std::string& lines) {
    u.heard.clear();
    net.enter(u, [&] { u.transport().write(lines + "\r\n"); });
    net.flush();
  }

  void say(browser& b, const json& message) { send(b, message.dump()); }

  void send(browser& b, const std::string& text) {
    b.heard.clear();
    net.enter(b, [&] { b.send_message(text); });
    net.flush();
  }

  browser& ask(const std::string& request) {
    auto& b = net.connect<browser>(web, request);
    net.flush();
    return b;
  }

  telnet_user& with_telnet(const std::string& name) {
    auto& u = net.connect<telnet_user>(telnet);
    say(u, name);
    say(u, "/notices on");
    u.heard.clear();
    return u;
  }

  /// A page whose user is in the lobby.
  browser& with_page(const std::string& name) {
    auto& b = ask(upgrade);
    REQUIRE(b.head.starts_with("HTTP/1.1 101"));
    say(b, {{"do", "name"}, {"name", name}});
    REQUIRE(b.has({{"is", "welcome"}, {"name", name}}));
    say(b, {{"do", "join"}, {"room", "lobby"}});
    REQUIRE(b.last("room")["name"] == "lobby");
    return b;
  }

  testing::memory_network net;
  const chat_service service;
  const std::uint16_t telnet;
  const std::uint16_t web;
};

} // namespace

TEST_CASE("web door: users of both doors see each other come, talk, be renamed and go") {
  doors f;
  auto& tom = f.with_telnet("tom");
  auto& ann = f.with_page("ann");
  CHECK(ann.last("room")["here"] == json::array({"tom"}));
  CHECK(ann.has({{"is", "came"}, {"room", "lobby"}, {"who", "ann"}}));
  CHECK(tom.heard == strings{"* ann has come."});
  ann.heard.clear();
  f.say(tom, "hello\r\n<b>there</b>");
  CHECK(
    ann.heard
    == std::vector<json>{json::parse(
      R"({"is": "said", "room": "lobby", "lines": [["tom", "hello"], ["tom", "<b>there</b>"]]})")});
  tom.heard.clear();
  f.say(ann, {{"do", "say"}, {"room", "lobby"}, {"text", "hi\n\nall"}});
  CHECK(tom.heard == strings{"<ann> hi", "<ann> all"});
  CHECK(ann.last("said")["lines"] == json::parse(R"([["ann", "hi"], ["ann", "all"]])"));
  ann.heard.clear();
  f.say(tom, "/nick tim");
  CHECK(
    ann.heard
    == std::vector<json>{{{"is", "renamed"}, {"room", "lobby"}, {"from", "tom"}, {"to", "tim"}}});
  tom.heard.clear();
  f.say(ann, {{"do", "name"}, {"name", "anna"}});
  CHECK(ann.has({{"is", "welcome"}, {"name", "anna"}}));
  CHECK(ann.has({{"is", "renamed"}, {"room", "lobby"}, {"from", "ann"}, {"to", "anna"}}));
  CHECK(tom.heard == strings{"* ann is called anna now."});
  f.say(tom, "/who");
  CHECK(tom.heard == strings{"In lobby: anna, tim"});
  auto& other = f.with_page("ann"); // free again
  CHECK(other.last("room")["here"] == json::array({"anna", "tim"}));
  tom.heard.clear();
  f.say(other, {{"do", "leave"}, {"room", "lobby"}});
  CHECK(other.has({{"is", "parted"}, {"room", "lobby"}}));
  CHECK(tom.heard == strings{"* ann has left."});
  CHECK(ann.has({{"is", "left"}, {"room", "lobby"}, {"who", "ann"}}));
  tom.heard.clear();
  f.net.enter(ann, [&] { ann.transport().lose_connection(); });
  f.net.flush();
  CHECK(tom.heard == strings{"* anna has left."});
  f.say(tom, "/who");
  CHECK(tom.heard == strings{"In lobby: tim"});
}

TEST_CASE("web door: a page is in several rooms, and told which there are") {
  doors f;
  auto& tom = f.with_telnet("tom");
  auto& ann = f.with_page("ann");
  f.say(ann, {{"do", "join"}, {"room", "  The  Garden "}});
  CHECK(ann.last("room")["name"] == "The Garden");
  CHECK(ann.last("room")["room"] == "the garden");
  f.net.advance(1s);
  CHECK(ann.last("rooms")["rooms"] == json::parse(R"([["lobby", 2], ["The Garden", 1]])"));
  f.say(tom, "/join the garden\r\nhi");
  CHECK(ann.last("said")["room"] == "the garden");
  f.say(ann, {{"do", "say"}, {"room", "elsewhere"}, {"text", "hi"}});
  CHECK(ann.last("error")["text"] == "You are not in that room.");
  for (int i = 0; i < 20; ++i)
    f.say(ann, {{"do", "join"}, {"room", "room " + std::to_string(i)}});
  CHECK(ann.has({{"is", "error"}, {"text", "You are in as many rooms as you may be; leave one."}}));
}

TEST_CASE("web door: who comes does not take the news of rooms from the others") {
  doors f;
  auto& tom = f.with_telnet("tom");
  auto& ann = f.with_page("ann");
  f.net.advance(1s);
  f.say(tom, "/join garden");
  auto& bob = f.ask(upgrade);
  f.say(bob, {{"do", "name"}, {"name", "bob"}});
  const auto now = json::parse(R"([["garden", 1], ["lobby", 1]])");
  CHECK(bob.last("rooms")["rooms"] == now);
  f.net.advance(1s);
  CHECK(ann.last("rooms")["rooms"] == now);
}

TEST_CASE("web door: one is told alone, whatever the door") {
  doors f;
  auto& tom = f.with_telnet("tom");
  auto& ann = f.with_page("ann");
  f.say(ann, {{"do", "tell"}, {"to", "TOM"}, {"text", "psst"}});
  CHECK(tom.heard == strings{"* ann has come.", "[ann] psst"});
  CHECK(ann.heard == std::vector<json>{{{"is", "sent"}, {"to", "TOM"}, {"text", "psst"}}});
  f.say(tom, "/msg ann what] is it?");
  CHECK(ann.last("told") == json{{"is", "told"}, {"from", "tom"}, {"text", "what] is it?"}});
  f.say(ann, {{"do", "tell"}, {"to", "nobody"}, {"text", "hello"}});
  CHECK(ann.last("error")["text"] == "Nobody is called nobody.");
  f.say(ann, {{"do", "tell"}, {"to", "tom"}, {"text", " "}});
  CHECK(ann.last("error")["text"] == "Whom, and what?");
}

TEST_CASE("web door: names are refused that are wrong or taken, and nobody speaks without one") {
  doors f;
  f.with_telnet("tom");
  auto& b = f.ask(upgrade);
  f.say(b, {{"do", "join"}, {"room", "lobby"}});
  CHECK(b.last("error")["text"] == "Choose a name first.");
  for (const auto* const wrong : {"", "<b>", "a\nb", "[x]", "\u202e"}) {
    f.say(b, {{"do", "name"}, {"name", wrong}});
    CHECK(b.last("refused")["why"] == "wrong");
  }
  f.say(b, {{"do", "name"}, {"name", "TOM"}});
  CHECK(b.last("refused")["why"] == "taken");
  f.say(b, {{"do", "name"}, {"name", 5}});
  CHECK(b.last("refused")["why"] == "wrong");
  f.say(b, {{"do", "name"}, {"name", "&lt;tom&gt;"}});
  CHECK(b.last("welcome")["name"] == "&lt;tom&gt;");
}

TEST_CASE("web door: what is no message, or forges lines, does no harm") {
  doors f;
  auto& tom = f.with_telnet("tom");
  auto& ann = f.with_page("ann");
  for (const auto* const wrong : {"", "{", "[]", "7", "null", "{\"do\": \"fly\"}", "{\"do\": 3}"}) {
    f.send(ann, wrong);
    CHECK(ann.heard.size() == 1);
    CHECK(ann.last("error").is_object());
  }
  f.send(ann, std::string(5000, '['));
  CHECK(ann.last("error")["text"] == "That is no object of JSON.");
  tom.heard.clear();
  f.say(ann, {{"do", "say"}, {"room", "lobby"}, {"text", "a\r\n* tom is a fool\r\x1b[31m\u202eb"}});
  CHECK(tom.heard == strings{"<ann> a ", "<ann> * tom is a fool [31mb"});
  f.say(ann, {{"do", "say"}, {"room", "lobby"}, {"text", std::string(4097, 'x')}});
  CHECK(ann.last("error")["text"] == "Too long: 4096 bytes at most.");
  f.send(ann, std::string(17'000, ' '));
  CHECK(ann.closed);
}

TEST_CASE("web door: who says more than his budget waits until it has come back") {
  doors f;
  auto& tom = f.with_telnet("tom");
  auto& ann = f.with_page("ann");
  tom.heard.clear();
  f.net.enter(ann, [&] {
    for (int i = 0; i < 10; ++i)
      ann.send_message(
        json{{"do", "say"}, {"room", "lobby"}, {"text", std::string(4000, 'x')}}.dump());
  });
  f.net.flush();
  const auto at_first = tom.heard.size();
  CHECK(at_first
        >= 2); // 16 KiB, of which each line costs twice its size: it is read, and it is said
  CHECK(at_first <= 4);
  for (int i = 0; i < 25; ++i)
    f.net.advance(1s);
  CHECK(tom.heard.size() == 10);
}

TEST_CASE("web door: a little text does not become many lines") {
  doors f;
  auto& tom = f.with_telnet("tom");
  auto& ann = f.with_page("ann");
  tom.heard.clear();
  std::string text;
  while (text.size() + 2 <= 4096)
    text += "x\n";
  f.say(ann, {{"do", "say"}, {"room", "lobby"}, {"text", text}});
  CHECK(ann.last("error")["text"] == "Too many lines at once.");
  CHECK(tom.heard.empty());
}

TEST_CASE("web door: what is no message counts as if it were one") {
  doors f;
  auto& ann = f.with_page("ann");
  ann.heard.clear();
  f.net.enter(ann, [&] {
    for (int i = 0; i < 1000; ++i)
      ann.send_message("7");
  });
  f.net.flush();
  const auto of_a_budget = 16 * 1024 / 65 + 1;
  CHECK(ann.heard.size() > 100);
  CHECK(ann.heard.size() <= of_a_budget);
}

TEST_CASE("web door: questions to the registry are limited, whatever they are") {
  doors f;
  f.with_telnet("tom");
  auto& ann = f.with_page("ann");
  f.net.advance(10s);
  ann.heard.clear();
  f.net.enter(ann, [&] {
    for (int i = 0; i < 110; ++i)
      ann.send_message(R"({"do": "name", "name": "Ann"})");
    ann.send_message(R"({"do": "tell", "to": "tom", "text": "psst"})");
  });
  f.net.flush();
  CHECK(ann.has({{"is", "error"}, {"text", "Not so fast, please."}}));
}

TEST_CASE(
  "web door: pages of other sites may not connect, and the page has no script but its own") {
  doors f;
  CHECK(f.ask(upgrade + "Origin: http://evil.example\r\n").head.starts_with("HTTP/1.1 403"));
  CHECK(f.ask(upgrade + "Origin: http://chat\r\n").head.starts_with("HTTP/1.1 101"));
  const auto get = [&](const std::string& path) -> browser& {
    return f.ask("GET " + path + " HTTP/1.1\r\nHost: chat\r\n");
  };
  auto& page = get("/");
  CHECK(page.head.starts_with("HTTP/1.1 200"));
  CHECK(page.head.find("Content-Security-Policy: default-src 'none'; script-src 'self';")
        != std::string::npos);
  CHECK(page.head.find("Content-Type: text/html") != std::string::npos);
  CHECK(page.came.find("<title>Chat</title>") != std::string::npos);
  for (const auto* const script : {"/chat.js", "/connection.js", "/conversations.js"})
    CHECK(get(script).head.find("Content-Type: text/javascript") != std::string::npos);
  CHECK(get("/chat.css").head.find("Content-Type: text/css") != std::string::npos);
  CHECK(get("/chat.hpp").head.starts_with("HTTP/1.1 404"));
  CHECK(get("/chat").head.starts_with("HTTP/1.1 400")); // is for WebSockets
}
