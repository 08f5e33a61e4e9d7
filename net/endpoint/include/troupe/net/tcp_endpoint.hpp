#pragma once

#include <cstdint>
#include <string>

#include <troupe/net/connector.hpp>
#include <troupe/net/endpoint.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Listens as `listen_tcp` does, at an IPv4 or IPv6 address.
///
/// Source: TCP4ServerEndpoint, TCP6ServerEndpoint
class tcp_server_endpoint final : public server_endpoint {
public:
  tcp_server_endpoint(runtime& rt, std::uint16_t port, listen_options options = {});
  deferred<listening_port> listen(const factory_ref& f) override;

private:
  runtime& rt_;
  std::uint16_t port_;
  listen_options options_;
};

/// Connects as `connect_tcp` does, to an address or a name.
///
/// Source: TCP4ClientEndpoint, TCP6ClientEndpoint, HostnameEndpoint
class tcp_client_endpoint final : public client_endpoint {
public:
  /// \throws std::logic_error if a time among the options is negative
  tcp_client_endpoint(runtime& rt, std::string host, std::uint16_t port,
                      connect_options options = {});
  deferred<connected_protocol> connect(const factory_ref& f) override;

private:
  runtime& rt_;
  std::string host_;
  std::uint16_t port_;
  connect_options options_;
};

} // namespace troupe
