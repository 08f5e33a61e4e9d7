#pragma once

#include <troupe/net/endpoint.hpp>

namespace troupe::detail {

/// Connects with a `proxy_client`, as `connect_protocol` does; those of one loop share a factory.
///
/// Thread: that of `here`.
deferred<connected_protocol> connect_proxy_client(client_endpoint& to, event_loop& here);

} // namespace troupe::detail
