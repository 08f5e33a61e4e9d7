#include <optional>
#include <stdexcept>
#include <string>

#include <troupe/runtime/cooperator.hpp>
#include <troupe/testing/deferred.hpp>
#include <troupe/testing/manual_clock.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

struct setup {
  manual_clock clock;
  std::string log;
  cooperator coop{clock, {.steps_per_slice = 1, .between = 1ns}};

  // Writes `name` once for each step.
  auto steps(char name, int n) {
    return [this, name, n]() mutable {
      log += name;
      return --n > 0;
    };
  }
};

} // namespace

TEST_CASE("tasks take turns, one step each", "[cooperator]") {
  setup s;
  deferred<void> a = s.coop.coiterate(s.steps('a', 3));
  deferred<void> b = s.coop.coiterate(s.steps('b', 2));
  CHECK(s.log.empty());
  for (int i = 0; i < 5; ++i)
    s.clock.advance(1ns);
  CHECK(s.log == "ababa");
  success_result_of(std::move(a));
  success_result_of(std::move(b));
  CHECK(s.clock.get_delayed_calls().empty());
}

TEST_CASE("a slice ends when its time is over", "[cooperator]") {
  manual_clock clock;
  cooperator coop(clock); // a slice is 10 ms
  int steps = 0;
  coop.coiterate([&] {
    ++steps;
    clock.advance(3ms); // moves time only: nothing is due
    return steps < 5;
  });
  clock.advance(10ns);
  CHECK(steps == 4);
  clock.advance(10ns);
  CHECK(steps == 5);
}

TEST_CASE("a task that throws fails, and the others go on", "[cooperator][M05]") {
  setup s;
  deferred<void> bad = s.coop.coiterate([]() -> bool { throw std::runtime_error("x"); });
  deferred<void> good = s.coop.coiterate(s.steps('g', 1));
  s.clock.advance(1ns);
  s.clock.advance(1ns);
  failure_result_of<std::runtime_error>(std::move(bad));
  success_result_of(std::move(good));
}

TEST_CASE("a task that returns a deferred pauses until it fires", "[cooperator][M05]") {
  setup s;
  std::optional<promise<bool>> p;
  int steps = 0;
  deferred<void> d = s.coop.coiterate([&] {
    ++steps;
    return p.emplace().get_deferred();
  });
  s.clock.advance(1ns);
  CHECK(steps == 1);
  CHECK(s.clock.get_delayed_calls().empty());
  SECTION("and goes on") {
    p->callback(true);
    s.clock.advance(1ns);
    CHECK(steps == 2);
    p->callback(false);
    success_result_of(std::move(d));
  }
  SECTION("and fails with its failure") {
    p->errback(errc::timed_out);
    failure_result_of(std::move(d), errc::timed_out);
  }
  SECTION("and is stopped while it waits") {
    s.coop.stop();
    failure_result_of(std::move(d), errc::scheduler_stopped);
    p->callback(true);
  }
  CHECK(s.clock.get_delayed_calls().empty());
}

TEST_CASE("a task that was paused twice needs to be resumed twice", "[cooperator][M06]") {
  setup s;
  auto task = s.coop.cooperate(s.steps('a', 2));
  CHECK_THROWS_AS(task.resume(), not_paused_error);
  task.pause();
  task.pause();
  task.resume();
  s.clock.advance(1s);
  CHECK(s.log.empty());
  task.resume();
  s.clock.advance(1ns);
  CHECK(s.log == "a");
}

TEST_CASE("a stopped task fails its deferreds and cannot be used further", "[cooperator][M06]") {
  setup s;
  auto task = s.coop.cooperate(s.steps('a', 5));
  auto first = task.when_done();
  auto second = task.when_done();
  task.stop();
  failure_result_of(std::move(first), errc::task_stopped);
  failure_result_of(std::move(second), errc::task_stopped);
  failure_result_of(task.when_done(), errc::task_stopped);
  CHECK_THROWS_AS(task.stop(), task_stopped_error);
  CHECK_THROWS_AS(task.pause(), task_stopped_error);
}

TEST_CASE("a task that has ended cannot be paused or stopped", "[cooperator][M06]") {
  setup s;
  auto done = s.coop.cooperate([] { return false; });
  auto failed = s.coop.cooperate([]() -> bool { throw std::runtime_error("x"); });
  s.clock.advance(1ns);
  s.clock.advance(1ns);
  CHECK_THROWS_AS(done.pause(), task_done_error);
  CHECK_THROWS_AS(done.stop(), task_done_error);
  CHECK_THROWS_AS(failed.pause(), task_failed_error);
  CHECK_THROWS_AS(failed.stop(), task_finished_error);
  success_result_of(done.when_done());
  failure_result_of<std::runtime_error>(failed.when_done());
}

TEST_CASE("a task may stop itself", "[cooperator]") {
  setup s;
  std::optional<cooperative_task> task;
  task = s.coop.cooperate([&, text = std::string(100, 'x')] {
    task->stop();
    return text.size() == 100;
  });
  s.clock.advance(1ns);
  failure_result_of(task->when_done(), errc::task_stopped);
}

TEST_CASE("without tasks nothing is scheduled", "[cooperator][M07]") {
  setup s;
  auto task = s.coop.cooperate(s.steps('a', 5));
  CHECK(s.clock.get_delayed_calls().size() == 1);
  task.stop();
  CHECK(s.clock.get_delayed_calls().empty());
  s.coop.cooperate(s.steps('b', 1));
  CHECK(s.clock.get_delayed_calls().size() == 1);
  s.clock.advance(1ns);
  CHECK(s.log == "b");
}

TEST_CASE("a stopped cooperator ends its tasks, and those that come later", "[cooperator]") {
  setup s;
  deferred<void> before = s.coop.coiterate(s.steps('a', 5));
  s.coop.stop();
  CHECK_FALSE(s.coop.running());
  failure_result_of(std::move(before), errc::scheduler_stopped);
  failure_result_of(deferred<void>(s.coop.coiterate(s.steps('a', 5))), errc::scheduler_stopped);
  CHECK_THROWS_AS(s.coop.start(), std::logic_error);
  CHECK(s.clock.get_delayed_calls().empty());
}

TEST_CASE("a cooperator may be started later", "[cooperator]") {
  manual_clock clock;
  cooperator coop(clock, {.started = false});
  int steps = 0;
  coop.coiterate([&] { return ++steps < 2; });
  clock.advance(1s);
  CHECK(steps == 0);
  coop.start();
  clock.advance(1s);
  CHECK(steps == 2);
}

TEST_CASE("a slice without an end does all there is", "[cooperator]") {
  manual_clock clock;
  clock.advance(1s);
  cooperator c(clock, {.slice = duration::max()});
  int steps = 0;
  auto done = c.coiterate([&] { return ++steps < 100; });
  clock.advance(10ns);
  CHECK(steps == 100);
  success_result_of(std::move(done));
}

TEST_CASE("a task whose step waits for what is abandoned ends, and what waits for it too",
          "[cooperator]") {
  manual_clock clock;
  cooperator c(clock);
  promise<bool> more;
  auto task = c.cooperate([&] { return more.get_deferred(); });
  bool told = false;
  task.when_done().add_both([&] { told = true; });
  clock.advance(10ns);
  more.abandon();
  CHECK_FALSE(told);
  CHECK_THROWS_AS(task.stop(), task_stopped_error);
  c.stop();
  CHECK_FALSE(told);
}
