#pragma once

#include <string>
#include <vector>

#include <troupe/cluster/backplane.hpp>
#include <troupe/nats/nats_options.hpp>
#include <troupe/nats/nats_server_child.hpp>

namespace troupe {

/// A backplane over NATS: the nodes meet at a server, or a cluster of them, and none knows where another is.
///
/// Each node has one connection. What it sends to all goes to the subject `<cluster>.all.<node>`, what it sends to one to
/// `<cluster>.n.<other>.<node>`; so a server that permits a node no more than `nats_backplane::user_of` says vouches for who
/// sent a message. Several clusters may share a server.
///
/// ```cpp
/// troupe::cluster cluster{rt, {.name = "chat-1",
///                              .via = std::make_shared<troupe::nats_backplane>(
///                                troupe::nats_options{.servers = {"tls://10.0.0.5:4222"}, .tls = tls})}};
/// ```
///
/// A message may be as long as the server takes (`max_payload`, 1 MiB at first). While there is no server, nothing is kept.
///
/// Thread: as `backplane`.
class nats_backplane final : public backplane {
public:
  /// \param options  as of a `nats_connection`; `echo`, `reconnect_buffer`, `name` and `on_event` are its own affair. A server that
  ///                 falls silent is noticed by `ping_interval`, 500 ms unless it is set to something else than at first, and
  ///                 one that is away is tried again each half second (`reconnect.max`), likewise
  /// \throws std::invalid_argument as `nats_connection`, when it is attached
  explicit nats_backplane(nats_options options = {});

  [[nodiscard]] std::unique_ptr<backplane_link> attach(const backplane_site& site,
                                                       backplane_events& events) override;
  [[nodiscard]] std::string name() const override { return "nats"; }

  /// Returns `user` with permissions for a node of that name and no more: for `nats_server_options::users`.
  [[nodiscard]] static nats_server_user user_of(const std::string& cluster, const std::string& node,
                                                nats_server_user user);

private:
  nats_options options_;
};

} // namespace troupe
