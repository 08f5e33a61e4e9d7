#pragma once

#include <cstddef>
#include <string>

#include <troupe/net/listen_unix_datagram.hpp>

namespace troupe {

/// How a UNIX port of datagrams is connected; see `unix_datagram_options`.
struct unix_datagram_connect_options {
  /// Where it listens itself, so that the peer can answer. If it is empty, the port has no name.
  /// Source: connectUNIXDatagram's bindAddress
  std::string bind_address;

  std::size_t max_packet_size = unix_datagram_options{}.max_packet_size;
  std::size_t max_unsent = unix_datagram_options{}.max_unsent;
  std::size_t send_buffer = unix_datagram_options{}.send_buffer;

  /// Of the file at `bind_address`.
  mode_t mode = unix_datagram_options{}.mode;
  bool lock_file = unix_datagram_options{}.lock_file;

  std::size_t loop = unix_datagram_options{}.loop;
};

/// Opens a UNIX port of datagrams that sends to `path` only, by `write` without an address, and
/// receives from there only.
///
/// When the peer has gone, what is written is lost and `connection_refused` is called, as with UDP.
/// The port stays; each write tries the path again, so a peer that comes back is found.
///
/// \throws cannot_listen_error naming the path, if nobody listens there, it is too long or may not
///         be written to; or naming `bind_address`, as of `listen_unix`
/// \throws std::logic_error as of `listen_udp`
/// Thread: any loop's, or before `run()`.
/// Source: twisted.internet.interfaces.IReactorUNIX.connectUNIXDatagram
datagram_port connect_unix_datagram(runtime& rt, const std::string& path,
                                    const datagram_protocol_ref& protocol,
                                    const unix_datagram_connect_options& options = {});

} // namespace troupe
