#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>

#include <troupe/net/factory.hpp>
#include <troupe/net/listen_unix.hpp>
#include <troupe/net/listening_port.hpp>
#include <troupe/runtime/detail/operation_room.hpp>
#include <troupe/runtime/runtime.hpp>

#include "listening_socket.hpp"
#include "port_actor.hpp"
#include "proxy_door.hpp"
#include "socket_address.hpp"
#include "transport_kind.hpp"
#include "unique_fd.hpp"

namespace troupe::detail {

/// How a port accepts: see `listen_options`.
struct accept_rules {
  std::size_t per_turn;
  std::chrono::milliseconds pause_without_descriptors;
  troupe::placement placement = placement::round_robin;
  proxy_rules proxied;

  /// \throws std::invalid_argument where a proxy is none
  accept_rules(const listen_options& options)
    : per_turn(options.accepts_per_turn),
      pause_without_descriptors(options.pause_without_descriptors), placement(options.placement),
      proxied(options.proxy_protocol) {}
  accept_rules(const unix_listen_options& options)
    : per_turn(options.accepts_per_turn),
      pause_without_descriptors(options.pause_without_descriptors),
      proxied(options.proxy_protocol) {}
};

/// Returns what carries the connections of a port of `tcp_listener`: that has set `no_delay` for them.
inline std::shared_ptr<const transport_kind> accepted_tcp(const listen_options& options) {
  return std::make_shared<const tcp_kind>(false, options.keep_alive, options.output);
}

/// The socket of a supervised port. It outlives an acceptor that crashed, so that connections that
/// wait in the listen queue are served by the next one.
struct kept_socket {
  std::optional<listening_socket> socket; // while the port listens, or is to again
  std::optional<net_address> host;        // once it is known
};

/// The actor behind a `listening_port`: accepts connections and brings them together with the
/// protocols that its factory builds. Pinned to the loop of the factory.
///
/// It accepts only while the factory has room, so what is too much waits in the system's queue. What
/// goes wrong with one connection, for want of descriptors, of memory or by what user code throws,
/// ends that one, or makes all wait a moment; it never ends the port.
///
/// A connection from a named proxy goes through the door, which takes its header, and then waits for
/// room if others have taken that.
class acceptor final : public port_actor, private proxy_door::port {
public:
  acceptor(caf::actor_config& cfg, listening_socket socket, listening_opener open, factory_ref f,
           std::shared_ptr<const transport_kind> kind, accept_rules rules,
           std::shared_ptr<kept_socket> kept = nullptr);

  /// Opens a port, whose actor runs on `loop`, and starts its factory.
  ///
  /// \throws cannot_listen_error, std::invalid_argument, and what `start_factory` throws
  static listening_port make_port(caf::actor_system& sys, event_loop& loop, listening_opener open,
                                  const factory_ref& f, std::shared_ptr<const transport_kind> kind,
                                  accept_rules rules);

  /// As above, for a supervisor: listens at the socket that is kept, or opens it.
  static listening_port make_supervised(caf::actor_system& sys, event_loop& loop,
                                        const listening_opener& open, const factory_ref& f,
                                        std::shared_ptr<const transport_kind> kind,
                                        accept_rules rules, std::shared_ptr<kept_socket> kept);

  /// Returns the loop that `options` name. \throws std::invalid_argument if there is none
  static event_loop& loop_of(runtime& rt, const listen_options& options);

  caf::behavior make_behavior() override;
  void on_exit() override;

  chained<void> stop_listening() override;
  void start_listening() override;

private:
  static listening_port started(const caf::actor& handle);
  void begin();
  void rethrow_if_not_begun();
  void wait();
  void await_room();
  void room_is_there();
  void serve_announced();
  void accept_some() noexcept;
  void accept_batch();
  void pause(int error) noexcept;
  void tell_shortage(int error);
  void admit(unique_fd fd, const socket_address& peer) noexcept;
  void pass(unique_fd fd, const socket_address& peer);
  void join(unique_fd fd, const connection_ends& ends);
  void header_came(unique_fd fd, const connection_ends& ends) override;
  void header_failed(const socket_address& proxy, const failure& why) override;
  void one_less_waits() override;
  void close();
  event_loop& place() const noexcept; // the next connection

  listening_socket socket_; // its descriptor: until the loop turns
  const listening_opener open_;
  const factory_ref factory_;
  const std::shared_ptr<const transport_kind> kind_;
  const accept_rules rules_;
  std::optional<asio::posix::basic_stream_descriptor<asio::io_context::executor_type>> listener_;
  operation_room waiting_;                                      // for connections
  std::optional<proxy_door> door_;                              // if proxies are named
  std::deque<std::pair<unique_fd, connection_ends>> announced_; // by proxies, and wait for room
  bool stalled_ = false; // accepts when there is room, or a place at the door
  bool awaits_room_ = false;
  const std::shared_ptr<kept_socket> kept_; // null unless supervised
  std::optional<time_point> short_since_;   // of descriptors or memory, as was told
  std::uint64_t epoch_ = 0;                 // counts starts; what waits for an older one is void
  bool counted_ = false;                    // by the factory
  std::exception_ptr not_begun_;            // why the factory did not start
};

} // namespace troupe::detail
