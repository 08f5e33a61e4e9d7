// An agent over HTTP/2, with a server of ours.

#include <troupe/http2/http2_client.hpp>

#include <array>

#include <troupe/http/http_compress.hpp>
#include <troupe/http/http_router.hpp>
#include <troupe/runtime/coroutine.hpp>

#include "../http/http_handlers.hpp"
#include "http2_agent_fixture.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::http2_agent_fixture;
using testing::pieces;
using testing::says;
using result = testing::agent_fixture::result;

namespace {

class endless final : public http_body_source {
public:
  explicit endless(int* asked) : asked_(asked) {}
  ~endless() override { *asked_ += 1'000'000; } // so that its end is seen
  deferred<std::string> read() override {
    ++*asked_;
    return succeed(std::string(10'000, 'x'));
  }

private:
  int* asked_;
};

class with_trailers final : public http_body_source {
public:
  deferred<std::string> read() override { return succeed(std::exchange(text_, {})); }
  std::vector<std::pair<std::string, std::string>> trailers() override { return {{"X-Sum", "42"}}; }

private:
  std::string text_ = "text";
};

deferred<http_response> echo(http_request r) {
  auto waits = r.read_all(10'000'000);
  auto text = co_await std::move(waits);
  http_response answer{200, std::move(text)};
  if (const auto sum = r.trailers().find("X-Sum"))
    answer.set("X-Sum", *sum);
  co_return std::move(answer);
}

std::string numbers(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i)
    text += std::to_string(i) + ' ';
  return text;
}

std::string read_once(http2_agent_fixture& t, http_client_response& r) {
  std::string text = "(nothing yet)";
  t.net.rt.in_turn([&] {
    r.read().add_both(
      [&](outcome<std::string> got) { text = got ? *got : '[' + got.error().message() + ']'; });
  });
  t.net.flush();
  return text;
}

} // namespace

TEST_CASE("a request over HTTP/2 says what it must, and its response arrives") {
  std::string seen;
  http2_agent_fixture t{[&](http_request r) {
    seen = std::to_string(r.head().major_version()) + ' ' + std::string{r.method()} + ' '
           + std::string{r.head().target()};
    for (std::size_t i = 0; i < r.fields().size(); ++i)
      ((seen += "|" + std::string{r.fields().name(i)}) += '=') += r.fields().value(i);
    return http_response{200, "ok"}.set("X-Name", "value");
  }};
  result got;
  t.ask(http_client_request{"GET", "http://example.org:81/a?b#c"}
          .set("Accept-Encoding", "none")
          .set("X-Two", "2"),
        got);
  CHECK(seen == "2 GET /a?b|host=example.org:81|accept-encoding=none|x-two=2|user-agent=troupe");
  REQUIRE(got);
  REQUIRE(*got);
  CHECK((*got)->status() == 200);
  CHECK((*got)->phrase().empty());
  CHECK((*got)->head().major_version() == 2);
  CHECK((*got)->field("X-Name") == "value");
  CHECK((*got)->head().content_length() == 2);
  CHECK((*got)->url().text() == "http://example.org:81/a?b");
  CHECK(t.body(**got) == "ok");
  CHECK(t.agent->idle_connections() == 1);
  CHECK(t.agent->busy_connections() == 0);
}

TEST_CASE("a Host of the request's own is its authority") {
  std::string host;
  http2_agent_fixture t{[&](http_request r) {
    host = r.fields().joined("Host");
    return http_response{204};
  }};
  result got;
  t.ask(http_client_request{"POST", "http://a:81/"}.set("Host", "b.example"), got);
  CHECK(host == "b.example");
  REQUIRE(got);
  CHECK((*got)->head().content_length() == 0);
}

TEST_CASE("requests for an origin share one connection, and end in any order") {
  std::vector<promise<http_response>> begun;
  http2_agent_fixture t{[&](http_request) -> http_reply {
    return begun.emplace_back().get_deferred();
  }};
  std::array<result, 20> got;
  for (auto& g : got)
    t.begin(http_client_request{"GET", "http://a:81/"}, g);
  t.net.flush();
  REQUIRE(begun.size() == 20);
  CHECK(t.net.connections().size() == 1);
  CHECK(t.agent->busy_connections() == 1);
  for (std::size_t i = begun.size(); i-- > 0;) {
    t.net.rt.in_turn([&] { begun[i].callback(http_response{200, std::to_string(i)}); });
    t.net.flush();
    REQUIRE(got[i]);
    CHECK(t.body(**got[i]) == std::to_string(i));
    CHECK((i == 0 || !got[i - 1]));
  }
  CHECK(t.agent->idle_connections() == 1);
}

TEST_CASE("requests beyond what the agent, or the server, allows wait in order") {
  const bool by_server = GENERATE(false, true);
  std::vector<promise<http_response>> begun;
  std::vector<std::string> paths;
  http2_agent_fixture t{[&](http_request r) -> http_reply {
                          paths.emplace_back(r.path());
                          return begun.emplace_back().get_deferred();
                        },
                        {.max_streams = by_server ? 100u : 2u},
                        {.max_waiting = 3},
                        {.max_streams = by_server ? 2u : 100u}};
  if (by_server) { // whose settings come first
    result first;
    t.get("http://a:81/", first);
    t.net.rt.in_turn([&] { begun[0].callback(http_response{204}); });
    t.net.flush();
    begun.clear();
    paths.clear();
  }
  std::array<result, 6> got;
  for (std::size_t i = 0; i < got.size(); ++i)
    t.get("http://a:81/" + std::to_string(i), got[i]);
  CHECK(begun.size() == 2);
  REQUIRE(got[5]);
  CHECK(got[5]->error().check(errc::queue_overflow));
  for (std::size_t i = 0; i < 5; ++i) {
    t.net.rt.in_turn([&] { begun.at(i).callback(http_response{204}); });
    t.net.flush();
    CHECK(got[i]);
  }
  CHECK(paths == std::vector<std::string>{"/0", "/1", "/2", "/3", "/4"});
  CHECK(t.net.connections().size() == 1);
}

TEST_CASE("bodies go both ways, whatever the windows and buffers") {
  const auto body = numbers(300'000);
  for (const std::uint32_t window : {1000u, 70'000u, 1'000'000u}) {
    http2_agent_fixture t{echo,
                          {.stream_window = window, .connection_window = 1'000'000},
                          {},
                          {.stream_window = window, .connection_window = 1'000'000}};
    result text;
    result source;
    t.begin(http_client_request{"POST", "http://a:81/"}.body(body, "text/plain"), text);
    t.begin(http_client_request{"POST", "http://a:81/"}.body(
              std::make_unique<pieces>(std::vector{body.substr(0, 100'000), body.substr(100'000)})),
            source);
    t.net.flush();
    REQUIRE(text);
    REQUIRE(source);
    REQUIRE(*text);
    REQUIRE(*source);
    CHECK(t.body(**text) == body);
    CHECK(t.body(**source) == body);
    CHECK(t.net.connections().size() == 1);
  }
}

TEST_CASE("a request's trailers come behind its body, and those of a response behind it") {
  http2_agent_fixture t{[](http_request r) -> http_reply {
    if (r.path() == "/down")
      return http_response{}.body(std::make_unique<with_trailers>());
    return echo(std::move(r));
  }};
  result got;
  t.ask(http_client_request{"PUT", "http://a:81/"}.body(std::make_unique<with_trailers>()), got);
  REQUIRE(got);
  CHECK((*got)->field("X-Sum") == "42");
  result down;
  t.get("http://a:81/down", down);
  REQUIRE(down);
  CHECK(t.body(**down) == "text");
  CHECK((*down)->trailers().find("X-Sum") == "42");
}

TEST_CASE("a server is not faster than who reads, and others of the connection go on") {
  int asked = 0;
  http2_agent_fixture t{[&](http_request r) -> http_response {
    if (r.path() == "/endless")
      return http_response{}.body(std::make_unique<endless>(&asked));
    return {200, "small"};
  }};
  result large;
  t.get("http://a:81/endless", large);
  REQUIRE(large);
  CHECK(asked >= 26); // the window has 256 KiB
  CHECK(asked <= 40);
  result small;
  t.get("http://a:81/", small);
  REQUIRE(small);
  CHECK(t.body(**small) == "small");
  const auto before = asked;
  std::size_t read = 0;
  for (int i = 0; i < 50; ++i)
    read += read_once(t, **large).size();
  CHECK(read > 1'000'000);
  CHECK(asked > before + 50);
  CHECK(asked < 1'000'000);
  large.reset(); // nobody wants the rest
  t.net.flush();
  CHECK(asked > 1'000'000);
  CHECK(t.agent->idle_connections() == 1);
  CHECK(t.net.connections().size() == 1);
}

TEST_CASE("responses that are whole and not read take nothing of the connection's window") {
  http2_agent_fixture t{says(std::string(60'000, 'x')),
                        {.stream_window = 65'000, .connection_window = 65'535}};
  std::array<result, 3> got;
  for (auto& g : got)
    t.get("http://a:81/", g);
  CHECK(t.agent->idle_connections() == 1);
  for (auto& g : got) {
    REQUIRE(g);
    CHECK(t.body(**g).size() == 60'000);
  }
}

TEST_CASE("the rest of a short body that nobody wants is passed over") {
  http2_agent_fixture t{says("Hello, world!")};
  result got;
  t.get("http://a:81/", got);
  got.reset();
  t.net.flush();
  CHECK(t.agent->idle_connections() == 1);
  t.get("http://a:81/", got);
  REQUIRE(got);
  CHECK(t.body(**got) == "Hello, world!");
}

TEST_CASE("a request that is cancelled ends its stream, and no other one") {
  std::vector<promise<http_response>> begun;
  int cancelled = 0;
  http2_agent_fixture t{[&](http_request) -> http_reply {
    return begun.emplace_back([&] { ++cancelled; }).get_deferred();
  }};
  result one;
  result two;
  auto c = t.ask(http_client_request{"GET", "http://a:81/"}, one);
  t.get("http://a:81/", two);
  t.net.rt.in_turn([&] { c.cancel(); });
  t.net.flush();
  CHECK(cancelled == 1);
  REQUIRE(one);
  CHECK(one->error().check(errc::cancelled));
  t.net.rt.in_turn([&] { begun[1].callback(http_response{200, "two"}); });
  t.net.flush();
  REQUIRE(two);
  CHECK(t.body(**two) == "two");
  CHECK(t.net.connections().size() == 1);
}

TEST_CASE("a request that is cancelled before it leaves is never made") {
  int asked = 0;
  http2_agent_fixture t{[&](http_request) {
    ++asked;
    return http_response{204};
  }};
  result one;
  t.get("http://a:81/", one);
  result two;
  t.net.rt.in_turn([&] {
    auto d = t.agent->get("http://a:81/");
    auto c = d.canceller();
    std::move(d).add_both([two](outcome<http_client_response> got) { two.set(std::move(got)); });
    c.cancel();
  });
  t.net.flush();
  REQUIRE(two);
  CHECK(two->error().check(errc::cancelled));
  CHECK(t.agent->idle_connections() == 1);
}

TEST_CASE("a body of which there is more than is wanted ends its stream") {
  int asked = 0;
  http2_agent_fixture t{[&](http_request) {
    return http_response{}.body(std::make_unique<endless>(&asked));
  }};
  result got;
  t.get("http://a:81/", got);
  REQUIRE(got);
  CHECK(t.body(**got, 500'000).find("the body of http://a:81/") != std::string::npos);
  t.net.flush();
  CHECK(asked > 1'000'000);
  CHECK(t.agent->idle_connections() == 1);
}

TEST_CASE("a response that is packed is unpacked, as it is read") {
  const auto text = numbers(400'000);
  http2_agent_fixture t{compress_responses(says(text), {.max_size = 1'000'000}),
                        {.stream_window = 20'000}};
  result got;
  t.get("http://a:81/", got);
  REQUIRE(got);
  REQUIRE(*got);
  CHECK((*got)->decoded());
  std::string all;
  for (std::string piece = read_once(t, **got); !piece.empty(); piece = read_once(t, **got))
    all += piece;
  CHECK(all == text);
}

TEST_CASE("redirects are followed over HTTP/2") {
  http2_agent_fixture t{[](http_request r) {
    return r.path() == "/to" ? http_response{200, "there"} : http_response::redirect("/to", 303);
  }};
  result got;
  t.ask(http_client_request{"POST", "http://a:81/"}.body("text", "text/plain"), got);
  REQUIRE(got);
  CHECK(t.body(**got) == "there");
  CHECK((*got)->redirects().size() == 1);
}

TEST_CASE("a source of a request's body that fails, or lies, ends its stream with the reason") {
  http2_agent_fixture t{echo};
  result fails;
  t.ask(http_client_request{"POST", "http://a:81/"}.body(
          std::make_unique<pieces>(std::vector<std::string>{"one", "fail"})),
        fails);
  REQUIRE(fails);
  CHECK(fails->error().message().find("the disk is gone") != std::string::npos);
  for (const std::uint64_t size : {2, 4}) {
    result lies;
    t.ask(http_client_request{"POST", "http://a:81/"}.body(
            std::make_unique<pieces>(std::vector<std::string>{"one"}), size),
          lies);
    REQUIRE(lies);
    CHECK(lies->error().check(errc::invalid_argument));
  }
  CHECK(t.agent->idle_connections() == 1);
  CHECK(t.net.connections().size() == 1);
}

TEST_CASE("a response that does not need the rest of its request ends that") {
  int asked = 0;
  http2_agent_fixture t{says("enough")};
  result got;
  t.ask(http_client_request{"POST", "http://a:81/"}.body(std::make_unique<endless>(&asked)), got);
  REQUIRE(got);
  REQUIRE(*got);
  CHECK(t.body(**got) == "enough");
  CHECK(asked > 1'000'000);
  CHECK(t.agent->idle_connections() == 1);
}

TEST_CASE("when a server drains, requests are finished, and new ones take another connection") {
  std::vector<promise<http_response>> begun;
  http2_agent_fixture t{};
  const auto server =
    http2_server([&](http_request) -> http_reply { return begun.emplace_back().get_deferred(); });
  t.net.listen(82, server);
  result one;
  t.get("http://a:82/", one);
  t.net.rt.in_turn([&] { server.get()->drain().add_callback([] {}); });
  t.net.flush();
  result two;
  t.get("http://a:82/", two);
  t.net.rt.in_turn([&] { begun[0].callback(http_response{200, "one"}); });
  t.net.flush();
  REQUIRE(one);
  CHECK(t.body(**one) == "one");
}

TEST_CASE("a connection of HTTP/2 that nobody uses is closed in time, or with its agent") {
  http_server_options patient;
  patient.keep_alive_timeout = 0s;
  http2_agent_fixture t{says("x"), {}, {}, {}, patient};
  result got;
  t.get("http://a:81/", got);
  t.net.advance(55s - 1ms);
  CHECK(t.agent->idle_connections() == 1);
  t.net.advance(1s + 1ms);
  CHECK(t.agent->idle_connections() == 0);
  t.get("http://a:81/", got);
  REQUIRE(got);
  CHECK(t.agent->idle_connections() == 1);
  t.net.rt.in_turn([&] { t.agent->close_idle(); });
  t.net.flush();
  CHECK(t.agent->idle_connections() == 0);
}

TEST_CASE("a connection of HTTP/2 that nobody uses is closed when no other time-out is near") {
  http2_agent_fixture t{says("x"), {}, {.idle_timeout = 1s}};
  result got;
  t.get("http://a:81/", got);
  t.net.advance(1s - 1ms);
  CHECK(t.agent->idle_connections() == 1);
  t.net.advance(1s + 1ms);
  CHECK(t.agent->idle_connections() == 0);
}

TEST_CASE("an agent that keeps no connections closes one of HTTP/2 behind its last request") {
  http2_agent_fixture t{says("x"), {}, {.max_idle_per_origin = 0}};
  result got;
  t.get("http://a:81/", got);
  REQUIRE(got);
  CHECK(t.body(**got) == "x");
  CHECK(t.agent->idle_connections() + t.agent->busy_connections() == 0);
}

TEST_CASE("options of an agent that make no sense are refused") {
  CHECK_THROWS_AS(http2_client({.max_streams = 0}), std::invalid_argument);
  CHECK_THROWS_AS(http2_client({.stream_window = 0}), std::invalid_argument);
  CHECK_THROWS_AS(http2_client({.stream_window = 2000, .connection_window = 1000}),
                  std::invalid_argument);
  CHECK_THROWS_AS(http2_client({.connection_window = 0x8000'0000u}), std::invalid_argument);
}
