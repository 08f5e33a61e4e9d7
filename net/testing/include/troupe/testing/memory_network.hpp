#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>

#include <troupe/net/factory.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/testing/manual_runtime.hpp>
#include <troupe/testing/memory_connection.hpp>

namespace troupe::testing {

/// A network in one process: factories listen at ports, protocols connect to them, and bytes move
/// and time passes when the test says so. No socket, no second thread, no waiting.
///
/// It owns a runtime of one loop that is never run. Ports treat their factories as those of
/// `listen_tcp` do: they start and stop them, ask them for protocols, and let connections wait while
/// there is no room. An exception that leaves a protocol or a factory fails the test unless it takes
/// it: `logged_errors{net.rt}`.
///
/// ```cpp
/// testing::memory_network net;
/// net.listen(7, factory::of<timeout_factory>(factory::for_protocol<echo>(), 3s));
/// auto& c = net.connect<collector>(7);
/// net.flush();
/// net.advance(3s);
/// CHECK_FALSE(c.connected());
/// ```
///
/// Thread: one. Source: twisted.internet.testing.MemoryReactor, twisted.test.iosim
class memory_network {
public:
  memory_network();
  ~memory_network(); // ends the connections, for errc::runtime_stopped
  memory_network(const memory_network&) = delete;
  memory_network& operator=(const memory_network&) = delete;

  /// Listens at `port`; 0 takes a free one. `options.server` is ignored.
  ///
  /// \returns the port
  /// \throws cannot_listen_error if something listens there
  std::uint16_t listen(std::uint16_t port, const factory_ref& f, memory_options options = {});

  /// Stops listening; connections stay, those that wait for room are closed. What the factory's
  /// `stop_factory` throws leaves this function.
  ///
  /// \throws std::logic_error if nothing listens there
  void stop_listening(std::uint16_t port);

  /// Returns the ports at which something listens.
  [[nodiscard]] std::vector<std::uint16_t> listening() const;

  /// Connects a `P(cfg, args...)` to what listens at `port`; both ends hear of it before this
  /// returns. The protocol stays, ended or not, for as long as this object.
  ///
  /// \throws std::system_error with errc::connection_refused if nothing listens there
  template <std::derived_from<protocol> P, class... Args>
  P& connect(std::uint16_t port, Args&&... args) {
    const auto handle = rt.spawn_on<P>(0, std::forward<Args>(args)...);
    auto& p = *static_cast<P*>(caf::actor_cast<caf::abstract_actor*>(handle));
    connect_protocol(port, p);
    return p;
  }

  /// Connects `p`, which is pinned to the loop of `rt`, as `connect` does.
  void connect_protocol(std::uint16_t port, protocol& p);

  /// Sets the address from which the following connections come.
  void set_client_host(std::string host) { client_host_ = std::move(host); }

  /// Returns the connections, in the order in which they were made; also those that have ended.
  [[nodiscard]] std::vector<memory_connection>& connections() noexcept { return connections_; }

  /// Moves what was sent, once each way on each connection, and turns the loop.
  ///
  /// \returns whether anything moved
  bool pump();

  /// Pumps until nothing moves any more, and messages that were sent are handled.
  ///
  /// \throws std::runtime_error if that does not come to an end
  void flush();

  /// Moves the time by `by`, makes the calls that are due then, and flushes.
  void advance(duration by);

  /// Runs `fn()` as `p`; without effect once it has ended. Nothing is pumped.
  template <class F>
  void enter(protocol& p, F&& fn) {
    rt.in_turn([&] { p.enter(fn); });
  }

  manual_runtime rt;

private:
  struct port;

  std::vector<std::shared_ptr<port>> ports_;
  std::vector<memory_connection> connections_;
  std::vector<caf::strong_actor_ptr> protocols_; // of both ends
  std::string client_host_ = "127.0.0.1";
  std::uint16_t next_client_port_ = 49152;
};

} // namespace troupe::testing
