#include "socket_address.hpp"

#include <cstddef>
#include <cstring>
#include <new>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace troupe::detail {

namespace {

// As it is written: an abstract name with an '@' in place of its first NUL.
std::string path_of(const sockaddr_storage& from) {
  sockaddr_un un;
  std::memcpy(&un, &from, sizeof un);
  if (un.sun_path[0] != '\0')
    return {un.sun_path, ::strnlen(un.sun_path, sizeof un.sun_path)};
  const std::string name{un.sun_path + 1, ::strnlen(un.sun_path + 1, sizeof un.sun_path - 1)};
  return name.empty() ? name : '@' + name;
}

} // namespace

socket_address::socket_address(const sockaddr_storage& from)
  : bytes_{}, family_(static_cast<std::uint8_t>(from.ss_family)) {
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
  } else if (from.ss_family == AF_UNIX) {
    if (auto path = path_of(from); !path.empty()) {
      ::new (&path_)
        std::shared_ptr<const std::string>(std::make_shared<const std::string>(std::move(path)));
      has_path_ = true;
    }
  } else {
    family_ = AF_UNSPEC;
  }
}

socket_address& socket_address::operator=(const socket_address& other) noexcept {
  if (this == &other)
    return *this;
  if (has_path_)
    path_.~shared_ptr();
  if (other.has_path_)
    ::new (&path_) std::shared_ptr<const std::string>(other.path_);
  else
    bytes_ = other.bytes_;
  scope_ = other.scope_;
  port_ = other.port_;
  family_ = other.family_;
  has_path_ = other.has_path_;
  return *this;
}

socket_address::~socket_address() {
  if (has_path_)
    path_.~shared_ptr();
}

bool socket_address::is_unix() const noexcept {
  return family_ == AF_UNIX;
}

net_address socket_address::to_address() const {
  if (family_ == AF_UNSPEC)
    return {};
  if (family_ == AF_UNIX)
    return {net_address::kind::unix_socket, has_path_ ? *path_ : std::string{}, 0};
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

outcome<sockaddr_storage> parse_unix(const std::string& path) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (path.empty() || path == "@")
    return failure{errc::invalid_address, "the path of a UNIX socket is empty"};
  if (path.find('\0') != std::string::npos)
    return failure{errc::invalid_address, "the path of a UNIX socket has a NUL: " + path};
  if (path.size() >= sizeof un.sun_path)
    return failure{errc::invalid_address, "the path of a UNIX socket is longer than "
                                            + std::to_string(sizeof un.sun_path - 1)
                                            + " bytes: " + path};
  std::memcpy(un.sun_path, path.data(), path.size());
  if (path[0] == '@')
    un.sun_path[0] = '\0';
  sockaddr_storage result{};
  std::memcpy(&result, &un, sizeof un);
  return result;
}

socklen_t length_of(const sockaddr_storage& a) noexcept {
  if (a.ss_family == AF_INET6)
    return sizeof(sockaddr_in6);
  if (a.ss_family != AF_UNIX)
    return sizeof(sockaddr_in);
  sockaddr_un un;
  std::memcpy(&un, &a, sizeof un);
  const bool abstract = un.sun_path[0] == '\0'; // the terminating NUL would be part of the name
  const auto length = abstract ? 1 + ::strnlen(un.sun_path + 1, sizeof un.sun_path - 1)
                               : ::strnlen(un.sun_path, sizeof un.sun_path - 1) + 1;
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
}

} // namespace troupe::detail
