// permessage-deflate: what is agreed on, what is packed, and what is taken.

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <zlib.h>

#include <troupe/actors/topic.hpp>
#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>
#include <troupe/testing/memory_network.hpp>
#include <troupe/websocket/websocket_acceptor.hpp>

#include "frame_table.hpp"
#include "parser_events.hpp"
#include "permessage_deflate.hpp"
#include "support/catch.hpp"
#include "websocket_deflater.hpp"

using namespace troupe;
using namespace troupe::testing;
using strings = std::vector<std::string>;
using peer = websocket_parser::peer;
using troupe::detail::choose_deflate;
using troupe::detail::deflate_message;
using troupe::detail::read_deflate_answer;

namespace {

strings without_reasons(strings events) {
  for (auto& e : events)
    if (e.starts_with("refused"))
      e.resize(12);
  return events;
}

std::string random_bytes(std::size_t size) {
  std::mt19937 draw{7};
  std::string bytes;
  while (bytes.size() < size)
    bytes += static_cast<char>(draw());
  return bytes;
}

// Packs it without making it shorter, in blocks as they are.
std::string stored(std::string_view plain) {
  std::string packed;
  do {
    const auto block = plain.substr(0, 65535);
    plain.remove_prefix(block.size());
    const auto size = static_cast<unsigned>(block.size());
    for (const unsigned byte : {0U, size, size >> 8, ~size, ~size >> 8})
      packed += static_cast<char>(byte & 0xff);
    packed += block;
  } while (!plain.empty());
  return packed + '\0';
}

std::string frame(websocket_opcode opcode, std::string_view payload, bool final = true,
                  bool packed = true) {
  std::string bytes;
  append_websocket_frame(bytes, opcode, payload, {1, 2, 3, 4}, final, packed);
  return bytes;
}

strings events_of(std::string_view bytes, const websocket_limits& limits = {}) {
  return websocket_events(split_input{bytes, {}}, peer::client, limits, true);
}

// Unpacks with a window of as many bits only; returns nothing if that is too small.
std::string inflated(const std::string& packed, int window_bits) {
  z_stream z{};
  REQUIRE(inflateInit2(&z, -window_bits) == Z_OK);
  auto in = packed + std::string{"\0\0\xff\xff", 4};
  std::string out(1 << 20, '\0');
  z.next_in = reinterpret_cast<Bytef*>(in.data());
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  const auto result = inflate(&z, Z_SYNC_FLUSH);
  out.resize(out.size() - z.avail_out);
  inflateEnd(&z);
  return result == Z_OK ? out : "";
}

} // namespace

TEST_CASE(
  "packed frames of the table come to what it says, from either side, however they are cut") {
  for (const auto from : {peer::client, peer::server}) {
    const auto rows =
      read_frame_table(TROUPE_TEST_FOLDER "/tables/deflated_frames.txt", from == peer::client);
    CHECK(rows.size() > 40);
    for (const auto& row : rows) {
      INFO(row.line);
      const auto run = [&](const split_input& input) {
        return websocket_events(input, from, {}, true);
      };
      CHECK(without_reasons(run(split_input{row.bytes, {}})) == row.events);
      CHECK(split_difference(row.bytes, run, {.all_ways = 10, .all_pairs = 30, .random = 10})
            == "");
    }
  }
}

TEST_CASE("frames that are not packed come to the same where packed ones may come") {
  const auto rows = read_frame_table(TROUPE_TEST_FOLDER "/tables/frames.txt", true);
  for (const auto& row : rows)
    if (row.bytes.empty() || (static_cast<std::uint8_t>(row.bytes[0]) & 0x40) == 0) {
      INFO(row.line);
      CHECK(without_reasons(events_of(row.bytes)) == row.events);
    }
}

