#include <troupe/actors/supervisor.hpp>

#include <algorithm>

#include <caf/send.hpp>

#include <troupe/actors/ask.hpp>
#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"
#include "support/children.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

TEST_CASE("children start in order and stop in the opposite order", "[supervisor]") {
  nursery n;
  auto& sup = n.open({.name = "three"}, n.calm_ones({"a", "b", "c"}));
  CHECK(n.told.look() == "+a +b +c");
  CHECK(n.decisions() == "child_started:a child_started:b child_started:c started");
  success_result_of(sup.when_started());
  n.end(n.handle);
  CHECK(n.told.look() == "-c -b -a");
  CHECK(n.decisions() == "child_stopped:c child_stopped:b child_stopped:a stopped");
  CHECK(n.ended());
}

TEST_CASE("a permanent child is started again after any end", "[supervisor]") {
  nursery n;
  n.open({.intensity = 9}, n.calm_ones({"a"}));
  n.crash("a");
  n.leave("a");
  n.end(n.child("a"));
  n.end(n.child("a"), caf::exit_reason::kill);
  CHECK(n.told.look() == "+a -a +a -a +a -a +a -a +a");
}

TEST_CASE("a transient child is started again after a crash only, and its spec stays",
          "[supervisor]") {
  nursery n;
  auto& sup = n.open({.intensity = 9}, {n.calm("a", restart_type::transient)});
  n.crash("a");
  CHECK(n.told.look() == "+a -a +a");
  n.end(n.child("a"), caf::exit_reason::kill); // that is a crash too
  CHECK(n.told.look() == "-a +a");
  n.leave("a");
  CHECK(n.told.look() == "-a");
  CHECK(n.state("a") == child_state::stopped);
  const auto a = n.wait(sup.restart_child("a"));
  CHECK(a == n.child("a"));
  n.rt.settle();
  n.end(n.child("a"), caf::exit_reason::user_shutdown);
  CHECK(n.told.look() == "+a -a");
  CHECK(sup.count_children().specs == 1);
}

TEST_CASE("a temporary child is never started again, and is forgotten", "[supervisor]") {
  nursery n;
  auto& sup = n.open({}, {n.calm("a", restart_type::temporary), n.calm("b")});
  n.crash("a");
  CHECK(n.told.look() == "+a +b -a");
  CHECK(sup.count_children().specs == 1);
  CHECK(n.decisions().find("child_ended:a child_removed:a") != std::string::npos);
}

TEST_CASE("one restart more than the intensity within the period ends the supervisor",
          "[supervisor]") {
  nursery n;
  n.open({.name = "fragile", .intensity = 2, .period = 5s}, n.calm_ones({"a", "b"}));
  n.told.look();
  n.crash("b");
  n.rt.advance(2s);
  n.crash("b");
  n.rt.advance(2999ms);
  CHECK_FALSE(n.ended());
  n.crash("b"); // 4.999 s after the first
  CHECK(n.ended());
  CHECK(n.told.look() == "-b +b -b +b -b -a");
  CHECK(n.events.back().kind == supervisor_event_kind::stopped);
  CHECK(n.events.back().reason.check(errc::restart_intensity_reached));
}

TEST_CASE("restarts that lie further apart than the period go on for ever", "[supervisor]") {
  nursery n;
  n.open({.intensity = 1, .period = 5s}, n.calm_ones({"a"}));
  for (int i = 0; i < 20; ++i) {
    n.crash("a");
    n.rt.advance(5s + 1ns);
  }
  CHECK_FALSE(n.ended());
  n.crash("a");
  n.rt.advance(5s); // just within
  n.crash("a");
  CHECK(n.ended());
}

TEST_CASE("no restart is allowed with an intensity of zero", "[supervisor]") {
  nursery n;
  n.open({.intensity = 0}, n.calm_ones({"a"}));
  n.crash("a");
  CHECK(n.ended());
}

