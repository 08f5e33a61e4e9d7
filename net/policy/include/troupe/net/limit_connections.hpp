#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <troupe/net/wrapping_factory.hpp>

namespace troupe {

/// Lets at most so many connections be open, and closes what is more, or has another factory serve
/// it: with "busy, try again later", perhaps.
///
/// (`factory::set_max_connections` lets what is more wait in the system's listen queue instead.)
///
/// Source: twisted.protocols.policies.LimitTotalConnectionsFactory
class limit_total_connections_factory : public wrapping_factory {
public:
  /// \param overflow        builds the protocols of connections that are too many; they count too
  /// \param overflow_limit  so many of those at once; more wait in the system's listen queue
  limit_total_connections_factory(caf::actor_config& cfg, factory_ref inner, std::size_t limit,
                                  std::optional<factory_ref> overflow = std::nullopt,
                                  std::size_t overflow_limit = 64);

  void start_factory() override;
  void stop_factory() override;
  protocol_ptr build_protocol(const net_address& peer) override;
  [[nodiscard]] bool has_room() const noexcept override;
  void when_room(task fn) override;

private:
  [[nodiscard]] bool overflows() const noexcept;

  const std::size_t limit_;
  const std::optional<factory_ref> overflow_;
  const std::size_t overflow_limit_;
};

/// Lets each peer have at most so many connections open at once, and closes what is more.
///
/// Peers are told apart by their IP address, whatever the port. Connections that have none (UNIX
/// sockets) are not limited.
///
/// Source: twisted.protocols.policies.LimitConnectionsByPeer
class limit_connections_by_peer_factory : public wrapping_factory {
public:
  limit_connections_by_peer_factory(caf::actor_config& cfg, factory_ref inner,
                                    std::size_t limit = 5);
  ~limit_connections_by_peer_factory() override;

  protocol_ptr build_protocol(const net_address& peer) override;
  std::unique_ptr<protocol_wrapper> make_wrapper() override;

private:
  class counts; // connections of each peer
  class counted;

  const std::size_t limit_;
  const std::shared_ptr<counts> counts_;
  std::string host_; // of the connection that is built at the moment
};

} // namespace troupe
