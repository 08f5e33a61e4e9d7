// Streams that are taken over, by whatever it is: how they begin, and how they end.

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

TEST_CASE("a server says that streams may be taken over") {
  http2_wire t{says("x")};
  t.deliver(preface);
  const auto seen = split(t.take());
  REQUIRE(seen.size() >= 1);
  CHECK(seen[0].payload.find(number(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 2) + number(1, 4))
        != std::string::npos);
}

TEST_CASE("a handler sees an extended CONNECT as a GET that offers an upgrade") {
  std::string seen;
  probe p;
  std::vector<std::string> log;
  http_server_options options;
  options.access_log = [&](const http_access& a) {
    log.push_back(std::to_string(a.status) + ' ' + std::string{a.head->method()} + ' '
                  + std::string{a.head->target()} + ' ' + std::to_string(a.complete));
  };
  http2_exchange t{[&](http_request r) {
                     seen = std::string{r.method()} + ' ' + std::string{r.target()} + ' '
                            + r.fields().joined("Upgrade") + ' '
                            + std::to_string(r.head().offers_upgrade()) + ' '
                            + std::to_string(r.head().has_body()) + ' '
                            + std::string{r.field("Host").value_or("-")};
                     return taken_by(p);
                   },
                   options};
  const auto s = open_tunnel(t, "/there?a=b");
  CHECK(seen == "GET /there?a=b other 1 0 a");
  CHECK(t.answers[s].head
        == std::map<std::string, std::string>{{":status", "200"},
                                              {"date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                                              {"server", "troupe"},
                                              {"x-name", "value"}});
  CHECK_FALSE(t.answers[s].whole);
  CHECK(p.taken == 1);
  CHECK(log == std::vector<std::string>{"200 GET /there?a=b 1"});
  t.reset(s);
  CHECK(log.size() == 1);
}

TEST_CASE(
  "what is sent on a stream arrives, both ways, and the stream has the connection's addresses") {
  probe p;
  p.begins = [](transport& t) {
    t.write("hello ");
  };
  p.hears = [](transport& t, std::string_view text) {
    t.write(text);
  };
  http2_exchange t{takes(p)};
  const auto s = open_tunnel(t);
  CHECK(t.answers[s].body == "hello ");
  t.send(s, "you", false);
  CHECK(t.answers[s].body == "hello you");
  t.wire.enter([&] {
    p.stream->write(shared_bytes{std::string(5000, 's')});
    p.stream->write_sequence({"a", "b", ""});
    CHECK(p.stream->get_peer() == t.wire.transport.get_peer());
    CHECK(p.stream->get_host() == t.wire.transport.get_host());
    CHECK(p.stream->tls() == nullptr);
    CHECK(p.stream->connected());
    CHECK(p.stream->bytes_received() == 3);
    CHECK(p.stream->bytes_written() == 5011);
  });
  t.turn();
  CHECK(t.answers[s].body == "hello you" + std::string(5000, 's') + "ab");
}

TEST_CASE("frames that are cut anywhere come to the same") {
  const auto all = preface + settings() + connect(1) + piece(1, "one ") + piece(1, "two ")
                   + connect(3) + piece(3, "three") + piece(1, "four", true);
  for (std::size_t size = 1; size < all.size(); size += size < 40 ? 1 : 23) {
    probe first;
    probe second;
    int asked = 0;
    http2_wire t{[&](http_request) {
      return taken_by(asked++ == 0 ? first : second);
    }};
    t.deliver_in_pieces(all, size);
    CHECK(first.heard == "one two four");
    CHECK(first.reason.check(errc::connection_done));
    CHECK(second.heard == "three");
    CHECK(second.lost == 0);
  }
}

TEST_CASE("what comes before the response waits for it") {
  later l;
  probe p;
  http2_exchange t{l.handler(), {}, {.stream_window = 100'000}};
  const auto s = open_tunnel(t);
  t.send(s, std::string(300'000, 'x'), false);
  CHECK(t.uploads[s].text.size() >= 200'000); // the window is its limit
  t.wire.enter([&] { l.promises.at(0).callback(taken_by(p)); });
  t.turn();
  CHECK(p.heard.size() == 300'000);
  CHECK(p.pieces >= 5); // of 65,536 bytes at most
  CHECK(t.uploads[s].text.empty());
  CHECK_FALSE(l.requests[0].connected());
}

TEST_CASE("a client that goes before the response cancels the handler") {
  later l;
  http2_exchange t{l.handler()};
  const auto s = open_tunnel(t);
  t.send(s, "early", false);
  t.reset(s);
  CHECK(l.cancelled == 1);
  CHECK_FALSE(l.requests[0].connected());
}

TEST_CASE("an extended CONNECT that is refused is answered as a request") {
  http2_exchange t{[](http_request r) -> http_reply {
    if (r.path() == "/page") // which does not know what it is asked for
      return http_response{200, "a page"};
    if (r.path() == "/elsewhere")
      return http_response::redirect("/there");
    return http_response{403, "no"};
  }};
  const auto no = open_tunnel(t);
  CHECK(t.answers[no].status() == "403");
  CHECK(t.answers[no].body == "no");
  CHECK(t.answers[no].whole);
  t.send(no, std::string(65'537, 'x'), false);
  CHECK(t.answers[no].closed);
  CHECK(t.answers[no].code == NGHTTP2_NO_ERROR);
  // A 2xx would say that the stream is taken over.
  const auto page = open_tunnel(t, "/page");
  CHECK(t.answers[page].status() == "501");
  CHECK(t.answers[page].body == "That protocol is not spoken here.\n");
  t.send(page, "", true);
  CHECK(t.answers[page].closed);
  CHECK(t.answers[open_tunnel(t, "/elsewhere")].status() == "302");
  CHECK_FALSE(t.wire.closing());
}

TEST_CASE("a silent client that was refused is told so in time") {
  http2_exchange t{[](http_request) {
    return http_response{403};
  }};
  const auto s = open_tunnel(t);
  t.wire.advance(30s - 1ms);
  t.turn();
  CHECK_FALSE(t.answers[s].closed);
  t.wire.advance(1ms);
  t.turn();
  CHECK(t.answers[s].closed);
  CHECK(t.answers[s].code == NGHTTP2_NO_ERROR);
}

TEST_CASE("the client's end of a stream ends it when all is sent") {
  probe p;
  p.hears = [](transport& t, std::string_view) {
    t.write(std::string(150, 'y'));
  };
  http2_exchange t{takes(p), {}, {}, window(100)};
  const auto s = open_tunnel(t);
  t.send(s, "x", true);
  CHECK(p.lost == 0);
  CHECK(t.answers[s].body.size() == 100);
  t.read(s, 100);
  CHECK(t.answers[s].body.size() == 150);
  CHECK(t.answers[s].whole);
  CHECK(t.answers[s].closed);
  CHECK(t.answers[s].code == NGHTTP2_NO_ERROR);
  CHECK(p.lost == 1);
  CHECK(p.reason.check(errc::connection_done));
  CHECK(p.gone == 1);
}

TEST_CASE(
  "a stream that is closed sends what was written, and its end; what comes is passed over") {
  const bool talks = GENERATE(false, true);
  probe p;
  http2_exchange t{takes(p), {}, {.stream_window = 10'000}, window(100)};
  const auto s = open_tunnel(t);
  t.wire.enter([&] {
    p.stream->write(std::string(150, 'y'));
    p.stream->lose_connection();
    p.stream->write("late");
    CHECK(p.stream->refused_writes() == 1);
    CHECK(p.stream->disconnecting());
  });
  t.turn();
  CHECK(p.lost == 0);
  t.send(s, "not wanted", false);
  t.read(s, 100);
  CHECK(t.answers[s].body == std::string(150, 'y'));
  CHECK(t.answers[s].whole);
  CHECK(p.lost == 1);
  CHECK(p.reason.check(errc::connection_done));
  CHECK(p.heard.empty());
  CHECK_FALSE(t.answers[s].closed); // by the client, not yet
  t.send(s, std::string(65'536, 'x'), false);
  CHECK_FALSE(t.answers[s].closed);
  if (talks)
    t.send(s, "x", false);
  else
    t.wire.advance(30s);
  t.turn();
  CHECK(t.answers[s].closed);
  CHECK(t.answers[s].code == NGHTTP2_NO_ERROR);
  CHECK(p.lost == 1);
}

TEST_CASE("half a stream may be closed for as long as one likes") {
  probe p;
  http2_exchange t{takes(p)};
  const auto s = open_tunnel(t);
  t.wire.enter([&] {
    p.stream->write("bye");
    p.stream->lose_write_connection();
    p.stream->write("late");
  });
  t.turn();
  CHECK(t.answers[s].body == "bye");
  CHECK(t.answers[s].whole);
  t.wire.advance(40s);
  t.turn();
  CHECK_FALSE(t.answers[s].closed);
  t.send(s, std::string(300'000, 'x'), false);
  CHECK(p.heard.size() == 300'000);
  CHECK(p.lost == 0);
  t.send(s, "last", true);
  CHECK(p.heard.ends_with("last"));
  CHECK(p.lost == 1);
  CHECK(p.reason.check(errc::connection_done));
  CHECK(t.answers[s].closed);
}

TEST_CASE("a stream whose half is closed can be closed, and aborted") {
  for (const bool abort : {false, true}) {
    probe p;
    http2_exchange t{takes(p)};
    const auto s = open_tunnel(t);
    t.wire.enter([&] { p.stream->lose_write_connection(); });
    t.turn();
    t.wire.enter([&] { abort ? p.stream->abort_connection() : p.stream->lose_connection(); });
    t.turn();
    CHECK(p.lost == 1);
    CHECK(p.reason.check(abort ? errc::connection_aborted : errc::connection_done));
    CHECK(t.answers[s].closed == abort);
  }
}

TEST_CASE("an abort is a reset, of which the one who asked hears later") {
  probe p;
  http2_exchange t{takes(p), {}, {}, window(10)};
  const auto s = open_tunnel(t);
  t.wire.enter([&] {
    p.stream->write(std::string(100, 'y'));
    p.stream->abort_connection();
    CHECK(p.lost == 0);
    p.stream->abort_connection();
  });
  CHECK(p.lost == 1);
  CHECK(p.reason.check(errc::connection_aborted));
  t.turn();
  CHECK(t.answers[s].closed);
  CHECK(t.answers[s].code == NGHTTP2_CANCEL);
  t.wire.advance(0s);
  CHECK(p.gone == 1);
  CHECK_FALSE(t.wire.closing());
}

TEST_CASE("the client's reset is a connection that was lost, whatever its code") {
  for (const std::uint32_t code : {NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR}) {
    probe p;
    source from;
    p.begins = [&](transport& t) {
      t.register_producer(from, true);
    };
    http2_exchange t{takes(p)};
    const auto s = open_tunnel(t);
    t.reset(s, code);
    CHECK(p.lost == 1);
    CHECK(p.reason.check(errc::connection_lost));
    CHECK(from.stops == 1);
    CHECK(p.gone == 1);
  }
}

TEST_CASE("what came with a reset behind it is not handed on") {
  probe p;
  http2_wire t{takes(p)};
  t.deliver(preface + settings() + connect(1));
  t.deliver(piece(1, "x") + frame(NGHTTP2_RST_STREAM, 0, 1, number(NGHTTP2_CANCEL, 4)));
  CHECK(p.heard.empty());
  CHECK(p.lost == 1);
}

TEST_CASE("the end of the connection is that of its streams, with its reason") {
  for (const auto why : {errc::connection_done, errc::connection_lost}) {
    probe p;
    http2_exchange t{takes(p)};
    open_tunnel(t);
    t.wire.lose(why);
    CHECK(p.lost == 1);
    CHECK(p.reason.check(why));
  }
}

TEST_CASE("a session that fails ends its streams") {
  probe p;
  http2_wire t{takes(p)};
  t.deliver(preface + settings() + connect(1));
  t.deliver(frame(NGHTTP2_PING, 0, 1, "12345678"));
  CHECK(errors(t.take()) == std::vector<std::string>{"GOAWAY PROTOCOL_ERROR"});
  CHECK(p.lost == 1);
  CHECK(p.reason.check(errc::connection_lost));
}

TEST_CASE("what has taken a stream over may fail, and ends nothing else") {
  probe p;
  http2_exchange t{[&](http_request r) -> http_reply {
    if (r.head().offers_upgrade())
      return taken_by(p);
    return http_response{200, "fine"};
  }};
  testing::logged_errors log{t.wire.rt};
  p.begins = [](transport&) {
    throw std::runtime_error("at once");
  };
  const auto first = open_tunnel(t);
  CHECK(t.answers[first].code == NGHTTP2_CANCEL);
  CHECK(log.flush("at once").size() == 1);
  CHECK(p.lost == 1);
  p.begins = {};
  p.hears = [](transport&, std::string_view) {
    throw std::runtime_error("later");
  };
  const auto second = open_tunnel(t);
  t.send(second, "x", false);
  CHECK(t.answers[second].code == NGHTTP2_CANCEL);
  CHECK(log.flush("later").size() == 1);
  CHECK(p.lost == 2);
  CHECK(p.reason.check(errc::connection_aborted));
  CHECK(t.get().body == "fine");
}

TEST_CASE("the last words of a protocol that has ended are sent, unless they are many") {
  probe p;
  http2_exchange t{takes(p), {}, {}, window(100)};
  const auto s = open_tunnel(t);
  t.wire.enter([&] {
    p.stream->write(std::string(150, 'y'));
    p.stream->protocol_ended();
    CHECK_FALSE(p.stream->connected());
    p.stream->write("late");
  });
  t.turn();
  t.read(s, 100);
  CHECK(t.answers[s].body == std::string(150, 'y'));
  CHECK(t.answers[s].whole);
  CHECK(p.lost == 0); // it says so itself
  t.send(s, "x", true);
  CHECK(t.answers[s].closed);
  CHECK(p.gone == 1);
  CHECK(p.heard.empty());

  const auto slow = open_tunnel(t);
  t.wire.enter([&] {
    p.stream->write(std::string(150, 'y'));
    p.stream->protocol_ended();
  });
  t.turn();
  t.wire.advance(30s);
  t.turn();
  CHECK(t.answers[slow].code == NGHTTP2_CANCEL);

  const auto much = open_tunnel(t);
  t.wire.enter([&] {
    p.stream->write(std::string(65'537, 'y'));
    p.stream->protocol_ended();
  });
  t.turn();
  CHECK(t.answers[much].code == NGHTTP2_CANCEL);
  CHECK(p.lost == 0);
  t.wire.advance(0s);
  CHECK(p.gone == 3);
}

TEST_CASE("a server that stops asks its streams to, and waits for them") {
  probe p;
  p.hears = [](transport& t, std::string_view text) {
    t.write(text);
  };
  http2_exchange t{takes(p), {}, {}, window(10)};
  const auto s = open_tunnel(t);
  t.wire.enter([&] { p.stream->write("a long goodbye"); });
  t.wire.enter([&] { t.wire->drain_requested(); });
  t.turn();
  CHECK(p.told_to_stop == 1);
  REQUIRE(t.goodbyes.size() == 2);
  CHECK(t.goodbyes[1] == std::pair<std::int32_t, std::uint32_t>{s, NGHTTP2_NO_ERROR});
  CHECK_FALSE(t.wire.closing());
  t.read(s, 10);
  CHECK(t.answers[s].body == "a long goodbye");
  CHECK(p.reason.check(errc::connection_done));
  t.send(s, "", true);
  CHECK(t.wire.closing());
}

TEST_CASE("streams that are opened and reset in a flood end the connection") {
  probe p;
  http2_wire t{takes(p)};
  t.deliver(preface + settings());
  std::uint32_t stream = 1;
  for (; stream < 4000 && !t.closing(); stream += 2) {
    t.deliver(connect(stream) + frame(NGHTTP2_RST_STREAM, 0, stream, number(8, 4)));
  }
  CHECK(errors(t.take()).back() == "GOAWAY ENHANCE_YOUR_CALM");
  CHECK(stream > 1000);
  CHECK(p.taken <= 1); // the last one, whose reset was one too many

  probe q; // each of which is taken over before
  http2_wire u{takes(q)};
  u.deliver(preface + settings());
  for (stream = 1; stream < 4000 && !u.closing(); stream += 2) {
    u.deliver(connect(stream));
    u.deliver(frame(NGHTTP2_RST_STREAM, 0, stream, number(8, 4)));
  }
  u.advance(0s);
  CHECK(u.closing());
  CHECK(q.taken == q.lost);
  CHECK(q.taken == q.gone);
}

TEST_CASE("more streams than are allowed are refused, be they taken over") {
  probe p;
  http2_wire t{takes(p), {}, {.max_streams = 3}};
  t.deliver(preface + settings() + frame(NGHTTP2_SETTINGS, 1, 0));
  for (std::uint32_t s = 1; s <= 7; s += 2)
    t.deliver(connect(s));
  CHECK(p.taken == 3);
}

TEST_CASE("what stands behind the end of a stream is refused") {
  probe p;
  http2_wire t{takes(p)};
  t.deliver(preface + settings() + connect(1) + piece(1, "x", true) + piece(1, "y"));
  CHECK(p.heard == "x");
  CHECK(errors(t.take()).at(0).ends_with(" STREAM_CLOSED"));
}

TEST_CASE("a CONNECT that ends with its head has nothing to say") {
  probe p;
  p.begins = [](transport& t) {
    t.write("hello");
  };
  http2_wire t{takes(p)};
  t.deliver(preface + settings() + connect(1, "other", true));
  CHECK(p.lost == 1);
  CHECK(p.reason.check(errc::connection_done));
  CHECK(said_on(1, t.take()) == "hello");
}

TEST_CASE("a protocol whose name is no token is refused") {
  probe p;
  http2_wire t{takes(p)};
  t.deliver(preface + settings() + connect(1, "foo, other"));
  CHECK(p.taken == 0);
  CHECK(said_on(1, t.take()).starts_with("Bad Request: "));
}