TEST_CASE("a child that is slow to stop is waited for, up to its shutdown time", "[supervisor]") {
  nursery n;
  auto slow = n.calm("slow");
  slow.start = start_actor<slow_child>(&n.told, "slow", duration{2s});
  slow.shutdown = 3s;
  n.open({}, {n.calm("first"), slow});
  n.told.look();
  n.end(n.handle);
  n.rt.advance(2s - 1ns);
  CHECK(n.told.look().empty());
  n.rt.advance(1ns);
  n.rt.settle();
  CHECK(n.told.look() == "-slow -first");
  CHECK(n.ended());
}

TEST_CASE("a child that refuses to stop is killed at the end of its shutdown time",
          "[supervisor]") {
  nursery n;
  child_spec spec{.id = "mule", .start = start_actor<stubborn_child>(&n.told, "mule")};
  n.open({}, {n.calm("first"), spec});
  n.told.look();
  n.decisions();
  n.end(n.handle);
  n.rt.advance(child_spec::default_shutdown - 1ns);
  n.rt.settle();
  CHECK(n.told.look().empty());
  n.rt.advance(1ns);
  n.rt.settle();
  CHECK(n.told.look() == "-mule -first");
  CHECK(n.decisions() == "child_killed:mule child_stopped:mule child_stopped:first stopped");
}

TEST_CASE("brutal_kill does not ask", "[supervisor]") {
  nursery n;
  child_spec spec{.id = "mule",
                  .start = start_actor<stubborn_child>(&n.told, "mule"),
                  .shutdown = child_spec::brutal_kill};
  auto& sup = n.open({}, {spec});
  const auto ended = sup.terminate_child("mule");
  n.rt.settle();
  CHECK(ended.ready());
  CHECK(n.told.look() == "+mule -mule");
  CHECK(n.state("mule") == child_state::stopped);
}

TEST_CASE("an infinite shutdown time waits without an end", "[supervisor]") {
  nursery n;
  child_spec spec{.id = "slow",
                  .start = start_actor<slow_child>(&n.told, "slow", duration{24h}),
                  .shutdown = child_spec::infinity};
  n.open({}, {spec});
  n.end(n.handle);
  n.rt.advance(24h - 1ns);
  CHECK_FALSE(n.ended());
  n.rt.advance(1ns);
  n.rt.settle();
  CHECK(n.ended());
}

TEST_CASE("a killed child that does not end is left behind", "[supervisor]") {
  nursery n;
  // An actor that was never launched reads no message, as one whose code never returns.
  caf::actor_config cfg{&n.rt.scheduler().loop(0)};
  const auto stuck = caf::make_actor<calm_child, caf::actor>(
    n.rt.system().next_actor_id(), n.rt.system().node(), &n.rt.system(), cfg, &n.told, "stuck");
  child_spec spec{.id = "stuck",
                  .start = [&](supervisor&) { return stuck; },
                  .shutdown = child_spec::brutal_kill};
  auto& sup = n.open({.unresponsive_after = 7s}, {n.calm("a"), spec});
  const auto ended = sup.terminate_child("stuck");
  n.rt.advance(7s - 1ns);
  CHECK_FALSE(ended.ready());
  n.rt.advance(1ns);
  CHECK(ended.ready());
  CHECK(n.events.back().kind == supervisor_event_kind::child_abandoned);
  CHECK(n.events.back().actor == stuck.id());
  CHECK(n.state("stuck") == child_state::stopped);
}

TEMPLATE_TEST_CASE("a child whose make_behavior throws has not started", "[supervisor]",
                   floating_actor, pinned_actor) {
  nursery n;
  int lives = 0;
  child_spec spec{.id = "a", .start = start_actor<stillborn_child<TestType>>(&n.told, "a", &lives)};
  SECTION("which ends a supervisor that begins") {
    n.open({.intensity = 2}, {n.calm("first"), spec});
    CHECK(n.ended());
    CHECK(n.told.look() == "+first -a -first");
    CHECK(n.decisions() == "child_started:first child_start_failed:a child_stopped:first stopped");
  }
  SECTION("and is tried again when it was to be restarted") {
    lives = 1;
    n.open({.intensity = 2}, {spec});
    n.crash("a");
    n.rt.settle();
    CHECK(n.ended());
    CHECK(n.decisions()
          == "child_started:a started child_ended:a child_restarting:a child_start_failed:a "
             "child_restarting:a child_start_failed:a intensity_reached:a stopped");
  }
  SECTION("and fails who wanted to add it") {
    auto& sup = n.open({});
    auto d = sup.start_child(spec);
    n.rt.settle();
    failure_result_of(std::move(d), errc::actor_down);
    CHECK(sup.which_children().empty());
  }
}

