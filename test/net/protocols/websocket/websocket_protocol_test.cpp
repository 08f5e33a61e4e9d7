#include <troupe/websocket/websocket_protocol.hpp>

#include <array>
#include <stdexcept>

#include <troupe/actors/topic.hpp>
#include <troupe/net/line_receiver.hpp>
#include <troupe/testing/logged_errors.hpp>
#include <troupe/testing/protocol_fixture.hpp>

#include "frame_table.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using strings = std::vector<std::string>;

namespace {

class recorder : public websocket_protocol {
public:
  using websocket_protocol::websocket_protocol;
  void websocket_opened() override { seen.emplace_back("opened"); }
  void text_received(std::string_view text) override {
    seen.push_back("text " + std::string{text});
    if (text == "close")
      close(4000, "enough");
    else if (text == "pause")
      transport().pause_producing();
    else if (text == "throw")
      throw std::runtime_error("oops");
    else if (text == "quit")
      quit();
    else if (text == "abort")
      transport().abort_connection();
    else if (text == "lose")
      transport().lose_connection();
    else
      send_text(text);
  }
  void binary_received(bytes_view data) override {
    seen.push_back("binary " + std::string{as_text(data)});
    send_binary(data);
  }
  void pong_received(bytes_view data) override {
    seen.push_back("pong " + std::string{as_text(data)});
  }
  void websocket_closed(const websocket_close& how) override {
    seen.push_back("closed " + std::to_string(how.code) + ' ' + how.text
                   + (how.clean ? " clean" : " not clean"));
    end = how;
  }
  strings seen;
  websocket_close end;
};

// Takes no messages at all.
class silent : public websocket_protocol {
public:
  using websocket_protocol::websocket_protocol;
};

std::string from_client(websocket_opcode opcode, std::string_view payload, bool final = true) {
  std::string frame;
  append_websocket_frame(frame, opcode, payload, {9, 8, 7, 6}, final);
  return frame;
}

std::string text(std::string_view payload) {
  return from_client(websocket_opcode::text, payload);
}

std::string closing(std::string_view payload) {
  return from_client(websocket_opcode::close, payload);
}

template <class P>
std::string take(protocol_fixture<P>& t) {
  auto sent = t.transport.value();
  t.transport.clear();
  return sent;
}

const std::string close_1000 = "\x88\x02\x03\xe8";

} // namespace

TEST_CASE("messages go both ways, in order, in single bytes too") {
  protocol_fixture<recorder> t;
  CHECK(t->is_open());
  const auto bytes = text("one") + from_client(websocket_opcode::binary, "two")
                     + from_client(websocket_opcode::text, "th", false)
                     + from_client(websocket_opcode::continuation, "ree");
  SECTION("whole") {
    t.deliver(bytes);
  }
  SECTION("in single bytes") {
    t.deliver_in_pieces(bytes, 1);
  }
  CHECK(t->seen == strings{"opened", "text one", "binary two", "text three"});
  CHECK(t.transport.value() == "\x81\x03one\x82\x03two\x81\x05three");
}

TEST_CASE("a ping is answered with its payload, and a pong is told of") {
  protocol_fixture<recorder> t;
  t.deliver(from_client(websocket_opcode::ping, "abc") + from_client(websocket_opcode::pong, "x"));
  CHECK(t.transport.value()
        == "\x8a\x03"
           "abc");
  CHECK(t->seen.back() == "pong x");
}

TEST_CASE("a close frame is answered with its code, and then the connection ends") {
  protocol_fixture<recorder> t;
  SECTION("with a code") {
    t.deliver(closing("\x03\xe8"
                      "bye")
              + text("later"));
    CHECK(t.transport.value() == close_1000);
    CHECK(t.transport.disconnecting());
    t.lose();
    CHECK(t->seen == strings{"opened", "closed 1000 bye clean"});
    CHECK(t->end.sent == 1000);
  }
  SECTION("without one") {
    t.deliver(closing(""));
    CHECK(t.transport.value() == std::string("\x88\0", 2));
    t.lose();
    CHECK(t->seen.back() == "closed 1005  clean");
  }
  SECTION("and nothing is sent behind it") {
    t.deliver(closing("\x03\xe8"));
    t.enter([&] {
      CHECK_FALSE(t->send_text("x"));
      CHECK_FALSE(t->send_ping());
    });
    CHECK(t.transport.value() == close_1000);
  }
}

