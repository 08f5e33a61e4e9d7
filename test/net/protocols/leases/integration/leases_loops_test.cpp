// Leases in memory, of runtimes with several loops in one process.

#include <troupe/leases/memory_leases.hpp>

#include "lease_suite.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

TEST_CASE("leases in memory: one holder, greater tokens, given back at the end", "[leases]") {
  const auto store = std::make_shared<memory_leases>();
  stores_keep_leases([&] { return store; });
}

TEST_CASE("a loop 0 that is held up takes no lease from who looks at it", "[leases]") {
  const auto store = std::make_shared<memory_leases>();
  lease_program a{store};
  a.acquire("x");
  REQUIRE(a.what.wait_for("held x"));
  const auto view = a.view();
  events go_on;
  a.run.rt.scheduler().loop(0).post([&] { go_on.wait(1); });
  while (view.held())
    std::this_thread::yield();
  lease_program b{store}; // has waited for longer than that when it gets it
  b.acquire("x");
  REQUIRE(b.what.wait_for("held x"));
  CHECK_FALSE(view.held());
  go_on.add("go on");
  REQUIRE(a.what.wait_for("lost x"));
  CHECK(b.view().held());
}
