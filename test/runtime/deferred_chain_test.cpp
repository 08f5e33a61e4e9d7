#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <troupe/runtime/deferred.hpp>
#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr int many = 1'000'000;

// Where the stack is at the moment.
std::uintptr_t stack_position() {
  return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
}

} // namespace

TEST_CASE("a callback that returns a fired deferred goes on with its value", "[deferred][D13]") {
  promise<int> p;
  auto d = p.get_deferred().add_callback([](int v) { return succeed(std::to_string(v)); });
  p.callback(5);
  CHECK(success_result_of(std::move(d)) == "5");
}

TEST_CASE("a callback that returns a pending deferred waits for it", "[deferred]") {
  promise<int> inner;
  auto d = succeed(1).add_callback([&](int) { return inner.get_deferred(); });
  CHECK(d.called());
  assert_no_result(d);
  inner.callback(7);
  CHECK(success_result_of(std::move(d)) == 7);
}

TEST_CASE("the failure of an inner deferred goes to the outer errback, and is reported nowhere",
          "[deferred][D14]") {
  unhandled_failures unhandled;
  bool seen = false;
  {
    promise<int> inner;
    succeed(1).add_callback([&](int) { return inner.get_deferred(); }).add_errback([&] {
      seen = true;
    });
    inner.errback(errc::timed_out);
  }
  CHECK(seen);
  CHECK(unhandled.empty());
}

TEST_CASE("an inner deferred that is paused goes on once it is returned", "[deferred][D15]") {
  int ran = 0;
  auto d = succeed(1).add_callback([&](int) {
    auto inner = succeed(2);
    inner.pause();
    inner.add_callback([&](int v) { return ran = v; });
    return inner;
  });
  CHECK(ran == 2);
  CHECK(success_result_of(std::move(d)) == 2);
}

TEST_CASE("a paused outer deferred keeps the inner result until it is unpaused",
          "[deferred][D15]") {
  promise<int> inner;
  int ran = 0;
  auto d = succeed(1).add_callback(
    [&](int) { return inner.get_deferred().add_callback([&](int v) { return ++ran + v; }); });
  d.pause();
  int got = 0;
  d.add_callback([&](int v) { return got = v; });
  inner.callback(5);
  CHECK(ran == 1);
  CHECK(got == 0);
  d.unpause();
  CHECK(got == 6);
}

TEST_CASE("callbacks of an inner deferred run before those of the outer one, on three levels",
          "[deferred][D18]") {
  promise<int> first, second, third;
  std::vector<std::string> order;
  auto d = first.get_deferred()
             .add_callback([&](int) {
               return second.get_deferred()
                 .add_callback([&](int) { return third.get_deferred(); })
                 .add_callback([&](int v) {
                   order.push_back("second");
                   return v + 1;
                 });
             })
             .add_callback([&](int v) {
               order.push_back("first");
               return v + 1;
             });
  first.callback(0);
  second.callback(0);
  CHECK(order.empty());
  third.callback(5);
  CHECK(order == std::vector<std::string>{"second", "first"});
  CHECK(success_result_of(std::move(d)) == 7);
}

TEST_CASE("the stack is as deep for two nested deferreds as for one", "[deferred][D19]") {
  const auto depth = [](int levels) {
    promise<int> innermost;
    deferred<int> d = innermost.get_deferred();
    for (int i = 0; i < levels; ++i)
      d = succeed(0).add_callback([inner = std::move(d)](int) mutable { return std::move(inner); });
    std::uintptr_t position = 0;
    std::move(d).add_callback([&](int) { position = stack_position(); });
    innermost.callback(1);
    return position;
  };
  CHECK(depth(1) == depth(2));
  CHECK(depth(1) == depth(1000));
}

TEST_CASE("a million nested deferreds need no stack, fired from the inside", "[deferred][D19]") {
  promise<int> innermost;
  deferred<int> d = innermost.get_deferred();
  for (int i = 0; i < many; ++i)
    d = succeed(0)
          .add_callback([inner = std::move(d)](int) mutable { return std::move(inner); })
          .add_callback([](int v) { return v + 1; });
  innermost.callback(0);
  CHECK(success_result_of(std::move(d)) == many);
}

TEST_CASE("a million nested deferreds need no stack, fired from the outside", "[deferred][D19]") {
  std::vector<promise<int>> promises(many);
  deferred<int> d = promises.back().get_deferred();
  for (int i = many - 2; i >= 0; --i)
    d = promises[static_cast<std::size_t>(i)]
          .get_deferred()
          .add_callback([inner = std::move(d)](int) mutable { return std::move(inner); })
          .add_callback([](int v) { return v + 1; });
  for (auto& p : promises)
    p.callback(0);
  CHECK(success_result_of(std::move(d)) == many - 1);
}

