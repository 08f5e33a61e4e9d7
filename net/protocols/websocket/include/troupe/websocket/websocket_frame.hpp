#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <troupe/runtime/bytes.hpp>

namespace troupe {

/// What a frame is. Source: RFC 6455, 5.2
enum class websocket_opcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10,
};

/// Codes with which connections are closed. Source: RFC 6455, 7.4
namespace websocket_code {
constexpr std::uint16_t normal = 1000;
constexpr std::uint16_t going_away = 1001; ///< a server stops, a page is left
constexpr std::uint16_t protocol_error = 1002;
constexpr std::uint16_t unsupported = 1003; ///< this kind of message is not taken
constexpr std::uint16_t none = 1005;        ///< never sent: the close frame had no code
constexpr std::uint16_t abnormal = 1006;    ///< never sent: there was no close frame
constexpr std::uint16_t not_utf8 = 1007;
constexpr std::uint16_t policy = 1008;
constexpr std::uint16_t too_big = 1009;
constexpr std::uint16_t internal_error = 1011;
} // namespace websocket_code

/// Tells whether a close frame may have this code.
[[nodiscard]] constexpr bool is_sendable_code(std::uint16_t code) noexcept {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014)
         || (code >= 3000 && code <= 4999);
}

/// What the payload of a frame from a client is masked with. Source: RFC 6455, 5.3
using websocket_mask = std::array<std::uint8_t, 4>;

/// Returns four bytes that nobody can foretell. Thread: any.
[[nodiscard]] websocket_mask random_websocket_mask();

/// Writes `size` bytes from `from` to `to`, masked, or unmasked, which is the same. `to` may be `from`.
///
/// \param phase  how many bytes of the payload came before
void apply_websocket_mask(char* to, const char* from, std::size_t size, const websocket_mask& mask,
                          std::size_t phase = 0) noexcept;

/// The head of a frame, as it is sent.
///
/// Source: RFC 6455, 5.2
class websocket_frame_head {
public:
  /// \param mask  that of a client, null for a server
  /// \param final  false if the message goes on in another frame
  /// \param compressed  sets RSV1 (RFC 7692)
  websocket_frame_head(websocket_opcode opcode, std::uint64_t size,
                       const websocket_mask* mask = nullptr, bool final = true,
                       bool compressed = false) noexcept;

  [[nodiscard]] std::string_view view() const noexcept { return {bytes_.data(), size_}; }

private:
  std::array<char, 14> bytes_; // 2, 4 or 10, and the mask
  std::uint8_t size_;
};

/// Returns a frame from a server: to be made once, and written to many.
[[nodiscard]] shared_bytes make_websocket_frame(websocket_opcode opcode, std::string_view payload,
                                                bool compressed = false);

/// Appends a frame from a client, masked with `mask`.
void append_websocket_frame(std::string& to, websocket_opcode opcode, std::string_view payload,
                            const websocket_mask& mask, bool final = true, bool compressed = false);

/// Returns the longest beginning of `reason` that fits in a close frame: of up to 123 bytes, and not cut
/// within a character.
[[nodiscard]] std::string_view fitting_close_reason(std::string_view reason) noexcept;

} // namespace troupe
