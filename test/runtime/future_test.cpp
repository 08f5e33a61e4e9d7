#include <stdexcept>

#include <troupe/runtime/future.hpp>
#include <troupe/testing/deferred.hpp>
#include <troupe/testing/manual_clock.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

TEST_CASE("as_future gives the result of a deferred", "[future][D27]") {
  promise<int> p;
  auto value = as_future(p.get_deferred());
  CHECK(value.wait_for(0s) == std::future_status::timeout);
  p.callback(5);
  CHECK(value.get() == 5);
  CHECK_THROWS_AS(as_future(fail<int>(errc::cancelled)).get(), cancelled_error);
  CHECK_NOTHROW(as_future(succeed()).get());
}

TEST_CASE("from_future gives the result of a future", "[future][D27]") {
  manual_clock clock;
  std::promise<int> p;
  auto d = from_future(p.get_future(), clock, 1ms);
  clock.advance(1ms);
  assert_no_result(d);
  SECTION("a value") {
    p.set_value(5);
    clock.advance(1ms);
    CHECK(success_result_of(std::move(d)) == 5);
  }
  SECTION("an exception") {
    p.set_exception(std::make_exception_ptr(std::out_of_range("9")));
    clock.advance(1ms);
    failure_result_of<std::out_of_range>(std::move(d));
  }
  SECTION("cancelled, it is looked at no more") {
    d.cancel();
    failure_result_of(std::move(d), errc::cancelled);
  }
  CHECK(clock.get_delayed_calls().empty());
}

TEST_CASE("from_future of a future that is ready fires at once", "[future]") {
  manual_clock clock;
  std::promise<void> p;
  p.set_value();
  success_result_of(from_future(p.get_future(), clock));
  CHECK_THROWS_AS(from_future(std::future<int>{}, clock), std::logic_error);
}
