#pragma once

#include <functional>
#include <memory>
#include <string>

#include <troupe/basic/proxy.hpp>
#include <troupe/net/listening_port.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe::detail {

/// A port that waits for one connection, for a client of SOCKS that has asked for BIND.
///
/// Thread: its loop's.
class socks_binding : public std::enable_shared_from_this<socks_binding> {
public:
  /// Is given the other side, which has just been connected and reads nothing until it is joined.
  using handler = std::function<void(proxy&)>;

  /// \param expected  who alone is let in, as a number; the unspecified address is anybody
  socks_binding(std::string expected, handler came);

  /// Listens on the loop `where`. \throws cannot_listen_error
  /// \returns where
  net_address listen(runtime& rt, std::size_t where, const std::string& interface);

  /// Ends it, unless somebody has come. Nothing is called any more.
  void close();

  [[nodiscard]] bool lets_in(const net_address& peer) const;
  void take(proxy& other);

private:
  const std::string expected_;
  handler came_; // none: it is over
  listening_port port_;
  bool taken_ = false;
};

} // namespace troupe::detail
