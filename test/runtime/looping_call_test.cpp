#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <troupe/runtime/looping_call.hpp>
#include <troupe/testing/deferred.hpp>
#include <troupe/testing/manual_clock.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using times = std::vector<std::int64_t>; // in milliseconds
using counts = std::vector<std::int64_t>;

// Keeps when it was called.
struct calls {
  manual_clock clock;
  times at;
  std::vector<std::pair<std::int64_t, std::int64_t>> counted;

  std::int64_t now() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(clock.now().time_since_epoch())
      .count();
  }
  looping_call loop() {
    return {clock, [this] {
              at.push_back(now());
            }};
  }
  looping_call counting_loop() {
    return looping_call::with_count(clock,
                                    [this](std::int64_t n) { counted.emplace_back(now(), n); });
  }
};

} // namespace

TEST_CASE("a loop calls at once and then at every interval, until it is stopped",
          "[looping_call][L01]") {
  calls c;
  auto loop = c.loop();
  auto d = loop.start(1s);
  CHECK(loop.running());
  CHECK(c.at == times{0});
  c.clock.advance(1s - 1ns);
  CHECK(c.at == times{0});
  c.clock.advance(1ns);
  c.clock.advance(1s);
  CHECK(c.at == times{0, 1000, 2000});
  assert_no_result(d);
  loop.stop();
  CHECK_FALSE(loop.running());
  success_result_of(std::move(d));
  CHECK(c.clock.get_delayed_calls().empty());
}

TEST_CASE("a loop tells bad use, and can be started again", "[looping_call][L02]") {
  calls c;
  auto loop = c.loop();
  CHECK_THROWS_AS(loop.start(-1ns), std::logic_error);
  CHECK_THROWS_AS(loop.stop(), std::logic_error);
  CHECK_THROWS_AS(loop.reset(), std::logic_error);
  loop.start(1s);
  CHECK_THROWS_AS(loop.start(1s), std::logic_error);
  loop.stop();
  CHECK_THROWS_AS(loop.stop(), std::logic_error);
  c.clock.advance(5s);
  loop.start(1s, false);
  c.clock.advance(1s);
  CHECK(c.at == times{0, 6000});
}

TEST_CASE("a loop may leave out the first call", "[looping_call][L03]") {
  const bool now = GENERATE(true, false);
  calls c;
  auto loop = c.loop();
  loop.start(100ms, now);
  c.clock.pump({50ms, 100ms, 100ms});
  CHECK(c.at.size() == (now ? 3u : 2u));
}

TEST_CASE("missed calls are skipped", "[looping_call][L05]") {
  calls c;
  auto loop = c.loop();
  loop.start(500ms);
  c.clock.advance(2s);
  CHECK(c.at == times{0, 2000});
  c.clock.advance(1s);
  CHECK(c.at == times{0, 2000, 3000});
  c.clock.advance(0s);
  CHECK(c.at == times{0, 2000, 3000});
}

