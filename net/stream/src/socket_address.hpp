#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <sys/socket.h>

#include <troupe/net/net_address.hpp>
#include <troupe/runtime/outcome.hpp>

namespace troupe::detail {

/// An IP address and port, or the path of a UNIX socket, in 24 bytes: what a connection keeps of its
/// two ends.
class socket_address {
public:
  socket_address() noexcept : bytes_{} {}

  /// Takes what the system returned; what is neither IP nor UNIX becomes "none".
  explicit socket_address(const sockaddr_storage& from);

  socket_address(const socket_address& other) noexcept : bytes_{} { *this = other; }
  socket_address& operator=(const socket_address& other) noexcept;
  ~socket_address();

  [[nodiscard]] net_address to_address() const;
  [[nodiscard]] bool is_unix() const noexcept;

private:
  union {
    std::array<unsigned char, 16> bytes_;
    std::shared_ptr<const std::string> path_; // of a UNIX socket that has one
  };
  std::uint32_t scope_ = 0;
  std::uint16_t port_ = 0;
  std::uint8_t family_ = 0;
  bool has_path_ = false;
};
static_assert(sizeof(socket_address) == 24);

/// Reads a numeric IPv4 or IPv6 address; nothing if it is not one.
std::optional<sockaddr_storage> parse_ip(const std::string& host, std::uint16_t port);

/// Makes the address of a UNIX socket of its path; `"@name"` is the abstract name of Linux.
///
/// Fails with: `errc::invalid_address`, naming the path, if it is empty, too long or has a NUL.
outcome<sockaddr_storage> parse_unix(const std::string& path);

/// Returns how long the address in `a` is.
socklen_t length_of(const sockaddr_storage& a) noexcept;

} // namespace troupe::detail
