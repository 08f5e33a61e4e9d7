// The page of a cluster, as whoever watches it sees it.

#include <troupe/cluster/cluster_page.hpp>

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <troupe/actors/topics.hpp>
#include <troupe/cluster/memory_backplane.hpp>
#include <troupe/net/listen_tcp.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

std::string get(const listening_port& port, const std::string& path) {
  client c{port.get_host().port()};
  c.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
  return c.rest();
}

bool soon(const listening_port& port, const std::string& path, const std::string& part) {
  for (int i = 0; i < 1000; ++i) {
    if (get(port, path).find(part) != std::string::npos)
      return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

} // namespace

TEST_CASE("the page tells of this node and the others, for people and for programs", "[cluster]") {
  auto wire = std::make_shared<memory_backplane>();
  running a{2}, b{1};
  std::optional<troupe::cluster> left, right;
  left.emplace(a.rt, cluster_options{.name = "chat-1", .via = wire, .version = "1.2"});
  right.emplace(b.rt, cluster_options{.name = "chat-2", .via = wire, .version = "a\"b\n"});
  const auto port = listen_tcp(
    a.rt, 0, cluster_page(*left, [] { return std::string{"# TYPE own gauge\nown 1\n"}; }));
  a.start();
  b.start();
  CHECK(soon(port, "/cluster", "chat-2  up"));
  const auto lines = get(port, "/cluster");
  CHECK_THAT(lines, Contains("node chat-1 of cluster troupe: up") && Contains("version 1.2")
                      && Contains("over memory") && Contains("topics with subscribers: 0 here"));
  const auto json = get(port, "/cluster.json");
  CHECK_THAT(json, Contains("Content-Type: application/json")
                     && Contains(
                       "\"node\":\"chat-1\",\"cluster\":\"troupe\",\"state\":\"up\",\"ready\":true")
                     && Contains("{\"node\":\"chat-2\",\"state\":\"up\"")
                     && Contains("\"version\":\"a\\\"b\\\\x0a\""));
  const auto metrics = get(port, "/metrics");
  CHECK_THAT(metrics, Contains("troupe_cluster_ready 1\n")
                        && Contains("troupe_cluster_nodes{state=\"up\"} 1\n")
                        && Contains("troupe_cluster_nodes{state=\"down\"} 0\n")
                        && Contains("troupe_cluster_publications_total{what=\"missed\"} 0\n")
                        && Contains("troupe_cluster_node_silent_seconds{node=\"chat-2\"} ")
                        && Contains("own 1\n") && Contains("troupe_loop_turns_total"));
  CHECK_THAT(get(port, "/readyz"), Contains("200 OK") && Contains("ready\n"));
  CHECK_THAT(get(port, "/healthz"), Contains("200 OK"));
  CHECK_THAT(get(port, "/other"),
             Contains("404") && Contains("/cluster, /cluster.json, /readyz, /metrics"));
  b.stop();
  CHECK(soon(port, "/cluster", "chat-2  left"));
  CHECK(soon(port, "/metrics", "troupe_cluster_nodes{state=\"left\"} 1\n"));
  a.stop();
}

TEST_CASE("a node that has left is not ready, and one that has ended says so", "[cluster]") {
  auto wire = std::make_shared<memory_backplane>();
  running a{1};
  std::optional<troupe::cluster> node;
  node.emplace(a.rt, cluster_options{.name = "chat-1", .via = wire});
  const auto port = listen_tcp(a.rt, 0, cluster_page(*node));
  a.start();
  CHECK(soon(port, "/readyz", "200 OK"));
  a.rt.reactor().call_from_thread([&] { node->leave().add_errback([](const failure&) {}); });
  CHECK(soon(port, "/readyz", "503 Service Unavailable"));
  CHECK_THAT(get(port, "/readyz"), Contains("left: this node is stopping"));
  a.rt.reactor().call_from_thread([&] { node.reset(); });
  CHECK(soon(port, "/readyz", "the cluster has ended"));
  CHECK_THAT(get(port, "/metrics"), Contains("200 OK"));
  a.stop();
}
