// The suite of transports, in memory: bare, and behind every policy at once.

#include <tuple>

#include <troupe/net/limit_connections.hpp>
#include <troupe/net/throttling_factory.hpp>
#include <troupe/net/timeout_factory.hpp>
#include <troupe/net/traffic_logging_factory.hpp>

#include "support/catch.hpp"
#include "support/memory_adaptor.hpp"

namespace {

using namespace troupe;

struct in_memory_behind_policies : testing::in_memory {
  explicit in_memory_behind_policies(const factory_ref& f) : in_memory(wrapped(f)) {}

  static factory_ref wrapped(factory_ref f) {
    f = factory::of<timeout_factory>(f);
    f = factory::of<traffic_logging_factory>(f);
    f = factory::of<throttling_factory>(f, throttle_limits{.read = 1u << 30, .write = 1u << 30});
    f = factory::of<limit_connections_by_peer_factory>(f);
    return factory::of<limit_total_connections_factory>(f, 10u);
  }
};

using transports = std::tuple<testing::in_memory, in_memory_behind_policies>;

} // namespace

#include "support/transport_suite_test.hpp"