TEST_CASE("what is packed is unpacked to the same, with windows of every size, however it is cut") {
  std::string text;
  for (int i = 0; i < 3000; ++i)
    text += "message " + std::to_string(i * 7919 % 1000) + ", ";
  for (int bits = 9; bits <= 15; ++bits) {
    INFO(bits);
    const auto packed = deflate_message(text, bits);
    REQUIRE(packed);
    CHECK(packed->size() < text.size() / 2);
    CHECK(inflated(*packed, bits) == text);
    const auto bytes = frame(websocket_opcode::text, packed->substr(0, 1000), false)
                       + frame(websocket_opcode::continuation, packed->substr(1000), true, false);
    CHECK(events_of(bytes) == strings{"text " + text});
    const auto run = [&](const split_input& input) {
      return websocket_events(input, peer::client, {}, true);
    };
    CHECK(
      split_difference(bytes, run, {.all_ways = 0, .all_pairs = 0, .all_places = 0, .random = 5})
      == "");
  }
  CHECK_FALSE(deflate_message("Hello", 15));
  CHECK_FALSE(deflate_message(random_bytes(100'000), 15));
  CHECK_FALSE(deflate_message("", 15));
  // A small window cannot see what came long before.
  const auto twice = random_bytes(2000) + random_bytes(2000);
  CHECK(deflate_message(twice, 15));
  CHECK_FALSE(deflate_message(twice, 9));
}

TEST_CASE("a message may have as many bytes as the limit says once it is unpacked") {
  constexpr websocket_limits limits{.max_message = 100'000, .max_fragments = 10};
  for (const auto& plain : {std::string(100'000, 'x'), random_bytes(100'000)}) {
    const auto fits = deflate_message(plain, 15).value_or(stored(plain));
    CHECK(events_of(frame(websocket_opcode::binary, fits), limits) == strings{"binary " + plain});
    const auto more = deflate_message(plain + 'x', 15).value_or(stored(plain + 'x'));
    CHECK(events_of(frame(websocket_opcode::binary, more), limits)
          == strings{"refused 1009 the message is too long once it is unpacked"});
  }
}

TEST_CASE("a bomb is refused at the first byte that is too much, and leaves nothing") {
  constexpr websocket_limits limits{.max_message = 100'000, .max_fragments = 10};
  const auto packed = deflate_message(std::string(20'000'000, '\0'), 15);
  REQUIRE(packed);
  CHECK(packed->size() < 100'000);
  websocket_parser parser{peer::client, limits};
  parser.set_deflated(true);
  strings events;
  const auto bytes = frame(websocket_opcode::binary, *packed);
  std::size_t at = 0;
  std::size_t most_held = 0;
  while (at < bytes.size() && feed_websocket(parser, bytes.substr(at, 1), events)) {
    most_held = std::max(most_held, parser.held());
    ++at;
  }
  CHECK(events == strings{"refused 1009 the message is too long once it is unpacked"});
  CHECK(at < 600);
  CHECK(most_held <= 100'000);
  CHECK(parser.held() == 0);
  CHECK(events_of(bytes, limits) == events);
}

TEST_CASE("a packed message of empty blocks without end is refused by its size") {
  constexpr websocket_limits limits{.max_message = 1000, .max_fragments = 1000};
  const std::string empty_block{"\0\0\0\xff\xff", 5};
  std::string bytes = frame(websocket_opcode::binary, empty_block, false);
  for (int i = 0; i < 300; ++i)
    bytes += frame(websocket_opcode::continuation, empty_block, false, false);
  CHECK(events_of(bytes, limits) == strings{"refused 1009 the message is too long"});
  const auto head = frame(websocket_opcode::binary, std::string(1100, 'x')).substr(0, 8);
  CHECK(events_of(head, limits) == strings{"refused 1009 the message is too long"});
}

TEST_CASE("packed text is refused at the first byte that is no UTF-8, before the frame ends") {
  const auto bytes = frame(websocket_opcode::text, stored("hello\xff and more"));
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    INFO(size);
    const auto events = events_of(std::string_view{bytes}.substr(0, size));
    CHECK(events.size() == (size >= 6 + 5 + 6 ? 1 : 0));
  }
}

TEST_CASE("a server takes the first offer that it can keep") {
  const auto answer = [](std::string_view offers) {
    const auto terms = choose_deflate(offers);
    return terms ? std::to_string(terms->window_bits) + ' ' + terms->answer : "";
  };
  const std::string plain =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  CHECK(answer("permessage-deflate") == "15 " + plain);
  CHECK(answer(" permessage-deflate ;client_max_window_bits") == "15 " + plain);
  CHECK(answer("permessage-deflate; client_max_window_bits=8; client_no_context_takeover")
        == "15 " + plain);
  CHECK(answer("permessage-deflate; server_max_window_bits=10; server_no_context_takeover")
        == "10 " + plain + "; server_max_window_bits=10");
  CHECK(answer("permessage-deflate; server_max_window_bits=\"9\"")
        == "9 " + plain + "; server_max_window_bits=9");
  CHECK(answer("x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=8, "
               "permessage-deflate; server_max_window_bits=12")
        == "12 " + plain + "; server_max_window_bits=12");
  for (const char* bad :
       {"", "deflate", "permessage-deflate; foo", "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=010",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        "permessage-deflate; client_max_window_bits=99",
        "permessage-deflate; client_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "permessage-deflate;", "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate permessage-deflate", "\"permessage-deflate"}) {
    INFO(bad);
    CHECK(answer(bad).empty());
  }
}

TEST_CASE("a client takes an answer to what it offers, and no other") {
  const auto bits = [](std::string_view answer) {
    const auto terms = read_deflate_answer(answer);
    return terms ? terms->window_bits : -1;
  };
  CHECK(bits("permessage-deflate; server_no_context_takeover") == 15);
  CHECK(bits("permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
             "client_max_window_bits=11; server_max_window_bits=8")
        == 11);
  // zlib cannot pack so; the messages of this side go as they are.
  CHECK(bits("permessage-deflate; server_no_context_takeover; client_max_window_bits=8") == 0);
  for (const char* bad :
       {"", "permessage-deflate", "permessage-deflate; client_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; x", "x; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover, permessage-deflate; "
        "server_no_context_takeover"}) {
    INFO(bad);
    CHECK(bits(bad) == -1);
  }
}

namespace {

class raw : public protocol {
public:
  using protocol::protocol;
  void data_received(bytes_view data) override { got += as_text(data); }
  std::string got;
};

// Says what it hears to all.
class member : public websocket_protocol {
public:
  member(caf::actor_config& cfg, topic room) : websocket_protocol(cfg), room_(std::move(room)) {}
  void websocket_opened() override { room_.subscribe(this); }
  void text_received(std::string_view text) override { room_.publish(text); }
  void binary_received(bytes_view data) override { send_binary(data); }

private:
  topic room_;
};

struct served {
  explicit served(bool deflate) {
    websocket_server_options options;
    options.socket.deflate = deflate;
    http_router site;
    site.get("/ws", websocket_acceptor{options}.handler(build<member>(room)));
    net.listen(80, http_server(site.handler()));
  }

  // Connects; what the head says of extensions is in `extensions`.
  raw& join(const std::string& offer = {}) {
    auto& c = net.connect<raw>(80);
    say(c, "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
             + offer + "\r\n");
    REQUIRE(c.got.starts_with("HTTP/1.1 101 "));
    const auto at = c.got.find("\r\nSec-WebSocket-Extensions: ");
    extensions =
      at == std::string::npos ? "" : c.got.substr(at + 28, c.got.find('\r', at + 2) - at - 28);
    c.got.clear();
    return c;
  }

  void say(raw& c, const std::string& bytes) {
    net.enter(c, [&] { c.transport().write(bytes); });
    net.flush();
  }

  memory_network net;
  topic room{net.rt};
  std::string extensions;
};

strings said_to(raw& c, bool deflated) {
  const auto bytes = std::exchange(c.got, {});
  return websocket_events(split_input{bytes, {}}, peer::server, {}, deflated);
}

const std::string offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

} // namespace

TEST_CASE("packing is off unless it is asked for") {
  served s{false};
  auto& c = s.join(offer);
  CHECK(s.extensions.empty());
  s.say(c, frame(websocket_opcode::text, stored("x")));
  CHECK(said_to(c, false) == strings{"close 1002 a reserved bit is set"});
}

TEST_CASE("what is published goes packed to those who can unpack it, and as it is to the others") {
  served s{true};
  auto& plain = s.join();
  CHECK(s.extensions.empty());
  auto& packed = s.join(offer);
  CHECK(s.extensions
        == "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
  auto& small =
    s.join("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n");
  auto& also_packed = s.join(offer);
  std::string text;
  for (int i = 0; i < 500; ++i)
    text += std::to_string(i * i);
  for (const auto& message : {text, text + "!", std::string{"short"}}) {
    s.say(packed,
          frame(websocket_opcode::text, deflate_message(message, 15).value_or(stored(message))));
    const bool is_short = message == "short";
    CHECK((plain.got.size() > message.size()));
    CHECK((packed.got.size() < message.size()) == !is_short);
    CHECK((small.got.size() < message.size()) == !is_short);
    CHECK(packed.got == also_packed.got);
    CHECK(said_to(plain, false) == strings{"text " + message});
    for (auto* const c : {&packed, &small, &also_packed})
      CHECK(said_to(*c, true) == strings{"text " + message});
  }
  // What is said to one only.
  s.say(packed, frame(websocket_opcode::binary, text, true, false));
  CHECK(packed.got.size() < text.size());
  CHECK(said_to(packed, true) == strings{"binary " + text});
}

TEST_CASE("what does not get shorter goes as it is, and so do pings and goodbyes") {
  served s{true};
  auto& c = s.join(offer);
  const auto noise = random_bytes(2000);
  s.say(c, frame(websocket_opcode::binary, stored(noise)));
  CHECK(c.got[0] == '\x82');
  CHECK(said_to(c, true) == strings{"binary " + noise});
  s.say(c, frame(websocket_opcode::ping, "p", true, false)
             + frame(websocket_opcode::text, "\xff", true, true));
  CHECK(said_to(c, true) == strings{"pong p", "close 1007 the message does not unpack"});
}