TEST_CASE("a child is killed whose start was cancelled", "[supervisor]") {
  nursery n;
  auto& sup = n.open({});
  auto d = sup.start_child(n.calm("a")); // it has not run yet
  auto ended = sup.shut_down();
  n.rt.settle();
  failure_result_of(std::move(d));
  success_result_of(std::move(ended));
  CHECK(n.ended());
  CHECK((n.told.look() == "+a -a" || n.told.lines.empty()));
}

TEST_CASE("a first child that cannot be started stops those before it, and ends the supervisor",
          "[supervisor]") {
  nursery n;
  child_spec bad{.id = "bad", .start = [](supervisor&) -> caf::actor {
                   throw std::runtime_error("no such thing");
                 }};
  auto& sup = n.open({}, {n.calm("a"), n.calm("b"), bad, n.calm("c")});
  CHECK(n.told.look() == "+a +b -b -a");
  CHECK(n.ended());
  const auto why = failure_result_of(sup.when_started(), errc::child_start_failed);
  CHECK(why.message().find("bad: no such thing") != std::string::npos);
  CHECK(n.events.back().reason.check(errc::child_start_failed));
}

TEST_CASE("a restart that fails is tried again, and each try counts", "[supervisor]") {
  nursery n;
  int starts = 0;
  child_spec spec{.id = "a", .start = [&](supervisor& s) -> outcome<caf::actor> {
                    if (++starts == 2 || starts == 3)
                      return failure{errc::timed_out};
                    return caf::actor_cast<caf::actor>(s.spawn<calm_child>(&n.told, "a"));
                  }};
  SECTION("and heals in time") {
    n.open({.intensity = 3}, {spec});
    n.crash("a");
    n.rt.settle();
    CHECK(starts == 4);
    CHECK(n.told.look() == "+a -a +a");
  }
  SECTION("or is too much") {
    n.open({.intensity = 2}, {spec});
    n.crash("a");
    n.rt.settle();
    CHECK(starts == 3);
    CHECK(n.ended());
  }
}

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

