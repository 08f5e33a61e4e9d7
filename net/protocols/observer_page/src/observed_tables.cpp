#include "observed_tables.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <span>
#include <utility>

#include <unistd.h>

namespace troupe::detail {

namespace {

using nlohmann::json;

template <class T>
struct column {
  const char* name;
  json (*value)(const T&);
};

/// The rows that come first; only they are made whole.
template <class T>
json table(const std::vector<T>& all, std::span<const column<T>> columns, const table_order& order,
           std::size_t omitted = 0) {
  const auto named = [&](const column<T>& c) {
    return order.by == c.name;
  };
  auto by = std::find_if(columns.begin(), columns.end(), named);
  if (by == columns.end())
    by = columns.begin();
  std::vector<std::pair<json, std::size_t>> keys;
  keys.reserve(all.size());
  for (const auto& one : all)
    keys.emplace_back(by->value(one), keys.size());
  const auto shown = std::min(order.rows, keys.size());
  std::partial_sort(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(shown), keys.end(),
                    [down = order.down](const auto& a, const auto& b) {
                      if (a.first != b.first)
                        return down ? b.first < a.first : a.first < b.first;
                      return a.second < b.second;
                    });
  json made{{"columns", json::array()}, {"rows", json::array()}, {"all", all.size()},
            {"omitted", omitted},       {"by", by->name},        {"down", order.down}};
  for (const auto& c : columns)
    made["columns"].push_back(c.name);
  for (std::size_t i = 0; i < shown; ++i) {
    json row = json::array();
    for (const auto& c : columns)
      row.push_back(c.value(all[keys[i].second]));
    made["rows"].push_back(std::move(row));
  }
  return made;
}

struct kind {
  std::string name;
  std::size_t count = 0;
  std::size_t timers = 0;
  std::size_t waiting = 0;
  std::size_t longest = 0;
};

constexpr column<observed_actor> of_actors[] = {
  {"id",
   [](const observed_actor& a) {
     return json(a.id);
   }},
  {"loop",
   [](const observed_actor& a) {
     return json(a.loop);
   }},
  {"kind",
   [](const observed_actor& a) {
     return json(a.kind);
   }},
  {"name",
   [](const observed_actor& a) {
     return json(a.name);
   }},
  {"mailbox",
   [](const observed_actor& a) {
     return json(a.mailbox);
   }},
  {"timers",
   [](const observed_actor& a) {
     return json(a.timers);
   }},
};

constexpr column<observed_connection> of_connections[] = {
  {"id",
   [](const observed_connection& c) {
     return json(c.id);
   }},
  {"loop",
   [](const observed_connection& c) {
     return json(c.loop);
   }},
  {"protocol",
   [](const observed_connection& c) {
     return json(c.protocol);
   }},
  {"peer",
   [](const observed_connection& c) {
     return json(c.peer.to_string());
   }},
  {"host",
   [](const observed_connection& c) {
     return json(c.host.to_string());
   }},
  {"received",
   [](const observed_connection& c) {
     return json(c.bytes_received);
   }},
  {"written",
   [](const observed_connection& c) {
     return json(c.bytes_written);
   }},
  {"unsent",
   [](const observed_connection& c) {
     return json(c.unsent);
   }},
  {"refused",
   [](const observed_connection& c) {
     return json(c.refused_writes);
   }},
  {"tls",
   [](const observed_connection& c) {
     return json(c.tls ? "yes" : "no");
   }},
};

constexpr column<observed_topic> of_topics[] = {
  {"subscribers",
   [](const observed_topic& t) {
     return json(t.subscribers);
   }},
  {"directory",
   [](const observed_topic& t) {
     return json(t.directory);
   }},
  {"topic",
   [](const observed_topic& t) {
     return json(t.name);
   }},
};

double seconds(duration d) {
  return std::chrono::duration<double>(d).count();
}

constexpr column<handler_time> of_handlers[] = {
  {"handlers",
   [](const handler_time& h) {
     return json(h.kind);
   }},
  {"messages",
   [](const handler_time& h) {
     return json(h.messages);
   }},
  {"time",
   [](const handler_time& h) {
     return json(seconds(h.busy));
   }},
  {"longest_turn",
   [](const handler_time& h) {
     return json(seconds(h.longest_turn));
   }},
  {"longest_wait",
   [](const handler_time& h) {
     return json(seconds(h.longest_wait));
   }},
};

constexpr column<kind> of_kinds[] = {
  {"count",
   [](const kind& k) {
     return json(k.count);
   }},
  {"kind",
   [](const kind& k) {
     return json(k.name);
   }},
  {"mailboxes",
   [](const kind& k) {
     return json(k.waiting);
   }},
  {"longest",
   [](const kind& k) {
     return json(k.longest);
   }},
  {"timers",
   [](const kind& k) {
     return json(k.timers);
   }},
};

const char* name_of(child_state s) {
  constexpr const char* names[] = {"starting", "running", "stopping", "stopped", "restarting"};
  return names[static_cast<int>(s)];
}
const char* name_of(restart_type r) {
  constexpr const char* names[] = {"permanent", "transient", "temporary"};
  return names[static_cast<int>(r)];
}
const char* name_of(restart_strategy s) {
  constexpr const char* names[] = {"one_for_one", "one_for_all", "rest_for_one", "dynamic"};
  return names[static_cast<int>(s)];
}

json branch(const observed_child& c, std::size_t rows) {
  json made{{"name", c.id},
            {"state", name_of(c.state)},
            {"actor", c.actor},
            {"restarts", c.restarts},
            {"how", c.strategy ? name_of(*c.strategy) : name_of(c.restart)},
            {"supervisor", c.strategy.has_value()},
            {"children", json::array()}};
  const auto shown = std::min(rows, c.children.size());
  for (std::size_t i = 0; i < shown; ++i)
    made["children"].push_back(branch(c.children[i], rows));
  made["more"] = c.children.size() - shown;
  return made;
}

} // namespace

json actors_table(const observed<observed_actor>& of, const table_order& order) {
  return table<observed_actor>(of.all, of_actors, order, of.omitted);
}

json connections_table(const observed<observed_connection>& of, const table_order& order) {
  return table<observed_connection>(of.all, of_connections, order, of.omitted);
}

json topics_table(const std::vector<observed_topic>& of, const table_order& order) {
  return table<observed_topic>(of, of_topics, order);
}

json kinds_table(const observed<observed_actor>& of, std::size_t rows) {
  std::map<std::string_view, kind> found;
  for (const auto& a : of.all) {
    auto& k = found[a.kind];
    ++k.count;
    k.timers += a.timers;
    k.waiting += a.mailbox;
    k.longest = std::max(k.longest, a.mailbox);
  }
  std::vector<kind> all;
  for (auto& [name, k] : found) {
    k.name = name;
    all.push_back(std::move(k));
  }
  return table<kind>(all, of_kinds, {"count", true, rows});
}

json handlers_table(const std::vector<handler_time>& of, std::size_t rows) {
  return table<handler_time>(of, of_handlers, {"time", true, rows});
}

json loops_list(const observed<observed_loop>& of) {
  json made = json::array();
  for (const auto& l : of.all) {
    const auto& c = l.counters;
    made.push_back({{"loop", l.number},
                    {"actors", c.actors},
                    {"timers", l.timers},
                    {"turns", c.turns},
                    {"busy", seconds(c.busy)},
                    {"longest", seconds(c.longest_turn)},
                    {"long_turns", c.long_turns},
                    {"received", c.bytes_received},
                    {"sent", c.bytes_sent},
                    {"stolen", c.actors_stolen},
                    {"dead_letters", c.dead_letters}});
  }
  return made;
}

json trees_list(const observed<observed_child>& of, std::size_t rows) {
  json made = json::array();
  for (const auto& root : of.all)
    made.push_back(branch(root, rows));
  return made;
}

std::size_t resident_memory() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen("/proc/self/statm", "r"),
                                                             &std::fclose};
  unsigned long all = 0, resident = 0;
  if (!file || std::fscanf(file.get(), "%lu %lu", &all, &resident) != 2)
    return 0;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

} // namespace troupe::detail
