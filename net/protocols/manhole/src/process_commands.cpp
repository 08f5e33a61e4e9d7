#include "process_commands.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <spdlog/fmt/fmt.h>

#include <troupe/manhole/commands.hpp>
#include <troupe/net/connection_counters.hpp>
#include <troupe/net/observer.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/runtime/names.hpp>
#include <troupe/runtime/prometheus.hpp>
#include <troupe/runtime/thread_pool.hpp>

namespace troupe::detail {

namespace {

/// Rows of words under a head, each column as wide as it needs.
class table {
public:
  explicit table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }

  void add(std::vector<std::string> row) {
    for (auto& cell : row)
      cell = printable(cell);
    rows_.push_back(std::move(row));
  }

  /// Adds a row if one of its cells has `text` in it.
  void add_if(const std::string& text, std::vector<std::string> row) {
    if (text.empty() || std::any_of(row.begin(), row.end(), [&](const std::string& cell) {
          return cell.find(text) != std::string::npos;
        }))
      add(std::move(row));
  }

  template <class T>
  [[nodiscard]] std::string text(const observed<T>& of) const {
    auto all = text();
    if (of.omitted > 0)
      all += fmt::format("{} more are not listed.\n", of.omitted);
    for (const auto loop : of.silent)
      all += fmt::format("Loop {} does not answer: something blocks it.\n", loop);
    return all;
  }

  [[nodiscard]] std::string text() const {
    if (rows_.size() == 1)
      return "none\n";
    std::vector<std::size_t> widths(rows_.front().size());
    for (const auto& row : rows_)
      for (std::size_t i = 0; i < row.size(); ++i)
        widths[i] = std::max(widths[i], row[i].size());
    std::string all;
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i + 1 < row.size(); ++i)
        all += fmt::format("{:<{}}  ", row[i], widths[i]);
      all += row.back() + '\n';
    }
    return all;
  }

private:
  std::vector<std::vector<std::string>> rows_;
};

std::string seconds(duration d) {
  return fmt::format("{:.3f}", std::chrono::duration<double>(d).count());
}

std::string optional_argument(const manhole_call& call) {
  return call.arguments.empty() ? std::string{} : call.arguments.front();
}

auto loops(const manhole_call& call) {
  return call.seen.loops().add_callback([](const observed<observed_loop>& got) {
    table t({"loop", "actors", "timers", "turns", "busy s", "longest turn s", "long turns",
             "received", "sent"});
    for (const auto& l : got.all) {
      const auto& c = l.counters;
      t.add({fmt::to_string(l.number), fmt::to_string(c.actors), fmt::to_string(l.timers),
             fmt::to_string(c.turns), seconds(c.busy), seconds(c.longest_turn),
             fmt::to_string(c.long_turns), fmt::to_string(c.bytes_received),
             fmt::to_string(c.bytes_sent)});
    }
    return t.text(got);
  });
}

auto actors(const manhole_call& call) {
  return call.seen.actors().add_callback(
    [seen = call.seen, text = optional_argument(call)](const observed<observed_actor>& got) {
      table t({"id", "loop", "kind", "timers", "name"});
      for (const auto& a : got.all)
        t.add_if(text, {fmt::to_string(a.id), fmt::to_string(a.loop), a.kind,
                        fmt::to_string(a.timers), a.name});
      return t.text(got)
             + fmt::format("{} actors that are not hidden run, the floating ones among them.\n",
                           seen.running_actors());
    });
}

auto connections(const manhole_call& call) {
  return call.seen.connections().add_callback(
    [text = optional_argument(call)](const observed<observed_connection>& got) {
      table t({"id", "loop", "peer", "received", "written", "unsent", "tls", "protocol"});
      for (const auto& c : got.all)
        t.add_if(text, {fmt::to_string(c.id), fmt::to_string(c.loop), c.peer.to_string(),
                        fmt::to_string(c.bytes_received), fmt::to_string(c.bytes_written),
                        fmt::to_string(c.unsent), c.tls ? "yes" : "no", c.protocol});
      return t.text(got);
    });
}

