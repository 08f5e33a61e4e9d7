// Few bytes unpack to many: what a turn does of that, and what comes of it when others have had their turn.

#include <string>
#include <vector>

#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>
#include <troupe/websocket/websocket_acceptor.hpp>

#include "parser_events.hpp"
#include "support/catch.hpp"
#include "support/turned_by_hand.hpp"
#include "websocket_deflater.hpp"

using namespace troupe;
using namespace troupe::testing;
using strings = std::vector<std::string>;

namespace {

constexpr std::size_t megabyte = 1024 * 1024;

std::string frame(websocket_opcode opcode, std::string_view payload, bool packed = false) {
  std::string bytes;
  append_websocket_frame(bytes, opcode, payload, {1, 2, 3, 4}, true, packed);
  return bytes;
}

// A message that is a megabyte, in some kilobytes.
std::string large(char c) {
  const auto packed = troupe::detail::deflate_message(std::string(megabyte, c), 15);
  REQUIRE(packed);
  REQUIRE(packed->size() < 8000);
  return frame(websocket_opcode::text, *packed, true);
}

class recorder : public websocket_protocol {
public:
  recorder(caf::actor_config& cfg, recorder** self, strings* seen)
    : websocket_protocol(cfg), seen_(*seen) {
    *self = this;
  }
  void text_received(std::string_view text) override {
    seen_.emplace_back(text.substr(0, 5));
    if (text == "pause")
      transport().pause_producing();
  }
  void websocket_closed(const websocket_close& how) override {
    seen_.push_back("closed " + std::to_string(how.code) + (how.clean ? " clean" : ""));
  }

private:
  strings& seen_;
};

struct joined {
  joined() : connection(by, site()) {
    connection.deliver("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       "Sec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    by.turn_until([&] { return socket != nullptr; });
    REQUIRE(socket != nullptr);
    REQUIRE(socket->is_deflated());
    connection.transport.clear();
  }
  factory_ref site() {
    websocket_server_options options;
    options.socket.deflate = true;
    http_router routes;
    routes.get("/", websocket_acceptor{options}.handler(build<recorder>(&socket, &seen)));
    return http_server(routes.handler());
  }
  bool paused() const { return connection.transport.producer_state() == producer_state::paused; }

  strings seen;
  recorder* socket = nullptr;
  turned_by_hand by;
  connection_by_hand connection;
};

} // namespace

TEST_CASE("one look at the input unpacks a bounded part of it, of whatever makes much work") {
  // Empty blocks, of which nothing comes.
  std::string nothing;
  for (int i = 0; i < 3000; ++i)
    nothing += std::string{"\0\0\0\xff\xff", 5};
  const auto of_nothing = frame(websocket_opcode::binary, nothing + '\0', true);
  for (const auto& bytes : {large('x'), of_nothing, large('a') + large('b') + large('c')}) {
    websocket_parser parser{websocket_parser::peer::client};
    parser.set_deflated(true);
    auto in = as_bytes(bytes);
    std::size_t parts = 0; // of this message
    for (auto what = websocket_parser::event::unpacking; what != websocket_parser::event::more;) {
      const auto held = parser.held();
      const auto left = in.size();
      what = parser.next(in);
      REQUIRE(what != websocket_parser::event::refused);
      CHECK(left - in.size() <= 20'000);
      if (what == websocket_parser::event::unpacking) {
        CHECK(parser.held() <= held + 80 * 1024);
        ++parts;
      } else if (what == websocket_parser::event::text) {
        CHECK(parser.payload().size() == megabyte);
        CHECK(parts >= 12);
        parts = 0;
      }
    }
    CHECK(in.empty());
  }
}

TEST_CASE("messages that unpack to much take many turns, and stay in their order") {
  joined t;
  const auto bytes = frame(websocket_opcode::text, "first") + large('a') + large('b')
                     + frame(websocket_opcode::text, "then") + large('c');
  t.connection.deliver(bytes);
  CHECK(t.seen.size() <= 1);
  CHECK(t.paused());
  t.connection.deliver(frame(websocket_opcode::text, "last")); // was on its way
  int others = 0;
  const auto turns = t.by.turn_until([&] {
    t.by.rt.reactor().call_later(duration::zero(), [&] { ++others; });
    return t.seen.size() == 6;
  });
  CHECK(t.seen == strings{"first", "aaaaa", "bbbbb", "then", "ccccc", "last"});
  CHECK(turns > 30);
  CHECK(others > 15); // delayed calls take turns with it
  t.by.turn_until([&] { return !t.paused(); });
  t.connection.deliver(frame(websocket_opcode::text, "again"));
  t.by.turn_until([&] { return t.seen.size() == 7; });
  CHECK(t.seen.back() == "again");
}

TEST_CASE("a connection may end in the middle of unpacking, from either side") {
  const auto bytes = large('a') + large('b') + frame(websocket_opcode::close, "\x03\xe8");
  {
    joined t;
    t.connection.deliver(bytes);
    t.connection.lose(errc::connection_lost);
    for (int i = 0; i < 50; ++i)
      t.by.turn();
    CHECK(t.seen == strings{"closed 1006"});
  }
  {
    joined t;
    t.connection.deliver(bytes);
    t.by.in_turn([&] { t.socket->enter([&] { t.socket->close(4000, "enough"); }); });
    // What was sent before the answer is passed over, and the answer is heard.
    t.by.turn_until([&] { return t.connection.transport.disconnecting(); });
    CHECK_FALSE(t.paused());
    t.connection.lose(errc::connection_done);
    t.by.turn_until([&] { return !t.seen.empty(); });
    CHECK(t.seen == strings{"closed 1000 clean"});
  }
  {
    joined t;
    t.connection.deliver(bytes);
    t.by.in_turn([&] { t.socket->enter([&] { t.socket->transport().abort_connection(); }); });
    CHECK(t.connection.transport.aborting());
  }
}

TEST_CASE("who pauses a WebSocket that unpacks gets no more until it resumes") {
  joined t;
  t.connection.deliver(frame(websocket_opcode::text, "pause") + large('a') + large('b'));
  t.by.turn_until([&] { return !t.seen.empty(); });
  for (int i = 0; i < 100; ++i)
    t.by.turn();
  CHECK(t.seen == strings{"pause"});
  CHECK(t.paused());
  t.by.in_turn([&] { t.socket->enter([&] { t.socket->transport().resume_producing(); }); });
  t.by.turn_until([&] { return t.seen.size() == 2; });
  t.by.in_turn([&] {
    t.socket->enter([&] {
      t.socket->transport().pause_producing();
      t.socket->transport().resume_producing();
    });
  });
  const auto turns = t.by.turn_until([&] { return t.seen.size() == 3 && !t.paused(); });
  CHECK(turns > 10);
  CHECK(t.seen == strings{"pause", "aaaaa", "bbbbb"});
}
