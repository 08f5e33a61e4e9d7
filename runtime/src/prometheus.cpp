#include <troupe/runtime/prometheus.hpp>

#include <string_view>

#include <troupe/runtime/handler_times.hpp>
#include <troupe/runtime/loop_counters.hpp>
#include <troupe/runtime/metrics.hpp>
#include <troupe/runtime/runtime.hpp>

#include "prometheus_page.hpp"

namespace troupe {

namespace {

double seconds(duration d) {
  return std::chrono::duration<double>(d).count();
}

} // namespace

std::string prometheus_text(runtime& rt) {
  detail::prometheus_page p;
  const auto all = rt.counters();
  const auto metric = [&](std::string_view name, std::string_view type, std::string_view help,
                          auto value) {
    const auto full = fmt::format("troupe_loop_{}", name);
    p.begin(full, type, help);
    for (std::size_t i = 0; i < all.size(); ++i)
      p.add(full, {{"loop", std::to_string(i)}}, value(all[i]));
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
  count("actors_resumed_total", &counters::actors_resumed, "Actors resumed from the run queues.");
  count("actors_stolen_total", &counters::actors_stolen, "Floating actors taken from other loops.");
  count("messages_sent_total", &counters::messages_sent,
        "Messages and functions sent to other loops.");
  count("messages_received_total", &counters::messages_received,
        "Messages and functions that came from other loops.");
  count("jobs_from_outside_total", &counters::jobs_from_outside,
        "Functions and actors that other threads queued.");
  count("bytes_received_total", &counters::bytes_received, "Bytes read from the system.");
  count("bytes_sent_total", &counters::bytes_sent, "Bytes written to the system.");
  count("unhandled_messages_total", &counters::unhandled_messages,
        "Messages for which their actor had no handler.");
  count("dead_letters_total", &counters::dead_letters, "Messages to actors that have ended.");
  count("writes_dropped_total", &counters::writes_dropped,
        "Writes that found the output of their connection full.");
  count("publications_dropped_total", &counters::publications_dropped,
        "Publications that a subscriber did not get, by subscriber.");
  metric("busy_seconds_total", "counter", "Time during which the loop did not wait.",
         [](const counters& c) { return seconds(c.busy); });
  metric("longest_turn_seconds", "gauge", "The longest turn since the start.",
         [](const counters& c) { return seconds(c.longest_turn); });
  count("long_turns_total", &counters::long_turns, "Turns that took warn_turn or more.");
  p.begin("troupe_loop_turn_seconds", "histogram", "How long turns took.");
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::uint64_t sum = 0;
    for (std::size_t n = 0; n < all[i].turn_lengths.size(); ++n) {
      sum += all[i].turn_lengths[n];
      const auto bound = n < counters::turn_bounds.size()
                           ? fmt::format("{}", seconds(counters::turn_bounds[n]))
                           : "+Inf";
      p.add("troupe_loop_turn_seconds_bucket", {{"loop", std::to_string(i)}, {"le", bound}}, sum);
    }
    p.add("troupe_loop_turn_seconds_sum", {{"loop", std::to_string(i)}}, seconds(all[i].busy));
    p.add("troupe_loop_turn_seconds_count", {{"loop", std::to_string(i)}}, sum);
  }
  metric("actors", "gauge", "Pinned actors that exist.",
         [](const counters& c) { return c.actors; });

  const auto pool = [&](std::string_view name, std::string_view help, std::size_t value) {
    const auto full = fmt::format("troupe_pool_{}", name);
    p.begin(full, "gauge", help);
    p.add(full, {}, value);
  };
  const auto& threads = rt.scheduler().pool();
  pool("threads", "Threads of the pool for blocking calls.", threads.workers());
  pool("idle_threads", "Threads of that pool without work.", threads.idle());
  pool("queued_calls", "Calls that no thread of that pool has begun.", threads.queued());
  if (const auto kinds = handler_times(rt); !kinds.empty()) {
    const auto handlers = [&](std::string_view name, std::string_view type, std::string_view help,
                              auto value) {
      const auto full = fmt::format("troupe_handler_{}", name);
      p.begin(full, type, help);
      for (const auto& k : kinds)
        p.add(full, {{"kind", k.kind}}, value(k));
    };
    handlers("messages_total", "counter", "Messages that actors of a class handled.",
             [](const handler_time& k) { return k.messages; });
    handlers("seconds_total", "counter", "Time that they were at it.",
             [](const handler_time& k) { return seconds(k.busy); });
    handlers("longest_turn_seconds", "gauge", "The longest turn of one of them.",
             [](const handler_time& k) { return seconds(k.longest_turn); });
    handlers("longest_wait_seconds", "gauge",
             "The longest wait of a message for one that had nothing to do.",
             [](const handler_time& k) { return seconds(k.longest_wait); });
  }
  return std::move(p).text() + rt.metrics().text();
}

} // namespace troupe
