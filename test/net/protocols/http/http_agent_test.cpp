#include <troupe/http/http_agent.hpp>

#include <zlib.h>

#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>

#include "http_agent_fixture.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::agent_fixture;

namespace {

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

std::string gzip(std::string_view text) {
  z_stream z{};
  REQUIRE(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&z, text.size()) + 32, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

std::string packed_response(const std::string& packed) {
  return "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: "
         + std::to_string(packed.size()) + "\r\n\r\n" + packed;
}

std::string redirect(int status, std::string_view to) {
  return "HTTP/1.1 " + std::to_string(status)
         + " x\r\nContent-Length: 0\r\nLocation: " + std::string{to} + "\r\n\r\n";
}

class pieces final : public http_body_source {
public:
  explicit pieces(std::vector<std::string> all) : all_(std::move(all)) {}
  deferred<std::string> read() override {
    if (at_ == all_.size())
      return succeed(std::string{});
    if (all_[at_] == "fail")
      return fail<std::string>({errc::exception, "the disk is gone"});
    return succeed(std::string{all_[at_++]});
  }

private:
  std::vector<std::string> all_;
  std::size_t at_ = 0;
};

} // namespace

TEST_CASE("a request says what it must, and its response arrives") {
  agent_fixture t;
  agent_fixture::result got;
  t.get("http://example.org/a?b#c", got);
  CHECK(t.heard()
        == "GET /a?b HTTP/1.1\r\nHost: example.org\r\nUser-Agent: troupe\r\n"
           "Accept-Encoding: gzip\r\n\r\n");
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