TEST_CASE("what a child leaves behind is let go when it is stopped for good", "[supervisor]") {
  nursery n;
  bool can_start = true;
  const auto frail = [&](const std::string& id, restart_type restart = restart_type::permanent) {
    return child_spec{.id = id,
                      .start = [&n, &can_start, id](supervisor& s) -> outcome<caf::actor> {
                        if (!can_start)
                          return failure{errc::timed_out};
                        return caf::actor_cast<caf::actor>(s.spawn<calm_child>(&n.told, id));
                      },
                      .restart = restart,
                      .stopped =
                        [&n, id] {
                          n.told.lines.push_back("let go " + id);
                        }};
  };
  const auto waits = [&] {
    auto& sup = n.open({.intensity = 9, .backoff = {.initial = 1s}}, {frail("a")});
    n.crash("a");
    CHECK(n.told.look() == "+a -a");
    return &sup;
  };
  SECTION("not when it is restarted") {
    waits();
    n.rt.advance(1s);
    n.rt.settle();
    CHECK(n.told.look() == "+a");
    can_start = false;
    n.crash("a");
    n.rt.advance(2s);
    n.rt.settle();
    CHECK(n.told.look() == "-a");
  }
  SECTION("not when its group is restarted") {
    n.open({.strategy = restart_strategy::one_for_all}, {frail("a"), frail("b")});
    n.crash("a");
    CHECK(n.told.look() == "+a +b -a -b +a +b");
  }
  SECTION("when it is terminated, and when it cannot be started by hand after that") {
    auto* const sup = waits();
    success_result_of(sup->terminate_child("a"));
    CHECK(n.told.look() == "let go a");
    can_start = false;
    failure_result_of(sup->restart_child("a"), errc::timed_out);
    CHECK(n.told.look() == "let go a");
    success_result_of(sup->delete_child("a"));
    CHECK(n.told.look() == "let go a");
  }
  SECTION("when it was killed because it did not end") {
    auto spec = frail("a");
    spec.start = start_actor<stubborn_child>(&n.told, "a");
    auto& sup = n.open({}, {spec});
    const auto ended = sup.terminate_child("a");
    n.rt.advance(child_spec::default_shutdown);
    n.rt.settle();
    CHECK(ended.ready());
    CHECK(n.told.look() == "+a -a let go a");
  }
  SECTION("when it ends, and is not to be started again") {
    n.open({}, {frail("t", restart_type::transient), frail("once", restart_type::temporary)});
    n.leave("t");
    n.crash("once");
    CHECK(n.told.look() == "+t +once -t let go t -once let go once");
  }
  SECTION("when it cannot be added") {
    auto& sup = n.open({});
    can_start = false;
    failure_result_of(sup.start_child(frail("a")), errc::timed_out);
    CHECK(n.told.look() == "let go a");
  }
  SECTION("when its supervisor ends, and before others are waited for") {
    child_spec slow{.id = "slow", .start = start_actor<slow_child>(&n.told, "slow", duration{1s})};
    n.open({.intensity = 9, .backoff = {.initial = 1h}}, {slow, frail("a"), frail("b")});
    n.crash("a");
    n.told.look();
    n.end(n.handle);
    CHECK(n.told.look() == "let go a -b");
    n.rt.advance(1s);
    n.rt.settle();
    CHECK(n.told.look().starts_with("-slow let go a let go b"));
    CHECK(n.ended());
  }
  SECTION("when its supervisor gives up") {
    n.open({.intensity = 0}, {n.calm("x"), frail("a")});
    n.crash("a");
    CHECK(n.told.look().starts_with("+x +a -a let go a -x"));
    CHECK(n.ended());
  }
  SECTION("not when its supervisor is killed and restarted, but when that one is terminated") {
    auto& sup = n.open({}, {supervisor::as_child({.name = "inner"}, {frail("a")})});
    n.end(n.child("inner"), caf::exit_reason::kill);
    CHECK(n.told.look() == "+a -a +a");
    const auto ended = sup.terminate_child("inner");
    n.rt.settle();
    CHECK(ended.ready());
    CHECK(n.told.look().starts_with("-a let go a"));
  }
  SECTION("although another one's function throws") {
    auto bad = frail("bad");
    bad.stopped = [] {
      throw std::runtime_error("cannot let go");
    };
    n.open({}, {frail("a"), bad});
    n.end(n.handle);
    CHECK(n.told.look() == "+a +bad -bad -a let go a");
    CHECK(n.ended());
  }
}

TEST_CASE("children are added, terminated, restarted and deleted at run time", "[supervisor]") {
  nursery n;
  auto& sup = n.open({}, n.calm_ones({"a"}));
  const auto b = n.wait(sup.start_child(n.calm("b")));
  n.rt.settle();
  CHECK(b == n.child("b"));
  failure_result_of(sup.start_child(n.calm("b")), errc::child_exists);
  failure_result_of(sup.start_child({.id = "c", .start = {}}), errc::invalid_argument);
  failure_result_of(sup.restart_child("b"), errc::child_running);
  failure_result_of(sup.delete_child("b"), errc::child_running);
  failure_result_of(sup.terminate_child("x"), errc::no_such_child);
  failure_result_of(sup.restart_child("x"), errc::no_such_child);
  failure_result_of(sup.delete_child("x"), errc::no_such_child);
  const auto ended = sup.terminate_child("b");
  CHECK_FALSE(ended.ready());
  n.rt.settle();
  CHECK(ended.ready());
  CHECK(n.state("b") == child_state::stopped);
  failure_result_of(sup.start_child(n.calm("b")), errc::child_exists);
  success_result_of(sup.terminate_child("b")); // once more does nothing
  n.wait(sup.restart_child("b"));
  n.rt.settle();
  CHECK(n.told.look() == "+a +b -b +b");
  const auto again = sup.terminate_child(n.child("b"));
  n.rt.settle();
  success_result_of(sup.delete_child("b"));
  CHECK(sup.which_children().size() == 1);
  n.wait(sup.start_child(n.calm("b")));
}

