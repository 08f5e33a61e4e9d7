// An agent over HTTP/2, and servers which do what the test tells them to: goodbyes, refusals, silence, malice.

#include <troupe/http2/http2_client.hpp>

#include <array>

#include "http2_agent_fixture.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using namespace testing::frames;
using testing::http2_agent_fixture;
using testing::pieces;
using result = testing::agent_fixture::result;

namespace {

const std::string url = "http://a/";

http_client_request post() {
  return http_client_request{"POST", url}.body("text", "text/plain");
}

// Lets the server answer one request, so that its connection was used.
void use(http2_agent_fixture& t) {
  result got;
  t.get(url, got);
  t.say(settings() + answer(1));
  REQUIRE(got);
  REQUIRE(*got);
  t.frames_heard();
}

std::string reason(const result& got) {
  return !got ? "(nothing yet)" : *got ? "(a response)" : got->error().message();
}

} // namespace

TEST_CASE("the first frame of an agent has its settings, which want no pushes") {
  http2_agent_fixture t;
  result got;
  t.get(url, got);
  CHECK(t.heard().starts_with(preface));
  const auto seen = t.frames_heard();
  REQUIRE(seen.size() >= 2);
  CHECK(seen[0].type == NGHTTP2_SETTINGS);
  CHECK(seen[0].payload.starts_with(number(NGHTTP2_SETTINGS_ENABLE_PUSH, 2) + number(0, 4)));
  CHECK(seen.back().type == NGHTTP2_HEADERS);
  CHECK(seen.back().stream == 1);
  CHECK((seen.back().flags & NGHTTP2_FLAG_END_STREAM) != 0);
}

TEST_CASE("a response is the same in every split of its bytes") {
  const std::string all =
    settings() + answer(1, {}, false, "103") + answer(1, literal("x-a", "b"), false)
    + frame(NGHTTP2_PING, 0, 0, "12345678") + data(1, "some ", false)
    + frame(NGHTTP2_DATA, 8, 1, std::string("\2text\0\0", 7)) + headers(1, literal("x-sum", "7"));
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    http2_agent_fixture t;
    result got;
    t.get(url, got);
    t.say(all.substr(0, cut));
    if (cut > 0 && cut < all.size())
      t.say(all.substr(cut));
    else if (cut == 0)
      for (const char c : all)
        t.say(std::string_view{&c, 1});
    REQUIRE(got);
    REQUIRE(*got);
    CHECK((*got)->field("x-a") == "b");
    CHECK(t.body(**got) == "some text");
    CHECK((*got)->trailers().find("x-sum") == "7");
    CHECK(t.agent->idle_connections() == 1);
  }
}

TEST_CASE("what a goodbye says was not begun is asked again elsewhere, whatever its method") {
  http2_agent_fixture t;
  use(t);
  std::array<result, 3> got;
  t.get(url, got[0]); // 3
  t.ask(post(), got[1]);
  t.get(url, got[2]);
  auto& first = *t.server.peers.back();
  t.say(goaway(3));
  CHECK(t.server.connections == 2);
  CHECK(t.server.peers.size() == 2);
  CHECK_FALSE(got[1]);
  t.say(settings() + answer(1) + answer(3));
  CHECK(got[1]);
  CHECK(got[2]);
  CHECK_FALSE(got[0]);
  result late; // goes to the new connection
  t.get(url, late);
  t.say(answer(5));
  CHECK(late);
  t.net.enter(first, [&] { first.say(answer(3)); });
  t.net.flush();
  REQUIRE(got[0]);
  CHECK(*got[0]);
  CHECK(t.server.peers.size() == 1);
}

