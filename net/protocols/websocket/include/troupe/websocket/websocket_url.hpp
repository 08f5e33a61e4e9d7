#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

/// Where a WebSocket is: `ws://host:port/path?query`, or `wss://` for TLS.
///
/// Source: RFC 6455, 3
struct websocket_url {
  bool tls = false;
  std::string host;       ///< without the brackets of an IPv6 address
  std::uint16_t port = 0; ///< 80 or 443 if the text has none
  std::string target;     ///< path and query; "/" if the text has none

  /// \throws std::invalid_argument that says what is wrong: another scheme, a user, a fragment, a byte that no
  ///         URL can have
  [[nodiscard]] static websocket_url parse(std::string_view text);

  /// Returns what the field Host says: the port only where it is not the usual one.
  [[nodiscard]] std::string authority() const;
};

} // namespace troupe
