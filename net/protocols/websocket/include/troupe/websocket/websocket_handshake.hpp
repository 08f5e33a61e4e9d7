#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <troupe/runtime/bytes.hpp>
#include <troupe/websocket/websocket_url.hpp>

namespace troupe {

/// Returns what a server answers to a key, or nothing if it is none: 16 bytes in base 64.
///
/// Source: RFC 6455, 4.2.2
[[nodiscard]] std::string websocket_accept_key(std::string_view key);

/// What a client asks for beside the handshake's own fields.
struct websocket_request {
  /// Fields to be added: Cookie, Authorization, Origin, and so on.
  std::vector<std::pair<std::string, std::string>> fields{};

  /// Names of subprotocols, the best first.
  std::vector<std::string> subprotocols{};

  /// Offers to pack messages.
  bool deflate = false;
};

/// A client's side of the handshake: no transport, no clock.
///
/// Thread: one. Source: RFC 6455, 4.1; RFC 7692, 5
class websocket_handshake {
public:
  enum class event : std::uint8_t { more, done, refused };

  /// \throws std::invalid_argument if a field or a subprotocol cannot be sent, or is one of the handshake's own
  websocket_handshake(const websocket_url& url, const websocket_request& request);

  /// Returns what to send first.
  [[nodiscard]] const std::string& to_send() const noexcept { return to_send_; }

  /// Takes bytes of the answer off the front of `in`, and none behind its head. Every way to cut it comes to the
  /// same.
  [[nodiscard]] event next(bytes_view& in);

  /// Returns the subprotocol that the server has chosen, or nothing.
  [[nodiscard]] const std::string& subprotocol() const noexcept { return subprotocol_; }

  /// Returns with how many bits of window this side may pack messages, 0 if with none that it can; nothing unless both
  /// sides have agreed on permessage-deflate.
  [[nodiscard]] std::optional<int> deflate_bits() const noexcept { return deflate_bits_; }

  /// Returns why it was refused: such as "the server answers 403 Forbidden".
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }

  /// Returns the status of the answer, 0 if there was none that makes sense, and its fields as they came.
  [[nodiscard]] int status() const noexcept { return status_; }
  [[nodiscard]] const std::string& head() const noexcept { return head_; }

  static constexpr std::size_t longest_head = 16 * 1024;

private:
  event refuse(std::string why);
  event read_head();

  std::string to_send_;
  std::string accept_;
  std::string subprotocol_;
  std::string reason_;
  std::string head_;
  std::vector<std::string> offered_;
  std::optional<int> deflate_bits_;
  int status_ = 0;
  bool offers_deflate_ = false;
  bool over_ = false;
};

} // namespace troupe
