#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/websocket/websocket_frame.hpp>
#include <troupe/websocket/websocket_parser.hpp>

namespace troupe {

/// How one end of a WebSocket deals with the other. Time-outs of zero are none.
struct websocket_options {
  websocket_limits limits{};

  /// Names of subprotocols; those preferred come first.
  std::vector<std::string> subprotocols{};

  /// Packs messages where the other side can unpack them, and takes packed ones (permessage-deflate, RFC 7692). Each is
  /// packed for itself, so that an idle WebSocket holds nothing for it.
  ///
  /// How long a packed message is tells of what it says: one in which a secret stands beside what a stranger chose should
  /// not be packed.
  bool deflate = false;

  /// Shorter messages go as they are.
  std::size_t deflate_from = 256;

  /// How often a peer is looked at: one that has sent nothing since the last look is pinged.
  duration ping_interval = std::chrono::seconds(30);

  /// Then it has this long to send anything.
  duration pong_timeout = std::chrono::seconds(20);

  /// For the other side's close frame, and for what was sent before it to be taken.
  duration close_timeout = std::chrono::seconds(10);
};

/// How a WebSocket ended.
struct websocket_close {
  /// What the peer's close frame said; 1005 if that had no code, 1006 if there was none.
  std::uint16_t code = websocket_code::abnormal;
  std::string text; ///< the peer's reason: text of a stranger, in UTF-8

  /// Both sides have said that they close.
  bool clean = false;

  /// The code with which this side closed, or answered; 0 if it did not.
  std::uint16_t sent = 0;

  failure reason; ///< as `protocol::connection_lost` has it
};

} // namespace troupe
