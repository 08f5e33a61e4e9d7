#include "native_address.hpp"

#include <cstddef>

#include <sys/un.h>

namespace troupe::detail {

namespace {

constexpr std::size_t path_at = offsetof(sockaddr_un, sun_path);

} // namespace

net_address native_address::to_address() const {
  if (family() != AF_UNIX)
    return socket_address{storage}.to_address();
  if (length <= path_at)
    return net_address::path({});
  sockaddr_un un;
  std::memcpy(&un, &storage, sizeof un);
  const auto size = length - path_at;
  if (un.sun_path[0] != '\0')
    return net_address::path({un.sun_path, ::strnlen(un.sun_path, size)});
  std::string name{un.sun_path, size}; // its end is where its length says, and not at a NUL
  name[0] = '@';
  return net_address::path(std::move(name));
}

outcome<native_address> native_address::of_path(const std::string& path) {
  native_address result;
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (path.size() > 1 && path.size() <= sizeof un.sun_path && path[0] == '@') {
    path.copy(un.sun_path, path.size());
    un.sun_path[0] = '\0';
    std::memcpy(&result.storage, &un, sizeof un);
    result.length = static_cast<socklen_t>(path_at + path.size());
    return result;
  }
  const auto parsed = parse_unix(path);
  if (!parsed)
    return parsed.error();
  result.storage = *parsed;
  result.length = length_of(*parsed);
  return result;
}

} // namespace troupe::detail
