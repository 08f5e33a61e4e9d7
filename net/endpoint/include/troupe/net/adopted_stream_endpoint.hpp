#pragma once

#include <troupe/net/adopt_stream_port.hpp>
#include <troupe/net/endpoint.hpp>

namespace troupe {

/// Listens as `adopt_stream_port` does. Source: AdoptedStreamServerEndpoint
class adopted_stream_server_endpoint final : public server_endpoint {
public:
  adopted_stream_server_endpoint(runtime& rt, int fd, listen_options options = {});
  deferred<listening_port> listen(const factory_ref& f) override;

private:
  runtime& rt_;
  int fd_;
  listen_options options_;
};

} // namespace troupe
