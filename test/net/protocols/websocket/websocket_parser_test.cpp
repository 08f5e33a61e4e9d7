#include <troupe/websocket/websocket_parser.hpp>

#include <random>

#include <troupe/websocket/detail/utf8_checker.hpp>

#include "frame_table.hpp"
#include "parser_events.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using strings = std::vector<std::string>;
using peer = websocket_parser::peer;

namespace {

const websocket_mask mask{1, 2, 3, 4};

std::string from_client(websocket_opcode opcode, std::string_view payload, bool final = true) {
  std::string frame;
  append_websocket_frame(frame, opcode, payload, mask, final);
  return frame;
}

strings events_of(std::string_view bytes, const websocket_limits& limits = {},
                  peer from = peer::client) {
  return websocket_events(split_input{bytes, {}}, from, limits);
}

strings without_reasons(strings events) {
  for (auto& e : events)
    if (e.starts_with("refused"))
      e.resize(12);
  return events;
}

} // namespace

TEST_CASE("frames of the table come to what it says, from either side, however they are cut") {
  for (const auto from : {peer::client, peer::server}) {
    const auto rows =
      read_frame_table(TROUPE_TEST_FOLDER "/tables/frames.txt", from == peer::client);
    CHECK(rows.size() > 120);
    for (const auto& row : rows) {
      INFO(row.line);
      CHECK(without_reasons(websocket_events(split_input{row.bytes, {}}, from)) == row.events);
      const split_options few{.all_ways = 6, .all_pairs = 14, .all_places = 60, .random = 5};
      CHECK(
        split_difference(
          row.bytes, [&](const split_input& input) { return websocket_events(input, from); }, few)
        == "");
    }
  }
}

TEST_CASE("text is refused at the first byte that is no UTF-8, before the frame ends") {
  const auto frame = from_client(websocket_opcode::text, "hello\xff and more");
  for (std::size_t size = 0; size <= frame.size(); ++size) {
    INFO(size);
    const auto events = events_of(std::string_view{frame}.substr(0, size));
    CHECK(events.size() == (size >= 6 + 6 ? 1 : 0));
  }
  const auto first = from_client(websocket_opcode::text, "\xf4", false);
  CHECK(events_of(first).empty());
  CHECK(events_of(first + from_client(websocket_opcode::continuation, "\x90", false)).size() == 1);
}

TEST_CASE("a byte that is no UTF-8 is found at any place of a text of any length") {
  for (std::size_t size = 1; size < 110; ++size)
    for (std::size_t at = 0; at < size; ++at) {
      INFO(size << " bytes, and the one at " << at);
      std::string text(size, 'x');
      text[at] = '\xff';
      REQUIRE_FALSE(troupe::detail::is_utf8(text));
      text.replace(at, 1, "\xc3\xa4");
      REQUIRE(troupe::detail::is_utf8(text));
      text.erase(at + 1, 1);
      REQUIRE_FALSE(troupe::detail::is_utf8(text));
    }
}

TEST_CASE("a head is refused before its payload comes") {
  CHECK(events_of("\x89\xfe") == strings{"refused 1002 a control frame is longer than 125 bytes"});
  CHECK(events_of("\xc1\x80") == strings{"refused 1002 a reserved bit is set"});
  CHECK(events_of("\x81").empty());
}

TEST_CASE("a message may have as many bytes as the limit says, in one frame or several") {
  const websocket_limits limits{.max_message = 10, .max_fragments = 3};
  CHECK(events_of(from_client(websocket_opcode::text, "0123456789"), limits)
        == strings{"text 0123456789"});
  // The head alone is enough.
  CHECK(events_of(from_client(websocket_opcode::text, "0123456789a").substr(0, 6), limits)
        == strings{"refused 1009 the message is too long"});
  const auto part = [](std::string_view text, bool final) {
    return from_client(websocket_opcode::continuation, text, final);
  };
  const auto first = from_client(websocket_opcode::binary, "01234", false);
  CHECK(events_of(first + part("56789", true), limits) == strings{"binary 0123456789"});
  CHECK(events_of(first + part("56789a", true).substr(0, 6), limits)
        == strings{"refused 1009 the message is too long"});
  CHECK(events_of(first + part("", false) + part("", true), limits) == strings{"binary 01234"});
  CHECK(events_of(first + part("", false) + part("", false) + part("", true), limits)
        == strings{"refused 1008 the message has too many fragments"});
}

TEST_CASE("a head that promises much costs nothing") {
  websocket_parser parser{peer::client, {.max_message = std::size_t{1} << 62}};
  strings events;
  CHECK(feed_websocket(parser, std::string{"\x82\xff\x20\0\0\0\0\0\0\0\1\2\3\4ab", 16}, events));
  CHECK(events.empty());
  CHECK(parser.held() == 2);
  CHECK(parser.in_message());
}

TEST_CASE("between messages nothing is held") {
  websocket_parser parser{peer::client};
  strings events;
  const auto bytes = from_client(websocket_opcode::text, std::string(1000, 'x'), false)
                     + from_client(websocket_opcode::ping, std::string(100, 'p'))
                     + from_client(websocket_opcode::continuation, std::string(1000, 'y'));
  CHECK(feed_websocket(parser, bytes.substr(0, 1500), events));
  CHECK(parser.held() > 1000);
  CHECK(feed_websocket(parser, bytes.substr(1500), events));
  CHECK(events.size() == 2);
  CHECK(parser.held() == 0);
  CHECK_FALSE(parser.in_message());
  CHECK(sizeof(websocket_parser) <= 192);
}

TEST_CASE("a mask is taken off at any place and in any length") {
  std::mt19937 draw{1};
  for (std::size_t size = 0; size < 70; ++size) {
    std::string plain;
    for (std::size_t i = 0; i < size; ++i)
      plain += static_cast<char>(draw());
    for (std::size_t phase = 0; phase < 5; ++phase) {
      std::string masked(size, '\0');
      apply_websocket_mask(masked.data(), plain.data(), size, mask, phase);
      for (std::size_t i = 0; i < size; ++i)
        REQUIRE(static_cast<std::uint8_t>(masked[i])
                == (static_cast<std::uint8_t>(plain[i]) ^ mask[(phase + i) % 4]));
      apply_websocket_mask(masked.data(), masked.data(), size, mask, phase);
      CHECK(masked == plain);
    }
  }
}

TEST_CASE("masks differ") {
  CHECK(random_websocket_mask() != random_websocket_mask());
}

TEST_CASE("a frame is the one of the RFC") {
  CHECK(make_websocket_frame(websocket_opcode::text, "Hello").text() == "\x81\x05Hello");
  std::string masked;
  append_websocket_frame(masked, websocket_opcode::text, "Hello", {0x37, 0xfa, 0x21, 0x3d});
  CHECK(masked == "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
  CHECK(make_websocket_frame(websocket_opcode::binary, std::string(256, 'x')).size() == 260);
  CHECK(make_websocket_frame(websocket_opcode::binary, std::string(65536, 'x')).size() == 65546);
}

TEST_CASE("a reason for closing is cut between characters") {
  CHECK(fitting_close_reason("bye") == "bye");
  CHECK(fitting_close_reason(std::string(123, 'x')).size() == 123);
  CHECK(fitting_close_reason(std::string(124, 'x')).size() == 123);
  CHECK(fitting_close_reason(std::string(122, 'x') + "\xc3\xa9").size() == 122);
  CHECK(fitting_close_reason("\xff").empty());
}
