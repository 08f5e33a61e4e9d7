#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <troupe/testing/split_feed.hpp>
#include <troupe/websocket/websocket_parser.hpp>

namespace troupe::testing {

inline std::string name_of(websocket_parser::event what) {
  switch (what) {
  case websocket_parser::event::more:
    return "more";
  case websocket_parser::event::unpacking:
    return "unpacking";
  case websocket_parser::event::text:
    return "text";
  case websocket_parser::event::binary:
    return "binary";
  case websocket_parser::event::ping:
    return "ping";
  case websocket_parser::event::pong:
    return "pong";
  case websocket_parser::event::close:
    return "close";
  case websocket_parser::event::refused:
    return "refused";
  }
  return "?";
}

/// Feeds a piece, and adds what comes out: "text hello", "close 1000 bye", "refused 1002 why". Returns false
/// once it is over.
inline bool feed_websocket(websocket_parser& parser, std::string_view piece,
                           std::vector<std::string>& events) {
  auto in = as_bytes(piece);
  for (;;) {
    const auto what = parser.next(in);
    if (what == websocket_parser::event::more) {
      parser.release();
      return in.empty();
    }
    if (what == websocket_parser::event::unpacking)
      continue;
    auto line = name_of(what);
    if (what == websocket_parser::event::close || what == websocket_parser::event::refused)
      line += ' ' + std::to_string(parser.code());
    if (what == websocket_parser::event::refused)
      line += std::string{' '} + parser.reason();
    else
      (line += ' ') += as_text(parser.payload());
    events.push_back(std::move(line));
    if (what == websocket_parser::event::refused)
      return false;
  }
}

inline std::vector<std::string> websocket_events(const split_input& input,
                                                 websocket_parser::peer from,
                                                 const websocket_limits& limits = {},
                                                 bool deflated = false) {
  websocket_parser parser{from, limits};
  parser.set_deflated(deflated);
  std::vector<std::string> events;
  input.feed([&](std::string_view piece) { return feed_websocket(parser, piece, events); });
  return events;
}

} // namespace troupe::testing
