#include <troupe/http/http_agent.hpp>

#include "gzip.hpp"
#include "http_agent_fixture.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::agent_fixture;
using testing::gzip;
using testing::pieces;

namespace {

const auto& ok = testing::ok_response;

std::string packed_response(const std::string& packed) {
  return "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: "
         + std::to_string(packed.size()) + "\r\n\r\n" + packed;
}

} // namespace

TEST_CASE("a body comes in pieces, no faster than it is read") {
  agent_fixture t;
  agent_fixture::result got;
  t.get("http://a/", got);
  const std::string large(2'000'000, 'x');
  t.say("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + large);
  REQUIRE(got);
  const auto unsent = t.server.peers.back()->transport().unsent();
  CHECK(unsent > 1'500'000); // the rest waits at the server
  std::size_t size = 0;
  for (bool ended = false; !ended;) {
    std::optional<std::string> piece;
    t.net.rt.in_turn(
      [&] { (*got)->read().add_callback([&](std::string p) { piece = std::move(p); }); });
    t.net.flush();
    REQUIRE(piece);
    CHECK(piece->size() <= 64 * 1024);
    size += piece->size();
    ended = piece->empty();
  }
  CHECK(size == 2'000'000);
  CHECK(t.agent->idle_connections() == 1);
}

TEST_CASE("a read that is cancelled leaves what comes to the next one") {
  agent_fixture t;
  agent_fixture::result got;
  t.get("http://a/", got);
  t.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  REQUIRE(got);
  bool cancelled = false;
  t.net.rt.in_turn([&] {
    auto first = (*got)->read();
    auto stop = first.canceller();
    std::move(first).add_callbacks(
      [](const std::string&) {},
      [&](const failure& why) { cancelled = why.check(errc::cancelled); });
    CHECK_THROWS_AS((*got)->read(), std::logic_error);
    stop.cancel();
  });
  CHECK(cancelled);
  t.say("hello");
  CHECK(t.body(**got) == "hello");
  CHECK(t.agent->idle_connections() == 1);
}

TEST_CASE("a body that is not whole is told from one that is") {
  for (const auto& [head, whole] :
       {std::pair{"HTTP/1.1 200 OK\r\n\r\nabc", true},
        std::pair{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", false},
        std::pair{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", false}}) {
    agent_fixture t;
    agent_fixture::result got;
    t.get("http://a/", got);
    t.say(head);
    t.hang_up();
    REQUIRE(got);
    const auto body = t.body(**got);
    CHECK((body == "abc") == whole);
    CHECK(body.starts_with('[') != whole);
    CHECK(t.agent->busy_connections() == 0);
  }
}

TEST_CASE("a body longer than its reader wants is an error, told before it comes if it can be") {
  agent_fixture t;
  agent_fixture::result got[2];
  t.get("http://a/", got[0]);
  t.say("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n");
  CHECK(t.body(**got[0], 10).find("too long") != std::string::npos);
  t.net.rt.in_turn([&] { got[0].reset(); });
  t.net.flush();
  CHECK(t.agent->idle_connections() + t.agent->busy_connections() == 1);
  t.get("http://a/", got[1]);
  t.say("HTTP/1.1 200 OK\r\n\r\n12345678901");
  CHECK(t.body(**got[1], 10).find("too long") != std::string::npos);
  CHECK(t.agent->busy_connections() == 1); // the first one
  CHECK(t.server.peers.size() == 1);
}

TEST_CASE("a response that is dropped gives its connection back if the rest is short") {
  agent_fixture t;
  agent_fixture::result got;
  t.get("http://a/", got);
  t.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
  t.net.rt.in_turn([&] { got.reset(); });
  t.net.flush();
  CHECK(t.agent->busy_connections() == 1);
  t.say("cde");
  CHECK(t.agent->idle_connections() == 1);
}

TEST_CASE("a response that is dropped ends its connection if the rest is long") {
  agent_fixture t;
  agent_fixture::result got;
  t.get("http://a/", got);
  t.say("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + std::string(2'000'000, 'x'));
  t.net.rt.in_turn([&] { got.reset(); });
  t.net.flush();
  CHECK(t.agent->busy_connections() == 0);
  CHECK(t.server.peers.empty());
}

TEST_CASE("a packed body is unpacked, in whatever pieces it comes") {
  std::string text;
  for (int i = 0; i < 20000; ++i)
    text += "line " + std::to_string(i) + "\n";
  const auto response = packed_response(gzip(text));
  for (const std::size_t size : {1UL, 7UL, 1000UL, 1'000'000UL}) {
    agent_fixture t;
    agent_fixture::result got;
    t.get("http://a/", got);
    for (std::size_t at = 0; at < response.size(); at += size) {
      auto& peer = *t.server.peers.back();
      t.net.enter(peer, [&] { peer.say(std::string_view{response}.substr(at, size)); });
      if (size > 1 || at < 200)
        t.net.flush();
    }
    t.net.flush();
    REQUIRE(got);
    CHECK((*got)->decoded());
    CHECK(t.body(**got) == text);
    CHECK(t.agent->idle_connections() == 1);
  }
}

TEST_CASE("a bomb does not go off") {
  const auto bomb = gzip(std::string(100'000'000, '\0'));
  CHECK(bomb.size() < 110'000);
  agent_fixture t;
  agent_fixture::result got;
  t.get("http://a/", got);
  t.say(packed_response(bomb));
  REQUIRE(got);
  CHECK(t.body(**got).find("too long") != std::string::npos); // than 1,000,000 bytes
  CHECK(t.server.peers.empty());

  agent_fixture::result piecewise; // and nobody holds more than a piece of it
  t.get("http://a/", piecewise);
  t.say(packed_response(bomb));
  REQUIRE(piecewise);
  std::optional<std::string> piece;
  t.net.rt.in_turn(
    [&] { (*piecewise)->read().add_callback([&](std::string p) { piece = std::move(p); }); });
  t.net.flush();
  REQUIRE(piece);
  CHECK(piece->size() <= 64 * 1024);
}

TEST_CASE("what is not packed as it says is refused") {
  const auto packed = gzip("hello, hello, hello");
  for (const auto& bad :
       {std::string{"hello"}, packed.substr(0, packed.size() - 1), packed + "x", "x" + packed}) {
    agent_fixture t;
    agent_fixture::result got;
    t.get("http://a/", got);
    t.say(packed_response(bad));
    REQUIRE(got);
    CHECK(t.body(**got).find("[") == 0);
    CHECK(t.server.peers.empty());
  }
  agent_fixture t{{.decode = false}};
  agent_fixture::result got;
  t.get("http://a/", got);
  CHECK(t.heard().find("Accept-Encoding") == std::string::npos);
  t.say(packed_response(packed));
  CHECK_FALSE((*got)->decoded());
  CHECK(t.body(**got) == packed);
}

TEST_CASE("a body that streams is sent in chunks, or with its length") {
  agent_fixture t;
  agent_fixture::result got[2];
  t.begin(http_client_request{"PUT", "http://a/"}.body(
            std::make_unique<pieces>(std::vector<std::string>{"hello", ", world"})),
          got[0]);
  t.net.flush();
  CHECK(t.heard().ends_with(
    "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n"));
  t.say(ok);
  CHECK(t.agent->idle_connections() == 1);
  t.begin(http_client_request{"PUT", "http://a/"}.body(
            std::make_unique<pieces>(std::vector<std::string>{"hello", ", world"}), 12),
          got[1]);
  t.net.flush();
  CHECK(t.heard().ends_with("Content-Length: 12\r\n\r\nhello, world"));
}

TEST_CASE("a body source that fails, or gives something else than it said, ends the request") {
  for (const auto& given :
       {std::vector<std::string>{"hello", "fail"}, {"hello"}, {"hello, world!"}}) {
    agent_fixture t;
    agent_fixture::result got;
    t.begin(http_client_request{"PUT", "http://a/"}.body(std::make_unique<pieces>(given), 12), got);
    t.net.flush();
    REQUIRE(got);
    CHECK_FALSE(*got);
    CHECK(t.server.peers.empty());
    CHECK(t.agent->busy_connections() == 0);
  }
}
