#include <troupe/runtime/prometheus.hpp>

#include <string_view>

#include <spdlog/fmt/fmt.h>

#include <troupe/runtime/loop_counters.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

namespace {

class page {
public:
  void begin(std::string_view name, std::string_view type, std::string_view help) {
    add("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }

  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
  }

  std::string text;
};

double seconds(duration d) {
  return std::chrono::duration<double>(d).count();
}

} // namespace

std::string prometheus_text(runtime& rt) {
  page p;
  const auto all = rt.counters();
  const auto metric = [&](std::string_view name, std::string_view type, std::string_view help,
                          auto value) {
    const auto full = fmt::format("troupe_loop_{}", name);
    p.begin(full, type, help);
    for (std::size_t i = 0; i < all.size(); ++i)
      p.add("{}{{loop=\"{}\"}} {}\n", full, i, value(all[i]));
  };
  using counters = loop_counters;
  const auto count = [&](std::string_view name, std::uint64_t counters::*member,
                         std::string_view help) {
    metric(name, "counter", help, [member](const counters& c) { return c.*member; });
  };
  count("turns_total", &counters::turns, "Turns of the event loop.");
  count("sleeps_total", &counters::sleeps, "Times the loop waited for events.");
  count("io_events_total", &counters::io_events, "Completed I/O operations.");
  count("delayed_calls_total", &counters::delayed_calls, "Delayed calls that were made.");
  count("actors_resumed_total", &counters::resumed, "Actors resumed from the run queues.");
  count("actors_stolen_total", &counters::stolen, "Floating actors taken from other loops.");
  count("messages_sent_total", &counters::messages_sent,
        "Messages and functions sent to other loops.");
  count("messages_received_total", &counters::messages_received,
        "Messages and functions that came from other loops.");
  count("jobs_from_outside_total", &counters::jobs_from_outside,
        "Functions and actors that other threads queued.");
  count("bytes_received_total", &counters::bytes_received, "Bytes read from the system.");
  count("bytes_sent_total", &counters::bytes_sent, "Bytes written to the system.");
  metric("busy_seconds_total", "counter", "Time during which the loop did not wait.",
         [](const counters& c) { return seconds(c.busy); });
  metric("longest_turn_seconds", "gauge", "The longest turn since the start.",
         [](const counters& c) { return seconds(c.longest_turn); });
  metric("actors", "gauge", "Pinned actors that exist.",
         [](const counters& c) { return c.actors; });

  const auto pool = [&](std::string_view name, std::string_view help, std::size_t value) {
    const auto full = fmt::format("troupe_pool_{}", name);
    p.begin(full, "gauge", help);
    p.add("{} {}\n", full, value);
  };
  const auto& threads = rt.scheduler().pool();
  pool("threads", "Threads of the pool for blocking calls.", threads.workers());
  pool("idle_threads", "Threads of that pool without work.", threads.idle());
  pool("queued_calls", "Calls that no thread of that pool has begun.", threads.queued());
  return std::move(p.text);
}

} // namespace troupe
