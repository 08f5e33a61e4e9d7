#pragma once

#include <troupe/net/endpoint.hpp>
#include <troupe/net/open_stdio.hpp>

namespace troupe {

/// Serves standard input and output, as `open_stdio` does: they are the one connection that ever comes,
/// at once. So a server can be run by hand, or by inetd.
///
/// The port stops with the runtime, or when it is told to; the connection goes on then, as those of
/// other ports do. It does not start again. The peer that the factory hears of has no address.
///
/// `listen` fails with a `cannot_listen_error` if standard input or output is closed.
///
/// Source: twisted.internet.endpoints.StandardIOEndpoint
class stdio_endpoint final : public server_endpoint {
public:
  explicit stdio_endpoint(runtime& rt, stdio_options options = {});
  deferred<listening_port> listen(const factory_ref& f) override;

private:
  runtime& rt_;
  stdio_options options_;
};

} // namespace troupe
