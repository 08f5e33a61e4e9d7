#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <troupe/net/net_address.hpp>
#include <troupe/net/transport.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

class resolver;

namespace detail {
class connecting;
class transport_kind;
} // namespace detail

/// For `connect_options::loop`: everything is on the loop of the caller.
inline constexpr std::size_t current_loop = static_cast<std::size_t>(-1);

/// For `connect_options::loop`: the connections are on the loops in turn.
inline constexpr std::size_t any_loop = static_cast<std::size_t>(-2);

/// How a connection is made, and what it starts with. No time may be negative: what takes these
/// throws std::logic_error then.
struct connect_options {
  /// How long looking the name up, connecting, and a TLS handshake may take together;
  /// `duration::max()` is for ever. Source: connectTCP
  duration timeout = std::chrono::seconds(30);

  /// The local end: an address in numbers, and a port. Empty and 0 leave it to the system.
  std::string bind_address{};
  std::uint16_t bind_port = 0;

  /// How long an address may keep the next one of the same host waiting. It is tried at once when
  /// the one before fails. Source: RFC 8305, section 5; HostnameEndpoint's attemptDelay
  duration attempt_delay = std::chrono::milliseconds(300);

  /// What the connection's `set_tcp_no_delay` and `set_tcp_keep_alive` are at first; see
  /// `listen_options::no_delay`.
  bool no_delay = true;
  bool keep_alive = false;

  /// How much unsent output the connection may hold at first.
  output_limits output{};

  /// On which loop the connection is made and runs, and its factory and connector are.
  ///
  /// `current_loop`: on that of the caller. So a protocol that connects shares a thread with the
  /// protocol of its connection, and a proxy or gateway uses as many cores as its port does. Called
  /// outside of any loop, as before `run()`, it means `any_loop`.
  ///
  /// `any_loop`: connections run on the loops in turn, for whoever makes many from one place. Factory
  /// and connector are on the caller's loop, or loop 0 if there is none.
  ///
  /// A number: on that loop; to be called there, or before `run()`.
  std::size_t loop = current_loop;

  /// Looks names up; null takes the runtime's (`system_resolver`).
  std::shared_ptr<resolver> names{};
};

/// Refers to one outgoing connection, or to the attempt at one. Copies refer to the same one;
/// dropping it changes nothing.
///
/// States: disconnected -> (`connect`) connecting -> connected -> disconnected.
///
/// Thread: the loop on which it was made (`connect_options::loop`), or before `run()`.
/// Source: twisted.internet.interfaces.IConnector
class connector {
public:
  enum class state : std::uint8_t { disconnected, connecting, connected };

  connector() = default;
  explicit connector(std::shared_ptr<detail::connecting> of) noexcept : of_(std::move(of)) {}

  /// Tries again, also from inside `client_connection_failed` and `client_connection_lost`. While
  /// the runtime stops it does nothing.
  ///
  /// \throws std::logic_error unless it is disconnected
  void connect();

  /// Ends the connection as `transport::lose_connection` does, or the attempt as `stop_connecting`
  /// does; nothing if there is neither.
  void disconnect();

  /// Ends the attempt: `client_connection_failed` gets `errc::cancelled`.
  ///
  /// It holds whatever another loop does in that moment: if the connection is being opened there, or
  /// has been and this loop does not know yet, it ends, and `client_connection_made` is not called;
  /// its protocol may have had `connection_made`, and then gets `connection_lost` with
  /// `errc::cancelled`. Until it has ended this stays connecting.
  ///
  /// \throws std::logic_error unless it is connecting
  /// Source: IConnector.stopConnecting, which raises NotConnectingError
  void stop_connecting();

  /// Returns where it connects to: an address, or the name of a host with a port.
  [[nodiscard]] const net_address& get_destination() const;

  [[nodiscard]] state get_state() const noexcept;

  /// Returns why the latest attempt failed, or the latest connection ended; `errc::none` before.
  [[nodiscard]] failure last_failure() const;

  /// Tells whether it is a supervisor's child, which is told what becomes of it.
  [[nodiscard]] bool supervised() const noexcept;

  /// Tells whether this refers to a connection at all.
  explicit operator bool() const noexcept { return of_ != nullptr; }
  friend bool operator==(const connector&, const connector&) noexcept = default;

private:
  std::shared_ptr<detail::connecting> of_;
};

} // namespace troupe
