#include <troupe/actors/supervisor.hpp>

#include "support/catch.hpp"
#include "support/children.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto one_for_one = restart_strategy::one_for_one;
constexpr auto one_for_all = restart_strategy::one_for_all;
constexpr auto rest_for_one = restart_strategy::rest_for_one;

} // namespace

TEST_CASE("which children a crash concerns is a matter of the strategy", "[supervisor]") {
  nursery n;
  const auto [strategy, crashed, expected] =
    GENERATE(table<restart_strategy, std::string, std::string>({
      {one_for_one, "a", "-a +a"},
      {one_for_one, "b", "-b +b"},
      {one_for_one, "c", "-c +c"},
      {one_for_all, "a", "-a -c -b +a +b +c"},
      {one_for_all, "b", "-b -c -a +a +b +c"},
      {one_for_all, "c", "-c -b -a +a +b +c"},
      {rest_for_one, "a", "-a -c -b +a +b +c"},
      {rest_for_one, "b", "-b -c +b +c"},
      {rest_for_one, "c", "-c +c"},
    }));
  n.open({.strategy = strategy}, n.calm_ones({"a", "b", "c"}));
  n.told.look();
  n.crash(crashed);
  CHECK(n.told.look() == expected);
  CHECK(n.get().count_children().active == 3);
}

TEST_CASE("the others of a group are waited for before any of it starts again", "[supervisor]") {
  nursery n;
  const auto strategy = GENERATE(one_for_all, rest_for_one);
  child_spec slow{.id = "slow", .start = start_actor<slow_child>(&n.told, "slow", duration{1s})};
  n.open({.strategy = strategy}, {n.calm("a"), slow});
  n.told.look();
  n.crash("a");
  CHECK(n.told.look() == "-a");
  n.rt.advance(1s - 1ns);
  CHECK(n.told.look().empty());
  n.rt.advance(1ns);
  n.rt.settle();
  CHECK(n.told.look() == "-slow +a +slow");
}

TEST_CASE("children of a group that crash together are one restart", "[supervisor]") {
  nursery n;
  n.open({.strategy = one_for_all, .intensity = 1}, n.calm_ones({"a", "b", "c"}));
  n.told.look();
  for (const auto* const id : {"a", "b", "c"})
    caf::anon_send(n.child(id), crash_atom::value);
  n.rt.settle();
  CHECK_FALSE(n.ended());
  CHECK(n.told.look() == "-a -b -c +a +b +c");
}

TEST_CASE("children that are alone and crash together are as many restarts", "[supervisor]") {
  nursery n;
  n.open({.strategy = one_for_one, .intensity = 1}, n.calm_ones({"a", "b"}));
  for (const auto* const id : {"a", "b"})
    caf::anon_send(n.child(id), crash_atom::value);
  n.rt.settle();
  CHECK(n.ended());
}

TEST_CASE("a temporary child is lost in the restart of its group", "[supervisor]") {
  nursery n;
  const auto strategy = GENERATE(one_for_all, rest_for_one);
  n.open({.strategy = strategy}, {n.calm("a"), n.calm("t", restart_type::temporary), n.calm("b")});
  n.told.look();
  n.crash("a");
  CHECK(n.told.look() == "-a -b -t +a +b");
  CHECK(n.get().count_children().specs == 2);
}

TEST_CASE("the restart of a group starts those too that had left", "[supervisor]") {
  nursery n;
  n.open({.strategy = one_for_all}, {n.calm("a"), n.calm("t", restart_type::transient)});
  n.leave("t");
  n.told.look();
  n.crash("a");
  CHECK(n.told.look() == "-a +a +t");
}

TEST_CASE("a group waits together", "[supervisor]") {
  nursery n;
  n.open({.strategy = rest_for_one, .intensity = 9, .backoff = {.initial = 1s}},
         n.calm_ones({"a", "b", "c"}));
  n.told.look();
  n.crash("b");
  CHECK(n.told.look() == "-b -c");
  CHECK(n.state("c") == child_state::restarting);
  SECTION("until its time comes") {
    n.rt.advance(1s);
    n.rt.settle();
    CHECK(n.told.look() == "+b +c");
  }
  SECTION("and longer, if an earlier one crashes meanwhile") {
    n.rt.advance(500ms);
    n.crash("a");
    n.rt.advance(999ms);
    n.rt.settle();
    CHECK(n.told.look() == "-a");
    n.rt.advance(1ms);
    n.rt.settle();
    CHECK(n.told.look() == "+a +b +c");
  }
  SECTION("without one that was terminated meanwhile") {
    n.get().terminate_child("c");
    n.rt.advance(1s);
    n.rt.settle();
    CHECK(n.told.look() == "+b");
  }
  SECTION("or not at all, if the supervisor ends") {
    n.end(n.handle);
    CHECK(n.ended());
    CHECK(n.told.look() == "-a");
  }
}

