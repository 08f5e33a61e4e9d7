#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <utility>

namespace troupe {

/// Where one end of a connection is: an IP address and port, or the path of a UNIX socket; and where
/// one shall be, the name of a host.
///
/// (`address` alone is taken: inside an actor it is a member function of CAF.)
///
/// Source: twisted.internet.address (IPv4Address, IPv6Address, UNIXAddress)
class net_address {
public:
  enum class kind : std::uint8_t {
    none, ///< of neither of these kinds; the host may say what it is
    ipv4,
    ipv6,
    unix_socket,
    host_name, ///< not looked up yet
  };

  net_address() = default;
  net_address(kind k, std::string host, std::uint16_t port)
    : kind_(k), port_(port), host_(std::move(host)) {}

  /// Returns the IP address that `host` tells in numbers, IPv6 if there is a colon in it. Whether it
  /// is one is found out by whoever uses it.
  [[nodiscard]] static net_address ip(std::string host, std::uint16_t port);

  /// Returns the address of a UNIX socket: its path, `"@name"` for an abstract name, or nothing.
  [[nodiscard]] static net_address path(std::string path) {
    return {kind::unix_socket, std::move(path), 0};
  }

  [[nodiscard]] kind type() const noexcept { return kind_; }

  /// The address in numbers (`"127.0.0.1"`, `"::1"`, with `%scope` where it has one), the name of a
  /// host, or the path; an unnamed UNIX socket has an empty one.
  [[nodiscard]] const std::string& host() const noexcept { return host_; }

  /// The port; 0 where there is none.
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

  /// `"127.0.0.1:8123"`, `"[::1]:8123"`, or the path.
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const net_address&, const net_address&) = default;

private:
  kind kind_ = kind::none;
  std::uint16_t port_ = 0;
  std::string host_;
};

std::ostream& operator<<(std::ostream& out, const net_address& a);

} // namespace troupe
