#pragma once

#include <cstdint>

#include <troupe/net/listen_udp.hpp>
#include <troupe/net/multicast_transport.hpp>

namespace troupe {

/// How a port listens that joins groups; see `datagram_options`.
struct multicast_options {
  /// What is sent to a group reaches only a port that is bound to all interfaces, or to the group's
  /// own address, which keeps other datagrams out. `"::"` for IPv6.
  std::string interface = "0.0.0.0";

  std::size_t max_packet_size = datagram_options{}.max_packet_size;
  std::size_t max_unsent = datagram_options{}.max_unsent;
  std::size_t receive_buffer = datagram_options{}.receive_buffer;

  /// Lets several sockets on this machine bind the port; each gets what is sent to the group.
  bool listen_multiple = false;

  std::size_t loop = datagram_options{}.loop;
};

/// Listens at a UDP port whose protocol can join groups: it has `multicast()`.
///
/// It receives what is sent to groups that it has joined itself, and not, as sockets of Linux do
/// otherwise, to those that another program has.
///
/// Else as `listen_udp`. Source: twisted.internet.interfaces.IReactorMulticast.listenMulticast
datagram_port listen_multicast(runtime& rt, std::uint16_t port,
                               const datagram_protocol_ref& protocol,
                               const multicast_options& options = {});

} // namespace troupe