TEST_CASE("a group waits as long as the one of it that has to wait longest", "[supervisor]") {
  nursery n;
  bool can_start = true;
  child_spec b{.id = "b", .start = [&](supervisor& s) -> outcome<caf::actor> {
                 if (!can_start)
                   return failure{errc::timed_out};
                 return caf::actor_cast<caf::actor>(s.spawn<calm_child>(&n.told, "b"));
               }};
  n.open({.strategy = rest_for_one, .intensity = 99, .backoff = {.initial = 1s, .factor = 10}},
         {n.calm("a"), b, n.calm("c")});
  can_start = false;
  n.crash("b");
  n.rt.advance(1s);
  n.rt.settle();
  can_start = true;
  CHECK(n.events.back().delay == duration{10s});
  n.rt.advance(2s);
  n.told.look();
  n.crash("a");
  CHECK(n.events.back().delay == duration{8s});
  n.rt.advance(8s - 1ns);
  n.rt.settle();
  CHECK(n.told.look() == "-a");
  n.rt.advance(1ns);
  n.rt.settle();
  CHECK(n.told.look() == "+a +b +c");
}

TEST_CASE("who adds a child to a group that waits for its restart waits with it", "[supervisor]") {
  nursery n;
  const auto strategy = GENERATE(one_for_all, rest_for_one);
  auto& sup = n.open({.strategy = strategy, .intensity = 9, .backoff = {.initial = 1s}},
                     n.calm_ones({"a", "b"}));
  n.crash("a");
  n.told.look();
  auto c = sup.start_child(n.calm("c"));
  auto d = sup.start_child(n.calm("d"));
  n.rt.settle();
  CHECK_FALSE(c.ready());
  SECTION("for its turn") {
    failure_result_of(sup.start_child(n.calm("a")), errc::child_exists);
    CHECK(sup.count_children().specs == 2);
    n.rt.advance(1s - 1ns);
    n.rt.settle();
    CHECK(n.told.look().empty());
    n.rt.advance(1ns);
    n.rt.settle(40);
    success_result_of(std::move(c));
    success_result_of(std::move(d));
    CHECK(n.told.look() == "+a +b +c +d");
    n.crash("a");
    CHECK(n.state("d") == child_state::restarting);
  }
  SECTION("until nobody waits any more") {
    success_result_of(sup.terminate_child("b"));
    CHECK_FALSE(c.ready());
    success_result_of(sup.terminate_child("a"));
    n.rt.settle(40);
    success_result_of(std::move(c));
    CHECK(n.told.look() == "+c +d");
  }
  SECTION("or for the end of the supervisor") {
    n.end(n.handle);
    CHECK(n.ended());
    failure_result_of(std::move(c), errc::actor_down);
    failure_result_of(std::move(d), errc::actor_down);
  }
}

TEST_CASE("a terminated child is not restarted before those of its group that wait",
          "[supervisor]") {
  nursery n;
  auto& sup = n.open({.strategy = rest_for_one, .intensity = 9, .backoff = {.initial = 1s}},
                     n.calm_ones({"a", "b", "c"}));
  n.crash("b");
  success_result_of(sup.terminate_child("c"));
  failure_result_of(sup.restart_child("b"), errc::child_restarting);
  n.told.look();
  auto c = sup.restart_child("c");
  n.rt.settle();
  CHECK(n.told.look().empty());
  n.rt.advance(1s);
  n.rt.settle(40);
  success_result_of(std::move(c));
  CHECK(n.told.look() == "+b +c");
}

TEST_CASE("a group of which one cannot be started again is tried again as a whole",
          "[supervisor]") {
  nursery n;
  int starts = 0;
  child_spec moody{.id = "b", .start = [&](supervisor& s) -> outcome<caf::actor> {
                     if (++starts == 2)
                       return failure{errc::timed_out};
                     return caf::actor_cast<caf::actor>(s.spawn<calm_child>(&n.told, "b"));
                   }};
  n.open({.strategy = one_for_all, .intensity = 2}, {n.calm("a"), moody, n.calm("c")});
  n.told.look();
  n.crash("c");
  n.rt.settle();
  CHECK(n.told.look() == "-c -b -a +a -a +a +b +c");
  CHECK(n.get().count_children().active == 3);
}

TEST_CASE("pinned and floating children, and children of other kinds, are all supervised",
          "[supervisor]") {
  nursery n;
  child_spec plain{.id = "plain", .start = [&](supervisor& s) {
                     return s.spawn([&](caf::event_based_actor*) -> caf::behavior {
                       n.told.lines.push_back("+plain");
                       return {[](crash_atom) {
                         throw std::runtime_error("crash");
                       }};
                     });
                   }};
  child_spec pinned{.id = "pinned", .start = start_actor<pinned_child>(&n.told, "pinned")};
  n.open({.intensity = 9}, {plain, pinned, n.calm("floating")});
  CHECK(n.told.look() == "+plain +pinned +floating");
  n.crash("plain");
  n.crash("pinned");
  n.crash("floating");
  CHECK(n.told.look() == "+plain -pinned +pinned -floating +floating");
}