TEST_CASE("a child that cannot be started is not added", "[supervisor]") {
  nursery n;
  auto& sup = n.open({});
  child_spec bad{.id = "bad", .start = [](supervisor&) -> outcome<caf::actor> {
                   return failure{errc::timed_out};
                 }};
  failure_result_of(sup.start_child(bad), errc::timed_out);
  CHECK(sup.which_children().empty());
}

TEST_CASE("a child that is not wanted now keeps its spec and does not run", "[supervisor]") {
  nursery n;
  bool wanted = false;
  child_spec spec{.id = "a", .start = [&](supervisor& s) {
                    return wanted ? caf::actor_cast<caf::actor>(s.spawn<calm_child>(&n.told, "a"))
                                  : caf::actor{};
                  }};
  auto& sup = n.open({}, {spec});
  CHECK(n.decisions() == "child_ignored:a started");
  CHECK(sup.count_children().active == 0);
  wanted = true;
  n.wait(sup.restart_child("a"));
  CHECK(sup.count_children().active == 1);
}

TEST_CASE("a child may take its time to start, and what follows waits for it", "[supervisor]") {
  nursery n;
  promise<caf::actor> later;
  child_spec spec{.id = "b", .start = [&](supervisor&) {
                    return later.get_deferred();
                  }};
  auto& sup = n.open({}, {n.calm("a"), spec, n.calm("c")});
  CHECK(n.told.look() == "+a");
  CHECK(n.state("b") == child_state::starting);
  auto more = sup.start_child(n.calm("d"));
  SECTION("until it is there") {
    later.callback(caf::actor_cast<caf::actor>(n.rt.spawn<calm_child>(&n.told, "b")));
    n.rt.settle();
    success_result_of(std::move(more));
    CHECK(n.state("b") == child_state::running);
    CHECK(n.decisions()
          == "child_started:a child_started:b child_started:c started child_started:d");
  }
  SECTION("until it fails") {
    later.errback(errc::timed_out);
    n.rt.settle();
    CHECK(n.ended());
    CHECK(n.told.look() == "-a");
    failure_result_of(std::move(more), errc::actor_down);
  }
  SECTION("or the supervisor is asked to end") {
    n.end(n.handle);
    CHECK(n.ended());
    CHECK(n.told.look() == "-a");
    CHECK(later.called()); // it was cancelled
    failure_result_of(sup.when_started());
    failure_result_of(std::move(more), errc::actor_down);
  }
  SECTION("or is killed") {
    n.end(n.handle, caf::exit_reason::kill);
    CHECK(n.ended());
    CHECK(n.told.look() == "-a");
    CHECK(later.called());
    failure_result_of(std::move(more), errc::actor_down);
  }
}

TEST_CASE("a killed supervisor takes all below it along", "[supervisor]") {
  nursery n;
  n.open({}, {n.calm("a"),
              supervisor::as_child({.name = "inner"}, n.calm_ones({"b", "c"})),
              {.id = "mule", .start = start_actor<stubborn_child>(&n.told, "mule")}});
  CHECK(n.told.look() == "+a +b +c +mule");
  n.end(n.handle, caf::exit_reason::kill);
  auto lines = n.told.lines;
  std::sort(lines.begin(), lines.end());
  CHECK(lines == std::vector<std::string>{"-a", "-b", "-c", "-mule"});
}

