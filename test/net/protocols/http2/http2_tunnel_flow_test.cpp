// Streams that are taken over: how fast they are written to, and read.

#include <troupe/http2/http2_server.hpp>
#include <troupe/testing/logged_errors.hpp>

#include "../http/http_handlers.hpp"
#include "http2_tunnel_probe.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::frames;
using namespace troupe::testing::tunnels;
using namespace std::chrono_literals;

TEST_CASE("a stream is written to at the end of a turn") {
  probe p;
  http2_exchange t{takes(p)};
  const auto s = open_tunnel(t);
  const auto writes = t.wire.transport.writes();
  t.wire.rt.in_turn([&] { // not in the connection's actor: that of the stream may be another one
    p.stream->write("a");
    p.stream->write("b");
    CHECK(p.stream->unsent() == 2);
    CHECK(t.wire.transport.writes() == writes);
  });
  CHECK(t.wire.transport.writes() == writes + 1);
  t.turn();
  CHECK(t.answers[s].body == "ab");
}

TEST_CASE("the client's window holds a producer that pushes") {
  probe p;
  source from;
  http2_exchange t{takes(p), {}, {}, window(1000)};
  const auto s = open_tunnel(t);
  t.wire.enter([&] {
    p.stream->set_output_limits({.high = 2000, .low = 500});
    p.stream->register_producer(from, true);
    p.stream->write(std::string(2000, 'y'));
    CHECK(from.pauses == 0);
    p.stream->write("y");
    CHECK(from.pauses == 1);
  });
  t.turn();
  CHECK(p.stream->unsent() == 1001);
  CHECK(from.resumes == 0);
  t.read(s, 500);
  CHECK(p.stream->unsent() == 501);
  CHECK(from.resumes == 0);
  t.read(s, 500);
  CHECK(p.stream->unsent() <= 500);
  CHECK(from.resumes == 1);
}

TEST_CASE("a producer that is asked gives as much as the client takes") {
  probe p;
  source from;
  http2_exchange t{takes(p), {}, {}, window(1000)};
  const auto s = open_tunnel(t);
  from.resumed = [&] {
    p.stream->write(std::string(300, 'y'));
  };
  t.wire.enter([&] { p.stream->register_producer(from, false); });
  t.turn();
  CHECK(t.answers[s].body.size() == 1000);
  CHECK(from.resumes == 4);
  t.read(s, 1000);
  CHECK(t.answers[s].body.size() == 2000);
  // A stream that is closed ends behind the producer's last piece.
  t.wire.enter([&] { p.stream->lose_connection(); });
  t.read(s, 1000);
  CHECK_FALSE(t.answers[s].whole);
  t.wire.enter([&] { p.stream->unregister_producer(); });
  t.read(s, 1000);
  CHECK(t.answers[s].whole);
  CHECK(t.answers[s].body.size() == from.resumes * 300U);
  CHECK(p.reason.check(errc::connection_done));
}

TEST_CASE("a client that takes nothing ends its stream at the limit, or loses what is beyond") {
  probe p;
  http2_exchange t{takes(p), {}, {}, window(10)};
  const auto s = open_tunnel(t);
  t.wire.enter([&] {
    p.stream->set_output_limits({.hard = 1000});
    p.stream->write(std::string(1010, 'y')); // of which 10 can be sent at once
    p.stream->write("y");
    CHECK(p.stream->refused_writes() == 1);
  });
  CHECK(p.reason.check(errc::output_limit_reached));
  t.turn();
  CHECK(t.answers[s].code == NGHTTP2_CANCEL);

  const auto other = open_tunnel(t);
  t.wire.enter([&] {
    p.stream->set_output_limits({.hard = 1000, .policy = overflow_policy::drop});
    p.stream->write(std::string(1010, 'y'));
    p.stream->write("lost");
    CHECK(p.stream->refused_writes() == 1);
  });
  t.turn();
  CHECK_FALSE(t.answers[other].closed);
  for (int i = 0; i < 200; ++i)
    t.read(other, 10);
  CHECK(t.answers[other].body == std::string(1010, 'y'));
}

TEST_CASE("a burst within a turn is no reason to end a stream whose client reads") {
  probe p;
  http2_exchange t{takes(p), {}, {}, window(1'000'000)};
  nghttp2_session_set_local_window_size(t.client, 0, 0, 10'000'000);
  const auto s = open_tunnel(t);
  t.wire.enter([&] {
    p.stream->set_output_limits({.hard = 10'000});
    for (int i = 0; i < 100; ++i)
      p.stream->write(std::string(5000, 'y'));
  });
  t.turn();
  CHECK(t.answers[s].body.size() == 500'000);
}

TEST_CASE("a stream that is not read holds its client, and no other stream's") {
  probe p;
  p.begins = [](transport& t) {
    t.pause_producing();
  };
  http2_exchange t{[&](http_request r) -> http_reply {
                     if (r.head().offers_upgrade())
                       return taken_by(p);
                     return testing::counts(std::move(r));
                   },
                   {},
                   {.stream_window = 100'000, .connection_window = 1'000'000}};
  const auto s = open_tunnel(t);
  t.send(s, std::string(300'000, 'x'), true);
  CHECK(p.heard.empty());
  CHECK(t.uploads[s].text.size() >= 200'000);
  const auto other = t.ask("POST", "/", {}, true);
  t.send(other, std::string(500'000, 'y'), true);
  CHECK(t.answers[other].body == "500000");
  t.wire.enter([&] {
    p.hears = [](transport& stream, std::string_view) {
      stream.pause_producing();
    };
    p.stream->resume_producing();
    CHECK(p.heard.empty()); // but later
  });
  CHECK(p.heard.size() == 65'536);
  t.wire.enter([&] { p.stream->hold_input(true); });
  t.wire.enter([&] { p.stream->resume_producing(); });
  t.turn();
  CHECK(p.heard.size() == 65'536);
  p.hears = {};
  t.wire.enter([&] { p.stream->hold_input(false); });
  t.turn();
  CHECK(p.heard.size() == 300'000);
  CHECK(p.lost == 1); // the end came behind it
}
