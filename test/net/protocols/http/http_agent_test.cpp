#include <troupe/http/http_agent.hpp>

#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>

#include <troupe/http/detail/http_unpacker.hpp>
#include "http_agent_fixture.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::agent_fixture;
using testing::pieces;

namespace {

const auto& ok = testing::ok_response;

} // namespace

TEST_CASE("a request says what it must, and its response arrives") {
  agent_fixture t;
  agent_fixture::result got;
  t.get("http://example.org/a?b#c", got);
  CHECK(t.heard()
        == "GET /a?b HTTP/1.1\r\nHost: example.org\r\nUser-Agent: troupe\r\n"
           "Accept-Encoding: "
             + std::string{troupe::detail::http_codings()} + "\r\n\r\n");
  CHECK_FALSE(got);
  t.say(ok);
  REQUIRE(got);
  REQUIRE(*got);
  CHECK((*got)->status() == 200);
  CHECK((*got)->phrase() == "OK");
  CHECK((*got)->url().text() == "http://example.org/a?b");
  CHECK(t.body(**got) == "ok");
  CHECK(t.agent->idle_connections() == 1);
  CHECK(t.agent->busy_connections() == 0);
}

TEST_CASE("fields of the request are sent as they are, and what the agent writes is refused") {
  agent_fixture t;
  agent_fixture::result got;
  t.begin(http_client_request{"POST", "http://a/"}
            .set("Host", "b")
            .add("X", " y ")
            .set("User-Agent", "me")
            .set("Accept-Encoding", "br")
            .basic_auth("Aladdin", "open sesame")
            .body("hello", "text/plain"),
          got);
  t.net.flush();
  CHECK(t.heard()
        == "POST / HTTP/1.1\r\nHost: b\r\nX: y\r\nUser-Agent: me\r\nAccept-Encoding: br\r\n"
           "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\nContent-Type: text/plain\r\n"
           "Content-Length: 5\r\n\r\nhello");
  http_client_request r{"GET", "http://a/"};
  CHECK_THROWS_AS(r.add("Content-Length", "1"), std::invalid_argument);
  CHECK_THROWS_AS(r.add("X y", "1"), std::invalid_argument);
  CHECK_THROWS_AS(r.add("X", "1\r\nY: 2"), std::invalid_argument);
  CHECK_THROWS_AS(r.basic_auth("a:b", "c"), std::invalid_argument);
  CHECK_THROWS_AS((http_client_request{"G T", "http://a/"}), std::invalid_argument);
  CHECK_THROWS_AS((http_client_request{"CONNECT", "http://a/"}), std::invalid_argument);
}

TEST_CASE("a POST without body says so") {
  agent_fixture t;
  agent_fixture::result got;
  t.begin(http_client_request{"POST", "http://a/"}, got);
  t.net.flush();
  CHECK(t.heard().find("Content-Length: 0\r\n") != std::string::npos);
}

TEST_CASE("a connection serves one request after the other") {
  agent_fixture t;
  t.server.answers = {ok, ok, ok};
  for (int i = 0; i < 3; ++i) {
    agent_fixture::result got;
    t.get("http://a/", got);
    REQUIRE(got);
    CHECK(t.body(**got) == "ok");
  }
  CHECK(t.server.connections == 1);
  agent_fixture::result other;
  t.get("http://b/", other); // another origin
  CHECK(t.server.connections == 2);
}

TEST_CASE("requests beyond the limit of an origin wait in order") {
  agent_fixture t{{.max_per_origin = 1, .max_waiting = 2}};
  agent_fixture::result got[4];
  for (auto& g : got)
    t.get("http://a/", g);
  CHECK(t.server.connections == 1);
  REQUIRE(got[3]);
  CHECK(got[3]->error().check(errc::queue_overflow));
  t.say(ok);
  CHECK(got[0]);
  CHECK_FALSE(got[1]);
  t.say(ok);
  t.say(ok);
  CHECK(got[1]);
  CHECK(got[2]);
  CHECK(t.server.connections == 1);
}

