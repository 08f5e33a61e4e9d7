#pragma once

#include <cstring>

#include <sys/socket.h>

#include <troupe/net/net_address.hpp>

#include "socket_address.hpp"

namespace troupe::detail {

/// An address as the system's calls take and give it, of any family.
struct native_address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  /// Returns the socket's own address, and that of its peer; length 0 if it has none.
  static native_address local(int fd) noexcept { return ask(fd, &::getsockname); }
  static native_address peer(int fd) noexcept { return ask(fd, &::getpeername); }

  [[nodiscard]] const sockaddr* get() const noexcept {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
  [[nodiscard]] int family() const noexcept { return storage.ss_family; }

  /// Returns it as a protocol gets it. Of kind `none` if this is empty.
  [[nodiscard]] net_address to_address() const;

  /// Makes the address of a UNIX socket. Takes all that `to_address` returns, also an abstract name
  /// with a NUL in it, but not the address of a socket without a name.
  static outcome<native_address> of_path(const std::string& path);

  [[nodiscard]] bool is(const void* other, socklen_t other_length) const noexcept {
    return length == other_length && std::memcmp(&storage, other, length) == 0;
  }

private:
  static native_address ask(int fd, int (*call)(int, sockaddr*, socklen_t*)) noexcept {
    native_address a;
    a.length = sizeof a.storage;
    if (call(fd, reinterpret_cast<sockaddr*>(&a.storage), &a.length) != 0)
      a.length = 0;
    return a;
  }
};

} // namespace troupe::detail
