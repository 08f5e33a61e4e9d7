#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <troupe/runtime/deferred.hpp>
#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("without a canceller, cancel fails the deferred and one later result is ignored",
          "[deferred][C01]") {
  promise<int> p;
  auto d = p.get_deferred();
  d.cancel();
  CHECK(p.called());
  SECTION("a value") {
    CHECK_NOTHROW(p.callback(1));
  }
  SECTION("a failure") {
    CHECK_NOTHROW(p.errback(errc::timed_out));
  }
  CHECK_THROWS_AS(p.callback(2), already_fired);
  CHECK_THROWS_AS(p.errback(errc::timed_out), already_fired);
  failure_result_of<cancelled_error>(std::move(d));
}

TEST_CASE("cancelling twice still ignores only one later result", "[deferred][C02]") {
  promise<int> p;
  auto d = p.get_deferred();
  d.cancel();
  d.cancel();
  CHECK_NOTHROW(p.callback(1));
  CHECK_THROWS_AS(p.callback(2), already_fired);
  failure_result_of(std::move(d), errc::cancelled);
}

TEST_CASE("a canceller is called once, and if it does not fire the deferred is cancelled",
          "[deferred][C03]") {
  int calls = 0;
  promise<int> p{[&](promise<int>& mine) {
    ++calls;
    CHECK_FALSE(mine.called());
  }};
  auto d = p.get_deferred();
  d.cancel();
  d.cancel();
  CHECK(calls == 1);
  CHECK_THROWS_AS(p.callback(1), already_fired); // the producer was told
  failure_result_of(std::move(d), errc::cancelled);
}

TEST_CASE("a canceller may take no argument", "[deferred][C03]") {
  int calls = 0;
  promise<int> p{[&] {
    ++calls;
  }};
  auto d = p.get_deferred();
  d.cancel();
  CHECK(calls == 1);
  failure_result_of(std::move(d), errc::cancelled);
}

TEST_CASE("a canceller may fire the deferred itself", "[deferred][C05]") {
  SECTION("with a value") {
    promise<std::string> p{[](promise<std::string>& mine) {
      mine.callback("x");
    }};
    auto d = p.get_deferred();
    d.cancel();
    CHECK(success_result_of(std::move(d)) == "x");
  }
  SECTION("with a failure") {
    promise<int> p{[](promise<int>& mine) {
      mine.errback(std::invalid_argument("v"));
    }};
    auto d = p.get_deferred();
    d.cancel();
    failure_result_of<std::invalid_argument>(std::move(d));
  }
}

TEST_CASE("cancelling a deferred that has fired does nothing", "[deferred][C06]") {
  int calls = 0;
  promise<int> p{[&] {
    ++calls;
  }};
  auto d = p.get_deferred();
  SECTION("with a value") {
    p.callback(1);
    d.cancel();
    CHECK(success_result_of(std::move(d)) == 1);
  }
  SECTION("with a failure") {
    p.errback(errc::timed_out);
    d.cancel();
    failure_result_of(std::move(d), errc::timed_out);
  }
  CHECK(calls == 0);
}

TEST_CASE("cancelling a deferred that waits for another one cancels that one", "[deferred][C07]") {
  int outer_calls = 0;
  int inner_calls = 0;
  promise<int> outer{[&] {
    ++outer_calls;
  }};
  promise<int> inner{[&] {
    ++inner_calls;
  }};
  auto d = outer.get_deferred().add_callback([&](int) { return inner.get_deferred(); });
  outer.callback(1);
  d.cancel();
  CHECK(outer_calls == 0);
  CHECK(inner_calls == 1);
  failure_result_of(std::move(d), errc::cancelled);
}

TEST_CASE("a canceller that cancels again is not entered again", "[deferred][C09]") {
  int calls = 0;
  deferred<int>* self = nullptr;
  promise<int> p{[&] {
    ++calls;
    self->cancel();
  }};
  auto d = p.get_deferred();
  self = &d;
  d.cancel();
  CHECK(calls == 1);
  failure_result_of(std::move(d), errc::cancelled);
}