TEST_CASE("a million nested deferreds are cancelled without stack", "[deferred][D19]") {
  promise<int> innermost;
  deferred<int> d = innermost.get_deferred();
  for (int i = 0; i < many; ++i)
    d = succeed(0)
          .add_callback([inner = std::move(d)](int) mutable { return std::move(inner); })
          .add_callback([](int v) { return v + 1; });
  d.cancel();
  failure_result_of(std::move(d), errc::cancelled);
}

TEST_CASE("a stream of a million results is destroyed without stack", "[deferred]") {
  struct cell {
    int value;
    deferred<cell> next;
  };
  promise<cell> end;
  auto stream = end.get_deferred();
  for (int i = 0; i < many; ++i)
    stream = succeed(cell{i, std::move(stream)});
  CHECK(stream.ready());
}

TEST_CASE("a loop of callbacks that return the next round keeps no memory of the rounds",
          "[deferred]") {
  struct loop {
    static deferred<int> round(promise<int>& tick, int left) {
      return tick.get_deferred().add_callback([&tick, left](int v) -> deferred<int> {
        if (left == 0)
          return succeed(v);
        tick = promise<int>();
        return round(tick, left - 1);
      });
    }
  };
  promise<int> tick;
  auto d = loop::round(tick, 100'000);
  for (int i = 0; i <= 100'000; ++i) {
    auto now = std::move(tick);
    now.callback(i);
  }
  CHECK(success_result_of(std::move(d)) == 100'000);
}

TEST_CASE("a deferred returned to itself is an error", "[deferred][D21]") {
  promise<int> p;
  std::optional<deferred<int>> self = p.get_deferred();
  std::optional<failure> seen;
  self->add_callback([&](int) { return std::move(*self); });
  p.callback(1);
  // The chain has failed and its last owner is the promise.
  unhandled_failures unhandled;
  { auto gone = std::move(p); }
  CHECK(unhandled.flush<std::logic_error>().size() == 1);
}

TEST_CASE("a deferred cannot be chained to itself", "[deferred][D21]") {
  promise<int> p;
  auto d = p.get_deferred();
  CHECK_THROWS_AS(std::move(d).chain_deferred(std::move(p)), std::logic_error);
  failure_result_of(std::move(d), errc::broken_promise);
}

TEST_CASE("chain_deferred fires another deferred with the result", "[deferred]") {
  promise<int> a;
  promise<int> b;
  auto d = b.get_deferred();
  a.get_deferred().chain_deferred(std::move(b));
  SECTION("a value") {
    a.callback(5);
    CHECK(success_result_of(std::move(d)) == 5);
  }
  SECTION("a failure") {
    a.errback(errc::timed_out);
    failure_result_of(std::move(d), errc::timed_out);
  }
  SECTION("a dropped promise") {
    { auto gone = std::move(a); }
    failure_result_of(std::move(d), errc::broken_promise);
  }
  SECTION("after the second was cancelled, nothing") {
    d.cancel();
    failure_result_of(std::move(d), errc::cancelled);
    CHECK_FALSE(a.called());
    a.callback(1);
  }
}

TEST_CASE("a million deferreds chained with chain_deferred need no stack", "[deferred][D20]") {
  const bool forward = GENERATE(true, false);
  std::vector<promise<int>> promises(many);
  std::vector<deferred<int>> results;
  results.reserve(many);
  for (auto& p : promises)
    results.push_back(p.get_deferred());
  auto first = std::move(promises.front());
  auto last = std::move(results.back());
  const auto link = [&](std::size_t i) {
    std::move(results[i])
      .add_callback([](int v) { return v + 1; })
      .chain_deferred(std::move(promises[i + 1]));
  };
  if (forward)
    for (std::size_t i = 0; i + 1 < many; ++i)
      link(i);
  else
    for (std::size_t i = many - 1; i-- > 0;)
      link(i);
  first.callback(0);
  CHECK(success_result_of(std::move(last)) == many - 1);
}

TEST_CASE("a callback may return a deferred of a type that converts", "[deferred]") {
  auto d = succeed(1).add_callback([](int) { return 1.5; }).add_errback([](failure) {
    return succeed(2);
  });
  STATIC_REQUIRE(std::is_same_v<decltype(d), chained<double>>);
  CHECK(success_result_of(std::move(d)) == 1.5);
  auto e = fail<double>(errc::cancelled).add_errback([](failure) { return succeed(2); });
  CHECK(success_result_of(std::move(e)) == 2.);
}
