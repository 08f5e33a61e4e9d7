#include <stdexcept>
#include <string>

#include <troupe/runtime/deferred.hpp>
#include <troupe/testing/deferred.hpp>
#include <troupe/testing/manual_clock.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

TEST_CASE("a deferred without a result fails with timed_out at its deadline", "[deferred][O01]") {
  manual_clock clock;
  promise<int> p;
  auto d = p.get_deferred();
  d.add_timeout(10s, clock);
  clock.advance(10s - 1ns);
  assert_no_result(d);
  clock.advance(1ns);
  const auto why = failure_result_of<timeout_error>(std::move(d));
  CHECK(why.check(errc::timed_out));
  CHECK(why.message().find("deferred, after 10 s") != std::string::npos);
  CHECK_NOTHROW(p.callback(1)); // as after any cancel
}

TEST_CASE("a result before the deadline passes and takes the timer back", "[deferred][O02]") {
  manual_clock clock;
  promise<int> p;
  auto d = p.get_deferred();
  d.add_timeout(10s, clock);
  CHECK(clock.get_delayed_calls().size() == 1);
  clock.advance(9s);
  SECTION("a value") {
    p.callback(5);
    CHECK(success_result_of(std::move(d)) == 5);
  }
  SECTION("a failure") {
    p.errback(errc::connection_lost);
    failure_result_of(std::move(d), errc::connection_lost);
  }
  CHECK(clock.get_delayed_calls().empty());
}

TEST_CASE("a user's cancel before the deadline is no time-out", "[deferred][O03]") {
  manual_clock clock;
  promise<int> p;
  auto d = p.get_deferred();
  d.add_timeout(10s, clock);
  clock.advance(5s);
  d.cancel();
  CHECK(clock.get_delayed_calls().empty());
  failure_result_of(std::move(d), errc::cancelled);
}

TEST_CASE("callbacks added before the timeout see the cancellation, and may absorb it",
          "[deferred][O04]") {
  manual_clock clock;
  promise<int> p;
  auto d = p.get_deferred();
  bool cancelled = false;
  d.add_errback([&](const failure& f) {
    cancelled = f.check(errc::cancelled);
    return 3;
  });
  d.add_timeout(10s, clock);
  clock.advance(10s);
  CHECK(cancelled);
  CHECK(success_result_of(std::move(d)) == 3);
}

TEST_CASE("what a canceller makes of a time-out passes", "[deferred][O05]") {
  manual_clock clock;
  SECTION("a value") {
    promise<int> p{[](promise<int>& mine) {
      mine.callback(7);
    }};
    deferred<int> d = p.get_deferred().add_timeout(10s, clock);
    clock.advance(10s);
    CHECK(success_result_of(std::move(d)) == 7);
  }
  SECTION("a failure") {
    promise<int> p{[](promise<int>& mine) {
      mine.errback(std::invalid_argument("v"));
    }};
    deferred<int> d = p.get_deferred().add_timeout(10s, clock);
    clock.advance(10s);
    failure_result_of<std::invalid_argument>(std::move(d));
  }
}

TEST_CASE("on_timeout_cancel decides what a time-out becomes", "[deferred][O06]") {
  manual_clock clock;
  promise<std::string> p;
  auto d = p.get_deferred();
  SECTION("a value") {
    bool cancelled = false;
    duration delay{};
    d.add_timeout(10s, clock, [&](outcome<std::string> result, duration after) {
      cancelled = result.error().check(errc::cancelled);
      delay = after;
      return "OVERRIDDEN";
    });
    clock.advance(10s);
    CHECK(cancelled);
    CHECK(delay == 10s);
    CHECK(success_result_of(std::move(d)) == "OVERRIDDEN");
  }
  SECTION("an exception") {
    d.add_timeout(10s, clock, [](const outcome<std::string>&, duration) -> std::string {
      throw std::out_of_range("e");
    });
    clock.advance(10s);
    failure_result_of<std::out_of_range>(std::move(d));
  }
}

TEST_CASE("a timeout cancels the deferred that is waited for", "[deferred][O07]") {
  manual_clock clock;
  int cancelled = 0;
  promise<int> inner{[&] {
    ++cancelled;
  }};
  deferred<int> d = succeed(1).add_callback([&](int) { return inner.get_deferred(); });
  d.add_timeout(10s, clock);
  clock.advance(10s);
  CHECK(cancelled == 1);
  failure_result_of(std::move(d), errc::timed_out);
}

TEST_CASE("add_timeout returns the deferred, and may be used several times", "[deferred][O09]") {
  manual_clock clock;
  promise<int> p;
  auto d = p.get_deferred();
  CHECK(&d.add_timeout(10s, clock) == &d);
  d.add_timeout(5s, clock).add_timeout(20s, clock);
  clock.advance(5s);
  failure_result_of(std::move(d), errc::timed_out);
  CHECK(clock.get_delayed_calls().empty());
}

TEST_CASE("a negative timeout is refused", "[deferred]") {
  manual_clock clock;
  promise<int> p;
  auto d = p.get_deferred();
  CHECK_THROWS_AS(d.add_timeout(-1ns, clock), std::logic_error);
}

TEST_CASE("dropping the promise takes the timer of its deferred back", "[deferred]") {
  manual_clock clock;
  {
    promise<int> p;
    p.get_deferred().add_timeout(10s, clock).add_errback([](failure) { return 0; });
  }
  CHECK(clock.get_delayed_calls().empty());
}

TEST_CASE("a time-out names the line that asked for it", "[deferred]") {
  manual_clock clock;
  promise<int> p;
  auto d = p.get_deferred();
  const auto line = std::to_string(__LINE__ + 1);
  d.add_timeout(10s, clock);
  clock.advance(10s);
  const auto why = failure_result_of(std::move(d), errc::timed_out);
  CHECK(why.message()
        == "deferred, after 10 s, asked for at deferred_timeout_test.cpp:" + line
             + ": it took longer than allowed");
  CHECK(why.brief_traceback().find("deferred_timeout_test.cpp:" + line) != std::string::npos);
}

TEST_CASE("a time-out of for ever never comes, and takes no timer", "[deferred]") {
  manual_clock clock;
  clock.advance(1s);
  promise<int> p;
  auto d = p.get_deferred();
  d.add_timeout(duration::max(), clock);
  CHECK(clock.get_delayed_calls().empty());
  clock.advance(24h * 365 * 100);
  assert_no_result(d);
  p.callback(1);
  CHECK(success_result_of(std::move(d)) == 1);
}

TEST_CASE("with_timeout gives the value, or fails at its deadline", "[deferred]") {
  manual_clock clock;
  promise<int> p;
  auto d = with_timeout(p.get_deferred(), 1s, clock);
  SECTION("in time") {
    clock.advance(1s - 1ns);
    p.callback(1);
    CHECK(success_result_of(std::move(d)) == 1);
    CHECK(clock.get_delayed_calls().empty());
  }
  SECTION("late") {
    clock.advance(1s - 1ns);
    assert_no_result(d);
    clock.advance(1ns);
    failure_result_of(std::move(d), errc::timed_out);
  }
}
