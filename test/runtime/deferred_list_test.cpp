#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <troupe/runtime/deferred_list.hpp>
#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

using strings = std::vector<promise<std::string>>;

template <class T>
std::vector<deferred<T>> deferreds_of(std::vector<promise<T>>& promises) {
  std::vector<deferred<T>> all;
  for (auto& p : promises)
    all.push_back(p.get_deferred());
  return all;
}

std::vector<deferred<int>> two(deferred<int> a, deferred<int> b) {
  std::vector<deferred<int>> all;
  all.push_back(std::move(a));
  all.push_back(std::move(b));
  return all;
}

// The exception that a failure holds.
template <class E>
E raised(const failure& f) {
  try {
    f.raise();
  } catch (const E& e) {
    return e;
  }
}

} // namespace

TEST_CASE("a list fires after its last input, with all results in the order of the inputs",
          "[deferred_list][Q01]") {
  strings inputs(3);
  auto d = deferred_list(deferreds_of(inputs));
  inputs[2].callback("3");
  inputs[0].callback("1");
  assert_no_result(d);
  inputs[1].errback(errc::timed_out);
  const auto all = success_result_of(std::move(d));
  REQUIRE(all.size() == 3);
  CHECK(*all[0] == "1");
  CHECK(all[1].error().check(errc::timed_out));
  CHECK(*all[2] == "3");
}

TEST_CASE("an empty list fires at once", "[deferred_list][Q02]") {
  CHECK(success_result_of(deferred_list(std::vector<deferred<int>>{})).empty());
  CHECK(success_result_of(gather_results(std::vector<deferred<int>>{})).empty());
  success_result_of(gather_results(std::vector<deferred<void>>{}));
}

TEST_CASE("an empty list that waits for the first value fails, for that cannot come",
          "[deferred_list][Q02]") {
  failure_result_of(deferred_list(fire_on_one_callback, std::vector<deferred<int>>{}),
                    errc::invalid_argument);
  failure_result_of(race(std::vector<deferred<int>>{}), errc::invalid_argument);
}

TEST_CASE("fire_on_one_callback fires with the first value and ignores later ones",
          "[deferred_list][Q03]") {
  strings inputs(3);
  auto d = deferred_list(fire_on_one_callback, deferreds_of(inputs));
  inputs[0].errback(errc::timed_out);
  assert_no_result(d);
  inputs[1].callback("x");
  const auto first = success_result_of(std::move(d));
  CHECK(first.value == "x");
  CHECK(first.index == 1);
  inputs[2].callback("y");
}

TEST_CASE("fire_on_one_callback fails when every input has failed", "[deferred_list]") {
  auto d = deferred_list(fire_on_one_callback,
                         two(fail<int>(errc::timed_out), fail<int>(errc::cancelled)));
  const auto group = raised<failure_group>(failure_result_of(std::move(d)));
  REQUIRE(group.failures.size() == 2);
  CHECK(group.failures[1].check(errc::cancelled));
}

TEST_CASE("fire_on_one_errback fails with the first failure and its index",
          "[deferred_list][Q04]") {
  strings inputs(2);
  auto d = deferred_list(deferreds_of(inputs), {.fire_on_one_errback = true});
  inputs[1].errback(std::invalid_argument("v"));
  const auto first = raised<first_error>(failure_result_of<first_error>(std::move(d)));
  CHECK(first.index == 1);
  CHECK(first.sub_failure.check<std::invalid_argument>());
  CHECK(first.what() == std::string("deferred 1: v"));
  inputs[0].callback("late");
}

TEST_CASE("a failure that comes after the list has fired is reported, unless errors are consumed",
          "[deferred_list][Q05]") {
  unhandled_failures unhandled;
  const bool consume = GENERATE(false, true);
  {
    strings inputs(2);
    auto d = deferred_list(fire_on_one_callback, deferreds_of(inputs), {.consume_errors = consume});
    inputs[0].callback("x");
    inputs[1].errback(errc::timed_out);
    CHECK(success_result_of(std::move(d)).value == "x");
  }
  CHECK(unhandled.flush().size() == (consume ? 0u : 1u));
}

TEST_CASE("failures that are part of the list's result are not reported", "[deferred_list][Q05]") {
  unhandled_failures unhandled;
  { auto d = deferred_list(two(fail<int>(errc::timed_out), succeed(1))); }
  CHECK(unhandled.empty());
}

TEST_CASE("cancelling a list cancels every input without a result", "[deferred_list][Q06]") {
  std::vector<promise<std::string>> inputs;
  inputs.emplace_back();
  inputs.emplace_back([](promise<std::string>& p) { p.callback("from the canceller"); });
  inputs.emplace_back();
  auto d = deferred_list(deferreds_of(inputs));
  inputs[0].callback("before");
  d.cancel();
  const auto all = success_result_of(std::move(d));
  CHECK(*all[0] == "before");
  CHECK(*all[1] == "from the canceller");
  CHECK(all[2].error().check(errc::cancelled));
}

