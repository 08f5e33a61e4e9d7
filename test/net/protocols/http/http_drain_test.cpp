#include <troupe/http/http_server.hpp>

#include "http_agent_fixture.hpp"
#include "support/catch.hpp"

using namespace troupe;
using testing::agent_fixture;

TEST_CASE("a server that drains finishes what it has begun, and closes the rest at once") {
  agent_fixture t;
  std::vector<promise<http_response>> begun;
  const auto server = http_server([&](http_request r) -> http_reply {
    if (r.path() == "/now")
      return http_response{200, "now"};
    return begun.emplace_back().get_deferred();
  });
  t.net.listen(8080, server);
  agent_fixture::result now;
  agent_fixture::result later;
  t.get("http://a:8080/later", later);
  t.get("http://a:8080/now", now);
  REQUIRE(begun.size() == 1);
  CHECK(t.agent->idle_connections() == 1);

  bool drained = false;
  t.net.rt.in_turn([&] { server.get()->drain().add_callback([&] { drained = true; }); });
  t.net.flush();
  CHECK(t.agent->idle_connections() == 0);
  CHECK(t.agent->busy_connections() == 1);
  CHECK_FALSE(drained);
  CHECK_FALSE(later);

  t.net.rt.in_turn([&] { begun[0].callback(http_response{200, "later"}); });
  t.net.flush();
  REQUIRE(later);
  REQUIRE(*later);
  CHECK((*later)->field("Connection") == "close");
  CHECK(t.body(**later) == "later");
  CHECK(drained);
}

TEST_CASE("a server that drains while a head comes answers it, and no other one") {
  agent_fixture t;
  const auto server = http_server([](http_request) { return http_response{200, "hello"}; });
  t.net.listen(8080, server);
  testing::scripted_http::log client;
  auto& c = t.net.connect<testing::scripted_http>(8080, &client);
  t.net.enter(c, [&] { c.say("GET / HTTP/1.1\r\nHo"); });
  t.net.flush();
  t.net.rt.in_turn([&] { server.get()->drain(); });
  t.net.flush();
  CHECK(c.connected());
  t.net.enter(c, [&] { c.say("st: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"); });
  t.net.flush();
  CHECK(c.heard.find("Connection: close\r\n") != std::string::npos);
  CHECK(c.heard.find("HTTP/1.1", 1) == std::string::npos);
  CHECK_FALSE(c.connected());
}