TEST_CASE("who closes waits for the answer, and passes over what comes before it") {
  protocol_fixture<recorder> t;
  t.deliver(text("close") + text("more"));
  CHECK(t.transport.value()
        == "\x88\x08\x0f\xa0"
           "enough");
  CHECK_FALSE(t->is_open());
  CHECK_FALSE(t.transport.disconnecting());
  t.enter([&] { CHECK_FALSE(t->send_text("x")); });
  SECTION("which comes") {
    t.deliver(closing("\x03\xe9"));
    CHECK(t.transport.disconnecting());
    t.lose();
    CHECK(t->seen == strings{"opened", "text close", "closed 1001  clean"});
  }
  SECTION("which does not come in time") {
    t.advance(10s - 1ms);
    CHECK_FALSE(t.transport.aborting());
    t.advance(1ms);
    CHECK(t.transport.aborting());
    t.lose(errc::connection_aborted);
    CHECK(t->seen.back() == "closed 1006  not clean");
    CHECK(t->end.sent == 4000);
  }
  SECTION("or the connection ends") {
    t.lose();
    CHECK(t->seen.back() == "closed 1006  not clean");
    CHECK(t->end.reason.check(errc::connection_done));
  }
}

TEST_CASE("what breaks the protocol is told why, and passed over for two seconds") {
  protocol_fixture<recorder> t;
  t.deliver(text("a") + "\x83\x80");
  CHECK(take(t)
        == "\x81\x01"
           "a\x88\x10\x03\xeaunknown opcode");
  CHECK(t.transport.write_closed());
  t.deliver(text("more"));
  CHECK(t->seen == strings{"opened", "text a"});
  SECTION("then the connection is aborted") {
    t.advance(2s - 1ms);
    CHECK_FALSE(t.transport.aborting());
    t.advance(1ms);
    CHECK(t.transport.aborting());
  }
  t.lose();
  CHECK(t->seen.back() == "closed 1006  not clean");
  CHECK(t->end.sent == 1002);
  CHECK(t->end.reason.check(errc::malformed_input));
}

