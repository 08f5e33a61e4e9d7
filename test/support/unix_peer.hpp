#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <troupe/net/file_descriptor.hpp>

namespace troupe::testing {

/// A plain blocking socket of the system for UNIX datagrams. It waits ten seconds at most for
/// anything, and then throws.
class unix_peer {
public:
  /// Binds `name`: a path, bytes that begin with NUL for an abstract name, or nothing.
  explicit unix_peer(const std::string& name = {});
  ~unix_peer();
  unix_peer(const unix_peer&) = delete;
  unix_peer& operator=(const unix_peer&) = delete;

  /// From now on it takes datagrams from there only.
  void connect(const std::string& to);

  /// Sends one datagram, with descriptors or without. Returns 0 or `errno`.
  int send(const std::string& to, std::string_view data, int descriptor = -1);

  /// Receives one datagram; `from()` then tells the name of who sent it.
  std::string receive();
  [[nodiscard]] const std::string& from() const noexcept { return from_; }

  /// Tells whether a datagram is there.
  [[nodiscard]] bool readable(int patience_ms = 0) const;

private:
  const std::string name_;
  file_descriptor fd_;
  std::string from_;
};

} // namespace troupe::testing
