#pragma once

#include <string>

#include <troupe/net/connect_unix.hpp>
#include <troupe/net/endpoint.hpp>
#include <troupe/net/listen_unix.hpp>

namespace troupe {

/// Listens as `listen_unix` does. Source: UNIXServerEndpoint
class unix_server_endpoint final : public server_endpoint {
public:
  unix_server_endpoint(runtime& rt, std::string path, unix_listen_options options = {});
  deferred<listening_port> listen(const factory_ref& f) override;

private:
  runtime& rt_;
  std::string path_;
  unix_listen_options options_;
};

/// Connects as `connect_unix` does. Source: UNIXClientEndpoint
class unix_client_endpoint final : public client_endpoint {
public:
  /// \throws std::logic_error if a time among the options is negative
  unix_client_endpoint(runtime& rt, std::string path, unix_connect_options options = {});
  deferred<connected_protocol> connect(const factory_ref& f) override;

private:
  runtime& rt_;
  std::string path_;
  unix_connect_options options_;
};

} // namespace troupe