TEST_CASE("an exception in a canceller becomes the failure and does not leave cancel",
          "[deferred]") {
  promise<int> p{[] {
    throw std::runtime_error("cannot stop");
  }};
  auto d = p.get_deferred();
  CHECK_NOTHROW(d.cancel());
  failure_result_of<std::runtime_error>(std::move(d));
}

TEST_CASE("a canceller is destroyed when the promise fires", "[deferred]") {
  auto held = std::make_shared<int>(0);
  promise<int> p{[held] {
  }};
  auto d = p.get_deferred();
  CHECK(held.use_count() == 2);
  p.callback(1);
  CHECK(held.use_count() == 1);
}

TEST_CASE("a canceller may drop the deferred and the promise", "[deferred]") {
  std::unique_ptr<promise<int>> p;
  std::unique_ptr<deferred<int>> d;
  p = std::make_unique<promise<int>>([&] {
    p.reset();
    d.reset();
  });
  d = std::make_unique<deferred<int>>(p->get_deferred());
  bool seen = false;
  d->add_errback([&](const failure& f) {
    seen = f.check(errc::cancelled);
    return 0;
  });
  d->cancel();
  CHECK(seen);
}

TEST_CASE("a canceller may keep the promise that it is given", "[deferred]") {
  std::optional<promise<int>> kept;
  promise<int> p{[&](promise<int>& mine) {
    kept = std::move(mine);
  }};
  auto d = p.get_deferred();
  d.cancel();
  CHECK(kept->called());
  failure_result_of(std::move(d), errc::cancelled);
}

TEST_CASE("a canceller cancels what was given away", "[deferred][canceller]") {
  promise<int> p;
  auto d = p.get_deferred();
  const auto stop = d.canceller();
  const auto copy = stop;
  failure seen;
  std::move(d).add_errback([&](failure why) { seen = std::move(why); });
  copy.cancel();
  CHECK(seen.check(errc::cancelled));
  stop.cancel(); // has a result: nothing happens
  CHECK_NOTHROW(p.callback(1));
}

TEST_CASE("a canceller of what is gone does nothing, and keeps nothing", "[deferred][canceller]") {
  unhandled_failures unhandled;
  canceller stop;
  stop.cancel();
  bool gone = false;
  {
    promise<int> p;
    auto d = p.get_deferred();
    stop = d.canceller();
    struct witness {
      explicit witness(bool& g) : gone(&g) {}
      witness(witness&& other) noexcept : gone(std::exchange(other.gone, nullptr)) {}
      ~witness() {
        if (gone != nullptr)
          *gone = true;
      }
      bool* gone;
    };
    std::move(d).add_callback([w = witness{gone}](int) {});
    p.errback(errc::timed_out);
  }
  CHECK(gone);
  CHECK(unhandled.size() == 1); // told at once, not with the canceller
  unhandled.flush();
  stop.cancel();
}

TEST_CASE("a canceller that is in the chain of its own deferred goes with it",
          "[deferred][canceller]") {
  promise<int> p;
  auto d = p.get_deferred();
  auto stop = d.canceller();
  std::move(d).add_callback([stop = std::move(stop)](int) { stop.cancel(); });
  p.callback(1);
  promise<int> dropped;
  auto e = dropped.get_deferred();
  auto stop_it = e.canceller();
  std::move(e).add_both([stop = std::move(stop_it)](const outcome<int>&) {});
  dropped.abandon();
}

TEST_CASE("a canceller follows a chain to the deferred that a callback returned",
          "[deferred][canceller]") {
  promise<void> first;
  promise<int> second;
  auto inner = first.get_deferred().add_callback([&] { return second.get_deferred(); });
  const auto stop = inner.canceller();
  failure seen;
  succeed()
    .add_callback([d = std::move(inner)]() mutable { return deferred<int>(std::move(d)); })
    .add_callbacks([](int) {}, [&](failure why) { seen = std::move(why); });
  first.callback();
  CHECK_FALSE(seen);
  stop.cancel();
  CHECK(seen.check(errc::cancelled));
}