TEST_CASE("a notice of a goodbye lets requests go on, and new ones take another connection") {
  http2_agent_fixture t;
  use(t);
  result one;
  t.get(url, one);
  auto& first = *t.server.peers.back();
  t.say(goaway(0x7fff'ffff));
  result two;
  t.get(url, two);
  CHECK(t.server.connections == 2);
  t.net.enter(first, [&] { first.say(goaway(3) + answer(3)); });
  t.net.flush();
  REQUIRE(one);
  CHECK(*one);
  t.say(settings() + answer(1));
  CHECK(two);
}

TEST_CASE("a request that is refused is asked again, three times at most") {
  http2_agent_fixture t;
  use(t);
  result got;
  t.ask(post(), got);
  for (std::uint32_t stream = 3; stream < 9; stream += 2) {
    CHECK_FALSE(got);
    t.say(rst(stream, NGHTTP2_REFUSED_STREAM));
  }
  CHECK_FALSE(got);
  t.say(rst(9, NGHTTP2_REFUSED_STREAM));
  REQUIRE(got);
  CHECK(got->error().check(errc::connection_lost));
  CHECK(t.server.connections == 1);
}

TEST_CASE("who refuses a request gets no more at once, until it has answered") {
  http2_agent_fixture t;
  use(t);
  std::array<result, 3> got;
  for (auto& g : got)
    t.get(url, g); // 3, 5, 7
  t.frames_heard();
  t.say(rst(7, NGHTTP2_REFUSED_STREAM));
  CHECK(t.frames_heard().empty());
  t.say(answer(3));
  const auto seen = t.frames_heard();
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].stream == 9);
}

TEST_CASE("a source of which nothing was taken is sent again, another one is not") {
  http2_agent_fixture t;
  use(t);
  result one;
  t.ask(http_client_request{"PUT", url}.body(
          std::make_unique<pieces>(std::vector<std::string>{"text"})),
        one);
  t.say(rst(3, NGHTTP2_REFUSED_STREAM));
  REQUIRE(one);
  CHECK(one->error().check(errc::connection_lost));
  t.say(setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0));
  result two;
  t.begin(http_client_request{"PUT", url}.body(
            std::make_unique<pieces>(std::vector<std::string>{"text"})),
          two);
  t.say(rst(5, NGHTTP2_REFUSED_STREAM) + setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100));
  CHECK_FALSE(two);
  CHECK(t.data_heard(7) == 4);
  t.say(answer(7));
  REQUIRE(two);
  CHECK(*two);
}

TEST_CASE("a connection that is dead is found out, and what may be asked again is, once") {
  http2_agent_fixture t;
  use(t);
  result get;
  result posted;
  t.get(url, get);
  t.ask(post(), posted);
  t.hang_up();
  REQUIRE(posted);
  CHECK(posted->error().check(errc::connection_lost));
  CHECK_FALSE(get);
  CHECK(t.server.connections == 2);
  t.hang_up();
  REQUIRE(get);
  CHECK(get->error().check(errc::connection_lost));
  CHECK(t.server.connections == 2);
}

TEST_CASE("a request is asked again once only, also if its second connection has answered others") {
  http2_agent_fixture t;
  use(t);
  result get;
  t.get(url, get);
  t.hang_up();
  result other;
  t.get(url, other);
  t.say(settings() + answer(3));
  REQUIRE(other);
  t.hang_up();
  REQUIRE(get);
  CHECK(get->error().check(errc::connection_lost));
  CHECK(t.server.connections == 2);
}

TEST_CASE("a request that goes on behind its response is reset") {
  http2_agent_fixture t;
  use(t);
  t.say(setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 10));
  result got;
  t.ask(http_client_request{"POST", url}.body(std::string(1000, 'x'), "text/plain"), got);
  t.frames_heard();
  t.say(answer(3));
  REQUIRE(got);
  CHECK(*got);
  CHECK(t.errors_heard() == std::vector<std::string>{"RST 3 CANCEL"});
  CHECK(t.agent->idle_connections() == 1);
}

TEST_CASE("a server that hangs up in a body has not sent all of it") {
  http2_agent_fixture t;
  result got;
  t.get(url, got);
  t.say(settings() + answer(1, {}, false) + data(1, "half", false));
  t.hang_up();
  REQUIRE(got);
  REQUIRE(*got);
  CHECK(t.body(**got).find("the body is not whole") != std::string::npos);
  CHECK(t.agent->busy_connections() == 0);
}

