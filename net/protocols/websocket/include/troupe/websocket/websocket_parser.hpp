#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <troupe/runtime/bytes.hpp>
#include <troupe/websocket/detail/utf8_checker.hpp>
#include <troupe/websocket/websocket_frame.hpp>

namespace troupe {

namespace detail {
class websocket_inflater;
struct websocket_buffers;
} // namespace detail

/// What a parser takes from its peer.
struct websocket_limits {
  /// Bytes of a message, all of its frames together, unpacked; refused with 1009 when a head announces more, or
  /// unpacking makes more.
  std::size_t max_message = 1024 * 1024;

  /// Frames of a message; refused with 1008.
  std::uint32_t max_fragments = 16384;
};

/// Messages and control frames out of bytes: no transport, no clock.
///
/// ```cpp
/// for (;;)
///   switch (parser.next(input)) {
///   case websocket_parser::event::more: return; // all of the input is used
///   case websocket_parser::event::unpacking: continue; // or go on later, with what is left of the input
///   case websocket_parser::event::text: say(as_text(parser.payload())); break;
///   ...
/// ```
///
/// The same events come out for every way in which the input is cut. What is wrong is refused as soon as
/// the bytes say so: a head before its payload, text at the first byte that is no UTF-8. It holds what of a
/// message has come, never what a head promises; between messages nothing, once it is told to `release`. While a
/// message that was packed is unfinished, 60 KiB are taken to unpack it. One call of `next` unpacks up to 64 KiB, or what
/// 16 KiB are packed: who has others to serve looks at the time in between.
///
/// Thread: one. Source: RFC 6455, 5 to 8; RFC 7692, 6 and 7
class websocket_parser {
public:
  enum class event : std::uint8_t {
    more,      ///< all of the input is used, and nothing is complete
    unpacking, ///< some of a packed message is unpacked; `next` goes on, with or without more input
    text,      ///< `payload` is a message of text, in UTF-8
    binary,    ///< `payload` is a message
    ping,      ///< `payload` has up to 125 bytes
    pong,      ///< the same
    close,     ///< `code` and `payload`, the reason, in UTF-8; what follows is passed over
    refused,   ///< `code` and `reason` say why; what follows is passed over
  };

  /// Who sends: frames of clients are masked, and those of servers are not.
  enum class peer : std::uint8_t { client, server };

  explicit websocket_parser(peer from, const websocket_limits& limits = {}) noexcept;
  ~websocket_parser();
  websocket_parser(const websocket_parser&) = delete;
  websocket_parser& operator=(const websocket_parser&) = delete;

  /// Says who sends, from the next frame on.
  void set_peer(peer from) noexcept { from_ = from; }

  /// Sets what is taken from the next frame on.
  void set_limits(const websocket_limits& limits) noexcept { limits_ = limits; }

  /// Says whether messages may be packed, each for itself (permessage-deflate without context takeover); at first none
  /// may.
  void set_deflated(bool on) noexcept { may_be_packed_ = on; }

  /// Takes bytes off the front of `in`, up to the next event.
  [[nodiscard]] event next(bytes_view& in);

  /// Returns what the last event brought. Good until `next` or `release`, and as long as the input.
  [[nodiscard]] bytes_view payload() const noexcept { return payload_; }

  /// Returns the code of a close frame, 1005 if it has none; or that with which to refuse.
  [[nodiscard]] std::uint16_t code() const noexcept { return code_; }

  /// Returns why the input was refused.
  [[nodiscard]] const char* reason() const noexcept { return reason_; }

  /// Tells whether a message, or a frame, is unfinished.
  [[nodiscard]] bool in_message() const noexcept { return started_ || in_frame_ || head_size_ > 0; }

  /// Gives memory back that the next message does not go on with.
  void release() noexcept;

  /// Returns how many bytes it holds.
  [[nodiscard]] std::size_t held() const noexcept;

private:
  enum class state : std::uint8_t { open, closed, refused };

  [[nodiscard]] bool take_head(bytes_view& in);
  [[nodiscard]] bool check_first(std::uint8_t first, std::uint8_t second);
  [[nodiscard]] bool begin_frame(const char* head, std::size_t size);
  [[nodiscard]] event take_control(bytes_view& in);
  [[nodiscard]] event take_data(bytes_view& in);
  [[nodiscard]] event take_packed(bytes_view& in, std::size_t& work);
  [[nodiscard]] event complete(bytes_view message);
  [[nodiscard]] event drain_inflater(std::size_t& work);
  [[nodiscard]] std::uint64_t most_payload() const noexcept;
  [[nodiscard]] event closed();
  event refuse(std::uint16_t code, const char* reason) noexcept;
  [[nodiscard]] detail::websocket_buffers& buffers();
  void clear_buffers() noexcept;

  websocket_limits limits_;
  std::uint64_t left_ = 0;                             // of the payload of this frame
  std::uint64_t size_ = 0;                             // of this message, as its heads say
  std::unique_ptr<detail::websocket_buffers> buffers_; // what came; null between messages
  bytes_view payload_;
  const char* reason_ = "";
  std::uint32_t fragments_ = 0;
  std::array<char, 14> head_; // its beginning, if it is cut
  std::uint8_t head_size_ = 0;
  websocket_mask mask_{};
  std::uint16_t code_ = 0;
  peer from_;
  state state_ = state::open;
  websocket_opcode opcode_ = websocket_opcode::continuation; // of this frame
  websocket_opcode kind_ = websocket_opcode::continuation;   // of this message
  std::uint8_t phase_ = 0;                                   // of the mask
  bool final_ = false;
  bool in_frame_ = false;
  bool started_ = false; // a message, which goes on in other frames
  bool given_ = false;   // the payload is done with when more is asked for
  bool may_be_packed_ = false;
  bool packed_ = false;    // this message is
  bool unpacking_ = false; // there may be more of it without further input
  bool unpacks_end_ = false;
  detail::utf8_checker utf8_;
  std::unique_ptr<detail::websocket_inflater>
    inflater_; // from the first byte of a packed message to its end
};

} // namespace troupe
