#include <troupe/http2/http2_server.hpp>

#include <troupe/http/http_event_stream.hpp>
#include <troupe/http/http_router.hpp>
#include <troupe/http/http_status.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/testing/logged_errors.hpp>

#include "../http/http_handlers.hpp"
#include "http2_exchange.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::counts;
using testing::http2_exchange;
using testing::later;
using testing::says;

namespace {

// Gives `count` pieces, and counts those that were asked for.
class pieces final : public http_body_source {
public:
  pieces(int count, std::size_t size, int* asked, bool with_trailers = false)
    : left_(count), size_(size), asked_(asked), with_trailers_(with_trailers) {}
  ~pieces() override { *asked_ += 1000; } // so that its end is seen
  deferred<std::string> read() override {
    if (left_-- == 0)
      return succeed(std::string{});
    ++*asked_;
    return succeed(std::string(size_, 'x'));
  }
  std::vector<std::pair<std::string, std::string>> trailers() override {
    if (!with_trailers_)
      return {};
    return {{"X-Sum", "42"}};
  }

private:
  int left_;
  std::size_t size_;
  int* asked_;
  bool with_trailers_;
};

} // namespace

TEST_CASE("a response over HTTP/2 has what it needs, and its body") {
  http2_exchange t{says("Hello, world!")};
  const auto& a = t.get();
  CHECK(a.head
        == std::map<std::string, std::string>{{":status", "200"},
                                              {"date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                                              {"server", "troupe"},
                                              {"content-type", "text/plain; charset=utf-8"},
                                              {"content-length", "13"}});
  CHECK(a.body == "Hello, world!");
  CHECK(a.closed);
  CHECK(a.code == NGHTTP2_NO_ERROR);
  CHECK_FALSE(t.wire.closing());
}

TEST_CASE("the first frame of the server has its settings") {
  testing::http2_wire t{says("x")};
  t.deliver(testing::frames::preface);
  const auto seen = testing::frames::split(t.take());
  REQUIRE(seen.size() >= 1);
  CHECK(seen[0].type == NGHTTP2_SETTINGS);
}

TEST_CASE("a connection that begins in another way is one of HTTP/1.1") {
  const std::string request = "PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (std::size_t cut = 1; cut < request.size(); ++cut) {
    testing::http2_wire t{says("x")};
    t.deliver(request.substr(0, cut));
    t.deliver(request.substr(cut));
    CHECK(t.transport.value().starts_with("HTTP/1.1 200 OK\r\n"));
  }
}

TEST_CASE("a head that stops in the middle of the preface is given up in time") {
  testing::http2_wire t{says("x")};
  t.deliver("PRI * HT");
  t.advance(10s - 1ms);
  CHECK_FALSE(t.closing());
  t.advance(1ms);
  CHECK(t.closing());
  CHECK(t.transport.value().starts_with("HTTP/1.1 408 "));
}

TEST_CASE("a handler sees the same request as over HTTP/1.1") {
  std::string text;
  http2_exchange t{[&](http_request r) {
    text = std::string{r.method()} + ' ' + std::string{r.path()} + ' ' + std::string{r.query()}
           + ' ' + std::string{r.field("Host").value_or("-")} + ' '
           + std::string{r.field("X-Name").value_or("-")} + ' '
           + std::string{r.field("Cookie").value_or("-")} + ' '
           + std::to_string(r.head().major_version()) + ' ' + std::to_string(r.head().has_body());
    return http_response{204};
  }};
  t.get("/a/b?c=d", {{"x-name", "value"}, {"cookie", "one=1"}, {"cookie", "two=2"}});
  CHECK(text == "GET /a/b c=d a value one=1; two=2 2 0");
}