TEST_CASE("supervisors nest: starts and stops keep their order", "[supervisor]") {
  nursery n;
  n.open(
    {.name = "outer"},
    {n.calm("a"), supervisor::as_child({.name = "inner"}, n.calm_ones({"b", "c"})), n.calm("d")});
  CHECK(n.told.look() == "+a +b +c +d");
  CHECK(n.get().count_children().supervisors == 1);
  CHECK(n.get().count_children().workers == 2);
  n.end(n.handle);
  CHECK(n.told.look() == "-d -c -b -a");
}

TEST_CASE("an inner supervisor that gives up is a crash, which its parent heals", "[supervisor]") {
  nursery n;
  caf::actor inner_b;
  auto b = n.calm("b", restart_type::permanent);
  b.start = [&](supervisor& s) {
    return inner_b = caf::actor_cast<caf::actor>(s.spawn<calm_child>(&n.told, "b"));
  };
  const auto kind = GENERATE(restart_type::permanent, restart_type::transient);
  n.open({.name = "outer"}, {n.calm("a"), supervisor::as_child({.name = "inner", .intensity = 0},
                                                               {n.calm("x"), b}, kind)});
  n.told.look();
  n.decisions();
  caf::anon_send(inner_b, crash_atom::value);
  n.rt.settle();
  CHECK(n.told.look() == "-b -x +x +b");
  CHECK(n.decisions() == "child_ended:inner child_restarting:inner child_started:inner");
  caf::anon_send(inner_b, crash_atom::value); // and the outer one's intensity is used up
  n.rt.settle();
  CHECK(n.told.look() == "-b -x -a");
  CHECK(n.ended());
}

TEST_CASE("an inner supervisor that cannot start fails as a child of its parent", "[supervisor]") {
  nursery n;
  child_spec bad{.id = "bad", .start = [](supervisor&) -> outcome<caf::actor> {
                   return failure{errc::timed_out};
                 }};
  auto& sup = n.open({});
  auto d = sup.start_child(supervisor::as_child({.name = "inner"}, {n.calm("a"), bad}));
  n.rt.settle();
  failure_result_of(std::move(d), errc::child_start_failed);
  CHECK(n.told.look() == "+a -a");
  CHECK(sup.which_children().empty());
}

TEST_CASE("other actors, and code that is none, ask a supervisor", "[supervisor]") {
  nursery n;
  n.open({}, n.calm_ones({"a"}));
  const auto asked = [&](auto d) {
    n.rt.settle(40);
    return success_result_of(std::move(d));
  };
  auto& rt = n.rt;
  const auto b = asked(ask<caf::actor>(rt, n.handle, 5s, start_child_atom::value, n.calm("b")));
  CHECK(b == n.child("b"));
  CHECK(asked(ask<std::vector<child_info>>(rt, n.handle, 5s, which_children_atom::value)).size()
        == 2);
  asked(ask<void>(rt, n.handle, 5s, terminate_child_atom::value, std::string{"b"}));
  CHECK(asked(ask<child_counts>(rt, n.handle, 5s, count_children_atom::value)).active == 1);
  asked(ask<caf::actor>(rt, n.handle, 5s, restart_child_atom::value, std::string{"b"}));
  asked(ask<void>(rt, n.handle, 5s, terminate_child_atom::value, n.child("b")));
  asked(ask<void>(rt, n.handle, 5s, delete_child_atom::value, std::string{"b"}));
  auto wrong = ask<void>(rt, n.handle, 5s, delete_child_atom::value, std::string{"b"});
  n.rt.settle(40);
  failure_result_of(std::move(wrong), errc::no_such_child);
}

