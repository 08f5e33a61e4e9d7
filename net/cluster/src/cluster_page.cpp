#include <troupe/cluster/cluster_page.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <memory>
#include <string_view>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include <troupe/net/metrics_page.hpp>
#include <troupe/runtime/logger.hpp>

#include "cluster_core.hpp"

namespace troupe {

namespace {

using detail::cluster_core;

/// Text that grows by lines.
struct page_text {
  template <class... Ts>
  void add(fmt::format_string<Ts...> format, Ts&&... values) {
    fmt::format_to(std::back_inserter(text), format, std::forward<Ts>(values)...);
  }
  std::string text{};
};

double in_seconds(duration d) {
  return std::chrono::duration<double>(d).count();
}

// Names of nodes need no quoting; versions are whatever a node says.
std::string in_json(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : escape_text(text, 64)) {
    if (c == '"' || c == '\\')
      quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

constexpr std::array all_states{node_state::up, node_state::suspected, node_state::down,
                                node_state::left, node_state::refused};

std::string metrics_of(const cluster_core& core) {
  const auto nodes = core.nodes();
  const auto c = core.counters();
  page_text out;
  const auto begin = [&](std::string_view name, std::string_view type, std::string_view help) {
    out.add("# HELP troupe_cluster_{} {}\n# TYPE troupe_cluster_{} {}\n", name, help, name, type);
  };
  begin("ready", "gauge", "Whether this node should get users.");
  out.add("troupe_cluster_ready {}\n", core.ready() ? 1 : 0);
  begin("nodes", "gauge", "Other nodes by what is known of them.");
  for (const auto state : all_states)
    out.add("troupe_cluster_nodes{{state=\"{}\"}} {}\n", to_string(state),
            std::count_if(nodes.begin(), nodes.end(),
                          [state](const auto& node) { return node.state == state; }));
  begin("topics", "gauge", "Topics that have subscribers.");
  out.add(
    "troupe_cluster_topics{{where=\"here\"}} {}\ntroupe_cluster_topics{{where=\"elsewhere\"}} {}\n",
    core.topics_here(), core.topics_elsewhere());
  begin("messages_total", "counter", "Messages to and from the backplane.");
  out.add("troupe_cluster_messages_total{{way=\"out\"}} "
          "{}\ntroupe_cluster_messages_total{{way=\"in\"}} {}\n"
          "troupe_cluster_messages_total{{way=\"refused\"}} {}\n",
          c.messages_out, c.messages_in, c.refused_messages);
  begin("bytes_total", "counter", "Bytes in these messages.");
  out.add(
    "troupe_cluster_bytes_total{{way=\"out\"}} {}\ntroupe_cluster_bytes_total{{way=\"in\"}} {}\n",
    c.bytes_out, c.bytes_in);
  begin("publications_total", "counter",
        "Publications to and from other nodes, by what became of them.");
  for (const auto& [what, count] :
       {std::pair{"out", c.publications_out}, std::pair{"dropped", c.publications_dropped},
        std::pair{"in", c.publications_in}, std::pair{"unwanted", c.publications_unwanted},
        std::pair{"refused", c.publications_refused}, std::pair{"missed", c.publications_missed},
        std::pair{"repeated", c.publications_repeated}})
    out.add("troupe_cluster_publications_total{{what=\"{}\"}} {}\n", what, count);
  begin("names", "gauge", "Names of actors that are served.");
  out.add(
    "troupe_cluster_names{{where=\"here\"}} {}\ntroupe_cluster_names{{where=\"elsewhere\"}} {}\n",
    core.directory().served_here(), core.directory().served_elsewhere());
  begin("presence_entries", "gauge", "Entries of presence that are known by name.");
  out.add("troupe_cluster_presence_entries {}\n", core.board().entries());
  begin("questions_total", "counter", "Messages for actors by name, over nodes.");
  for (const auto& [what, count] :
       {std::pair{"out", c.questions_out}, std::pair{"in", c.questions_in},
        std::pair{"refused", c.questions_refused}})
    out.add("troupe_cluster_questions_total{{what=\"{}\"}} {}\n", what, count);
  begin("isolations_total", "counter", "How often the backplane was lost.");
  out.add("troupe_cluster_isolations_total {}\n", c.isolations);
  begin("incarnations_total", "counter", "How often this node was taken for down and came anew.");
  out.add("troupe_cluster_incarnations_total {}\n", c.incarnations);
  if (nodes.empty())
    return out.text;
  begin("node_silent_seconds", "gauge", "Time since a node was heard.");
  for (const auto& node : nodes)
    out.add("troupe_cluster_node_silent_seconds{{node=\"{}\"}} {}\n", node.name,
            in_seconds(node.silent_for));
  begin("node_publications", "gauge", "Publications to and from the present process of a node.");
  for (const auto& node : nodes)
    for (const auto& [what, count] :
         {std::pair{"sent", node.sent}, std::pair{"dropped", node.dropped},
          std::pair{"received", node.received}, std::pair{"missed", node.missed}})
      out.add("troupe_cluster_node_publications{{node=\"{}\",what=\"{}\"}} {}\n", node.name, what,
              count);
  return out.text;
}

std::string lines_of(const cluster_core& core) {
  const auto& options = core.options();
  page_text out;
  out.add("node {} of cluster {}: {}, incarnation {}, version {}, over {}\n"
          "topics with subscribers: {} here, {} elsewhere\n\n",
          options.name, options.cluster, to_string(core.state()), core.incarnation(),
          options.version.empty() ? "-" : escape_text(options.version, 64), options.via->name(),
          core.topics_here(), core.topics_elsewhere());
  const auto nodes = core.nodes();
  std::size_t width = 4;
  for (const auto& node : nodes)
    width = std::max(width, node.name.size());
  out.add("{:<{}}  {:<9}  {:>9}  {:>8}  {:>10}  {:>10}  {:>10}  {:>10}  {}\n", "node", width,
          "state", "silent/s", "topics", "sent", "dropped", "received", "missed", "version");
  for (const auto& node : nodes)
    out.add("{:<{}}  {:<9}  {:>9.3f}  {:>8}  {:>10}  {:>10}  {:>10}  {:>10}  {}\n", node.name,
            width, to_string(node.state), in_seconds(node.silent_for), node.topics, node.sent,
            node.dropped, node.received, node.missed,
            node.version.empty() ? "-" : escape_text(node.version, 64));
  return out.text;
}

std::string json_of(const cluster_core& core) {
  const auto& options = core.options();
  page_text out;
  out.add("{{\"node\":\"{}\",\"cluster\":\"{}\",\"state\":\"{}\",\"ready\":{},\"incarnation\":{},"
          "\"version\":{},\"backplane\":{},\"topics_here\":{},\"topics_elsewhere\":{},\"nodes\":[",
          options.name, options.cluster, to_string(core.state()), core.ready(), core.incarnation(),
          in_json(options.version), in_json(options.via->name()), core.topics_here(),
          core.topics_elsewhere());
  std::string_view before = "";
  for (const auto& node : core.nodes())
    out.add("{}{{\"node\":\"{}\",\"state\":\"{}\",\"incarnation\":{},\"version\":{},"
            "\"silent_seconds\":{:.3f},\"topics\":{},\"sent\":{},\"dropped\":{},\"received\":{},"
            "\"missed\":{}}}",
            std::exchange(before, ","), node.name, to_string(node.state), node.incarnation,
            in_json(node.version), in_seconds(node.silent_for), node.topics, node.sent,
            node.dropped, node.received, node.missed);
  out.add("]}}\n");
  return out.text;
}

std::string why_not_ready(const cluster_core& core) {
  if (core.draining() && core.state() != own_state::left)
    return "draining: this node is about to stop\n";
  switch (core.state()) {
  case own_state::joining:
    return "joining: the backplane has not been reached yet\n";
  case own_state::isolated:
    return "isolated: the backplane is lost\n";
  case own_state::refused:
    return "refused: see the log\n";
  default:
    return "left: this node is stopping\n";
  }
}

} // namespace

std::string cluster_metrics(const cluster& of) {
  const auto core = detail::core_of(of).lock();
  return core ? metrics_of(*core) : std::string{};
}

factory_ref cluster_page(const cluster& of, std::function<std::string()> extra) {
  using weak_core = std::weak_ptr<const cluster_core>;
  const weak_core weak = detail::core_of(of);
  const auto page = [weak](auto answer) {
    return [weak, answer]() -> page_answer {
      if (const auto core = weak.lock())
        return answer(*core);
      return {"the cluster has ended\n", "503 Service Unavailable"};
    };
  };
  metrics_page_options options;
  options.extra = [weak, extra = std::move(extra)] {
    const auto core = weak.lock();
    return (core ? metrics_of(*core) : std::string{}) + (extra ? extra() : std::string{});
  };
  options.pages["/readyz"] = page([](const cluster_core& core) -> page_answer {
    if (core.ready())
      return {"ready\n"};
    return {why_not_ready(core), "503 Service Unavailable"};
  });
  options.pages["/cluster"] =
    page([](const cluster_core& core) -> page_answer { return {lines_of(core)}; });
  options.pages["/cluster.json"] = page([](const cluster_core& core) -> page_answer {
    return {json_of(core), "200 OK", "application/json"};
  });
  return metrics_page(of.home(), std::move(options));
}

} // namespace troupe