TEST_CASE("late calls do not move the later ones", "[looping_call][L06]") {
  calls c;
  auto loop = c.loop();
  loop.start(10s, false);
  c.clock.pump({10'500ms, 9'500ms, 25s, 5s, 10s});
  CHECK(c.at == times{10'500, 20'000, 45'000, 50'000, 60'000});
  REQUIRE(c.clock.get_delayed_calls().size() == 1);
  CHECK(c.clock.get_delayed_calls()[0].get_time().time_since_epoch() == 70s);
}

TEST_CASE("a counting loop tells how many intervals have passed", "[looping_call][L07]") {
  calls c;
  auto loop = c.counting_loop();
  loop.start(500ms);
  c.clock.advance(510ms);
  c.clock.advance(1'510ms);
  c.clock.advance(0s);
  using pairs = decltype(c.counted);
  CHECK(c.counted == pairs{{0, 1}, {510, 1}, {2020, 3}});
}

TEST_CASE("a counting loop that did not start at once counts from its start",
          "[looping_call][L08]") {
  calls c;
  auto loop = c.counting_loop();
  loop.start(1s, false);
  c.clock.advance(1'750ms); // late, but less than an interval
  c.clock.advance(1'250ms);
  using pairs = decltype(c.counted);
  CHECK(c.counted == pairs{{1750, 1}, {3000, 2}});
}

TEST_CASE("counts are never zero, and add up to the intervals", "[looping_call][L09]") {
  calls c;
  auto loop = c.counting_loop();
  loop.start(100ms, false);
  for (int i = 0; i < 10; ++i)
    c.clock.advance(100ms);
  std::int64_t sum = 0;
  for (const auto& [at, n] : c.counted) {
    CHECK(n > 0);
    sum += n;
  }
  CHECK(sum == 10);
}

TEST_CASE("a million ticks of an odd interval do not drift", "[looping_call][L09]") {
  manual_clock clock;
  std::int64_t ticks = 0;
  looping_call loop(clock, [&] { ++ticks; });
  constexpr auto interval = 333'333'333ns;
  loop.start(interval, false);
  for (int i = 0; i < 1'000'000; ++i)
    clock.advance(interval);
  CHECK(ticks == 1'000'000);
  REQUIRE(clock.get_delayed_calls().size() == 1);
  CHECK(clock.get_delayed_calls()[0].get_time().time_since_epoch() == interval * 1'000'001);
}

TEST_CASE("a counting loop without interval always tells one", "[looping_call][L10]") {
  manual_clock clock;
  counts told;
  std::optional<looping_call> loop;
  promise<void> third;
  loop = looping_call::with_count(clock, [&](std::int64_t n) -> deferred<void> {
    told.push_back(n);
    if (told.size() == 3)
      return third.get_deferred();
    if (told.size() == 5)
      loop->stop();
    return succeed();
  });
  auto d = loop->start(0s);
  clock.advance(0s);
  CHECK(told.size() == 3);
  clock.advance(2s);
  CHECK(told.size() == 3);
  third.callback();
  clock.advance(0s);
  CHECK(told == counts{1, 1, 1, 1, 1});
  success_result_of(std::move(d));
}

TEST_CASE("a counting loop takes a change of its interval into account", "[looping_call][L11]") {
  manual_clock clock;
  counts told;
  std::optional<promise<void>> second;
  auto loop = looping_call::with_count(clock, [&](std::int64_t n) -> deferred<void> {
    told.push_back(n);
    if (told.size() == 2)
      return second.emplace().get_deferred();
    return succeed();
  });
  loop.start(0s);
  clock.advance(10s);
  CHECK(told == counts{1, 1});
  loop.set_interval(2s);
  second->callback();
  clock.advance(7s);
  CHECK(told == counts{1, 1, 3});
  clock.advance(2s);
  CHECK(told == counts{1, 1, 3, 1});
  clock.advance(4s);
  CHECK(told == counts{1, 1, 3, 1, 2});
}

TEST_CASE("an exception in the function ends the loop with that failure", "[looping_call][L13]") {
  manual_clock clock;
  looping_call loop(clock, [] { throw std::runtime_error("x"); });
  auto d = loop.start(1s);
  CHECK_FALSE(loop.running());
  CHECK(clock.get_delayed_calls().empty());
  failure_result_of<std::runtime_error>(std::move(d));
}

TEST_CASE("a failure of the function's deferred ends the loop", "[looping_call][L14]") {
  manual_clock clock;
  promise<int> p;
  looping_call loop(clock, [&] { return p.get_deferred(); });
  auto d = loop.start(1s);
  assert_no_result(d);
  p.errback(errc::timed_out);
  CHECK_FALSE(loop.running());
  CHECK(clock.get_delayed_calls().empty());
  failure_result_of(std::move(d), errc::timed_out);
}

TEST_CASE("a loop waits for the function's deferred, and skips what it missed meanwhile",
          "[looping_call][L14]") {
  calls c;
  std::optional<promise<void>> p;
  looping_call loop(c.clock, [&] {
    c.at.push_back(c.now());
    return p.emplace().get_deferred();
  });
  loop.start(1s).add_errback([] {});
  c.clock.advance(2'500ms);
  CHECK(c.at == times{0});
  p->callback();
  c.clock.advance(500ms);
  CHECK(c.at == times{0, 3000});
}

TEST_CASE("a loop that is stopped while it waits ends when the function's deferred fires",
          "[looping_call][L14]") {
  manual_clock clock;
  promise<void> p;
  looping_call loop(clock, [&] { return p.get_deferred(); });
  auto d = loop.start(1s);
  loop.stop();
  CHECK_FALSE(loop.running());
  assert_no_result(d);
  p.callback();
  success_result_of(std::move(d));
  CHECK(clock.get_delayed_calls().empty());
}

TEST_CASE("reset counts the interval from now", "[looping_call][L15]") {
  calls c;
  auto loop = c.loop();
  loop.start(2s, false);
  c.clock.advance(1s);
  loop.reset();
  CHECK(loop.start_time() == c.clock.now());
  c.clock.advance(1s);
  CHECK(c.at.empty());
  c.clock.advance(1s);
  CHECK(c.at == times{3000});
}

TEST_CASE("reset changes nothing while the function's deferred is awaited", "[looping_call][L16]") {
  calls c;
  promise<void> p;
  looping_call loop(c.clock, [&] { return p.get_deferred(); });
  loop.start(2s).add_errback([] {});
  c.clock.advance(1s);
  loop.reset();
  CHECK(c.clock.get_delayed_calls().empty());
  p.callback();
  CHECK(c.clock.get_delayed_calls()[0].get_time().time_since_epoch() == 2s);
}

TEST_CASE("a function that stops its loop in the first call makes start return a fired deferred",
          "[looping_call][L17]") {
  manual_clock clock;
  std::optional<looping_call> loop;
  loop.emplace(clock, [&] { loop->stop(); });
  success_result_of(deferred<void>(loop->start(1s)));
  CHECK(clock.get_delayed_calls().empty());
}

TEST_CASE("a loop that is stopped before its first call never calls", "[looping_call][L18]") {
  calls c;
  auto loop = c.loop();
  loop.start(1s, false);
  c.clock.call_later(0s, [&] { loop.stop(); });
  c.clock.advance(0s);
  c.clock.advance(5s);
  CHECK(c.at.empty());
}

TEST_CASE("a loop prints its interval", "[looping_call][L18]") {
  calls c;
  auto loop = c.loop();
  loop.start(1'500ms);
  CHECK(to_string(loop) == "<looping_call every 1.5 s, running>");
}

TEST_CASE("destroying a loop stops it, also from its own function", "[looping_call]") {
  calls c;
  { c.loop().start(1s); }
  CHECK(c.clock.get_delayed_calls().empty());
  std::unique_ptr<looping_call> loop;
  loop = std::make_unique<looping_call>(c.clock, [&] { loop.reset(); });
  loop->start(1s, false);
  c.clock.advance(1s);
  CHECK(c.clock.get_delayed_calls().empty());
}

TEST_CASE("cancelling the deferred of a loop stops it", "[looping_call]") {
  calls c;
  auto loop = c.loop();
  auto d = loop.start(1s);
  d.cancel();
  CHECK_FALSE(loop.running());
  CHECK(c.clock.get_delayed_calls().empty());
  failure_result_of(std::move(d), errc::cancelled);
  loop.start(1s);
}

TEST_CASE("a function that returns a failure ends the loop", "[looping_call]") {
  manual_clock clock;
  looping_call loop(clock, []() -> failure { return errc::timed_out; });
  failure_result_of(deferred<void>(loop.start(1s)), errc::timed_out);
}

TEST_CASE("a loop that is stopped and started within its function makes one call an interval",
          "[looping_call]") {
  const bool now = GENERATE(false, true);
  manual_clock clock;
  int calls = 0;
  std::optional<looping_call> loop;
  std::optional<deferred<void>> second;
  loop.emplace(clock, [&] {
    if (++calls == 1) {
      loop->stop();
      second.emplace(loop->start(1s, now));
    }
  });
  auto first = loop->start(1s);
  CHECK(calls == 1);
  success_result_of(std::move(first)); // its run was stopped
  clock.advance(0s);
  CHECK(calls == (now ? 2 : 1)); // in a turn of its own
  const int before = calls;
  for (int i = 0; i < 5; ++i)
    clock.advance(1s);
  CHECK(calls == before + 5);
  assert_no_result(*second);
  loop->stop();
  success_result_of(std::move(*second));
  for (int i = 0; i < 5; ++i)
    clock.advance(1s);
  CHECK(calls == before + 5);
  CHECK(clock.get_delayed_calls().empty());
}

TEST_CASE("a loop that is started while a call of its former run is awaited waits for that call",
          "[looping_call]") {
  manual_clock clock;
  promise<void> held;
  int calls = 0;
  looping_call loop(
    clock, [&]() -> deferred<void> { return ++calls == 1 ? held.get_deferred() : succeed(); });
  auto first = loop.start(1s);
  loop.stop();
  auto second = loop.start(1s);
  clock.advance(5s);
  CHECK(calls == 1); // two calls never overlap
  assert_no_result(first);
  SECTION("which succeeds") {
    held.callback();
    success_result_of(std::move(first));
    clock.advance(0s);
    CHECK(calls == 2);
    clock.advance(1s);
    CHECK(calls == 3);
    assert_no_result(second);
    loop.stop();
    success_result_of(std::move(second));
  }
  SECTION("which fails: that is the failure of its run, and the new one goes on") {
    held.errback(errc::connection_lost);
    failure_result_of(std::move(first), errc::connection_lost);
    clock.advance(1s);
    CHECK(calls == 2);
    CHECK(loop.running());
    loop.stop();
    success_result_of(std::move(second));
  }
  SECTION("and is stopped before that is over: both runs end with that call") {
    loop.stop();
    assert_no_result(second);
    held.callback();
    success_result_of(std::move(first));
    success_result_of(std::move(second));
    clock.advance(5s);
    CHECK(calls == 1);
  }
  SECTION("and the former one is cancelled") {
    first.cancel();
    failure_result_of(std::move(first), errc::cancelled);
    held.callback();
    clock.advance(1s);
    CHECK(calls == 2);
    second.cancel();
    failure_result_of(std::move(second), errc::cancelled);
    CHECK_FALSE(loop.running());
  }
}

TEST_CASE("a loop whose function's deferred is abandoned ends, and what waits for it too",
          "[looping_call]") {
  manual_clock clock;
  promise<void> held;
  looping_call loop(clock, [&] { return held.get_deferred(); });
  bool told = false;
  loop.start(1s).add_both([&] { told = true; });
  held.abandon();
  CHECK_FALSE(loop.running());
  CHECK_FALSE(told);
  loop.start(1s, false).add_errback([] {});
  CHECK(loop.running());
}

TEST_CASE("a loop whose interval is for ever calls once", "[looping_call]") {
  calls c;
  auto loop = c.loop();
  loop.start(duration::max());
  c.clock.advance(24h * 365 * 100);
  CHECK(c.at == times{0});
  auto counting = c.counting_loop();
  counting.start(duration::max());
  REQUIRE(c.counted.size() == 1);
  CHECK(c.counted[0].second == 1);
}