TEST_CASE("rows of the table have the close frames that they should") {
  for (const auto& row : read_frame_table(TROUPE_TEST_FOLDER "/tables/frames.txt", true)) {
    INFO(row.line);
    protocol_fixture<recorder> t;
    t.deliver(row.bytes);
    const auto& last = row.events.back();
    const bool ends = last.starts_with("refused") || last.starts_with("close");
    CHECK(t->is_open() != ends);
    if (!last.starts_with("refused"))
      continue;
    const auto code = std::stoi(last.substr(8));
    CHECK(t->seen.size() == row.events.size());
    const auto frame = std::string{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
    const auto at = t.transport.value().rfind('\x88');
    REQUIRE(at != std::string::npos);
    CHECK(t.transport.value().substr(at + 2, 2) == frame);
  }
}

TEST_CASE("a silent peer is pinged, and given up if it stays silent") {
  protocol_fixture<recorder> t;
  t.advance(30s - 1ms);
  CHECK(take(t).empty());
  t.advance(1ms);
  CHECK(take(t) == std::string("\x89\0", 2));
  SECTION("a pong is a sign of life") {
    t.deliver(from_client(websocket_opcode::pong, ""));
    t.advance(20s);
    CHECK_FALSE(t.transport.aborting());
    t.advance(30s);
    CHECK(take(t) == std::string("\x89\0", 2));
  }
  SECTION("so is a byte of anything") {
    t.deliver("\x81");
    t.advance(20s);
    CHECK_FALSE(t.transport.aborting());
  }
  SECTION("nothing is none") {
    t.advance(20s - 1ms);
    CHECK_FALSE(t.transport.aborting());
    t.advance(1ms);
    CHECK(t.transport.aborting());
    t.lose(errc::connection_aborted);
    CHECK(t->end.reason.check(errc::idle_timed_out));
    CHECK(t->end.code == 1006);
  }
  SECTION("who does not listen waits") {
    t.enter([&] { t->transport().pause_producing(); });
    t.advance(100s);
    CHECK_FALSE(t.transport.aborting());
  }
}

TEST_CASE("messages wait while reading is paused") {
  protocol_fixture<recorder> t;
  t.deliver(text("pause") + text("b") + text("c").substr(0, 4));
  CHECK(t->seen == strings{"opened", "text pause"});
  CHECK(t.transport.producer_state() == producer_state::paused);
  t.deliver(text("c").substr(4)); // was on its way
  t.enter([&] { t->transport().resume_producing(); });
  t.settle();
  t.advance(0s);
  CHECK(t->seen == strings{"opened", "text pause", "text b", "text c"});
  CHECK(t.transport.producer_state() == producer_state::producing);
}

TEST_CASE("messages wait while their protocol feeds an actor without room") {
  protocol_fixture<recorder> t;
  t.enter([&] { t->transport().hold_input(true); });
  t.deliver(text("b") + text("pause") + text("c").substr(0, 4)); // was on its way
  t.deliver(text("c").substr(4));
  CHECK(t->seen == strings{"opened"});
  t.advance(100s); // who does not listen is not silent
  CHECK_FALSE(t.transport.aborting());
  t.enter([&] { t->transport().hold_input(false); });
  CHECK(t->seen == strings{"opened"}); // in a turn of their own
  t.settle();
  t.advance(0s);
  CHECK(t->seen == strings{"opened", "text b", "text pause"});
  t.enter([&] { t->transport().hold_input(true); });
  t.enter([&] { t->transport().resume_producing(); });
  t.advance(0s);
  CHECK(t->seen.size() == 3); // each of the two stops it
  t.enter([&] { t->transport().hold_input(false); });
  t.advance(0s);
  CHECK(t->seen.back() == "text c");
}

TEST_CASE("what is written to the transport is a message") {
  protocol_fixture<recorder> t;
  t.enter([&] {
    t->transport().write("text");
    t->transport().write(as_bytes("\xff"));
    t->transport().write_sequence({"a", "b"});
    t->transport().write(shared_bytes{"shared"});
    t->set_writes_binary(true);
    t->transport().write("b");
    t->transport().write(shared_bytes{"shared"});
  });
  CHECK(t.transport.value()
        == "\x81\x04text\x82\x01\xff\x81\x02"
           "ab\x81\x06shared\x82\x01"
           "b\x82\x06shared");
}

TEST_CASE("closing a transport is the whole handshake") {
  protocol_fixture<recorder> t;
  t.deliver(text("lose"));
  CHECK(t.transport.value() == close_1000);
  CHECK_FALSE(t.transport.disconnecting());
  CHECK(t->transport().disconnecting());
  t.deliver(closing("\x03\xe8"));
  CHECK(t.transport.disconnecting());
}

TEST_CASE("an abort is one") {
  protocol_fixture<recorder> t;
  t.deliver(text("abort") + text("more"));
  CHECK(t.transport.value().empty());
  CHECK(t.transport.aborting());
}

TEST_CASE("an actor that fails says so to its peer") {
  protocol_fixture<recorder> t;
  logged_errors errors{t.rt};
  t.deliver(text("throw") + text("more"));
  CHECK(t.transport.value() == "\x88\x02\x03\xf3");
  CHECK(t->seen.back() == "closed 1006  not clean");
  CHECK(errors.flush<std::runtime_error>().size() == 1);
}

TEST_CASE("an actor that quits says goodbye") {
  protocol_fixture<recorder> t;
  t.deliver(text("quit") + text("more"));
  CHECK(t.transport.value() == close_1000);
  CHECK(t->seen == strings{"opened", "text quit", "closed 1006  not clean"});
}

TEST_CASE("who takes no messages says so") {
  protocol_fixture<silent> t;
  t.deliver(text("x"));
  CHECK(t.transport.value().substr(0, 4) == "\x88\x18\x03\xeb");
}

TEST_CASE("what makes no sense is refused") {
  protocol_fixture<recorder> t;
  t.enter([&] {
    CHECK_THROWS_AS(t->send_text("\xff"), std::invalid_argument);
    CHECK_THROWS_AS(t->close(1005), std::invalid_argument);
    CHECK_THROWS_AS(t->close(1006), std::invalid_argument);
    CHECK_THROWS_AS(t->close(5000), std::invalid_argument);
    CHECK_THROWS_AS(t->send_ping(as_bytes(std::string(126, 'x'))), std::invalid_argument);
  });
  CHECK(t.transport.value().empty());
}

TEST_CASE("what is published reaches WebSockets as messages, and lines as they are") {
  protocol_fixture<recorder> t;
  const topic room{t.rt};
  t.enter([&] { room.subscribe(&*t); });
  t.enter([&] {
    room.publish("hello");
    room.publish("not me", except{&*t});
    room.publish(std::string_view{"\xff"});
  });
  CHECK(t.transport.value() == "\x81\x05hello\x82\x01\xff");
  t.deliver(closing("\x03\xe8"));
  t.enter([&] {
    room.publish("late");
    CHECK(t->transport().refused_writes() == 1);
  });
  CHECK(take(t) == "\x81\x05hello\x82\x01\xff" + close_1000);
}

TEST_CASE("who wants text and who wants bytes may be in one room") {
  std::array<string_transport, 3> ends;
  protocol_fixture<recorder> t;
  const topic room{t.rt};
  std::array<caf::actor, 3> guests;
  for (auto& guest : guests)
    guest = t.rt.spawn_on<recorder>(0);
  t.enter([&] {
    for (std::size_t i = 0; i < guests.size(); ++i) {
      auto& guest = *static_cast<recorder*>(caf::actor_cast<caf::abstract_actor*>(guests[i]));
      guest.enter([&] {
        guest.make_connection(ends[i]);
        guest.set_writes_binary(i == 1);
        room.subscribe(&guest);
      });
    }
    room.publish("hello");
    room.publish("again");
    room.publish("again");
  });
  CHECK(ends[0].value()
        == "\x81\x05hello\x81\x05"
           "again\x81\x05"
           "again");
  CHECK(ends[1].value()
        == "\x82\x05hello\x82\x05"
           "again\x82\x05"
           "again");
  CHECK(ends[2].value() == ends[0].value());
}

TEST_CASE("a pong that waits for who takes nothing goes out ahead of what is published then") {
  struct slow_transport : string_transport {
    std::size_t waiting = 0;
    [[nodiscard]] std::size_t unsent() const noexcept override { return waiting; }
  } end;
  protocol_fixture<recorder> t; // the first in the room, for whom all is framed
  const topic room{t.rt};
  const auto slow = t.rt.spawn_on<recorder>(0);
  t.enter([&] {
    room.subscribe(&*t);
    auto& guest = *static_cast<recorder*>(caf::actor_cast<caf::abstract_actor*>(slow));
    guest.enter([&] {
      guest.make_connection(end);
      room.subscribe(&guest);
      end.waiting = 1'000'000;
      guest.receive(as_bytes(from_client(websocket_opcode::ping, "p")));
      end.waiting = 0;
    });
    CHECK(end.value().empty());
    room.publish("hello");
  });
  CHECK(end.value() == "\x8a\x01p\x81\x05hello");
}

TEST_CASE("an idle WebSocket is small") {
  CHECK(sizeof(websocket_protocol) <= sizeof(protocol) + 400);
}
