#pragma once

#include <string>

#include <troupe/net/multicast_transport.hpp>

#include "datagram_socket.hpp"

namespace troupe::detail {

/// How a UDP socket is opened: what `datagram_options` and `multicast_options` have in common.
struct udp_options {
  std::string interface;
  std::size_t max_packet_size;
  std::size_t max_unsent;
  std::size_t receive_buffer;
  bool listen_multiple;
  bool multicast;
};

/// Binds a UDP socket. \throws cannot_listen_error
listening_socket open_udp_socket(std::uint16_t port, const udp_options& options);

/// A port of UDP, for IPv4 or IPv6.
class udp_socket final : public datagram_socket, public multicast_transport {
public:
  udp_socket(event_loop& loop, listening_socket socket, const udp_options& options);

  std::error_code set_broadcast_allowed(bool allowed) override;
  [[nodiscard]] bool get_broadcast_allowed() const override;

  chained<void> join_group(const std::string& group, const std::string& interface) override;
  chained<void> leave_group(const std::string& group, const std::string& interface) override;
  std::error_code set_ttl(int hops) override;
  [[nodiscard]] int get_ttl() const override;
  std::error_code set_loopback_mode(bool on) override;
  [[nodiscard]] bool get_loopback_mode() const override;
  chained<void> set_outgoing_interface(const std::string& interface) override;
  [[nodiscard]] std::string get_outgoing_interface() const override { return outgoing_; }

private:
  std::error_code resolve(const net_address& a, native_address& to) const override;
  multicast_transport* groups() noexcept override { return multicast_ ? this : nullptr; }
  std::size_t segment(std::span<std::byte> control, std::size_t size) const noexcept override;
  [[nodiscard]] std::size_t longest() const noexcept override;

  chained<void> change_group(bool join, const std::string& group, const std::string& interface);
  std::error_code set(int v4_option, int v6_option, int value);
  [[nodiscard]] int get(int v4_option, int v6_option) const;

  const bool multicast_;
  std::string outgoing_;
};

} // namespace troupe::detail
