#pragma once

#include <functional>
#include <map>
#include <string>

#include <troupe/net/factory.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// What a page of one's own answers with.
struct page_answer {
  std::string body{};
  std::string status = "200 OK"; ///< of HTTP, such as "503 Service Unavailable"
  std::string type = "text/plain; charset=utf-8";
};

/// What a `metrics_page` shows beside its own.
struct metrics_page_options {
  /// Returns metrics of the user's own, as `metrics_page` says.
  std::function<std::string()> extra{};

  /// Pages by path, such as "/cluster". They are called as `extra` is.
  std::map<std::string, std::function<page_answer()>, std::less<>> pages{};
};

/// Returns a factory that tells over HTTP how this process fares:
///
/// - `GET /metrics`, for Prometheus: `prometheus_text(rt)`, `connection_metrics(rt)`, and what `extra`
///   returns.
/// - `GET /healthz`, for whoever balances load or restarts: 200 and "ok" while the runtime runs, 503
///   and "stopping" from `stop()` on, so that nothing new is sent here while it drains.
///
/// ```cpp
/// troupe::listen_tcp(rt, 9100, troupe::metrics_page(rt, [&] {
///   return fmt::format("# TYPE users gauge\nusers {}\n", users.load());
/// }));
/// ```
///
/// One request a connection, which is closed behind the answer. HEAD works too; any other path is
/// answered with 404, any other method with 405, what is no request with 400, and a request that is
/// longer than 8 KiB with 431. A connection without a whole request after ten seconds is closed. At
/// most 64 connections are open at a time.
///
/// There is no access control: leave the port on the loopback interface, or in a trusted network.
///
/// \param extra  metrics of the user's own, in the same format, and none of ours. It is called for each
///               request, on the loop of its connection, which may be any. If it throws, the answer is
///               500, with the reason.
/// Thread: loop 0, or before `run()`.
/// Lifetime: `rt` must outlive the factory, which it does anyway where it runs it.
/// Source: RFC 9112, as far as this needs it; Prometheus, text format 0.0.4
[[nodiscard]] factory_ref metrics_page(runtime& rt, std::function<std::string()> extra = {});

/// As above, with more pages.
[[nodiscard]] factory_ref metrics_page(runtime& rt, metrics_page_options options);

} // namespace troupe
