// What a site needs beside routes and files: cookies, forms, events, credentials, other origins, proxies.

#include <troupe/http/http_auth.hpp>
#include <troupe/http/http_cookie.hpp>
#include <troupe/http/http_cors.hpp>
#include <troupe/http/http_event_stream.hpp>
#include <troupe/http/http_form.hpp>
#include <troupe/http/http_forwarded.hpp>
#include <troupe/http/http_status.hpp>
#include <troupe/testing/logged_errors.hpp>

#include "http_exchange.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::http_exchange;

namespace {

std::string body_of(const std::string& response) {
  return response.substr(response.find("\r\n\r\n") + 4);
}

std::string ask(const http_handler& h, const std::string& fields, const std::string& method = "GET",
                const std::string& target = "/") {
  http_exchange t{h};
  t.deliver(method + " " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n");
  return t.sent();
}

} // namespace

TEST_CASE("a cookie is found as browsers send it") {
  const auto find = [](const std::string& name, const std::string& fields) {
    std::string found;
    ask(
      [&](http_request r) {
        found = find_cookie(r.fields(), name).value_or("none");
        return http_response{};
      },
      fields);
    return found;
  };
  CHECK(find("b", "Cookie: a=1; b=2; c=3\r\n") == "2");
  CHECK(find("c", "Cookie: a=1;c=x=y \r\n") == "x=y");
  CHECK(find("c", "Cookie: a=1\r\nCookie: c=\"q\"\r\n") == "\"q\"");
  CHECK(find("d", "Cookie: nonsense; d=\r\n") == "");
  CHECK(find("e", "Cookie: a=e; E=1\r\n") == "none");
}

TEST_CASE("a cookie that is set cannot become two") {
  CHECK(http_cookie{"lang", "en"}.to_string() == "lang=en; Path=/; HttpOnly; SameSite=Lax");
  http_cookie c{"id", "x", "/a", "example.org", 60s, true, false, http_cookie::site::none};
  CHECK(c.to_string() == "id=x; Path=/a; Domain=example.org; Max-Age=60; Secure; SameSite=None");
  CHECK_THROWS_AS((http_cookie{"a b", "x"}.to_string()), std::invalid_argument);
  CHECK_THROWS_AS((http_cookie{"a", "x; Domain=b"}.to_string()), std::invalid_argument);
  CHECK_THROWS_AS((http_cookie{"a", "x", "/; Secure"}.to_string()), std::invalid_argument);
  c.secure = false;
  CHECK_THROWS_AS(c.to_string(), std::invalid_argument);
}

TEST_CASE("a signed value is believed under its name alone, by any of the keys") {
  const std::string old_key(16, 'k');
  const std::string new_key(16, 'n');
  const auto text = cookie_signer{{old_key}}.sign("user", "ann.b");
  const cookie_signer s{{new_key, old_key}};
  CHECK(s.verify("user", text) == "ann.b");
  CHECK(s.verify("admin", text) == std::nullopt);
  CHECK(s.verify("user", "x" + text) == std::nullopt);
  CHECK(s.verify("user", text + "x") == std::nullopt);
  CHECK(s.verify("user", "ann.b") == std::nullopt);
  CHECK(cookie_signer{{new_key}}.verify("user", text) == std::nullopt);
  CHECK_THROWS_AS(cookie_signer{{"short"}}, std::invalid_argument);
}

TEST_CASE("arguments are decoded, in their order, and not without end") {
  const auto a = http_arguments::parse("a=1&b=x+y%26&a=&c&&=d");
  REQUIRE(a.all().size() == 5);
  CHECK(a.find("a") == "1");
  CHECK(a.find("b") == "x y&");
  CHECK(a.all()[2].second.empty());
  CHECK(a.find("c") == "");
  CHECK(a.find("") == "d");
  CHECK(a.find("x") == std::nullopt);
  CHECK_THROWS_AS(http_arguments::parse("a=%zz"), http_error);
  CHECK_THROWS_AS(http_arguments::parse("a&b&c", 2), http_error);
}

TEST_CASE("a form is read; what is none is refused") {
  const http_handler h = [](http_request r) -> http_reply {
    return read_form(r, 20).add_callback([](http_arguments a) {
      return http_response{200, std::string{a.find("name").value_or("nobody")}};
    });
  };
  const auto post = [&](const std::string& type, const std::string& body) {
    http_exchange t{h};
    t.deliver("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: " + type
              + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return t.sent().substr(9, 3) + body_of(t.sent()).substr(0, 8);
  };
  CHECK(post("application/x-www-form-urlencoded; charset=utf-8", "name=a+b") == "200a b");
  CHECK(post("text/plain", "name=a+b").starts_with("415"));
  CHECK(post("application/x-www-form-urlencoded", "name=%").starts_with("400"));
  CHECK(post("application/x-www-form-urlencoded", std::string(21, 'x')).starts_with("413"));
}

TEST_CASE("events are framed, kept alive, and end with the client or when it does not read") {
  std::vector<http_event_stream> streams;
  const http_handler h = [&](http_request r) {
    streams.emplace_back(r, http_event_stream_options{.retry = 500, .max_waiting = 1000});
    return streams.back().response();
  };
  const auto pump = [](http_exchange& t) {
    if (auto* const p = t.transport.registered_producer())
      t.enter([p] { p->resume_producing(); });
  };
  {
    http_exchange t{h};
    t.deliver("GET / HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 41\r\n\r\n");
    auto& s = streams.back();
    CHECK(s.last_event_id() == "41");
    CHECK(t.sent().find("Content-Type: text/event-stream\r\n") != std::string::npos);
    pump(t);
    CHECK(body_of(t.take()) == "c\r\nretry: 500\n\n\r\n");
    pump(t);
    t.enter([&] { CHECK(s.send("one\r\ntwo\nthree\r", "talk", "42")); });
    CHECK(t.take()
          == "3b\r\nevent: talk\nid: 42\ndata: one\ndata: two\ndata: three\ndata: \n\n\r\n");
    pump(t);
    t.advance(15s);
    CHECK(t.take() == "3\r\n:\n\n\r\n");
    CHECK_THROWS_AS(s.send("x", "a\nb"), std::invalid_argument);
    pump(t);
    t.enter([&] { s.close(); });
    CHECK(t.take() == "0\r\n\r\n");
    CHECK_FALSE(s.send("late"));
  }
  {
    http_exchange t{h};
    t.deliver("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    auto& s = streams.back();
    testing::logged_errors errors{t.rt};
    t.enter([&] {
      while (s.send(std::string(100, 'x'))) {
      }
    });
    pump(t);
    CHECK(t.transport.aborting());
    CHECK(errors.flush().size() == 1);
  }
  {
    http_exchange t{h};
    t.deliver("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    t.lose();
    CHECK_FALSE(streams.back().send("x"));
  }
}

TEST_CASE("only who has the password, or the token, gets through") {
  const http_handler inner = [](http_request) {
    return http_response{200, "inside"};
  };
  const auto basic = require_basic(
    "a \"realm\"",
    [](std::string user, std::string password) {
      return succeed(equal_in_constant_time(user, "ann")
                     && equal_in_constant_time(password, "se:cret"));
    },
    inner);
  const auto refused = ask(basic, "");
  CHECK(refused.substr(9, 3) == "401");
  CHECK(refused.find("WWW-Authenticate: Basic realm=\"a \\\"realm\\\"\", charset=\"UTF-8\"\r\n")
        != std::string::npos);
  CHECK(body_of(ask(basic, "Authorization: basic YW5uOnNlOmNyZXQ=\r\n")) == "inside");
  for (const std::string value : {"Basic YW5uOng=", "Basic", "Basic ", "Basic %%%%", "Basic YW5u",
                                  "Bearer YW5uOnNlOmNyZXQ=", "Basic YW5uOnNlOmNyZXQ"})
    CHECK(ask(basic, "Authorization: " + value + "\r\n").substr(9, 3) == "401");
  const auto bearer = require_bearer(
    "api", [](std::string token) { return succeed(equal_in_constant_time(token, "t0ken")); },
    inner);
  CHECK(body_of(ask(bearer, "Authorization: Bearer t0ken\r\n")) == "inside");
  CHECK(ask(bearer, "Authorization: Bearer token\r\n").substr(9, 3) == "401");
}

TEST_CASE("pages of allowed origins may read the answers") {
  const http_handler inner = [](http_request) {
    return http_response{200, "inside"};
  };
  const auto some =
    allow_origins({.origins = {"https://a"}, .methods = {"PUT"}, .credentials = true}, inner);
  auto got = ask(some, "Origin: https://a\r\n");
  CHECK(got.find("Access-Control-Allow-Origin: https://a\r\n") != std::string::npos);
  CHECK(got.find("Access-Control-Allow-Credentials: true\r\n") != std::string::npos);
  CHECK(got.find("Vary: Origin\r\n") != std::string::npos);
  got = ask(some, "Origin: https://b\r\n");
  CHECK(got.find("Access-Control") == std::string::npos);
  CHECK(got.find("Vary: Origin\r\n") != std::string::npos);
  got = ask(some, "Origin: https://a\r\nAccess-Control-Request-Method: PUT\r\n", "OPTIONS");
  CHECK(got.substr(9, 3) == "204");
  CHECK(got.find("Access-Control-Allow-Methods: PUT\r\n") != std::string::npos);
  CHECK(got.find("Access-Control-Max-Age: 600\r\n") != std::string::npos);
  CHECK(ask(allow_origins({.origins = {"*"}}, inner), "Origin: x\r\n")
          .find("Access-Control-Allow-Origin: *\r\n")
        != std::string::npos);
  CHECK_THROWS_AS(allow_origins({.origins = {"*"}, .credentials = true}, inner),
                  std::invalid_argument);
}

TEST_CASE("only named proxies are believed where a request comes from") {
  const trusted_proxies proxies{{"10.0.0.0/8", "::1"}};
  const auto client = [&](const std::string& peer, const std::string& fields) {
    std::string found;
    ask(
      [&](http_request r) {
        found = proxies.client_of(peer, r.fields());
        return http_response{};
      },
      fields);
    return found;
  };
  CHECK(client("192.0.2.1", "X-Forwarded-For: 1.2.3.4\r\n") == "192.0.2.1");
  CHECK(client("10.1.1.1", "X-Forwarded-For: 1.2.3.4\r\n") == "1.2.3.4");
  CHECK(client("10.1.1.1", "X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.2.2.2\r\n") == "1.2.3.4");
  CHECK(client("::1", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.2.3.4\r\n") == "1.2.3.4");
  CHECK(client("10.1.1.1", "") == "10.1.1.1");
  CHECK(client("10.1.1.1", "X-Forwarded-For: nonsense\r\n") == "10.1.1.1");
  CHECK(client("10.1.1.1", "Forwarded: for=\"[2001:db8::1]:99\";proto=https\r\n") == "2001:db8::1");
  CHECK(
    client("10.1.1.1", "Forwarded: for=1.2.3.4:80, for=10.0.0.9\r\nX-Forwarded-For: 6.6.6.6\r\n")
    == "1.2.3.4");
  CHECK(client("10.1.1.1", "Forwarded: for=_hidden\r\n") == "10.1.1.1");
  CHECK(proxies.has("::ffff:10.3.3.3"));
  CHECK_FALSE(proxies.has("11.0.0.0"));
  for (const std::string bad : {"", "x", "10.0.0.0/33", "::1/129", "10.0.0.0/", "10.0.0.0/8x"})
    CHECK_THROWS_AS(trusted_proxies{{bad}}, std::invalid_argument);
}