TEST_CASE("a reset by the server ends its request with the reason") {
  http2_agent_fixture t;
  std::array<result, 3> got;
  for (auto& g : got)
    t.get(url, g);
  t.say(settings() + rst(1, NGHTTP2_INTERNAL_ERROR) + rst(3, NGHTTP2_HTTP_1_1_REQUIRED)
        + answer(5, {}, false) + data(5, "half", false) + rst(5, NGHTTP2_CANCEL));
  REQUIRE(got[0]);
  CHECK(got[0]->error().check(errc::connection_lost));
  CHECK(reason(got[0]).find("INTERNAL_ERROR") != std::string::npos);
  REQUIRE(got[1]);
  CHECK(got[1]->error().check(errc::not_supported));
  REQUIRE(got[2]);
  CHECK(t.body(**got[2]).find("CANCEL") != std::string::npos);
  CHECK(t.agent->idle_connections() == 1);
}

TEST_CASE("a request that gets no response fails in time, and its connection is kept") {
  http2_agent_fixture t{{}, {.ping_after = 0s}};
  use(t);
  result got;
  t.get(url, got);
  t.frames_heard();
  t.net.advance(30s - 1ms);
  CHECK_FALSE(got);
  t.net.advance(1ms);
  REQUIRE(got);
  CHECK(got->error().check(errc::timed_out));
  CHECK(t.errors_heard() == std::vector<std::string>{"RST 3 CANCEL"});
  CHECK(t.agent->idle_connections() == 1);
}

TEST_CASE("a window of nothing holds a body, and fails its request in time") {
  http2_agent_fixture t{{}, {.ping_after = 0s}};
  use(t);
  t.say(setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0));
  int asked = 0;
  class counted final : public http_body_source {
  public:
    explicit counted(int* n) : n_(n) {}
    deferred<std::string> read() override { return ++*n_, succeed(std::string(1000, 'x')); }

  private:
    int* n_;
  };
  result got;
  t.ask(http_client_request{"POST", url}.body(std::make_unique<counted>(&asked)), got);
  CHECK(asked <= 1);
  t.net.advance(20s);
  t.say(frame(NGHTTP2_WINDOW_UPDATE, 0, 3, number(2500, 4)));
  CHECK(t.data_heard(3) == 2500);
  t.net.advance(30s - 1ms);
  CHECK_FALSE(got);
  t.net.advance(1ms);
  REQUIRE(got);
  CHECK(got->error().check(errc::timed_out));
  CHECK(asked <= 4);
}

TEST_CASE("a body that stops coming fails in time, one that is not read does not") {
  http2_agent_fixture t{{}, {.stream_window = 1000, .ping_after = 0s}};
  use(t);
  result slow;
  result unread;
  t.get(url, slow);
  t.get(url, unread);
  t.say(answer(3, {}, false) + answer(5, {}, false) + data(5, std::string(1000, 'x'), false));
  REQUIRE(slow);
  std::string text = "(nothing yet)";
  t.net.rt.in_turn([&] {
    (*slow)->read_all().add_both(
      [&](outcome<std::string> got) { text = got ? *got : got.error().message(); });
  });
  t.net.advance(60s - 1ms);
  CHECK(text == "(nothing yet)");
  t.net.advance(1ms);
  CHECK(text.find("nothing came of the body") != std::string::npos);
  t.net.advance(100s);
  t.say(data(5, {}, true));
  REQUIRE(unread);
  CHECK(t.body(**unread) == std::string(1000, 'x'));
}

TEST_CASE("a server that says nothing is asked whether it is there, and given up") {
  http2_agent_fixture t;
  use(t);
  result get;
  t.get(url, get);
  t.frames_heard();
  t.net.advance(15s - 1ms);
  CHECK(t.frames_heard().empty());
  t.net.advance(1ms);
  auto seen = t.frames_heard();
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].type == NGHTTP2_PING);
  t.say(frame(NGHTTP2_PING, 1, 0, seen[0].payload)); // it is
  t.net.advance(14s);
  CHECK(t.frames_heard().empty());
  t.say(answer(3, {}, false)); // something else will do, too
  t.net.advance(15s - 1ms);
  CHECK(t.frames_heard().empty());
  t.net.advance(1ms);
  CHECK(t.frames_heard().size() == 1);
  CHECK(t.server.connections == 1);
}

