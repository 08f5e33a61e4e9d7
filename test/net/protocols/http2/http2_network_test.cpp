// Connections with buffers of their own: what a client does not take is not made.

#include <troupe/http2/http2_server.hpp>
#include <troupe/testing/memory_network.hpp>

#include "http2_exchange.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using namespace testing::frames;

namespace {

class client final : public protocol {
public:
  using protocol::protocol;
  void data_received(bytes_view data) override { heard += as_text(data); }
  void connection_lost(const failure& why) override { ended = why.message(); }
  void say(std::string_view text) { transport().write(text); }
  void read(bool yes) { yes ? transport().resume_producing() : transport().pause_producing(); }

  std::string heard;
  std::string ended;
};

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

// Windows that never close.
const std::string wide = preface + settings(number(4, 2) + number(0x7fff'ffff, 4))
                         + frame(NGHTTP2_WINDOW_UPDATE, 0, 0, number(0x7fff'0000, 4));

std::size_t data_bytes(std::string_view text) {
  std::size_t size = 0;
  for (const auto& f : split(text))
    size += f.type == NGHTTP2_DATA ? f.payload.size() : 0;
  return size;
}

} // namespace

TEST_CASE("a client that reads nothing holds the source of its response, and is given up in time") {
  int asked = 0;
  testing::memory_network net;
  net.listen(8080, http2_server([&](http_request) {
               return http_response{}.body(std::make_unique<endless>(&asked));
             }));
  auto& c = net.connect<client>(8080);
  net.enter(c, [&] {
    c.say(wide + headers(1, head()));
    c.read(false);
  });
  net.flush();
  // 64 KiB are on the way; as much, and a frame, is unsent; and a piece waits.
  CHECK(asked >= 7);
  CHECK(asked <= 25);
  const auto before = asked;
  net.enter(c, [&] { c.read(true); });
  for (int i = 0; i < 50; ++i)
    net.pump();
  CHECK(asked > before);
  net.enter(c, [&] { c.read(false); });
  net.flush();
  const auto held = asked;
  net.advance(29s);
  CHECK(asked == held);
  CHECK(c.connected());
  net.advance(1s); // it has taken something since it began to be slow
  net.advance(30s - 1ms);
  CHECK(asked == held);
  net.advance(1ms);
  CHECK(asked == held + 1'000'000);
}

TEST_CASE("a port serves both versions, and lets both finish when it drains") {
  std::vector<promise<http_response>> begun;
  testing::memory_network net;
  const auto server = http2_server([&](http_request r) -> http_reply {
    if (r.path() == "/later")
      return begun.emplace_back().get_deferred();
    return http_response{200, "now"};
  });
  net.listen(8080, server);
  auto& two = net.connect<client>(8080);
  auto& one = net.connect<client>(8080);
  auto& idle = net.connect<client>(8080);
  net.enter(two, [&] { two.say(wide + headers(1, head("GET", "/later"))); });
  net.enter(one, [&] { one.say("GET /later HTTP/1.1\r\nHost: a\r\n\r\n"); });
  net.enter(idle, [&] { idle.say(wide + headers(1, head())); });
  net.flush();
  REQUIRE(begun.size() == 2);
  CHECK(data_bytes(idle.heard) == 3);

  bool drained = false;
  net.rt.in_turn([&] { server.get()->drain().add_callback([&] { drained = true; }); });
  net.flush();
  const std::string goodbye = "GOAWAY NO_ERROR";
  CHECK(errors(idle.heard) == std::vector{goodbye});
  net.enter(idle, [&] { idle.say(frame(NGHTTP2_PING, 1, 0, std::string(8, '\0'))); });
  net.advance(1s); // the other one does not answer
  CHECK(errors(idle.heard) == std::vector{goodbye, goodbye});
  CHECK(errors(two.heard) == std::vector{goodbye, goodbye});
  CHECK(two.connected());
  CHECK_FALSE(drained);
  net.rt.in_turn([&] {
    for (auto& p : begun)
      p.callback(http_response{200, "later"});
  });
  net.flush();
  CHECK(data_bytes(two.heard) == 5);
  CHECK(one.heard.ends_with("later"));
  net.advance(2s);
  CHECK(drained);
}

TEST_CASE("a client that takes all at once does not take the loop from others") {
  testing::http2_wire t{[](http_request) {
    return http_response{200, std::string(3'000'000, 'x')};
  }};
  t.deliver(wide + headers(1, head()));
  CHECK(data_bytes(t.transport.value()) > 900'000);
  CHECK(data_bytes(t.transport.value()) < 1'200'000);
  for (int turn = 0; turn < 3; ++turn)
    t.advance(0s);
  CHECK(data_bytes(t.transport.value()) == 3'000'000);
}

TEST_CASE("a large response is whole, whatever the buffers on its way") {
  std::string body;
  for (int i = 0; body.size() < 300'000; ++i)
    body += std::to_string(i) + ' ';
  for (const std::size_t buffer : {1000, 10'000, 65'536}) {
    testing::memory_network net;
    testing::memory_options options;
    options.buffer = buffer;
    net.listen(8080, http2_server([&](http_request) { return http_response{200, body}; }), options);
    auto& c = net.connect<client>(8080);
    net.enter(c, [&] { c.say(wide + headers(1, head()) + headers(3, head())); });
    net.flush();
    std::string first;
    std::string second;
    for (const auto& f : split(c.heard))
      if (f.type == NGHTTP2_DATA)
        (f.stream == 1 ? first : second) += f.payload;
    CHECK(first == body);
    CHECK(second == body);
  }
}
