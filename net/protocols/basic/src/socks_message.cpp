#include <troupe/basic/socks_message.hpp>

#include <algorithm>
#include <array>
#include <cstring>

#include <arpa/inet.h>

#include "socks_address.hpp"

namespace troupe {

namespace {

constexpr char granted4 = 90;
constexpr char rejected4 = 91;

char byte(std::uint8_t value) {
  return static_cast<char>(value);
}

} // namespace

std::string_view to_string(socks_reply r) noexcept {
  switch (r) {
  case socks_reply::granted:
    return "granted";
  case socks_reply::general_failure:
    return "general failure";
  case socks_reply::not_allowed:
    return "not allowed by its rules";
  case socks_reply::network_unreachable:
    return "network unreachable";
  case socks_reply::host_unreachable:
    return "host unreachable";
  case socks_reply::refused:
    return "connection refused";
  case socks_reply::timed_out:
    return "timed out";
  case socks_reply::command_not_supported:
    return "command not supported";
  case socks_reply::address_not_supported:
    return "kind of address not supported";
  }
  return "unknown reply";
}

std::string socks_reply_message(std::uint8_t version, socks_reply r, const net_address& bound) {
  auto address = detail::socks_bytes_of(bound);
  std::string message;
  if (version == 4) {
    if (address.size() != 4)
      address.assign(4, '\0');
    message = {'\0', r == socks_reply::granted ? granted4 : rejected4};
    return message + detail::socks_port(bound.port()) + address;
  }
  if (address.empty())
    address.assign(4, '\0');
  message = {byte(5), byte(static_cast<std::uint8_t>(r)), '\0',
             address.size() == 4 ? detail::type_ipv4 : detail::type_ipv6};
  return message + address + detail::socks_port(bound.port());
}

std::optional<socks_datagram> read_socks_datagram(std::string_view in) {
  if (in.size() < 5 || in[2] != 0) // a fragment is something else; two bytes are reserved
    return std::nullopt;
  const char type = in[3];
  const bool named = type == detail::type_name;
  if (!named && type != detail::type_ipv4 && type != detail::type_ipv6)
    return std::nullopt;
  const std::size_t begin = named ? 5 : 4;
  const std::size_t size = named                       ? static_cast<unsigned char>(in[4])
                           : type == detail::type_ipv4 ? 4
                                                       : 16;
  if (in.size() < begin + size + 2)
    return std::nullopt;
  const auto address = in.substr(begin, size);
  if (named && !detail::is_host_name(address))
    return std::nullopt;
  const auto port = detail::socks_port_of(in.substr(begin + size));
  return socks_datagram{named ? detail::socks_host(address, port)
                              : detail::socks_address_of(address, port),
                        in.substr(begin + size + 2)};
}

void append_socks_datagram_head(std::string& out, const net_address& address) {
  const auto bytes = detail::socks_bytes_of(address);
  out.append(3, '\0');
  out += bytes.size() == 16 ? detail::type_ipv6 : detail::type_ipv4;
  out += bytes;
  out += detail::socks_port(address.port());
}

namespace detail {

std::string socks_bytes_of(const net_address& a) {
  std::array<char, 16> bytes{};
  if (a.type() == net_address::kind::ipv4
      && ::inet_pton(AF_INET, a.host().c_str(), bytes.data()) == 1)
    return {bytes.data(), 4};
  const auto number = a.host().substr(0, a.host().find('%'));
  if (a.type() == net_address::kind::ipv6
      && ::inet_pton(AF_INET6, number.c_str(), bytes.data()) == 1)
    return {bytes.data(), 16};
  return {};
}

net_address socks_address_of(std::string_view bytes, std::uint16_t port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const auto v4 = bytes.size() == 4;
  ::inet_ntop(v4 ? AF_INET : AF_INET6, bytes.data(), text.data(), text.size());
  return {v4 ? net_address::kind::ipv4 : net_address::kind::ipv6, text.data(), port};
}

net_address socks_host(std::string_view name, std::uint16_t port) {
  std::array<char, 16> bytes{};
  const std::string text{name};
  for (const auto family : {AF_INET, AF_INET6})
    if (::inet_pton(family, text.c_str(), bytes.data()) == 1)
      return socks_address_of({bytes.data(), family == AF_INET ? 4u : 16u}, port);
  return {net_address::kind::host_name, text, port};
}

bool is_host_name(std::string_view name) noexcept {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c < 0x7f; // nothing that a log or a resolver could stumble over
  });
}

std::string socks_port(std::uint16_t port) {
  return {static_cast<char>(port >> 8), static_cast<char>(port)};
}

std::uint16_t socks_port_of(std::string_view bytes) noexcept {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[0]) << 8
                                    | static_cast<unsigned char>(bytes[1]));
}

} // namespace detail

} // namespace troupe