TEST_CASE("of idle connections the oldest goes") {
  agent_fixture t{{.max_idle_per_origin = 1}};
  agent_fixture::result got[2];
  for (auto& g : got)
    t.get("http://a/", g);
  for (auto* const p : std::vector{t.server.peers})
    t.net.enter(*p, [&] { p->say(ok); });
  t.net.flush();
  CHECK(t.agent->idle_connections() == 1);
  CHECK(t.server.peers.size() == 1);
}

TEST_CASE("an idle connection is closed when its time has come, not before") {
  agent_fixture t;
  t.server.answers = {ok};
  agent_fixture::result got;
  t.get("http://a/", got);
  t.net.advance(54999ms);
  CHECK(t.agent->idle_connections() == 1);
  t.net.advance(1001ms);
  CHECK(t.agent->idle_connections() == 0);
  CHECK(t.server.peers.empty());
}

TEST_CASE("an idle connection that ends, or says something, leaves the pool") {
  agent_fixture t;
  t.server.answers = {ok, ok};
  agent_fixture::result got;
  t.get("http://a/", got);
  t.hang_up();
  CHECK(t.agent->idle_connections() == 0);
  t.get("http://a/", got);
  CHECK(t.agent->idle_connections() == 1);
  t.say("HTTP/1.1 200 OK\r\n");
  CHECK(t.agent->idle_connections() == 0);
  CHECK(t.server.peers.empty());
}