TEST_CASE("a canceller that throws does not keep the other inputs from being cancelled",
          "[deferred_list][Q06]") {
  std::vector<promise<int>> inputs;
  inputs.emplace_back([] { throw std::runtime_error("no"); });
  inputs.emplace_back();
  auto d = deferred_list(deferreds_of(inputs));
  d.cancel();
  const auto all = success_result_of(std::move(d));
  CHECK(all[0].error().check<std::runtime_error>());
  CHECK(all[1].error().check(errc::cancelled));
}

TEST_CASE("cancelling a list that fires on one failure gives the first cancellation",
          "[deferred_list][Q07]") {
  strings inputs(2);
  auto d = deferred_list(deferreds_of(inputs), {.fire_on_one_errback = true});
  d.cancel();
  const auto first = raised<first_error>(failure_result_of(std::move(d)));
  CHECK(first.sub_failure.check(errc::cancelled));
  CHECK(first.index == 0);
}

TEST_CASE("cancelling a list that has fired leaves the other inputs alone",
          "[deferred_list][Q09]") {
  int cancelled = 0;
  std::vector<promise<int>> inputs;
  inputs.emplace_back();
  inputs.emplace_back([&] { ++cancelled; });
  auto d = deferred_list(fire_on_one_callback, deferreds_of(inputs), {.consume_errors = true});
  inputs[0].callback(1);
  d.cancel();
  CHECK(cancelled == 0);
  CHECK_FALSE(inputs[1].called());
}

TEST_CASE("gather_results gives the values, or the first failure", "[deferred_list][Q11]") {
  CHECK(success_result_of(gather_results(two(succeed(1), succeed(2)))) == std::vector{1, 2});
  const auto why = failure_result_of<first_error>(
    gather_results(two(succeed(1), fail<int>(std::invalid_argument("v")))));
  CHECK(raised<first_error>(why).sub_failure.check<std::invalid_argument>());
}

TEST_CASE("gather_results takes move-only values", "[deferred_list]") {
  std::vector<deferred<std::unique_ptr<int>>> inputs;
  inputs.push_back(succeed(std::make_unique<int>(3)));
  CHECK(*success_result_of(gather_results(std::move(inputs))).at(0) == 3);
}

TEST_CASE("cancelling gather_results cancels its inputs", "[deferred_list][Q12]") {
  strings inputs(2);
  auto d = gather_results(deferreds_of(inputs));
  d.cancel();
  CHECK(inputs[0].called());
  CHECK(inputs[1].called());
  failure_result_of<first_error>(std::move(d));
}

TEST_CASE("gather_results of different types gives a tuple", "[deferred_list]") {
  promise<std::string> name;
  auto d = gather_results(succeed(1), name.get_deferred(), succeed());
  assert_no_result(d);
  name.callback("alice");
  const auto [number, text, nothing] = success_result_of(std::move(d));
  CHECK(number == 1);
  CHECK(text == "alice");
  failure_result_of<first_error>(gather_results(succeed(1), fail<int>(errc::timed_out)));
}

TEST_CASE("a race gives the first value and cancels the others", "[deferred_list]") {
  int cancelled = 0;
  std::vector<promise<int>> inputs;
  inputs.emplace_back([&] { ++cancelled; });
  inputs.emplace_back();
  inputs.emplace_back([&] { ++cancelled; });
  unhandled_failures unhandled;
  auto d = race(deferreds_of(inputs));
  inputs[1].callback(5);
  const auto first = success_result_of(std::move(d));
  CHECK(first.index == 1);
  CHECK(first.value == 5);
  CHECK(cancelled == 2);
  CHECK(unhandled.empty());
}

TEST_CASE("a race that is won at once cancels those that come after", "[deferred_list]") {
  promise<int> slow;
  auto d = race(two(succeed(1), slow.get_deferred()));
  CHECK(slow.called());
  CHECK(success_result_of(std::move(d)).index == 0);
}

TEST_CASE("a list whose inputs are abandoned is abandoned too", "[deferred_list]") {
  int ran = 0;
  strings inputs(2);
  gather_results(deferreds_of(inputs)).add_both([&] { ++ran; });
  inputs[0].callback("x");
  inputs[1].abandon();
  CHECK(ran == 0);
}

TEST_CASE("a race that all lose fails with all failures", "[deferred_list]") {
  auto d = race(two(fail<int>(errc::timed_out), fail<int>(errc::cancelled)));
  CHECK(raised<failure_group>(failure_result_of(std::move(d))).failures.size() == 2);
}

TEST_CASE("cancelling a race cancels all", "[deferred_list]") {
  std::vector<promise<int>> inputs(2);
  auto d = race(deferreds_of(inputs));
  d.cancel();
  CHECK(inputs[0].called());
  CHECK(inputs[1].called());
  failure_result_of<failure_group>(std::move(d));
}
