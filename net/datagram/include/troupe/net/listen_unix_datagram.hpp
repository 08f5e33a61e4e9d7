#pragma once

#include <cstddef>
#include <string>

#include <sys/types.h>

#include <troupe/net/datagram_port.hpp>
#include <troupe/net/datagram_protocol.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// How a UNIX port of datagrams listens.
struct unix_datagram_options {
  /// Longer datagrams are cut to this many bytes, and counted. At most 524,288.
  /// Source: listenUNIXDatagram
  std::size_t max_packet_size = 8192;

  /// As in `datagram_options`. What waits for one peer that does not read is at most a quarter.
  std::size_t max_unsent = datagram_options{}.max_unsent;

  /// How many bytes the system holds that were sent and not yet received by the peers, some 800 for
  /// each datagram besides its own; a single datagram must fit, too. 0 leaves the system's default,
  /// some 200 KiB. A peer that never reads takes up as much of it as net.unix.max_dgram_qlen
  /// datagrams need: 10, or 512 under systemd, which is all of the default. Where peers are not
  /// trusted, have more.
  std::size_t send_buffer = 0;

  /// Who may send: the permissions of the socket's file. Source: listenUNIXDatagram
  mode_t mode = 0666;

  /// As in `unix_listen_options`.
  bool lock_file = true;

  /// The number of the loop on which port and protocol live.
  std::size_t loop = 0;
};

/// Listens at a UNIX socket of datagrams.
///
/// As with UDP, one protocol serves all who send, and answers to the path that `datagram_received`
/// was given (`net_address::path`). A sender need not have one: then that is empty, and cannot be
/// written to. Unlike UDP, nothing is lost on the way: what a peer does not take at once waits for
/// it, up to `max_unsent`, and holds up nothing that goes elsewhere while `send_buffer` lasts. What is sent to a path where
/// nobody listens counts as `lost`. Broadcast is not supported.
///
/// The socket's file, and its lock, are removed when the port stops.
///
/// \param path  as of `listen_unix`
/// \throws cannot_listen_error naming the path, as of `listen_unix`
/// \throws std::logic_error as of `listen_udp`
/// Thread: any loop's, or before `run()`.
/// Source: twisted.internet.interfaces.IReactorUNIX.listenUNIXDatagram
datagram_port listen_unix_datagram(runtime& rt, const std::string& path,
                                   const datagram_protocol_ref& protocol,
                                   const unix_datagram_options& options = {});

} // namespace troupe
