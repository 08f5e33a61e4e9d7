#pragma once

#include <functional>

#include <troupe/net/client_factory.hpp>
#include <troupe/net/endpoint.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe::detail {

/// Makes an attempt with a factory of its own, which passes on what `f` builds.
///
/// \param loop   as of `connect_options`
/// \param start  makes the connector
deferred<connected_protocol>
connect_endpoint(runtime& rt, std::size_t loop, const factory_ref& f,
                 const std::function<connector(const client_factory_ref&)>& start);

/// Calls `start`, which listens; what it throws becomes a failure.
deferred<listening_port> listen_endpoint(const std::function<listening_port()>& start);

} // namespace troupe::detail
