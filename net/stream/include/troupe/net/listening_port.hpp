#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>

#include <troupe/net/net_address.hpp>
#include <troupe/net/proxy_protocol.hpp>
#include <troupe/net/transport.hpp>
#include <troupe/runtime/deferred.hpp>

namespace troupe {

/// Reports that a port could not be opened: which, and the system's reason.
///
/// Source: twisted.internet.error.CannotListenError
class cannot_listen_error : public std::system_error {
public:
  /// \param detail  what the reason alone does not tell
  cannot_listen_error(net_address where, std::error_code reason, const std::string& detail = {});

  cannot_listen_error(const std::string& interface, std::uint16_t port, std::error_code reason)
    : cannot_listen_error({net_address::kind::host_name, interface, port}, reason) {}

  /// Says of a port of datagrams to what it could not be connected.
  static cannot_listen_error connecting(net_address to, std::error_code reason,
                                        const std::string& detail = {});

  /// Returns where it was to listen, or to what to be connected, as it was asked for.
  [[nodiscard]] const net_address& where() const noexcept { return where_; }
  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

private:
  cannot_listen_error(const char* what, net_address where, std::error_code reason,
                      const std::string& detail);

  net_address where_;
  std::string text_;
};

/// On which loop each connection of a port is served.
enum class placement : std::uint8_t {
  round_robin,  ///< the loops in turn
  least_loaded, ///< the loop with the fewest pinned actors (`event_loop::load`)
  same_loop,    ///< that of the port
};

/// How a port listens, and what its connections start with.
struct listen_options {
  /// How many connections the system keeps waiting until they are accepted; it bounds that itself
  /// (net.core.somaxconn, 4096 unless changed). One that finds the queue full is not refused: its
  /// client hears nothing, and tries again after a second, then two, then four. So the queue should
  /// hold all who may come while the loop is at something else. A place that is waited in costs some
  /// 2 KiB of the system's memory, one that is not costs none. Source: listenTCP, whose default is 50
  int backlog = 4096;

  /// The local address, as a number, IPv4 or IPv6. Only this machine can reach the default;
  /// `"0.0.0.0"` or `"::"` opens the port to the network.
  std::string interface = "127.0.0.1";

  /// What each connection's `set_tcp_no_delay` and `set_tcp_keep_alive` are at first.
  ///
  /// Without `no_delay` the system holds a small piece back until the one before it is acknowledged,
  /// and a peer acknowledges up to 40 ms late: an answer that is written in three turns took 44 ms on
  /// the loopback interface, and 2 ms with it. What is written in one turn leaves as one piece anyway.
  bool no_delay = true;
  bool keep_alive = false;

  /// How much unsent output each connection may hold at first.
  output_limits output{};

  /// How many connections are accepted before the loop turns to other things.
  std::size_t accepts_per_turn = 100;

  /// How long a port waits before it tries again to accept, when the process or the system has no
  /// descriptor left. Connections wait in the listen queue meanwhile.
  std::chrono::milliseconds pause_without_descriptors{100};

  /// Which loop serves a connection.
  troupe::placement placement = placement::round_robin;

  /// The number of the loop on which the port and its factory run.
  std::size_t loop = 0;

  /// Lets several ports, all with this set, listen at the same address; the system spreads the
  /// connections over them. One such port on each loop, each with a factory of its own and
  /// `placement::same_loop`, accepts on all cores, and no connection ever crosses loops.
  ///
  /// ```cpp
  /// for (std::size_t i = 0; i < rt.loops(); ++i)
  ///   troupe::listen_tcp(rt, 8123, troupe::factory::for_protocol<echo>(),
  ///                      {.placement = troupe::placement::same_loop, .loop = i, .reuse_port = true});
  /// ```
  ///
  /// Connections that wait at a port that stops are reset. Source: SO_REUSEPORT of Linux
  bool reuse_port = false;

  /// Which proxies say whose their connections are; none, at first.
  proxy_protocol_options proxy_protocol{};
};

namespace detail {
class port_actor;
}

/// Refers to a port that listens, or did. Copies refer to the same port; dropping one changes
/// nothing.
///
/// Thread: the port's loop, which is loop 0 unless `listen_options` say otherwise, or before
/// `run()`; `get_host` and `actor`: any.
/// Source: twisted.internet.interfaces.IListeningPort
class listening_port {
public:
  listening_port() = default;

  /// Returns the address at which the port listens, with the real number where 0 was asked for.
  ///
  /// \throws std::logic_error if this names no port
  [[nodiscard]] const net_address& get_host() const;

  /// Stops listening; connections stay. The port can be started again.
  ///
  /// \returns a deferred that fires when the port is closed, at once if it is; it fails with what
  ///          the factory's `stop_factory` throws, and then the port is closed all the same. It may
  ///          be dropped.
  chained<void> stop_listening();

  /// Listens again, at the same address, after `stop_listening`.
  ///
  /// \throws cannot_listen_error if the system refuses
  /// \throws std::logic_error if it listens
  void start_listening();

  /// Returns the port's actor, to monitor or link.
  [[nodiscard]] caf::actor actor() const { return caf::actor_cast<caf::actor>(actor_); }

private:
  friend class detail::port_actor;
  listening_port(caf::strong_actor_ptr actor, std::shared_ptr<const net_address> host)
    : actor_(std::move(actor)), host_(std::move(host)) {}

  caf::strong_actor_ptr actor_;
  std::shared_ptr<const net_address> host_;
};

} // namespace troupe
