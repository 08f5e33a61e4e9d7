#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::testing {

/// A plain blocking UDP socket of the system, so that tests do not trust Troupe's own. It waits ten
/// seconds at most for anything, and then throws.
class udp_peer {
public:
  /// Binds a free port of `host`, or `port`.
  explicit udp_peer(const std::string& host = "127.0.0.1", std::uint16_t port = 0);
  ~udp_peer();
  udp_peer(const udp_peer&) = delete;
  udp_peer& operator=(const udp_peer&) = delete;

  [[nodiscard]] std::uint16_t port() const;

  /// Sends one datagram to that port of `host`, or of the own host if it is empty.
  void send(std::uint16_t port, std::string_view data, const std::string& host = {});

  /// Receives one datagram; `from()` then tells the port that sent it.
  std::string receive();
  [[nodiscard]] std::uint16_t from() const noexcept { return from_; }

  /// Tells whether a datagram is there.
  [[nodiscard]] bool readable() const;

  /// Lets the system keep many datagrams.
  void set_receive_buffer(int bytes);

private:
  const std::string host_;
  int fd_;
  std::uint16_t from_ = 0;
};

/// Returns a UDP port of 127.0.0.1 at which nobody listens.
std::uint16_t unused_udp_port();

} // namespace troupe::testing
