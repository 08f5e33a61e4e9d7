#include <troupe/net/connection_counters.hpp>

#include <iterator>
#include <string_view>

#include <spdlog/fmt/fmt.h>

#include <troupe/runtime/loop_scheduler.hpp>

#include "connection_counts.hpp"

namespace troupe {

namespace {

void add_reasons(std::map<errc, std::uint64_t>& to,
                 const detail::connection_counts::by_reason& counts) {
  for (std::size_t i = 0; i < counts.size(); ++i)
    if (const auto n = counts[i].get(); n > 0)
      to[static_cast<errc>(i)] += n;
}

// Source: Prometheus, text format: what is escaped in the value of a label
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\' || c == '"')
      result += '\\';
    result += c == '\n' ? std::string_view{"\\n"} : std::string_view{&c, 1};
  }
  return result;
}

using counters = std::map<std::string, connection_counters>;

class page {
public:
  explicit page(const counters& all) : all_(all) {}

  void add(std::string_view name, std::string_view type, std::string_view help,
           std::uint64_t connection_counters::*member) {
    begin(name, type, help);
    for (const auto& [factory, c] : all_)
      fmt::format_to(std::back_inserter(text), "troupe_{}{{factory=\"{}\"}} {}\n", name,
                     escaped(factory), c.*member);
  }

  void add(std::string_view name, std::string_view help,
           std::map<errc, std::uint64_t> connection_counters::*member) {
    begin(name, "counter", help);
    for (const auto& [factory, c] : all_)
      for (const auto& [reason, n] : c.*member)
        fmt::format_to(std::back_inserter(text), "troupe_{}{{factory=\"{}\",reason=\"{}\"}} {}\n",
                       name, escaped(factory), troupe::name(reason), n);
  }

  std::string text;

private:
  void begin(std::string_view name, std::string_view type, std::string_view help) {
    fmt::format_to(std::back_inserter(text), "# HELP troupe_{0} {1}\n# TYPE troupe_{0} {2}\n", name,
                   help, type);
  }

  const counters& all_;
};

} // namespace

std::map<std::string, connection_counters> count_connections(runtime& rt) {
  counters all;
  for (std::size_t i = 0; i < rt.loops(); ++i)
    detail::each_connection_counts(
      rt.scheduler().loop(i), [&](const std::string& name, const detail::connection_counts& from) {
        auto& to = all[name];
        const auto closed = from.closed.get(); // first: what ends meanwhile is open still
        const auto accepted = from.accepted.get();
        to.open += accepted - closed;
        to.accepted += accepted;
        to.refused += from.refused.get();
        to.handshakes_failed += from.handshakes_failed.get();
        to.refused_writes += from.refused_writes.get();
        to.attempts += from.attempts.get();
        to.restarts += from.restarts.get();
        add_reasons(to.closed, from.closed_by);
        add_reasons(to.attempts_failed, from.failed_by);
      });
  return all;
}

std::string connection_metrics(runtime& rt) {
  const auto all = count_connections(rt);
  using c = connection_counters;
  page p{all};
  p.add("connections_open", "gauge", "Connections that are open, by factory.", &c::open);
  p.add("connections_accepted_total", "counter", "Connections that got a protocol, by factory.",
        &c::accepted);
  p.add("connections_refused_total", "counter",
        "Connections that were closed because the factory built no protocol.", &c::refused);
  p.add("connections_closed_total", "Connections that have ended, by factory and reason.",
        &c::closed);
  p.add("handshakes_failed_total", "counter",
        "Connections that ended before they were made, as in a TLS handshake.",
        &c::handshakes_failed);
  p.add("refused_writes_total", "counter",
        "Writes that were refused by connections that have ended: too late, or over the limit.",
        &c::refused_writes);
  p.add("connection_attempts_total", "counter", "Attempts to connect, by factory.", &c::attempts);
  p.add("connection_attempts_failed_total", "Attempts to connect that failed, by reason.",
        &c::attempts_failed);
  p.add("factory_restarts_total", "counter", "Times a supervisor made a factory anew.",
        &c::restarts);
  return std::move(p.text);
}

} // namespace troupe
