#pragma once

#include <functional>
#include <string>

#include <troupe/cluster/cluster.hpp>
#include <troupe/net/factory.hpp>

namespace troupe {

/// Returns what a node has counted, and what it knows of the others, as text that Prometheus reads:
/// `troupe_cluster_nodes{state="up"} 2`, `troupe_cluster_publications_total{what="missed"} 0`,
/// `troupe_cluster_node_silent_seconds{node="chat-2"} 0.214`, and so on.
///
/// Thread: any. Numbers are right by themselves, and not all taken at the same instant.
/// Source: Prometheus, text format 0.0.4
[[nodiscard]] std::string cluster_metrics(const cluster& of);

/// Returns a `metrics_page` that also tells of a cluster:
///
/// - `GET /metrics`: with `cluster_metrics`, and what `extra` returns.
/// - `GET /readyz`, for whoever balances load: 200 and "ready" if this node should get users
///   (`cluster::ready`); else 503 and why not.
/// - `GET /cluster`, for people: this node, and what it knows of the others, in lines.
/// - `GET /cluster.json`: the same for programs.
///
/// ```cpp
/// troupe::listen_tcp(rt, 9100, troupe::cluster_page(cluster));
/// ```
///
/// Nothing can be changed over it. As with the metrics page there is no access control.
///
/// Thread: loop 0, or before `run()`. Lifetime: it may outlive the cluster, which then is told as ended.
[[nodiscard]] factory_ref cluster_page(const cluster& of, std::function<std::string()> extra = {});

} // namespace troupe
