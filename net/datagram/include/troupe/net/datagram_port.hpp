#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include <caf/actor.hpp>

#include <troupe/net/datagram_protocol.hpp>
#include <troupe/net/listening_port.hpp> // cannot_listen_error
#include <troupe/net/net_address.hpp>
#include <troupe/runtime/deferred.hpp>

namespace troupe {

/// How a port of datagrams listens.
struct datagram_options {
  /// The local address, as a number, IPv4 or IPv6. Only this machine can reach the default;
  /// `"0.0.0.0"` or `"::"` opens the port to the network. It also says what can be reached: a port
  /// at 127.0.0.1 sends to this machine only.
  std::string interface = "127.0.0.1";

  /// Longer datagrams are cut to this many bytes, and counted. At most 65,535. Source: listenUDP
  std::size_t max_packet_size = 8192;

  /// How many bytes may wait while the system takes no more, each datagram counted with 64 more; a
  /// write beyond is refused.
  std::size_t max_unsent = 1024 * 1024;

  /// How many bytes the system keeps until the loop takes them; what comes then is dropped. 0 leaves
  /// the system's default.
  std::size_t receive_buffer = 0;

  /// Lets several sockets bind this address, if all of them say so. The system gives each of them
  /// what is sent to a group, and spreads other peers over them: a server has one for each loop.
  bool listen_multiple = false;

  /// The number of the loop on which port and protocol live.
  std::size_t loop = 0;
};

namespace detail {
struct datagram_place;
}

/// Refers to a port of datagrams that listens, or did. Copies refer to the same port. Dropping all of
/// them lets the port go on; it lets the protocol end once it is stopped.
///
/// Thread: any loop's, or before `run()`; `get_host` and `actor`: any.
/// Source: twisted.internet.interfaces.IListeningPort
class datagram_port {
public:
  datagram_port() = default;

  /// Returns the address at which the port listens, with the real number where 0 was asked for.
  [[nodiscard]] const net_address& get_host() const;

  /// Closes the port: see `datagram_transport::stop_listening`. The port can be started again.
  ///
  /// \returns a deferred that fires, on the loop that called, when `stop_protocol` has returned; it
  ///          may be dropped
  chained<void> stop_listening();

  /// Listens again, at the same address and with the same protocol: its `start_protocol` is called
  /// again.
  ///
  /// \throws cannot_listen_error if the system refuses
  /// \throws std::logic_error if the protocol listens, here or elsewhere, or has ended
  void start_listening();

  /// Returns the protocol's actor, to send messages to.
  [[nodiscard]] caf::actor actor() const;

private:
  friend struct detail::datagram_place;

  std::shared_ptr<detail::datagram_binding> binding_;
  std::shared_ptr<const detail::datagram_place> place_;
};

} // namespace troupe
