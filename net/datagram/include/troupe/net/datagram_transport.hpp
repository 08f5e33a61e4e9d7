#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

#include <troupe/net/net_address.hpp>
#include <troupe/runtime/bytes.hpp>
#include <troupe/runtime/deferred.hpp>

namespace troupe {

/// What became of a port's datagrams since it was opened; all counts only grow.
struct datagram_counters {
  std::uint64_t received = 0;  ///< handed to the protocol
  std::uint64_t truncated = 0; ///< of these, cut to `max_packet_size`
  std::uint64_t strangers = 0; ///< dropped: of a connected port, and not from its peer
  std::uint64_t sent = 0;      ///< taken by the system
  std::uint64_t refused = 0;   ///< writes that returned an error
  std::uint64_t lost = 0;      ///< taken by `write`, and then not by the system
};

/// Sends datagrams: each arrives whole, or not at all, in any order.
///
/// What is written during one turn of the loop leaves at its end with one system call. Nothing here
/// blocks or throws because of the network; a datagram that the system does not take (no route,
/// not permitted) counts as `lost`, like one that the network drops.
///
/// Thread: that of the protocol's loop.
/// Lifetime: from `start_protocol` until `stop_protocol`; what `datagram_protocol::transport`
/// returns before and after refuses everything with `errc::not_listening`.
/// Source: twisted.internet.interfaces.IUDPTransport
class datagram_transport {
public:
  virtual ~datagram_transport() = default;

  // -- output -----------------------------------------------------------------------------------

  /// Sends a copy of `data` to `to`.
  ///
  /// There is no count of bytes to return: it takes all of `data` or nothing. An empty datagram is
  /// sent as one.
  ///
  /// \param to  an address in numbers; `"<broadcast>"` is IPv4's 255.255.255.255. Of a UNIX port, a
  ///            `net_address::path`. The address that `datagram_received` was given is the quickest.
  /// \returns   an empty code, or why it was refused: `errc::message_too_long` (over 65,507 bytes,
  ///            IPv6: 65,527, UNIX: `unix_datagram_options::send_buffer`), `errc::invalid_address` (a name, port 0, or of another family than
  ///            the port's), `errc::queue_overflow` (the system takes no more at the moment, and
  ///            `max_unsent` bytes wait), `std::errc::permission_denied` (broadcast),
  ///            `errc::not_listening`
  /// \throws std::logic_error if the port is connected to another address
  virtual std::error_code write(bytes_view data, const net_address& to) = 0;
  std::error_code write(std::string_view text, const net_address& to) {
    return write(as_bytes(text), to);
  }

  /// Sends a copy of `data` to the address that the port is connected to; else as above.
  ///
  /// \throws std::logic_error if the port is not connected
  virtual std::error_code write(bytes_view data) = 0;
  std::error_code write(std::string_view text) { return write(as_bytes(text)); }

  /// Connects the port: from now on it sends to `peer` only, gets datagrams from there only, and
  /// hears of refusals (`connection_refused`). No datagram is sent for it.
  ///
  /// \returns an empty code; `errc::invalid_address`, `errc::not_listening`, or what the system says
  /// \throws std::logic_error if the port is connected
  virtual std::error_code connect(const net_address& peer) = 0;

  /// Lets the port send to broadcast addresses. It may not at first.
  virtual std::error_code set_broadcast_allowed(bool allowed) = 0;
  [[nodiscard]] virtual bool get_broadcast_allowed() const = 0;

  /// Closes the port at the end of this turn of the loop: what was written before is sent, as far as
  /// the system takes it at once; nothing more is received.
  ///
  /// \returns a deferred that fires when `stop_protocol` has returned, or at once if the port is
  ///          closed; it fails with what `stop_protocol` throws. It may be dropped.
  virtual chained<void> stop_listening() = 0;

  // -- about the port ---------------------------------------------------------------------------

  /// Returns the port's own address, and the one that it is connected to: of kind `none` if it is
  /// not.
  [[nodiscard]] virtual net_address get_host() const = 0;
  [[nodiscard]] virtual net_address get_peer() const = 0;

  /// Tells whether datagrams are sent and received: until `stop_listening`.
  [[nodiscard]] virtual bool listening() const noexcept = 0;

  /// Returns how many bytes are written and not sent.
  [[nodiscard]] virtual std::size_t unsent() const noexcept = 0;

  [[nodiscard]] virtual const datagram_counters& counters() const noexcept = 0;

  // -- for protocols ----------------------------------------------------------------------------

  /// Closes the port because its protocol has ended; called by the protocol, which calls its
  /// `stop_protocol` itself.
  virtual void protocol_ended() noexcept = 0;
};

} // namespace troupe
