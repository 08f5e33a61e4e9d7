#include <troupe/http/http_agent.hpp>
#include <troupe/net/host_name.hpp>

#include "http_agent_fixture.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::agent_fixture;
using testing::pieces;

namespace {

const auto& ok = testing::ok_response;

std::string redirect(int status, std::string_view to) {
  return "HTTP/1.1 " + std::to_string(status)
         + " x\r\nContent-Length: 0\r\nLocation: " + std::string{to} + "\r\n\r\n";
}

} // namespace

TEST_CASE("redirects are followed, and told") {
  agent_fixture t;
  t.server.answers = {redirect(301, "/b"), redirect(302, "//c/d?e"), redirect(307, "f#g"), ok};
  agent_fixture::result got;
  t.get("http://a/", got);
  REQUIRE(got);
  REQUIRE(*got);
  CHECK((*got)->status() == 200);
  CHECK((*got)->url().text() == "http://c/f");
  REQUIRE((*got)->redirects().size() == 3);
  CHECK((*got)->redirects()[1].text() == "http://a/b");
  CHECK(t.server.connections == 2);
}

TEST_CASE("what a redirect makes of the method") {
  struct row {
    const char* method;
    int status;
    const char* becomes;
  };
  for (const auto& [method, status, becomes] :
       {row{"POST", 301, "GET"}, row{"POST", 302, "GET"}, row{"POST", 303, "GET"},
        row{"POST", 307, "POST"}, row{"POST", 308, "POST"}, row{"PUT", 301, "PUT"},
        row{"PUT", 303, "GET"}, row{"HEAD", 303, "HEAD"}, row{"DELETE", 302, "DELETE"}}) {
    CAPTURE(method, status);
    agent_fixture t;
    t.server.answers = {redirect(status, "/next")};
    agent_fixture::result got;
    http_client_request r{method, "http://a/"};
    if (method[0] == 'P')
      r.body("hello", "text/plain");
    t.begin(std::move(r), got);
    t.net.flush();
    const auto second =
      t.heard().substr(t.heard().rfind("/next") - std::string{becomes}.size() - 1);
    CHECK(second.starts_with(std::string{becomes} + " /next HTTP/1.1\r\n"));
    CHECK((second.find("hello") != std::string::npos) == (becomes[0] == 'P'));
    CHECK((second.find("Content-Type") != std::string::npos) == (becomes[0] == 'P'));
  }
}

TEST_CASE("secrets stay with their origin") {
  for (const auto& [to, kept] : {std::pair{"http://a/x", true}, std::pair{"http://b/x", false}}) {
    agent_fixture t;
    t.server.answers = {redirect(302, to), ok};
    agent_fixture::result got;
    t.begin(http_client_request{"GET", "http://a/"}
              .basic_auth("u", "p")
              .add("Cookie", "secret=1")
              .add("X-Other", "y"),
            got);
    t.net.flush();
    const auto second = t.heard().substr(t.heard().find("/x"));
    CHECK((second.find("Authorization") != std::string::npos) == kept);
    CHECK((second.find("Cookie") != std::string::npos) == kept);
    CHECK(second.find("X-Other: y") != std::string::npos);
  }
}

TEST_CASE("a redirect may lead to a host and a path that are not ASCII") {
  if (!ascii_host_name("\u00fc"))
    return; // a build without libidn2
  for (const std::string to :
       {"http://b\u00fccher.example/\u00fc?//\u00fc", "//b\u00fccher.example/\u00fc?//\u00fc"}) {
    agent_fixture t;
    t.server.answers = {redirect(302, to)};
    agent_fixture::result got;
    t.get("http://a/", got);
    CHECK(
      t.heard().starts_with("GET /%C3%BC?//%C3%BC HTTP/1.1\r\nHost: xn--bcher-kva.example\r\n"));
  }
  agent_fixture t;
  t.server.answers = {redirect(302, "/x//\u00fc")};
  agent_fixture::result got;
  t.get("http://a/", got);
  CHECK(t.heard().find("GET /x//%C3%BC HTTP/1.1\r\nHost: a\r\n") != std::string::npos);
}

TEST_CASE("redirects end") {
  agent_fixture t{{.max_redirects = 3}};
  t.server.answers.assign(10, redirect(302, "/"));
  agent_fixture::result got;
  t.get("http://a/", got);
  REQUIRE(got);
  CHECK(got->error().check(errc::invalid_argument));
  CHECK(t.server.answers.size() == 6);
}

TEST_CASE("redirects that cannot or should not be followed") {
  {
    agent_fixture t;
    t.server.answers = {"HTTP/1.1 302 x\r\nContent-Length: 0\r\n\r\n"};
    agent_fixture::result got;
    t.get("http://a/", got);
    CHECK((*got)->status() == 302); // to nowhere
  }
  {
    agent_fixture t;
    t.server.answers = {redirect(302, "javascript:alert(1)")};
    agent_fixture::result got;
    t.get("http://a/", got);
    CHECK_FALSE(*got);
  }
  {
    agent_fixture t;
    t.server.answers = {redirect(302, "http://a/")};
    agent_fixture::result got;
    t.get("https://a:80/", got);
    CHECK(got->error().check(errc::not_supported)); // out of TLS
  }
  {
    agent_fixture t;
    t.server.answers = {redirect(307, "/b")};
    agent_fixture::result got;
    t.begin(http_client_request{"POST", "http://a/"}.body(
              std::make_unique<pieces>(std::vector<std::string>{"x"}), 1),
            got);
    t.net.flush();
    CHECK((*got)->status() == 307); // its body is gone
  }
  {
    agent_fixture t{{.max_redirects = 0}};
    t.server.answers = {redirect(302, "/b")};
    agent_fixture::result got;
    t.get("http://a/", got);
    CHECK((*got)->status() == 302);
  }
}
