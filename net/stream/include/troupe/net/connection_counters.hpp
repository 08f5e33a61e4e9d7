#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <troupe/runtime/errc.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// What became of the connections of all factories of one name, since the runtime was made. All only
/// grow, except `open`.
///
/// A connection is counted by each factory that it has: a wrapping factory counts as well as the one
/// that it wraps.
struct connection_counters {
  std::uint64_t open = 0;              // now
  std::uint64_t accepted = 0;          // those with a protocol, also of clients
  std::uint64_t refused = 0;           // the factory built no protocol, or threw
  std::uint64_t handshakes_failed = 0; // ended before `connection_made`, as in a TLS handshake
  std::uint64_t refused_writes = 0;    // `transport::refused_writes`, once they have ended
  std::uint64_t attempts = 0;          // of clients, to connect
  std::uint64_t restarts = 0;          // of the factory, by its supervisor

  std::map<errc, std::uint64_t> closed{};          // connections that have ended, by the reason
  std::map<errc, std::uint64_t> attempts_failed{}; // by the reason
};

/// Returns the counters by the name of the factories, `factory::log_prefix`. Beyond 500 names on a
/// loop, others are counted together, as "others".
///
/// Thread: any. Numbers are right by themselves, and not all taken at the same instant.
[[nodiscard]] std::map<std::string, connection_counters> count_connections(runtime& rt);

/// Returns them as text that Prometheus reads: `troupe_connections_open{factory="factory of chat"} 2`,
/// `troupe_connections_closed_total{factory="factory of chat",reason="connection_done"} 40`, and so on.
///
/// Thread: any. Source: Prometheus, text format 0.0.4
[[nodiscard]] std::string connection_metrics(runtime& rt);

} // namespace troupe
