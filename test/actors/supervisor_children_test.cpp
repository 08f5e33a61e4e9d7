// The children of a supervisor at run time: added, terminated, asked for, slow to start, with names.

#include <troupe/actors/ask.hpp>
#include <troupe/actors/supervisor.hpp>
#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"
#include "support/children.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

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
