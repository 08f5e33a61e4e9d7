#pragma once

#include <troupe/net/factory.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Returns a factory that answers `GET /metrics` over HTTP with `prometheus_text(rt)`, so that
/// Prometheus can watch this process.
///
/// ```cpp
/// troupe::listen_tcp(rt, 9100, troupe::metrics_page(rt));
/// ```
///
/// One request a connection, which is closed behind the answer. HEAD works too; any other path is
/// answered with 404, any other method with 405, what is no request with 400, and a request that is
/// longer than 8 KiB with 431. A connection without a whole request after ten seconds is closed. At
/// most 64 connections are open at a time.
///
/// There is no access control: leave the port on the loopback interface, or in a trusted network.
///
/// Lifetime: `rt` must outlive the factory, which it does anyway where it runs it.
/// Source: RFC 9112, as far as this needs it; Prometheus, text format 0.0.4
[[nodiscard]] factory_ref metrics_page(runtime& rt);

} // namespace troupe
