#include <troupe/http/http_server.hpp>

#include <troupe/http/http_status.hpp>
#include <troupe/http/http_text.hpp>
#include <troupe/net/builder.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/testing/logged_errors.hpp>
#include <troupe/testing/memory_network.hpp>

#include "http_exchange.hpp"
#include "http_handlers.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::counts;
using testing::http_exchange;
using testing::later;
using testing::says;

namespace {

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

std::string body_of(const std::string& response) {
  return response.substr(response.find("\r\n\r\n") + 4);
}

class numbers final : public http_body_source {
public:
  explicit numbers(int count) : left_(count) {}
  deferred<std::string> read() override {
    return succeed(left_-- > 0 ? std::to_string(left_) + "\n" : std::string{});
  }

private:
  int left_;
};

} // namespace

TEST_CASE("a response has what it needs, and its body") {
  http_exchange t{says("Hello, world!")};
  t.deliver(get);
  CHECK(t.sent()
        == "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: troupe\r\n"
           "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\nHello, world!");
  CHECK(t.transport.writes() == 1);
  CHECK_FALSE(t.closing());
}

TEST_CASE("the answer to HEAD has the length, and no body") {
  http_exchange t{says("Hello, world!")};
  t.deliver("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(t.sent().find("Content-Length: 13\r\n") != std::string::npos);
  CHECK(body_of(t.sent()) == "");
}

TEST_CASE("a connection is kept as the versions of HTTP say") {
  const auto closes = [](const std::string& head) {
    http_exchange t{says("x")};
    t.deliver(head);
    CHECK(t.sent().find(t.closing() ? "Connection: close\r\n" : "HTTP/1.1 200")
          != std::string::npos);
    return t.closing();
  };
  CHECK_FALSE(closes("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  CHECK(closes("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  CHECK(closes("GET / HTTP/1.0\r\n\r\n"));
  CHECK_FALSE(closes("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
}

TEST_CASE("pipelined requests are answered in order, one at a time") {
  later l;
  http_exchange t{l.handler()};
  t.deliver(get + get + get);
  REQUIRE(l.requests.size() == 1);
  t.enter([&] { l.promises[0].callback(http_response{200, "one"}); });
  REQUIRE(l.requests.size() == 2);
  CHECK(body_of(t.take()) == "one");
  t.enter([&] { l.promises[1].callback(http_response{200, "two"}); });
  CHECK(body_of(t.take()) == "two");
  t.enter([&] { l.promises[2].callback(http_response{200, "three"}); });
  CHECK(body_of(t.take()) == "three");
}

TEST_CASE("what follows a request that is handled is taken in up to 16 KiB") {
  later l;
  http_exchange t{l.handler()};
  t.deliver(get);
  std::string more;
  while (more.size() < 16 * 1024)
    more += get;
  t.deliver(more.substr(0, 16 * 1024 - 1));
  CHECK(t.transport.producer_state() == testing::producer_state::producing);
  t.deliver("x");
  CHECK(t.transport.producer_state() == testing::producer_state::paused);
}

TEST_CASE("when the client goes, the handler is cancelled, once") {
  later l;
  http_exchange t{l.handler()};
  t.deliver(get);
  CHECK(l.requests[0].connected());
  t.lose();
  CHECK(l.cancelled == 1);
  CHECK_FALSE(l.requests[0].connected());
  CHECK(l.requests[0].path() == "/");
  CHECK_THROWS_AS(l.requests[0].actor(), std::logic_error);
}

TEST_CASE("a body is read as a whole, up to a limit") {
  const auto handler = [](http_request r) -> http_reply {
    return r.read_all(5).add_callback([](std::string body) { return http_response{200, body}; });
  };
  const auto answer = [&](const std::string& rest) {
    http_exchange t{handler};
    t.deliver_in_pieces("POST / HTTP/1.1\r\nHost: a\r\n" + rest, 3);
    return t.statuses();
  };
  CHECK(answer("Content-Length: 5\r\n\r\nabcde") == std::vector{200});
  CHECK(answer("Content-Length: 6\r\n\r\nabcdef") == std::vector{413});
  CHECK(answer("Content-Length: 6\r\n\r\n") == std::vector{413});
  CHECK(answer("Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n") == std::vector{200});
  CHECK(answer("Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n") == std::vector{413});
}

TEST_CASE("a coroutine reads a body piece by piece") {
  http_exchange t{counts};
  t.deliver("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
  for (int i = 0; i < 200; ++i)
    t.deliver(std::string(1000, 'x'));
  CHECK(body_of(t.sent()) == "200000");
}

TEST_CASE("a body that nobody reads waits, and reading pauses") {
  later l;
  http_exchange t{l.handler()};
  t.deliver("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  std::size_t taken = 0;
  while (t.transport.producer_state() == testing::producer_state::producing && taken < 1'000'000) {
    t.deliver(std::string(10'000, 'x'));
    taken += 10'000;
  }
  CHECK(taken < 100'000);
  std::size_t read = 0;
  t.enter(
    [&] { l.requests[0].read().add_callback([&](std::string piece) { read = piece.size(); }); });
  CHECK(read == 65'536);
  CHECK(t.transport.producer_state() == testing::producer_state::producing);
}

TEST_CASE("a body of which the last bytes filled what may wait ends all the same") {
  for (const std::size_t size : {64UL * 1024, 100'000UL}) {
    later l;
    http_exchange t{l.handler()};
    t.deliver("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n"
              + std::string(size, 'x'));
    std::size_t read = 0;
    bool ended = false;
    for (int i = 0; i < 3 && !ended; ++i)
      t.enter([&] {
        l.requests[0].read().add_callback([&](std::string piece) {
          read += piece.size();
          ended = piece.empty();
        });
      });
    CHECK(read == size);
    CHECK(ended);
  }
}

TEST_CASE("a read of the body that is cancelled leaves what comes to the next one") {
  later l;
  http_exchange t{l.handler()};
  t.deliver("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n");
  std::string whole;
  t.enter([&] {
    auto first = l.requests[0].read();
    first.cancel();
    std::move(first).add_errback([](const failure&) {});
    l.requests[0].read_all(10).add_callback([&](std::string body) { whole = std::move(body); });
  });
  t.deliver("abc");
  t.deliver("def");
  CHECK(whole == "abcdef");
}

TEST_CASE("100 Continue is sent when the body is wanted, and not before an error") {
  const std::string head =
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
  {
    http_exchange t{testing::table_handler()};
    t.deliver(head);
    CHECK(t.take() == "HTTP/1.1 100 Continue\r\n\r\n");
    t.deliver("abc");
    CHECK(t.statuses() == std::vector{200});
    CHECK_FALSE(t.closing());
  }
  {
    http_exchange t{says("no body wanted")};
    t.deliver(head);
    CHECK(t.statuses() == std::vector{200});
    CHECK(t.sent().find("Connection: close\r\n") != std::string::npos);
    CHECK(t.closing());
  }
}

TEST_CASE("a body that nobody wanted is passed over up to 64 KiB, to keep the connection") {
  const auto kept = [](std::size_t size) {
    http_exchange t{says("thanks")};
    t.deliver("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
    for (std::size_t sent = 0; sent < size && !t.transport.disconnecting(); sent += 1024)
      t.deliver(std::string(std::min<std::size_t>(1024, size - sent), 'x'));
    if (!t.closing())
      t.deliver(get);
    return t.statuses().size() == 2;
  };
  CHECK(kept(0));
  CHECK(kept(64 * 1024));
  CHECK_FALSE(kept(64 * 1024 + 1));
}

TEST_CASE("a handler's exception is 500 and logged; an http_error is what it says") {
  http_exchange t{[](http_request r) -> http_response {
    if (r.path() == "/mine")
      throw std::runtime_error("secret");
    throw http_error{409, "There is one."};
  }};
  testing::logged_errors errors{t.rt};
  t.deliver("GET /theirs HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(t.statuses() == std::vector{409});
  CHECK(body_of(t.take()) == "There is one.\n");
  CHECK(errors.flush().empty());
  t.deliver("GET /mine HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(t.statuses() == std::vector{500});
  CHECK(t.sent().find("secret") == std::string::npos);
  CHECK(errors.flush().size() == 1);
}

TEST_CASE("a source without a known size is sent in chunks, or up to the end of the connection") {
  const auto handler = [](http_request) {
    return http_response{}.body(std::make_unique<numbers>(3));
  };
  {
    http_exchange t{handler};
    t.deliver(get);
    while (auto* const p = t.transport.registered_producer())
      t.enter([p] { p->resume_producing(); });
    CHECK(t.sent().find("Transfer-Encoding: chunked\r\n") != std::string::npos);
    CHECK(body_of(t.sent()) == "2\r\n2\n\r\n2\r\n1\n\r\n2\r\n0\n\r\n0\r\n\r\n");
    CHECK_FALSE(t.closing());
  }
  {
    http_exchange t{handler};
    t.deliver("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    while (auto* const p = t.transport.registered_producer())
      t.enter([p] { p->resume_producing(); });
    CHECK(body_of(t.sent()) == "2\n1\n0\n");
    CHECK(t.closing());
  }
}

TEST_CASE("a source that gives less, or more, than it promised aborts the connection") {
  for (const std::uint64_t promised : {5, 7}) {
    http_exchange t{[promised](http_request) {
      return http_response{}.body(std::make_unique<numbers>(3), promised);
    }};
    t.deliver(get);
    for (auto* p = t.transport.registered_producer(); p != nullptr && !t.transport.aborting();)
      t.enter([p] { p->resume_producing(); });
    CHECK(t.transport.aborting());
  }
}

TEST_CASE("a head that takes too long is 408; without a byte the connection just ends") {
  {
    http_exchange t{says("x")};
    t.deliver("GET / HTTP/1.1\r\n");
    t.advance(9s);
    t.deliver("X: y\r\n");
    t.advance(999ms);
    CHECK(t.statuses().empty());
    t.advance(2ms);
    CHECK(t.statuses() == std::vector{408});
  }
  {
    http_exchange t{says("x")};
    t.advance(29s + 999ms);
    CHECK_FALSE(t.closing());
    t.advance(2ms);
    CHECK(t.closing());
    CHECK(t.sent().empty());
  }
}

TEST_CASE("an idle connection is closed when it has been silent, not before") {
  http_exchange t{says("x")};
  t.deliver(get);
  t.advance(20s);
  t.deliver(get);
  t.advance(29s + 999ms);
  CHECK_FALSE(t.closing());
  t.advance(2ms);
  CHECK(t.closing());
}

TEST_CASE("a body that comes too slowly is 408") {
  http_exchange t{testing::table_handler()};
  t.deliver("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  t.deliver(std::string(1200, 'x'));
  t.advance(5s + 1ms);
  CHECK(t.statuses().empty());
  t.deliver(std::string(1199, 'x'));
  t.advance(5s + 1ms);
  CHECK(t.statuses() == std::vector{408});
  CHECK(t.closing());
}

TEST_CASE("when the runtime stops, an idle connection ends, and a busy one after its response") {
  {
    http_exchange t{says("x")};
    t.deliver(get);
    t.rt.stop();
    CHECK(t.closing());
  }
  {
    later l;
    http_exchange t{l.handler()};
    t.deliver(get);
    t.rt.stop();
    CHECK_FALSE(t.closing());
    t.enter([&] { l.promises[0].callback(http_response{200, "done"}); });
    CHECK(t.sent().find("Connection: close\r\n") != std::string::npos);
    CHECK(t.closing());
  }
}

TEST_CASE("after 101 all that comes is the other protocol's") {
  struct echo final : http_upgraded {
    void taken_over(transport& t) override { out = &t; }
    void data_received(bytes_view data) override { out->write(data); }
    void connection_lost(const failure&) override { out = nullptr; }
    transport* out = nullptr;
  };
  http_exchange t{[](http_request r) {
    CHECK(r.head().offers_upgrade());
    return http_response::upgrade("echo", std::make_unique<echo>());
  }};
  t.deliver(
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\nfirst");
  CHECK(t.sent().find("101 Switching Protocols\r\n") != std::string::npos);
  CHECK(t.sent().find("Upgrade: echo\r\nConnection: Upgrade\r\n\r\nfirst") != std::string::npos);
  t.transport.clear();
  t.deliver("second");
  CHECK(t.sent() == "second");
}

TEST_CASE(
  "after 101 a successor has the connection, and where it cannot be given away it is taken over") {
  struct line final : protocol {
    explicit line(caf::actor_config& cfg, std::string* heard) : protocol(cfg), heard(*heard) {}
    void connection_made() override { heard += "made "; }
    void data_received(bytes_view data) override { heard += as_text(data); }
    void connection_lost(const failure&) override { heard += " lost"; }
    std::string& heard;
  };
  struct to_line final : http_upgraded {
    to_line(protocol& c, std::string* heard) : carrier(c), heard(heard) {}
    protocol_ptr successor() override {
      return protocol_ptr{build<line>(heard)(carrier.system(), carrier.loop())};
    }
    void taken_over(transport&) override { *heard += "taken over "; }
    void data_received(bytes_view data) override { *heard += as_text(data); }
    void connection_lost(const failure&) override {}
    protocol& carrier;
    std::string* heard;
  };
  std::string heard;
  const auto handler = [&](http_request r) {
    return http_response::upgrade("line", std::make_unique<to_line>(r.actor(), &heard));
  };
  const std::string asks =
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: line\r\n\r\n";
  {
    testing::memory_network net;
    const auto server = http_server(handler);
    net.listen(80, server);
    auto& c = net.connect<protocol>(80);
    net.enter(c, [&] { c.transport().write(asks + "first "); });
    net.flush();
    net.enter(c, [&] { c.transport().write("second"); });
    net.flush();
    CHECK(heard == "made first second");
    CHECK(server.get()->connections() == 1);
    net.enter(c, [&] { c.transport().lose_connection(); });
    net.flush();
    CHECK(heard == "made first second lost");
    CHECK(server.get()->connections() == 0);
  }
  heard.clear();
  http_exchange t{handler};
  t.deliver(asks + "first ");
  t.deliver("second");
  CHECK(heard == "taken over first second");
}

TEST_CASE(
  "connections between two requests share what requests are kept in, and nothing that was in it") {
  const auto echo = [](http_request r) -> http_reply {
    const auto all = std::string{r.field("X").value_or("none")};
    return r.read_all().add_callback([r, all](std::string body) {
      return http_response{200, all + ' ' + body};
    });
  };
  http_exchange a{echo};
  http_exchange b{echo};
  const auto text_of = [](http_exchange& t) {
    const auto all = t.take();
    return all.substr(all.rfind("\r\n\r\n") + 4);
  };
  a.deliver("POST /long/path HTTP/1.1\r\nHost: a\r\nX: one\r\nContent-Length: 3\r\n\r\nab");
  b.deliver("GET / HTTP/1.1\r\nHo");
  a.deliver("c");
  CHECK(text_of(a) == "one abc");
  a.deliver("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(text_of(a) == "none ");
  b.deliver("st: b\r\nX: two\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\nGET");
  CHECK(text_of(b) == "none ");
  a.deliver("nonsense\r\n\r\n");
  CHECK(a.take().find(" 400 ") != std::string::npos);
  b.deliver(" / HTTP/1.1\r\nHost: b\r\nX: three\r\n\r\n");
  CHECK(text_of(b) == "three ");
}

TEST_CASE("a body with a length has no trailers, also behind one in chunks that has some") {
  http_exchange t{[](http_request r) -> http_reply {
    return r.read_all().add_callback([r](std::string body) {
      return http_response{200,
                           body + ' ' + std::string{r.trailers().find("X").value_or("none")} + ';'};
    });
  }};
  t.deliver(
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: 1\r\n\r\n"
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nb");
  CHECK(t.sent().find("a 1;") != std::string::npos);
  CHECK(t.sent().find("b none;") != std::string::npos);
}

TEST_CASE("each response is told to the access log, in one line that nobody can break") {
  std::vector<std::string> lines;
  http_server_options options;
  options.access_log = [&](const http_access& a) {
    lines.push_back(combined_log_line(a));
  };
  http_exchange t{says("Hello, world!"), options};
  t.deliver("GET /a\"b HTTP/1.1\r\nHost: a\r\nUser-Agent: x\\\"\xff\r\n\r\n");
  t.deliver("nonsense\r\n\r\n");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0]
        == "192.168.1.1 - - [06/Nov/1994:08:49:37 +0000] \"GET /a\\x22b HTTP/1.1\" 200 13 \"-\" "
           "\"x\\x5C\\x22\\xFF\"");
  CHECK(lines[1].find("\"-\" 400 ") != std::string::npos);
}

TEST_CASE("a field that would split a response is refused") {
  http_response r;
  CHECK_THROWS_AS(r.set("X", "a\r\nSet-Cookie: b"), std::invalid_argument);
  CHECK_THROWS_AS(r.set("X: y", "z"), std::invalid_argument);
  CHECK_THROWS_AS(r.set("Content-Length", "1"), std::invalid_argument);
  CHECK_THROWS_AS(http_response::redirect("/a\r\nb"), std::invalid_argument);
  r.set("Vary", "a").add_to_list("Vary", "b").add_to_list("vary", "A");
  CHECK(r.field("VARY") == "a, b");
}
