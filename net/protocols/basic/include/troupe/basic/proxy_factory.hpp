#pragma once

#include <memory>

#include <troupe/basic/proxy.hpp>
#include <troupe/net/endpoint.hpp>
#include <troupe/net/factory.hpp>
#include <troupe/runtime/canceller.hpp>

namespace troupe {

/// The side of a proxy that connects out; it reads nothing until it is joined.
///
/// Thread: its loop's. Source: twisted.protocols.portforward.ProxyClient
class proxy_client : public proxy {
public:
  using proxy::proxy;
  void connection_made() override { transport().pause_producing(); }
};

/// The side of a proxy that was connected to: connects out, and joins the two.
///
/// If the peer breaks its connection meanwhile, the attempt is cancelled. If it comes to nothing, the
/// peer is closed.
///
/// A class that decides for each peer where to connect overrides `connect_out`, which may wait: for an
/// answer, or, with `data_received`, for what the peer says first.
///
/// ```cpp
/// class balanced : public troupe::proxy_server {
/// public:
///   using proxy_server::proxy_server;
///   troupe::deferred<troupe::connected_protocol> connect_out() override {
///     return troupe::connect_protocol<troupe::proxy_client>(least_busy());
///   }
/// };
/// ```
///
/// Thread: its loop's. Source: twisted.protocols.portforward.ProxyServer
class proxy_server : public proxy {
public:
  /// \param to     where `connect_out` connects, unless it is overridden; all connections share it
  /// \param noisy  whether a connection that cannot be made is logged
  explicit proxy_server(caf::actor_config& cfg, std::shared_ptr<client_endpoint> to = nullptr,
                        bool noisy = true);

  // -- what to override -------------------------------------------------------------------------

  /// Connects to where the peer shall be connected, with a `proxy_client`, or another `proxy`, on this
  /// loop. Called once.
  virtual deferred<connected_protocol> connect_out();

  /// There is no connection out, for this reason. Logs "Unable to connect to peer: ..." and closes
  /// unless overridden.
  virtual void connect_failed(const failure& why);

  void connection_made() override { connect(); }

  /// An override calls it.
  void connection_lost(const failure& reason) override;

protected:
  /// Begins to connect out; `connection_made` does it unless overridden.
  void connect();

private:
  void connected_out(const connected_protocol& p);

  std::shared_ptr<client_endpoint> to_;
  canceller connecting_;
  bool noisy_;
  bool over_ = false; // the connection has ended
};

/// Passes each connection on to one that it makes.
///
/// ```cpp
/// troupe::listen_tcp(rt, 8080, troupe::factory::of<troupe::proxy_factory>(
///                                std::make_shared<troupe::tcp_client_endpoint>(rt, "localhost", 80)));
/// ```
///
/// Any endpoints will do on either side, TLS among them. Connections that there are when a port stops go
/// on; `drain` closes them behind what they have read.
///
/// Thread: its loop's. Source: twisted.protocols.portforward.ProxyFactory
class proxy_factory : public factory {
public:
  proxy_factory(caf::actor_config& cfg, std::shared_ptr<client_endpoint> to,
                bool log_failures = true);
  protocol_ptr build_protocol(const net_address& peer) override;

private:
  std::shared_ptr<client_endpoint> to_;
  bool log_failures_;
};

} // namespace troupe
