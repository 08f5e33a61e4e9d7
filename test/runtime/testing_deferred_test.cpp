#include <stdexcept>

#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("success_result_of fails the test unless there is a value", "[testing][Z05]") {
  promise<int> p;
  CHECK_THROWS_AS(success_result_of(p.get_deferred()), assertion_failed);
  CHECK_THROWS_AS(success_result_of(fail<int>(errc::timed_out)), assertion_failed);
  CHECK(success_result_of(succeed(1)) == 1);
}

TEST_CASE("failure_result_of fails the test unless there is that failure", "[testing][Z05]") {
  promise<int> p;
  CHECK_THROWS_AS(failure_result_of(p.get_deferred()), assertion_failed);
  CHECK_THROWS_AS(failure_result_of(succeed(1)), assertion_failed);
  CHECK_THROWS_AS(failure_result_of(fail(errc::timed_out), errc::cancelled), assertion_failed);
  CHECK_THROWS_AS(failure_result_of<std::logic_error>(fail(errc::timed_out)), assertion_failed);
  CHECK(failure_result_of(fail(errc::timed_out), errc::timed_out).check<timeout_error>());
}

TEST_CASE("assert_no_result leaves the deferred usable", "[testing][Z05]") {
  promise<int> p;
  auto d = p.get_deferred();
  assert_no_result(d);
  p.callback(1);
  CHECK_THROWS_AS(assert_no_result(d), assertion_failed);
  CHECK(success_result_of(std::move(d)) == 1);
}

TEST_CASE("unhandled failures can be collected by their type", "[testing][Z03]") {
  unhandled_failures unhandled;
  { auto d = fail(std::out_of_range("9")); }
  { auto d = fail(errc::timed_out); }
  CHECK(unhandled.size() == 2);
  CHECK(unhandled.flush<std::out_of_range>().size() == 1);
  CHECK(unhandled.flush().size() == 1);
  CHECK(unhandled.empty());
}
