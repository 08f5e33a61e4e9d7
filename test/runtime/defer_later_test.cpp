#include <stdexcept>
#include <string>

#include <troupe/runtime/defer_later.hpp>
#include <troupe/testing/deferred.hpp>
#include <troupe/testing/manual_clock.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

TEST_CASE("defer_later fires with what the function returns, at its time", "[defer_later][M01]") {
  manual_clock clock;
  auto d = defer_later(clock, 1s, [] { return std::string("x"); });
  clock.advance(1s - 1ns);
  assert_no_result(d);
  clock.advance(1ns);
  CHECK(success_result_of(std::move(d)) == "x");
}

TEST_CASE("defer_later needs no function", "[defer_later][M01]") {
  manual_clock clock;
  auto d = defer_later(clock, 1s);
  clock.advance(1s);
  success_result_of(std::move(d));
}

TEST_CASE("an exception, a failure or a deferred of the function is the result",
          "[defer_later][M01]") {
  manual_clock clock;
  unhandled_failures unhandled;
  promise<int> p;
  auto thrown = defer_later(clock, 1s, []() -> int { throw std::runtime_error("x"); });
  auto failed = defer_later(clock, 1s, []() -> failure { return errc::timed_out; });
  auto chained = defer_later(clock, 1s, [&] { return p.get_deferred(); });
  clock.advance(1s);
  failure_result_of<std::runtime_error>(std::move(thrown));
  failure_result_of(std::move(failed), errc::timed_out);
  assert_no_result(chained);
  p.callback(3);
  CHECK(success_result_of(std::move(chained)) == 3);
  CHECK(unhandled.empty());
}

TEST_CASE("cancelling takes the call back before the errbacks run", "[defer_later][M02]") {
  manual_clock clock;
  bool called = false;
  auto d = defer_later(clock, 1s, [&] { called = true; });
  std::size_t left = 9;
  d.add_errback([&](failure f) {
    left = clock.get_delayed_calls().size();
    return f;
  });
  d.cancel();
  CHECK(left == 0);
  failure_result_of(std::move(d), errc::cancelled);
  clock.advance(2s);
  CHECK_FALSE(called);
}

TEST_CASE("cancelling after the call does nothing", "[defer_later][M02]") {
  manual_clock clock;
  auto d = defer_later(clock, 0s, [] { return 1; });
  assert_no_result(d);
  clock.advance(0s);
  d.cancel();
  CHECK(success_result_of(std::move(d)) == 1);
}

TEST_CASE("a negative delay is refused", "[defer_later]") {
  manual_clock clock;
  CHECK_THROWS_AS(defer_later(clock, -1ns), std::logic_error);
}