TEST_CASE("calls that a supervisor cannot answer any more fail", "[supervisor]") {
  nursery n;
  child_spec slow{.id = "slow", .start = start_actor<slow_child>(&n.told, "slow", duration{1s})};
  auto& sup = n.open({}, {slow});
  auto ended = sup.shut_down();
  auto refused = sup.start_child(n.calm("x"));
  auto second = sup.shut_down();
  CHECK_FALSE(ended.ready());
  n.rt.settle();
  n.rt.advance(1s);
  n.rt.settle();
  success_result_of(std::move(ended));
  success_result_of(std::move(second));
  failure_result_of(std::move(refused), errc::actor_down);
  failure_result_of(sup.start_child(n.calm("y")), errc::actor_down);
  success_result_of(sup.shut_down());
  CHECK(n.told.look() == "+slow -slow");
}

TEST_CASE("an observer that throws harms nobody, and an actor may observe", "[supervisor]") {
  nursery n;
  SECTION("throwing") {
    n.open({.observer =
              [](const supervisor_event&) {
                throw std::runtime_error("cannot see");
              }},
           n.calm_ones({"a"}));
    n.crash("a");
    CHECK(n.told.look() == "+a -a +a");
  }
  SECTION("an actor") {
    std::vector<std::string> seen;
    const auto watcher = n.rt.spawn([&](caf::event_based_actor*) -> caf::behavior {
      return {[&](const supervisor_event& e) {
        seen.push_back(to_string(e));
      }};
    });
    n.open({.name = "sup", .observer = send_events_to(watcher)}, n.calm_ones({"a"}));
    n.crash("a");
    CHECK(seen
          == std::vector<std::string>{"supervisor sup: child a started", "supervisor sup: started",
                                      "supervisor sup: child a ended: crash",
                                      "supervisor sup: child a restarts (1 within the period)",
                                      "supervisor sup: child a started"});
  }
}

TEST_CASE("a normal exit message does not end a supervisor", "[supervisor]") {
  nursery n;
  n.open({}, n.calm_ones({"a"}));
  n.end(n.handle, caf::exit_reason::normal);
  CHECK_FALSE(n.ended());
}

TEST_CASE("the end of the runtime ends a supervisor's children", "[supervisor]") {
  story told;
  {
    manual_runtime rt;
    std::vector<child_spec> children;
    children.push_back({.id = "a", .start = start_actor<calm_child>(&told, "a")});
    children.push_back({.id = "b", .start = start_actor<pinned_child>(&told, "b")});
    rt.spawn_on<supervisor>(0, supervisor_options{}, children);
    rt.settle();
    CHECK(told.look() == "+a +b");
  }
  auto lines = told.lines;
  std::sort(lines.begin(), lines.end());
  CHECK(lines == std::vector<std::string>{"-a", "-b"});
}

TEST_CASE("a name follows a child through its restarts", "[supervisor][names]") {
  nursery n;
  const auto cache = n.rt.names().get("cache");
  auto spec = n.calm("a");
  spec.name = "cache";
  n.open({.intensity = 9}, {spec});
  const auto first = n.child("a");
  CHECK(cache.actor() == first);
  n.crash("a");
  const auto second = n.child("a");
  REQUIRE(second);
  CHECK(second != first);
  CHECK(cache.actor() == second);
  CHECK(cache.send(crash_atom::value));
  n.rt.settle();
  CHECK(n.told.look() == "+a -a +a -a +a");
  n.end(n.handle);
  CHECK_FALSE(cache.actor());
}

TEST_CASE("a child whose name another actor has cannot be started", "[supervisor][names]") {
  nursery n;
  auto& sup = n.open({.intensity = 9}, n.calm_ones({"a"}));
  REQUIRE(n.rt.names().put("cache", n.child("a")));
  auto spec = n.calm("b");
  spec.name = "cache";
  auto refused = sup.start_child(spec);
  n.rt.settle(40);
  failure_result_of(std::move(refused), errc::name_taken);
  CHECK(n.told.look() == "+a +b -b");
  CHECK(n.rt.names().whereis("cache") == n.child("a"));
  n.leave("a"); // it has its name no more when it comes back
  auto second = sup.start_child(spec);
  const auto started = n.wait(std::move(second));
  CHECK(started == n.rt.names().whereis("cache"));
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