TEST_CASE("a server that does not answer a ping is left, and what may be asked again is") {
  http2_agent_fixture t;
  use(t);
  result get;
  result posted;
  t.get(url, get);
  t.ask(post(), posted);
  t.net.advance(15s);
  t.net.advance(10s - 1ms);
  CHECK(t.server.connections == 1);
  t.net.advance(1ms);
  CHECK(t.server.connections == 2);
  REQUIRE(posted);
  CHECK(posted->error().check(errc::timed_out));
  t.say(settings() + answer(1));
  REQUIRE(get);
  CHECK(*get);
}

TEST_CASE("a head that never ends is given up in time") {
  http2_agent_fixture t;
  result got;
  t.begin(http_client_request{"POST", url}.body(
            std::make_unique<pieces>(std::vector<std::string>{"text"})), // which has no time-out
          got);
  t.net.flush();
  t.say(settings() + headers(1, literal(":status", "200"), true, false));
  t.net.advance(30s - 1ms);
  CHECK_FALSE(got);
  t.net.advance(1ms);
  REQUIRE(got);
  CHECK_FALSE(*got);
  CHECK(t.server.peers.empty());
}

TEST_CASE("a peer that does what serves no request too often is left") {
  const auto many = [](const std::string& f, int times = 2000) {
    std::string all;
    for (int i = 0; i < times; ++i)
      all += f;
    return all;
  };
  const auto [name, flood] = GENERATE_COPY(table<std::string, std::string>(
    {{"pings", many(frame(NGHTTP2_PING, 0, 0, "12345678"))},
     {"settings", many(settings())},
     {"window updates", many(frame(NGHTTP2_WINDOW_UPDATE, 0, 0, number(1, 4)))},
     {"resets of no stream", many(rst(1, NGHTTP2_CANCEL))},
     {"empty data", answer(1, {}, false) + many(data(1, {}, false))},
     {"priorities", many(frame(NGHTTP2_PRIORITY, 0, 1, std::string(5, '\0')))},
     {"continuations", headers(1, literal(":status", "200"), true, false)
                         + many(frame(NGHTTP2_CONTINUATION, 0, 1, literal("x", "y")), 20)},
     {"fields", headers(1, literal(":status", "200"), true, false)
                  + many(frame(NGHTTP2_CONTINUATION, 0, 1, many(literal("x", "y"), 100)), 8)}}));
  CAPTURE(name);
  http2_agent_fixture t;
  use(t);
  result got;
  result body;
  t.get(url, got); // 3
  t.get(url, body);
  std::string shifted = flood;
  if (name == "empty data" || name == "continuations" || name == "fields") {
    std::string all;
    for (auto& f : split(flood))
      all += frame(f.type, f.flags, 3, f.payload);
    shifted = all;
  }
  t.say(shifted);
  t.net.advance(2s);
  CHECK(t.server.peers.empty());
  if (name != "empty data") {
    REQUIRE(got);
    CHECK(got->error().check(errc::malformed_input));
  }
  REQUIRE(body);
  CHECK(body->error().check(errc::malformed_input));
}