auto factories(const manhole_call& call) {
  return call.seen.factories().add_callback([](const observed<observed_factory>& got) {
    table t({"id", "loop", "connections", "at most", "name"});
    for (const auto& f : got.all)
      t.add({fmt::to_string(f.id), fmt::to_string(f.loop), fmt::to_string(f.connections),
             fmt::to_string(f.max_connections), f.name});
    return t.text(got);
  });
}

auto timers(const manhole_call& call) {
  return call.seen.timers().add_callback([](const observed<observed_timer>& got) {
    table t({"loop", "due in s", "actor", "name"});
    for (const auto& one : got.all)
      t.add({fmt::to_string(one.loop), seconds(one.due_in),
             one.actor != 0 ? fmt::to_string(one.actor) : "-", one.name});
    return t.text(got);
  });
}

std::string topics(const manhole_call& call) {
  table t({"directory", "subscribers", "name"});
  for (const auto& one : call.seen.topics())
    t.add_if(optional_argument(call), {one.directory, fmt::to_string(one.subscribers), one.name});
  return t.text();
}

constexpr const char* name_of(child_state s) {
  constexpr const char* names[] = {"starting", "running", "stopping", "stopped", "restarting"};
  return names[static_cast<int>(s)];
}
constexpr const char* name_of(restart_type r) {
  constexpr const char* names[] = {"permanent", "transient", "temporary"};
  return names[static_cast<int>(r)];
}
constexpr const char* name_of(restart_strategy s) {
  constexpr const char* names[] = {"one_for_one", "one_for_all", "rest_for_one", "dynamic"};
  return names[static_cast<int>(s)];
}

void append_branch(std::string& to, const observed_child& c, const std::string& indent) {
  to += fmt::format("{}{}  {}", indent, printable(c.id), name_of(c.state));
  if (c.actor != 0)
    to += fmt::format("  id {}", c.actor);
  to += c.strategy ? fmt::format("  supervisor, {}", name_of(*c.strategy))
                   : fmt::format("  {}", name_of(c.restart));
  to += '\n';
  for (const auto& below : c.children)
    append_branch(to, below, indent + "  ");
}

auto tree(const manhole_call& call) {
  return call.seen.supervisors().add_callback([](const observed<observed_child>& got) {
    std::string all;
    for (const auto& root : got.all)
      append_branch(all, root, "");
    for (const auto loop : got.silent)
      all += fmt::format("Loop {} does not answer: something blocks it.\n", loop);
    return all.empty() ? std::string{"none\n"} : all;
  });
}

std::string names(const manhole_call& call) {
  table t({"name", "actor"});
  const auto known = call.seen.of().names();
  for (const auto& name : known.all()) {
    const auto who = known.whereis(name);
    t.add({name, who ? fmt::to_string(who.id()) : "-"});
  }
  return t.text();
}

std::string threads(const manhole_call& call) {
  const auto& pool = call.seen.of().reactor().get_thread_pool();
  return fmt::format("{} threads, {} idle, at most {}; {} calls wait\n", pool.workers(),
                     pool.idle(), pool.max(), pool.queued());
}

