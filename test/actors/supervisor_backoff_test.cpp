// How long a supervisor waits before it starts a child again.

#include <troupe/actors/supervisor.hpp>
#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"
#include "support/children.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

TEST_CASE("the supervisor waits longer after each crash, and anew after a long life",
          "[supervisor]") {
  nursery n;
  n.open({.intensity = 99, .backoff = {.initial = 1s, .factor = 3, .max = 5s}}, n.calm_ones({"a"}));
  n.told.look();
  for (const auto wait : {1s, 3s, 5s, 5s}) {
    n.crash("a");
    CHECK(n.state("a") == child_state::restarting);
    CHECK(n.events.back().delay == duration{wait});
    n.rt.advance(wait - 1ns);
    CHECK(n.told.look() == "-a");
    n.rt.advance(1ns);
    n.rt.settle();
    CHECK(n.told.look() == "+a");
  }
  n.rt.advance(5s); // the period
  n.crash("a");
  CHECK(n.events.back().delay == duration{1s});
}

TEST_CASE("the supervisor waits longer after each start that fails, however long that takes",
          "[supervisor]") {
  nursery n;
  bool can_start = true;
  child_spec spec{.id = "a", .start = [&](supervisor& s) -> outcome<caf::actor> {
                    if (!can_start)
                      return failure{errc::timed_out};
                    return caf::actor_cast<caf::actor>(s.spawn<calm_child>(&n.told, "a"));
                  }};
  n.open({.intensity = 3, .period = 5s, .backoff = {.initial = 1s, .max = 30s}}, {spec});
  SECTION("after a short life") {}
  SECTION("after a long life") {
    n.rt.advance(10s);
  }
  can_start = false;
  n.crash("a");
  for (const auto wait : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    REQUIRE(n.events.back().kind == supervisor_event_kind::child_restarting);
    CHECK(n.events.back().delay == duration{wait});
    n.rt.advance(wait);
    n.rt.settle();
  }
  can_start = true;
  n.rt.advance(30s);
  n.rt.settle();
  CHECK(n.state("a") == child_state::running);
  n.crash("a"); // it has not run for long
  CHECK(n.events.back().delay == duration{30s});
}

TEST_CASE("without a back-off nothing waits, however often a child crashes", "[supervisor]") {
  nursery n;
  n.open({.intensity = 5000}, n.calm_ones({"a"}));
  for (int i = 0; i < 2000; ++i) {
    n.crash("a");
    REQUIRE(n.state("a") == child_state::running);
  }
}

TEST_CASE("a child that waits for its restart can be terminated", "[supervisor]") {
  nursery n;
  auto& sup = n.open({.backoff = {.initial = 1s}}, n.calm_ones({"a"}));
  n.crash("a");
  failure_result_of(sup.restart_child("a"), errc::child_restarting);
  failure_result_of(sup.delete_child("a"), errc::child_restarting);
  success_result_of(sup.terminate_child("a"));
  n.rt.advance(10s);
  n.rt.settle();
  CHECK(n.told.look() == "+a -a");
  n.wait(sup.restart_child("a"));
  n.rt.settle();
  CHECK(n.told.look() == "+a");
}

TEST_CASE("a back-off that grows beyond all measure stays at its maximum, and is never negative",
          "[supervisor]") {
  const auto delays = [](restart_backoff back) {
    nursery n;
    n.open({.intensity = 99, .period = 1000h, .backoff = back}, n.calm_ones({"a"}));
    std::vector<duration> all;
    for (int i = 0; i < 3; ++i) {
      n.crash("a");
      for (const auto& e : n.events)
        if (e.kind == supervisor_event_kind::child_restarting)
          all.push_back(e.delay);
      n.events.clear();
      n.rt.advance(all.back() == duration::max() ? 0s : all.back());
      n.rt.settle();
      if (!n.child("a"))
        break;
    }
    return all;
  };
  using list = std::vector<duration>;
  CHECK(delays({.initial = 1s, .factor = 1e300, .max = 60s}) == list{1s, 60s, 60s});
  CHECK(delays({.initial = 1s, .factor = 1e300, .max = duration::max()})
        == list{1s, duration::max()});
  CHECK(delays({.initial = 0s, .factor = 1e300}) == list{0s, 0s, 0s});
  CHECK(delays({.initial = 1s, .factor = -2}) == list{1s, 0s, 4s});
}