TEST_CASE("fields about a connection are left out, and those of the handler are in small letters") {
  http2_exchange t{[](http_request) {
    return http_response{204}.set("Keep-Alive", "timeout=5").set("X-Name", "Value");
  }};
  const auto& a = t.get();
  CHECK(a.head
        == std::map<std::string, std::string>{{":status", "204"},
                                              {"date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                                              {"server", "troupe"},
                                              {"x-name", "Value"}});
}

TEST_CASE("an answer to HEAD, and 204, end with their head") {
  int asked = 0;
  http2_exchange t{[&](http_request r) {
    if (r.path() == "/none")
      return http_response{204};
    return http_response{}.body(std::make_unique<pieces>(3, 10, &asked));
  }};
  const auto s = t.ask("HEAD", "/");
  t.turn();
  CHECK(t.answers[s].whole);
  CHECK(t.answers[s].body.empty());
  CHECK(asked == 1000); // nothing was, and it is gone
  const auto& none = t.get("/none");
  CHECK(none.whole);
  CHECK(none.head.count("content-length") == 0);
}

TEST_CASE("requests of one connection are answered as they are ready") {
  later l;
  http2_exchange t{l.handler()};
  const auto first = t.ask("GET", "/1");
  const auto second = t.ask("GET", "/2");
  t.turn();
  REQUIRE(l.requests.size() == 2);
  t.wire.enter([&] { l.promises[1].callback(http_response{200, "two"}); });
  t.turn();
  CHECK(t.answers[second].body == "two");
  CHECK_FALSE(t.answers[first].whole);
  t.wire.enter([&] { l.promises[0].errback(http_error{404, "nothing"}); });
  t.turn();
  CHECK(t.answers[first].status() == "404");
  CHECK(t.answers[first].body == "nothing\n");
}

TEST_CASE("an exception of a handler is answered with 500, and the connection goes on") {
  http2_exchange t{[](http_request r) -> http_reply {
    if (r.path() == "/bad")
      throw std::runtime_error("secret");
    return http_response{200, "good"};
  }};
  testing::logged_errors errors{t.wire.rt};
  CHECK(t.get("/bad").status() == "500");
  CHECK(t.get("/bad").body == "Internal Server Error\n");
  CHECK(t.get("/").body == "good");
  CHECK(errors.flush("secret").size() == 2);
}

TEST_CASE("a reset by the client cancels the handler of its stream alone") {
  later l;
  http2_exchange t{l.handler()};
  const auto first = t.ask("GET", "/1");
  const auto second = t.ask("GET", "/2");
  t.turn();
  t.reset(first);
  CHECK(l.cancelled == 1);
  CHECK_FALSE(l.requests[0].connected());
  CHECK(l.requests[1].connected());
  CHECK_THROWS_AS(l.requests[0].actor(), std::logic_error);
  t.wire.enter([&] { l.promises[1].callback(http_response{200, "two"}); });
  t.turn();
  CHECK(t.answers[second].body == "two");
}

TEST_CASE("a handler is not called for what was reset in the same breath") {
  int called = 0;
  http2_exchange t{[&](http_request) {
    ++called;
    return http_response{204};
  }};
  const auto s = t.ask("GET", "/");
  auto out = t.said_by_client();
  nghttp2_submit_rst_stream(t.client, 0, s, NGHTTP2_CANCEL);
  out += t.said_by_client();
  t.wire.deliver(out);
  t.turn();
  CHECK(called == 0);
}

TEST_CASE("the end of the connection cancels all handlers, once") {
  later l;
  http2_exchange t{l.handler()};
  t.ask("GET", "/1");
  t.ask("GET", "/2");
  t.turn();
  t.wire.lose();
  CHECK(l.cancelled == 2);
}

TEST_CASE("a body is read piece by piece, and as a whole up to a limit") {
  http2_exchange t{counts};
  const auto s = t.ask("POST", "/", {}, true);
  t.send(s, std::string(300'000, 'x'), false);
  t.send(s, "yy", true);
  CHECK(t.answers[s].body == "300002");

  http2_exchange u{[](http_request r) -> http_reply {
    return r.read_all(5).add_callback([](std::string body) { return http_response{200, body}; });
  }};
  const auto short_one = u.ask("POST", "/", {}, true);
  u.send(short_one, "12345", true);
  CHECK(u.answers[short_one].body == "12345");
  const auto long_one = u.ask("POST", "/", {}, true);
  u.send(long_one, "123456", false);
  CHECK(u.answers[long_one].status() == "413");
  const auto told = u.ask("POST", "/", {{"content-length", "6"}}, true);
  u.turn();
  CHECK(u.answers[told].status() == "413");
}

TEST_CASE("the trailers of a request are there once its body has ended") {
  std::string sum;
  http2_exchange t{[&](http_request r) -> http_reply {
    return r.read_all().add_callback([&sum, r](std::string) {
      sum = std::string{r.trailers().find("X-Sum").value_or("-")};
      return http_response{204};
    });
  }};
  const auto s = t.ask("POST", "/", {}, true);
  t.send(s, "abc", true, {{"x-sum", "7"}, {"host", "b"}});
  CHECK(t.answers[s].status() == "204");
  CHECK(sum == "7");
}

TEST_CASE("a response has the trailers of its source") {
  int asked = 0;
  http2_exchange t{[&](http_request) {
    return http_response{}.body(std::make_unique<pieces>(2, 3, &asked, true));
  }};
  const auto& a = t.get();
  CHECK(a.body == "xxxxxx");
  CHECK(a.trailers == std::map<std::string, std::string>{{"x-sum", "42"}});
  CHECK(a.whole);
  CHECK(a.code == NGHTTP2_NO_ERROR);
}

TEST_CASE("a client that waits for it is asked to go on, when its body is wanted") {
  later l;
  http2_exchange t{l.handler()};
  const auto s = t.ask("POST", "/", {{"expect", "100-continue"}, {"content-length", "3"}}, true);
  t.turn();
  CHECK(t.answers[s].continues == 0);
  std::string body;
  t.wire.enter([&] { l.requests[0].read_all().add_callback([&](std::string b) { body = b; }); });
  t.turn();
  CHECK(t.answers[s].continues == 1);
  t.send(s, "abc", true);
  CHECK(body == "abc");
}

TEST_CASE("a handler that does not read holds the client's window, and no other stream's") {
  later l;
  http2_exchange t{l.handler(), {}, {.stream_window = 100'000, .connection_window = 1'000'000}};
  const auto s = t.ask("POST", "/", {}, true);
  t.send(s, std::string(300'000, 'x'), false);
  CHECK(t.uploads[s].text.size() >= 200'000);
  CHECK(t.uploads[s].text.size() <= 200'000 + 16'384); // what is in a frame that waits
  const auto other = t.ask("POST", "/", {}, true);
  t.send(other, std::string(50'000, 'y'), true);
  CHECK(t.uploads[other].text.empty());
  // Each read lets as much follow.
  std::size_t got = 0;
  t.wire.enter(
    [&] { l.requests[0].read().add_callback([&](std::string piece) { got = piece.size(); }); });
  t.turn();
  CHECK(got == 65'536);
  CHECK(t.uploads[s].text.size() < 200'000);
}

TEST_CASE("who answers without reading lets the client stop") {
  http2_exchange t{says("enough")};
  const auto s = t.ask("POST", "/", {}, true);
  t.send(s, "begun", false);
  CHECK(t.answers[s].body == "enough");
  t.send(s, std::string(65'536, 'x'), false);
  CHECK_FALSE(t.answers[s].closed);
  t.send(s, "x", false);
  CHECK(t.answers[s].closed);
  CHECK(t.answers[s].code == NGHTTP2_NO_ERROR);
  CHECK_FALSE(t.wire.closing());
  // A client that sends nothing at all is told so later.
  const auto silent = t.ask("POST", "/", {}, true);
  t.turn();
  CHECK(t.answers[silent].whole);
  t.wire.advance(30s);
  t.turn();
  CHECK(t.answers[silent].closed);
}

TEST_CASE("a client that does not read holds the source of its response") {
  int asked = 0;
  http2_exchange t{[&](http_request) {
    return http_response{}.body(std::make_unique<pieces>(1000, 10'000, &asked));
  }};
  const auto s = t.ask("GET", "/");
  t.turn();
  CHECK(asked == 7); // 65,535 bytes is the window
  t.read(s, 65'535);
  CHECK(asked == 14);
  t.reset(s);
  CHECK(asked == 1014); // it is gone
}

TEST_CASE("a large response does not hold a small one up") {
  http2_exchange t{[](http_request r) {
    return http_response{200, std::string(r.path() == "/large" ? 60'000 : 100, 'x')};
  }};
  const auto large = t.ask("GET", "/large");
  const auto small = t.ask("GET", "/small");
  t.turn();
  CHECK(t.answers[large].body.size() == 60'000);
  CHECK(t.answers[small].whole);
  const auto first = t.order.find(std::to_string(small) + ' ');
  REQUIRE(first != std::string::npos);
  CHECK(first <= 4); // behind two frames of the large one, at most
}

TEST_CASE("what a source promised and does not give resets the stream") {
  int asked = 0;
  const auto ask = [&](std::optional<std::uint64_t> size) {
    http2_exchange t{[&](http_request) {
      return http_response{}.body(std::make_unique<pieces>(2, 5, &asked), size);
    }};
    const auto& a = t.get();
    return a.whole && a.code == NGHTTP2_NO_ERROR;
  };
  CHECK(ask({}));
  CHECK(ask(10));
  CHECK_FALSE(ask(11));
  CHECK_FALSE(ask(9));
}

TEST_CASE("an upgrade is to be asked for by HTTP/1.1") {
  struct other final : http_upgraded {
    void taken_over(transport&) override {}
    void data_received(bytes_view) override {}
    void connection_lost(const failure&) override {}
  };
  http2_exchange t{[](http_request) {
    return http_response::upgrade("other", std::make_unique<other>());
  }};
  CHECK(t.get().code == NGHTTP2_HTTP_1_1_REQUIRED);
  CHECK_FALSE(t.wire.closing());
}

TEST_CASE("events go out as they are sent") {
  std::optional<http_event_stream> events;
  http2_exchange t{[&](http_request r) {
    events.emplace(r);
    events->send("one");
    return events->response();
  }};
  const auto s = t.ask("GET", "/");
  t.turn();
  CHECK(t.answers[s].body == "data: one\n\n");
  t.wire.enter([&] { events->send("two"); });
  t.turn();
  CHECK(t.answers[s].body == "data: one\n\ndata: two\n\n");
  t.reset(s);
  CHECK_FALSE(events->open());
}

TEST_CASE("an idle connection is closed after its time, with a goodbye") {
  http2_exchange t{says("x")};
  t.get();
  t.wire.advance(30s - 1ms);
  CHECK_FALSE(t.wire.closing());
  t.wire.advance(1ms);
  CHECK(t.wire.closing());
  t.turn();
  REQUIRE(t.goodbyes.size() == 1);
  CHECK(t.goodbyes[0].second == NGHTTP2_NO_ERROR);
  t.wire.advance(2s);
  CHECK(t.wire.transport.aborting());
}

TEST_CASE("a connection with a request under way is not idle") {
  later l;
  http2_exchange t{l.handler()};
  t.ask("GET", "/");
  t.turn();
  t.wire.advance(10min);
  CHECK_FALSE(t.wire.closing());
  CHECK(l.cancelled == 0);
}

TEST_CASE("a body that comes too slowly is given up") {
  http2_exchange t{counts};
  const auto s = t.ask("POST", "/", {}, true);
  t.send(s, std::string(1200, 'x'), false);
  t.wire.advance(5s);
  t.turn();
  CHECK(t.answers[s].status() == "");
  t.send(s, std::string(1199, 'x'), false);
  t.wire.advance(5s - 1ms);
  t.turn();
  CHECK(t.answers[s].status() == "");
  t.wire.advance(1ms);
  t.turn();
  CHECK(t.answers[s].status() == "408");
  CHECK_FALSE(t.wire.closing());
}

TEST_CASE("bodies and a head that come too slowly may be given up at the same moment") {
  http2_exchange t{counts};
  for (int i = 0; i < 2; ++i)
    t.send(t.ask("POST", "/", {}, true), std::string(1200, 'x'), false);
  t.ask("GET", "/");
  t.wire.deliver(t.said_by_client().substr(0, 12)); // with the first bytes of a head
  t.wire.advance(5s);
  CHECK_FALSE(t.wire.closing());
  t.wire.advance(5s); // the first answer, of a connection that is over, ends all streams
  t.turn();
  REQUIRE(t.goodbyes.size() == 1);
  CHECK(t.goodbyes[0].second == NGHTTP2_PROTOCOL_ERROR);
  CHECK(t.wire.closing());
}

TEST_CASE("a response that its client does not let through is given up") {
  http2_exchange t{says(std::string(100'000, 'x'))};
  const auto s = t.ask("GET", "/");
  t.turn();
  CHECK(t.answers[s].body.size() == 65'535);
  t.wire.advance(30s - 1ms);
  t.turn();
  CHECK_FALSE(t.answers[s].closed);
  t.wire.advance(1ms);
  t.turn();
  CHECK(t.answers[s].closed);
  CHECK(t.answers[s].code == NGHTTP2_CANCEL);
}

TEST_CASE("a server that stops finishes what came before the client has read of it") {
  later l;
  http2_exchange t{l.handler()};
  const auto first = t.ask("GET", "/1");
  t.turn();
  t.wire.enter([&] { t.wire->drain_requested(); });
  const auto second = t.ask("GET", "/2"); // has not heard of it
  t.turn();
  REQUIRE(t.goodbyes.size() == 2);
  CHECK(t.goodbyes[0].first == 0x7fff'ffff);
  CHECK(t.goodbyes[1] == std::pair{second, std::uint32_t{NGHTTP2_NO_ERROR}});
  CHECK_FALSE(t.wire.closing());
  t.wire.enter([&] { l.promises[0].callback(http_response{200, "one"}); });
  t.turn();
  CHECK(t.answers[first].body == "one");
  CHECK_FALSE(t.wire.closing());
  t.wire.enter([&] { l.promises[1].callback(http_response{200, "two"}); });
  t.turn();
  CHECK(t.answers[second].body == "two");
  CHECK(t.wire.closing());
}

TEST_CASE("a client that does not answer the goodbye is not waited for long") {
  http2_exchange t{says("x")};
  t.wire.enter([&] { t.wire->drain_requested(); });
  CHECK_FALSE(t.wire.closing());
  t.wire.advance(1s - 1ms);
  CHECK_FALSE(t.wire.closing());
  t.wire.advance(1ms);
  CHECK(t.wire.closing());
}

TEST_CASE("a client that says goodbye gets its answers, and the connection is closed") {
  later l;
  http2_exchange t{l.handler()};
  const auto s = t.ask("GET", "/");
  t.turn();
  nghttp2_submit_goaway(t.client, 0, 0, NGHTTP2_NO_ERROR, nullptr, 0);
  t.turn();
  CHECK_FALSE(t.wire.closing());
  t.wire.enter([&] { l.promises[0].callback(http_response{200, "one"}); });
  t.turn();
  CHECK(t.answers[s].body == "one");
  CHECK(t.wire.closing());
}

TEST_CASE("more requests than streams are refused, and may be made again") {
  later l;
  testing::http2_wire t{l.handler(), {}, {.max_streams = 2}};
  std::string all = testing::frames::preface + testing::frames::settings();
  for (const std::uint32_t s : {1, 3, 5})
    all += testing::frames::headers(s, testing::frames::head());
  t.deliver(all);
  CHECK(l.requests.size() == 2);
  CHECK(testing::frames::errors(t.take()) == std::vector<std::string>{"RST 5 REFUSED_STREAM"});
  // A client that has said that it knows better is wrong.
  t.deliver(testing::frames::frame(NGHTTP2_SETTINGS, 1, 0)
            + testing::frames::headers(7, testing::frames::head()));
  CHECK(testing::frames::errors(t.take()) == std::vector<std::string>{"GOAWAY PROTOCOL_ERROR"});
}

TEST_CASE("the access log has what became of each request") {
  std::vector<std::string> lines;
  http_server_options options;
  options.access_log = [&](const http_access& a) {
    lines.push_back(combined_log_line(a) + (a.complete ? "" : " (not whole)"));
  };
  later l;
  http2_exchange t{l.handler(), options};
  const auto s = t.ask("GET", "/a", {{"user-agent", "me"}});
  t.turn();
  t.wire.enter([&] { l.promises[0].callback(http_response{200, "12345"}); });
  t.turn();
  const auto gone = t.ask("GET", "/b");
  t.turn();
  t.reset(gone);
  CHECK(t.answers[s].whole);
  CHECK(
    lines
    == std::vector<std::string>{
      R"(192.168.1.1 - - [06/Nov/1994:08:49:37 +0000] "GET /a HTTP/2.0" 200 5 "-" "me")",
      R"(192.168.1.1 - - [06/Nov/1994:08:49:37 +0000] "GET /b HTTP/2.0" 0 - "-" "-" (not whole))"});
}

TEST_CASE("options that make no sense are refused") {
  CHECK_THROWS_AS(http2_server(says("x"), {}, {.max_streams = 0}), std::invalid_argument);
  CHECK_THROWS_AS(http2_server(says("x"), {}, {.stream_window = 2'000'000}), std::invalid_argument);
  CHECK_THROWS_AS(http2_server(says("x"), {}, {.connection_window = 0x8000'0000}),
                  std::invalid_argument);
}
