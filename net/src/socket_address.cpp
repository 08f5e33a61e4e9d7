#include "socket_address.hpp"

#include <cstring>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

namespace troupe::detail {

socket_address::socket_address(const sockaddr_storage& from) noexcept
  : family_(static_cast<std::uint8_t>(from.ss_family)) {
  if (from.ss_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &from, sizeof in);
    std::memcpy(bytes_.data(), &in.sin_addr, sizeof in.sin_addr);
    port_ = ntohs(in.sin_port);
  } else if (from.ss_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, &from, sizeof in);
    std::memcpy(bytes_.data(), &in.sin6_addr, sizeof in.sin6_addr);
    port_ = ntohs(in.sin6_port);
    scope_ = in.sin6_scope_id;
  } else {
    family_ = AF_UNSPEC;
  }
}

net_address socket_address::to_address() const {
  if (family_ == AF_UNSPEC)
    return {};
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(family_, bytes_.data(), text, sizeof text);
  if (family_ == AF_INET)
    return {net_address::kind::ipv4, text, port_};
  std::string host = text;
  if (scope_ != 0) {
    char name[IF_NAMESIZE] = {};
    host += '%';
    host += ::if_indextoname(scope_, name) != nullptr ? name : std::to_string(scope_);
  }
  return {net_address::kind::ipv6, std::move(host), port_};
}

std::optional<sockaddr_storage> parse_ip(const std::string& host, std::uint16_t port) {
  sockaddr_storage result{};
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&result, &v4, sizeof v4);
    return result;
  }
  sockaddr_in6 v6{};
  const auto percent = host.find('%');
  if (::inet_pton(AF_INET6, host.substr(0, percent).c_str(), &v6.sin6_addr) != 1)
    return std::nullopt;
  if (percent != std::string::npos) {
    v6.sin6_scope_id = ::if_nametoindex(host.c_str() + percent + 1);
    if (v6.sin6_scope_id == 0)
      return std::nullopt;
  }
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&result, &v6, sizeof v6);
  return result;
}

socklen_t length_of(const sockaddr_storage& a) noexcept {
  return a.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

} // namespace troupe::detail
