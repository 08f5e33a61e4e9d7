#pragma once

#include <cstddef>
#include <memory>

#include <troupe/net/net_address.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/net/transport.hpp>
#include <troupe/runtime/event_loop.hpp>

namespace troupe::testing {

/// How a connection in memory is made.
struct memory_options {
  /// How many bytes each direction holds that one end has sent and the other has not read: what
  /// the buffers of two sockets are on a network. What is more waits in the sender's transport.
  std::size_t buffer = 65536;

  /// How much unsent output each end may hold at first.
  output_limits output{};

  /// Where the ends are.
  net_address client{net_address::kind::ipv4, "127.0.0.1", 49152};
  net_address server{net_address::kind::ipv4, "127.0.0.1", 8000};
};

/// A connection between two protocols in one process, with no socket: what one end sends the other
/// receives when `pump` moves it.
///
/// Both ends are the transports of real connections but for the system calls, so producers, limits,
/// half-closing and the ways of ending are the same: an end that was closed is told to the other as
/// a clean end, behind all that was sent, or, if it had not read all, as a reset; an abort as a
/// reset, which drops what was on its way; what is sent to an end that is closed already comes back
/// as a reset.
///
/// Thread: that of its loop, within a turn. Source: twisted.test.iosim.FakeTransport, IOPump
class memory_connection {
public:
  explicit memory_connection(event_loop& loop, const memory_options& options = {});
  ~memory_connection();
  memory_connection(memory_connection&&) noexcept;
  memory_connection& operator=(memory_connection&&) noexcept;

  /// Connects `p`, and begins to read. Once each. What the other end sends before waits.
  void open_client(protocol& p);
  void open_server(protocol& p);

  /// Closes the server's end instead of opening it.
  void close_server();

  /// Hands each end, once, what the other has sent: up to 65,536 bytes, or the end. An end that does
  /// not read gets nothing.
  ///
  /// \returns whether anything moved
  bool pump();

  /// Returns an end, or null before it is opened and once it has closed.
  [[nodiscard]] transport* client() const noexcept;
  [[nodiscard]] transport* server() const noexcept;

private:
  class end;
  struct wire;
  std::shared_ptr<wire> wire_;
};

} // namespace troupe::testing
