#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include <sys/socket.h>

#include <troupe/net/net_address.hpp>

namespace troupe::detail {

/// An IP address and port in 24 bytes: what a connection keeps of its two ends.
class socket_address {
public:
  socket_address() noexcept = default;

  /// Takes what the system returned; anything but IPv4 and IPv6 becomes "none".
  explicit socket_address(const sockaddr_storage& from) noexcept;

  [[nodiscard]] net_address to_address() const;

private:
  std::array<unsigned char, 16> bytes_{};
  std::uint32_t scope_ = 0;
  std::uint16_t port_ = 0;
  std::uint8_t family_ = 0;
};

/// Reads a numeric IPv4 or IPv6 address; nothing if it is not one.
std::optional<sockaddr_storage> parse_ip(const std::string& host, std::uint16_t port);

/// Returns how long the address in `a` is.
socklen_t length_of(const sockaddr_storage& a) noexcept;

} // namespace troupe::detail