TEST_CASE("a connection is not used again where it cannot be") {
  for (const auto* const answer :
       {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1"}) {
    agent_fixture t;
    t.server.answers = {answer};
    agent_fixture::result got;
    t.get("http://a/", got);
    REQUIRE(got);
    CHECK(t.body(**got) == "ok");
    CHECK(t.agent->idle_connections() == 0);
    CHECK(t.agent->busy_connections() == 0);
    CHECK(t.server.peers.empty());
  }
}

TEST_CASE("on a kept connection that dies, what may be done twice is sent again, once") {
  agent_fixture t;
  t.server.answers = {ok};
  agent_fixture::result got;
  t.get("http://a/", got);
  agent_fixture::result again;
  t.get("http://a/", again);
  CHECK(t.server.connections == 1);
  t.hang_up(); // and it asks on a new one
  CHECK(t.server.connections == 2);
  CHECK_FALSE(again);
  t.hang_up();
  REQUIRE(again);
  CHECK(again->error().check(errc::connection_lost));
  CHECK(t.server.connections == 2);
}

TEST_CASE("a POST is not sent twice") {
  agent_fixture t;
  t.server.answers = {ok};
  agent_fixture::result got;
  t.get("http://a/", got);
  agent_fixture::result post;
  t.begin(http_client_request{"POST", "http://a/"}, post);
  t.net.flush();
  t.hang_up();
  REQUIRE(post);
  CHECK(post->error().check(errc::connection_lost));
  CHECK(t.server.connections == 1);
}

TEST_CASE("a request is not sent again once something of its response came") {
  agent_fixture t;
  t.server.answers = {ok};
  agent_fixture::result got;
  t.get("http://a/", got);
  agent_fixture::result again;
  t.get("http://a/", again);
  t.say("HTTP");
  t.hang_up();
  REQUIRE(again);
  CHECK(again->error().check(errc::connection_lost));
  CHECK(t.server.connections == 1);
}

TEST_CASE("without a connection the request fails as the endpoint says") {
  agent_fixture t;
  agent_fixture::result got;
  t.get("http://a:81/", got);
  REQUIRE(got);
  CHECK(got->error().check(errc::connection_refused));
  CHECK(t.agent->busy_connections() == 0);
}

TEST_CASE("a response that is none fails, and ends the connection") {
  agent_fixture t;
  t.server.answers = {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na"};
  agent_fixture::result got;
  t.get("http://a/", got);
  REQUIRE(got);
  CHECK(got->error().check(errc::malformed_input));
  CHECK(got->error().message().find("two fields Content-Length") != std::string::npos);
  CHECK(t.agent->busy_connections() == 0);
  CHECK(t.server.peers.empty());
}

TEST_CASE("a response has its time, and not more") {
  agent_fixture t;
  agent_fixture::result got;
  t.get("http://a/", got);
  t.net.advance(29999ms);
  CHECK_FALSE(got);
  t.net.advance(1ms);
  REQUIRE(got);
  CHECK(got->error().check(errc::timed_out));
  CHECK(t.server.peers.empty());
  CHECK(t.agent->busy_connections() == 0);
}

TEST_CASE("a request that waits for a connection has no more time than others") {
  agent_fixture t{{.max_per_origin = 1}};
  agent_fixture::result first;
  agent_fixture::result second;
  t.get("http://a/", first);
  t.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
  t.get("http://a/", second);
  t.net.advance(30s);
  REQUIRE(second);
  CHECK(second->error().check(errc::timed_out));
}

TEST_CASE("a body that stops coming fails its reader") {
  agent_fixture t;
  agent_fixture::result got;
  t.get("http://a/", got);
  t.say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na");
  REQUIRE(got);
  std::optional<outcome<std::string>> body;
  t.net.rt.in_turn([&] {
    (*got)->read_all().add_both([&](outcome<std::string> b) { body.emplace(std::move(b)); });
  });
  t.net.advance(50s);
  t.say("b"); // and has its time again
  t.net.advance(59s);
  CHECK_FALSE(body);
  t.net.advance(2s);
  REQUIRE(body);
  CHECK(body->error().check(errc::timed_out));
  CHECK(t.server.peers.empty());
}

TEST_CASE("cancelling a request ends its connection, wherever it is") {
  agent_fixture t{{.max_per_origin = 1}};
  agent_fixture::result got;
  agent_fixture::result waits;
  const auto first = t.get("http://a/", got);
  const auto second = t.get("http://a/", waits);
  t.net.rt.in_turn([&] { second.cancel(); });
  REQUIRE(waits);
  CHECK(waits->error().check(errc::cancelled));
  t.net.rt.in_turn([&] { first.cancel(); });
  t.net.flush();
  REQUIRE(got);
  CHECK(got->error().check(errc::cancelled));
  CHECK(t.server.peers.empty());
  CHECK(t.agent->busy_connections() == 0);
}

TEST_CASE(
  "a response that comes before all of the request was sent is given, and ends the connection") {
  class endless final : public http_body_source {
  public:
    deferred<std::string> read() override { return succeed(std::string(100'000, 'x')); }
  };
  agent_fixture t;
  agent_fixture::result got;
  auto& server = t.server;
  server.answers = {"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"};
  t.net.rt.in_turn([&] {
    t.agent->request(http_client_request{"PUT", "http://a/"}.body(std::make_unique<endless>()))
      .add_both([&](outcome<http_client_response> r) { got.set(std::move(r)); });
  });
  for (int i = 0; i < 20 && !got; ++i)
    t.net.pump();
  REQUIRE(got);
  REQUIRE(*got);
  CHECK((*got)->status() == 413);
  CHECK(t.body(**got) == "no");
  CHECK(t.agent->idle_connections() == 0);
  CHECK(t.agent->busy_connections() == 0);
}

TEST_CASE("an agent that goes lets running requests end, and no others") {
  agent_fixture t{{.max_per_origin = 1}};
  agent_fixture::result runs;
  agent_fixture::result waits;
  t.get("http://a/", runs);
  t.get("http://a/", waits);
  t.net.rt.in_turn([&] { t.agent.reset(); });
  t.net.flush();
  REQUIRE(waits);
  CHECK(waits->error().check(errc::cancelled));
  t.say(ok);
  REQUIRE(runs);
  CHECK(t.body(**runs) == "ok");
  t.net.flush();
  CHECK(t.server.peers.empty());
}

TEST_CASE("a proxy is asked for whole URLs, with who asks") {
  http_agent_options o;
  agent_fixture t;
  o.proxy.at = std::make_shared<testing::memory_endpoint>(t.net, std::uint16_t{80});
  o.proxy.user = "u";
  o.proxy.password = "p";
  t.net.rt.in_turn([&] { t.agent.emplace(t.net.rt, o); });
  agent_fixture::result got;
  t.get("http://far:81/x", got);
  CHECK(t.heard().starts_with("GET http://far:81/x HTTP/1.1\r\nHost: far:81\r\n"));
  CHECK(t.heard().find("Proxy-Authorization: Basic dTpw\r\n") != std::string::npos);
  agent_fixture::result tunnel;
  t.get("https://far/x", tunnel);
  CHECK(t.heard()
        == "CONNECT far:443 HTTP/1.1\r\nHost: far:443\r\nProxy-Authorization: Basic dTpw\r\n\r\n");
  t.say("HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n");
  REQUIRE(tunnel);
  CHECK(tunnel->error().check(errc::connect_failed));
  CHECK(tunnel->error().message().find("407 Who are you") != std::string::npos);
}

TEST_CASE("the agent and the server of this component understand each other") {
  agent_fixture t;
  http_router site;
  site.get("/", [](http_request) { return http_response{200, "Hello, world!"}; });
  site.post("/size", [](http_request r) -> http_reply {
    return r.read_all().add_callback([](std::string body) {
      return http_response{200, std::to_string(body.size())};
    });
  });
  t.net.listen(8080, http_server(site.handler()));
  agent_fixture::result got[3];
  t.get("http://a:8080/", got[0]);
  REQUIRE(got[0]);
  CHECK(t.body(**got[0]) == "Hello, world!");
  t.begin(http_client_request{"POST", "http://a:8080/size"}.body(
            std::make_unique<pieces>(std::vector<std::string>(10, std::string(50'000, 'x')))),
          got[1]);
  t.net.flush();
  REQUIRE(got[1]);
  CHECK(t.body(**got[1]) == "500000");
  t.begin(http_client_request{"HEAD", "http://a:8080/"}, got[2]);
  t.net.flush();
  REQUIRE(got[2]);
  CHECK((*got[2])->field("Content-Length") == "13");
  CHECK(t.body(**got[2]) == "");
  CHECK(t.agent->idle_connections() == 1);
}

namespace {

/// Keeps what it is told, and gives what it is told to.
class scripted_cookies final : public http_cookie_store {
public:
  std::string cookies_for(const http_url& url) override {
    asked.push_back(url.text());
    return gives;
  }
  void set_cookie(const http_url& url, std::string_view field) override {
    set.push_back(url.text() + ' ' + std::string{field});
  }
  std::vector<std::string> asked;
  std::vector<std::string> set;
  std::string gives;
};

} // namespace

TEST_CASE("an agent asks its store for cookies, and tells it what servers set, on each hop") {
  const auto cookies = std::make_shared<scripted_cookies>();
  agent_fixture t{{.cookies = cookies}};
  t.server.answers = {"HTTP/1.1 302 Found\r\nLocation: http://b/y\r\nSet-Cookie: a=1; Path=/\r\n"
                      "Set-Cookie: b=2\r\nContent-Length: 0\r\n\r\n",
                      "HTTP/1.1 404 No\r\nset-cookie: c=3\r\nContent-Length: 0\r\n\r\n"};
  cookies->gives = "x=1; y=2";
  agent_fixture::result got;
  t.get("http://a/x", got);
  REQUIRE(got);
  REQUIRE(*got);
  CHECK((*got)->status() == 404);
  CHECK(cookies->asked == std::vector<std::string>{"http://a/x", "http://b/y"});
  CHECK(cookies->set
        == std::vector<std::string>{"http://a/x a=1; Path=/", "http://a/x b=2", "http://b/y c=3"});
  CHECK(t.heard().find("\r\nCookie: x=1; y=2\r\n") != std::string::npos);
  CHECK(t.heard().find("Cookie", t.heard().find("Cookie") + 1) == std::string::npos); // once
}

TEST_CASE("a request with cookies of its own gets no others, and a store without any none") {
  const auto cookies = std::make_shared<scripted_cookies>();
  agent_fixture t{{.max_redirects = 0, .cookies = cookies}};
  t.server.answers = {ok, "HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n"};
  agent_fixture::result got;
  cookies->gives = "x=1";
  t.begin(http_client_request{"GET", "http://a/"}.set("Cookie", "own=1"), got);
  t.net.flush();
  CHECK(t.heard().find("\r\nCookie: own=1\r\n") != std::string::npos);
  CHECK(t.heard().find("x=1") == std::string::npos);
  CHECK(cookies->asked.empty());
  cookies->gives = "";
  t.get("http://a/x", got);
  REQUIRE(got);
  REQUIRE(*got);
  CHECK((*got)->status() == 302); // redirects are not followed
  CHECK(cookies->asked.size() == 1);
}
