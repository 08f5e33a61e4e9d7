#include <troupe/actors/supervisor.hpp>

#include <algorithm>

#include <caf/send.hpp>

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
