#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <troupe/net/factory.hpp>
#include <troupe/net/net_address.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/deferred.hpp>

namespace troupe::testing {

/// A protocol that remembers what it was told, for whoever is at the other end of what is tested.
///
/// ```cpp
/// auto& client = net.connect<testing::accumulating_protocol>(7);
/// net.flush();
/// CHECK(client.data == "hello");
/// CHECK(client.closed_reason->check(errc::connection_done));
/// ```
///
/// Thread: its loop's. Source: twisted.test.proto_helpers.AccumulatingProtocol
class accumulating_protocol : public protocol {
public:
  using protocol::protocol;

  void connection_made() override { ++made; }
  void data_received(bytes_view bytes) override { data += as_text(bytes); }
  void connection_lost(const failure& reason) override {
    ++closed;
    closed_reason = reason;
    for (auto& p : std::exchange(waiting_, {}))
      p.callback(std::string{data});
  }

  /// Returns a deferred of all that came, which fires when the connection is lost.
  [[nodiscard]] deferred<std::string> when_closed() {
    if (closed > 0)
      return succeed(std::string{data});
    return waiting_.emplace_back().get_deferred();
  }

  std::string data;                     ///< all that came
  std::size_t made = 0;                 ///< how often `connection_made` was called
  std::size_t closed = 0;               ///< how often `connection_lost` was called
  std::optional<failure> closed_reason; ///< with what

private:
  std::vector<promise<std::string>> waiting_;
};

/// As above, and goes on when only one direction ends, which it counts.
class half_closing_protocol : public accumulating_protocol, public half_closeable {
public:
  using accumulating_protocol::accumulating_protocol;

  void read_connection_lost() override { ++read_closed; }
  void write_connection_lost() override { ++write_closed; }

  std::size_t read_closed = 0;  ///< how often the peer said that it sends no more
  std::size_t write_closed = 0; ///< how often our own direction was closed
};

/// A factory of such protocols, which remembers them and whom it was asked to build them for.
///
/// Of a runtime that runs, use it on one loop only: it points to its protocols.
///
/// Source: the factories that twisted's tests use with AccumulatingProtocol
template <std::derived_from<accumulating_protocol> P = accumulating_protocol>
class accumulating_factory : public factory {
public:
  using factory::factory;

  protocol_ptr build_protocol(const net_address& peer) override {
    peers.push_back(peer);
    auto p = this->template make_protocol<P>();
    protocols.push_back(static_cast<P*>(p.get()));
    kept_.push_back(caf::actor_cast<caf::strong_actor_ptr>(p.get()));
    return p;
  }
  void start_factory() override { ++started; }
  void stop_factory() override { ++stopped; }

  std::vector<net_address> peers; ///< for whom it was asked to build
  std::vector<P*> protocols;      ///< what it built; good for as long as the factory
  std::size_t started = 0;
  std::size_t stopped = 0;

private:
  std::vector<caf::strong_actor_ptr> kept_;
};

} // namespace troupe::testing
