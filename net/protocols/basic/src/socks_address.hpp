#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <troupe/net/net_address.hpp>

namespace troupe::detail {

inline constexpr char type_ipv4 = 1;
inline constexpr char type_name = 3;
inline constexpr char type_ipv6 = 4;

/// Returns the 4 or 16 bytes of an address; nothing if it is none of IP.
[[nodiscard]] std::string socks_bytes_of(const net_address& a);

/// Returns the address of 4 or 16 bytes.
[[nodiscard]] net_address socks_address_of(std::string_view bytes, std::uint16_t port);

/// Returns the host of that name, which may be an address in numbers.
[[nodiscard]] net_address socks_host(std::string_view name, std::uint16_t port);

/// Tells whether it has visible characters of ASCII only, and at least one.
[[nodiscard]] bool is_host_name(std::string_view name) noexcept;

/// Returns the two bytes of a port, and the port of two bytes.
[[nodiscard]] std::string socks_port(std::uint16_t port);
[[nodiscard]] std::uint16_t socks_port_of(std::string_view bytes) noexcept;

} // namespace troupe::detail
