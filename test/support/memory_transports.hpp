#pragma once

// The transports in memory, for the suite of transports: bare, and behind every policy at once.

#include <tuple>

#include <troupe/net/limit_connections.hpp>
#include <troupe/net/throttling_factory.hpp>
#include <troupe/net/timeout_factory.hpp>
#include <troupe/net/traffic_logging_factory.hpp>

#include "support/memory_adaptor.hpp"

namespace troupe::testing {

struct in_memory_behind_policies : in_memory {
  explicit in_memory_behind_policies(const subjects& s) : in_memory({wrapped(s.made), s.alone}) {}

  static factory_ref wrapped(factory_ref f) {
    f = factory::of<timeout_factory>(f);
    f = factory::of<traffic_logging_factory>(f);
    f = factory::of<throttling_factory>(f, throttle_limits{.read = 1u << 30, .write = 1u << 30});
    f = factory::of<limit_connections_by_peer_factory>(f);
    return factory::of<limit_total_connections_factory>(f, 10u);
  }
};

} // namespace troupe::testing

using transports =
  std::tuple<troupe::testing::in_memory, troupe::testing::in_memory_behind_policies>;