std::string metrics(const manhole_call& call) {
  auto& rt = call.seen.of();
  const auto all = prometheus_text(rt) + connection_metrics(rt);
  const auto wanted = optional_argument(call);
  std::string found;
  for (std::string_view rest = all; !rest.empty();) {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    if (!line.starts_with('#') && line.find(wanted) != std::string_view::npos)
      found.append(printable(line)) += '\n';
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return found.empty() ? std::string{"none\n"} : found;
}

// Everything that is known of one actor: what several questions say of it.
auto inspect(const manhole_call& call) {
  const auto id = call.number(0, "ID");
  const auto text = std::make_shared<std::string>();
  const auto seen = call.seen;
  return seen.actors()
    .add_callback([text, seen, id](const observed<observed_actor>& got) {
      for (const auto& a : got.all)
        if (a.id == id)
          *text += fmt::format("actor {}: {} {}\n  on loop {}, with {} timers\n", id,
                               printable(a.kind), printable(a.name), a.loop, a.timers);
      return seen.connections();
    })
    .add_callback([text, seen, id](const observed<observed_connection>& got) {
      for (const auto& c : got.all)
        if (c.id == id)
          *text += fmt::format(
            "connection of {}\n  peer {}\n  host {}\n  {} bytes received, {} written, {} "
            "unsent, {} writes refused\n  {}\n  built by factory {}\n",
            printable(c.protocol), printable(c.peer.to_string()), printable(c.host.to_string()),
            c.bytes_received, c.bytes_written, c.unsent, c.refused_writes, c.tls ? "TLS" : "no TLS",
            c.factory);
      return seen.factories();
    })
    .add_callback([text, seen, id](const observed<observed_factory>& got) {
      for (const auto& f : got.all)
        if (f.id == id)
          *text += fmt::format("factory {}\n  {} connections, at most {}\n", printable(f.name),
                               f.connections, f.max_connections);
      return seen.timers();
    })
    .add_callback([text, id](const observed<observed_timer>& got) {
      for (const auto& t : got.all)
        if (t.actor == id)
          *text += fmt::format("timer due in {} s\n", seconds(t.due_in));
      if (text->empty())
        throw std::runtime_error("no actor on a loop has the id " + std::to_string(id));
      return *text;
    });
}

auto end_connection(const manhole_call& call, bool abort) {
  const auto id = call.number(0, "ID");
  return call.seen.close_connection(id, abort).add_callback([id, abort](bool was) {
    if (!was)
      throw std::runtime_error("there is no open connection " + std::to_string(id));
    return fmt::format("connection {} {}\n", id, abort ? "aborted" : "told to close");
  });
}

auto limit(const manhole_call& call) {
  const auto id = call.number(0, "ID");
  const auto count = call.number(1, "COUNT");
  return call.seen.set_max_connections(id, count).add_callback([id, count](bool was) {
    if (!was)
      throw std::runtime_error("there is no factory " + std::to_string(id));
    return fmt::format("factory {} has at most {} connections now\n", id, count);
  });
}

std::string log_level(const manhole_call& call) {
  if (call.arguments.empty())
    return "the log begins at " + call.seen.log_level() + '\n';
  call.expect_changes();
  if (!call.seen.set_log_level(call.arguments.front()))
    throw std::invalid_argument("levels are trace, debug, info, warning, error, critical and off");
  return "the log begins at " + call.seen.log_level() + " now\n";
}

std::string stop(const manhole_call& call) {
  call.seen.of().stop();
  return "stopping\n";
}

} // namespace

void add_process_commands(manhole_commands& to) {
  constexpr auto changes = manhole_commands::changes_something;
  to.add("loops", "loops: the event loops, and what they did", loops);
  to.add("actors", "actors [TEXT]: the actors of the loops, or those that TEXT names", actors);
  to.add("connections", "connections [TEXT]: what is open, or what TEXT names", connections);
  to.add("factories", "factories: what builds connections, and how many they have", factories);
  to.add("topics", "topics [TEXT]: what is published to whom, as far as the program tells", topics);
  to.add("tree", "tree: supervisors and their children", tree);
  to.add("timers", "timers: the calls that are to come", timers);
  to.add("names", "names: actors that have a name", names);
  to.add("threads", "threads: those for calls that block", threads);
  to.add("metrics", "metrics [TEXT]: counters and gauges, or those that TEXT names", metrics);
  to.add("inspect", "inspect ID: all that is known of one actor", inspect);
  to.add("log", "log [LEVEL]: tells, or sets, from which level on is logged", log_level);
  to.add(
    "close", "close ID: closes a connection, once what was written is sent",
    [](const manhole_call& call) { return end_connection(call, false); }, changes);
  to.add(
    "abort", "abort ID: closes a connection at once",
    [](const manhole_call& call) { return end_connection(call, true); }, changes);
  to.add("limit", "limit ID COUNT: sets how many connections a factory may have", limit, changes);
  to.add("stop", "stop: ends the process, once connections are flushed", stop, changes);
}

} // namespace troupe::detail
