#pragma once

#include <cstdint>
#include <string>

#include <troupe/net/connector.hpp>
#include <troupe/net/endpoint.hpp>
#include <troupe/net/tls_context.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Listens as `listen_ssl` does. Source: SSL4ServerEndpoint
class ssl_server_endpoint final : public server_endpoint {
public:
  ssl_server_endpoint(runtime& rt, std::uint16_t port, tls_server_context tls,
                      listen_options options = {});
  deferred<listening_port> listen(const factory_ref& f) override;

private:
  runtime& rt_;
  std::uint16_t port_;
  tls_server_context tls_;
  listen_options options_;
};

/// Connects as `connect_ssl` does; its connections share the sessions of `tls`.
///
/// Source: SSL4ClientEndpoint, wrapClientTLS
class ssl_client_endpoint final : public client_endpoint {
public:
  /// \throws std::logic_error if a time among the options is negative
  ssl_client_endpoint(runtime& rt, std::string host, std::uint16_t port,
                      tls_client_context tls = tls_client_context{}, connect_options options = {});
  deferred<connected_protocol> connect(const factory_ref& f) override;

private:
  runtime& rt_;
  std::string host_;
  std::uint16_t port_;
  tls_client_context tls_;
  connect_options options_;
};

} // namespace troupe