TEST_CASE("a response that is none of HTTP/2 fails, and others of the connection go on") {
  const auto [name, bytes] = GENERATE(table<std::string, std::string>(
    {{"no status", headers(3, literal("x", "y"))},
     {"a status that is none", headers(3, literal(":status", "abc"))},
     {"a status below 100", headers(3, literal(":status", "099"))},
     {"two", headers(3, literal(":status", "200") + literal(":status", "200"))},
     {"101", headers(3, literal(":status", "101"), false)},
     {"the fields of a connection", answer(3, literal("connection", "close"))},
     {"large letters", answer(3, literal("X", "y"))},
     {"less than promised", answer(3, literal("content-length", "5"), false) + data(3, "four")},
     {"more than promised", answer(3, literal("content-length", "3"), false) + data(3, "four")},
     {"an end without a response", answer(3, {}, true, "103")}}));
  CAPTURE(name);
  http2_agent_fixture t;
  use(t);
  result bad;
  result good;
  t.get(url, bad);
  t.get(url, good);
  t.say(bytes);
  if (name.find("promised") != std::string::npos) {
    REQUIRE(bad);
    REQUIRE(*bad);
    CHECK(t.body(**bad).starts_with("["));
  } else {
    INFO(reason(bad));
    REQUIRE(bad);
    REQUIRE_FALSE(*bad);
    CHECK(bad->error().check(errc::malformed_input));
  }
  t.say(answer(5));
  REQUIRE(good);
  CHECK(*good);
  CHECK(t.server.connections == 1);
}

TEST_CASE("what breaks the connection fails all that is under way, and says why") {
  const auto [name, bytes] = GENERATE(table<std::string, std::string>(
    {{"no HTTP/2 at all", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"},
     {"a push", settings() + frame(NGHTTP2_SETTINGS, 1, 0)
                  + frame(NGHTTP2_PUSH_PROMISE, 4, 1, number(2, 4) + head())},
     {"a request", settings() + headers(2, head())},
     {"data on no stream", settings() + data(7, "x")},
     {"data before the head", settings() + data(1, "x", false)},
     {"HPACK that is none", settings() + headers(1, "\xff\xff\xff\xff\xff\xff\xff")},
     {"a frame that is too long", settings() + number(0x10'0000, 3) + std::string(6, '\0')},
     {"a window that is too wide",
      settings() + frame(NGHTTP2_WINDOW_UPDATE, 0, 0, number(0x7fff'ffff, 4))}}));
  CAPTURE(name);
  http2_agent_fixture t;
  result one;
  result two;
  t.get(url, one);
  t.get(url, two);
  t.say(bytes);
  t.net.advance(2s);
  REQUIRE(two);
  CHECK(two->error().check(errc::malformed_input));
  CHECK(t.server.peers.empty());
  CHECK(t.server.connections == 1);
}

TEST_CASE("a push by a server that has not heard our settings yet is refused") {
  http2_agent_fixture t;
  result got;
  t.get(url, got);
  t.frames_heard();
  t.say(settings() + frame(NGHTTP2_PUSH_PROMISE, 4, 1, number(2, 4) + head()) + answer(1));
  REQUIRE(got);
  CHECK(*got);
  const auto errors = t.errors_heard();
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].starts_with("RST 2 "));
}

TEST_CASE("a head, or a count of heads, that is longer than allowed is refused") {
  http_agent_options o;
  o.limits.head = 100;
  o.limits.informational = 2;
  http2_agent_fixture t{{}, {}, std::move(o)};
  use(t);
  std::array<result, 4> got;
  for (auto& g : got)
    t.get(url, g);
  t.say(answer(3, literal("x", std::string(100, 'y'))));
  CHECK(reason(got[0]).find("the head is longer than allowed") != std::string::npos);
  const auto early = answer(5, {}, false, "103");
  t.say(early + early + early);
  CHECK(reason(got[1]).find("informational") != std::string::npos);
  t.say(answer(7, literal("x", std::string(50, 'y'))) + answer(9));
  CHECK(reason(got[2]) == "(a response)");
  CHECK(reason(got[3]) == "(a response)");
}

TEST_CASE("a server that allows no streams has none, and gets some when it allows them") {
  http2_agent_fixture t;
  use(t);
  t.say(setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0));
  t.frames_heard();
  result got;
  t.get(url, got);
  CHECK(t.frames_heard().empty());
  t.say(setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1));
  t.say(answer(3));
  REQUIRE(got);
  CHECK(*got);
}

TEST_CASE("when the runtime stops, requests over HTTP/2 fail, and are not asked again") {
  result got;
  {
    http2_agent_fixture t;
    use(t);
    t.get(url, got);
  }
  REQUIRE(got);
  CHECK_FALSE(*got);
}
