#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <troupe/runtime/coroutine.hpp>
#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr int many = 100'000;

deferred<int> add_one(deferred<int> d) {
  co_return co_await std::move(d) + 1;
}

deferred<int> sum_of_ready(int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i)
    sum += co_await succeed(1);
  co_return sum;
}

deferred<void> rethrow(deferred<void> d) {
  co_await std::move(d);
}

deferred<int> recover(deferred<int> d, deferred<int> instead) {
  bool cancelled = false;
  try {
    co_return co_await std::move(d);
  } catch (const cancelled_error&) {
    cancelled = true;
  }
  co_return cancelled ? co_await std::move(instead) : -1;
}

struct gone {
  explicit gone(int& count) : count_(count) {}
  ~gone() { ++count_; }
  int& count_;
};

deferred<int> hold(deferred<int> d, int& destroyed) {
  const gone g(destroyed);
  co_return co_await std::move(d);
}

} // namespace

TEST_CASE("a coroutine runs at once until it has to wait", "[coroutine]") {
  promise<int> p;
  auto d = add_one(p.get_deferred());
  assert_no_result(d);
  p.callback(1);
  CHECK(success_result_of(std::move(d)) == 2);
  CHECK(success_result_of(add_one(succeed(5))) == 6);
}

TEST_CASE("100,000 awaits of ready deferreds need no stack", "[coroutine][M09]") {
  CHECK(success_result_of(sum_of_ready(many)) == many);
}

TEST_CASE("100,000 coroutines that wait for one another need no stack", "[coroutine][M09]") {
  promise<int> p;
  auto d = p.get_deferred();
  for (int i = 0; i < many; ++i)
    d = add_one(std::move(d));
  SECTION("on a value") {
    p.callback(0);
    CHECK(success_result_of(std::move(d)) == many);
  }
  SECTION("when it is abandoned") {
    p.abandon();
    CHECK(d.called());
    CHECK_FALSE(d.ready());
  }
}

TEST_CASE("a failed deferred throws where it is waited for", "[coroutine][M10]") {
  failure_result_of<std::out_of_range>(rethrow(fail(std::out_of_range("9"))));
  promise<void> p;
  auto d = rethrow(p.get_deferred());
  p.errback(errc::connection_lost);
  failure_result_of(std::move(d), errc::connection_lost);
}

TEST_CASE("a coroutine may wait for a chain, and for one that was paused", "[coroutine]") {
  struct local {
    static deferred<int> run() {
      auto paused = succeed(1);
      paused.pause();
      paused.add_callback([](int v) { return v + 1; });
      co_return co_await succeed(1).add_callback([](int v) { return v * 10; })
        + co_await std::move(paused);
    }
  };
  CHECK(success_result_of(local::run()) == 12);
}

TEST_CASE("a coroutine may wait for what is no deferred", "[coroutine]") {
  struct elsewhere {
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> h) { *handle = h; }
    void await_resume() const {}
    std::coroutine_handle<>* handle;
  };
  struct local {
    static deferred<int> run(deferred<int> d, std::coroutine_handle<>* handle) {
      const int value = co_await std::move(d);
      co_await elsewhere{handle};
      co_return value;
    }
  };
  promise<int> p;
  std::coroutine_handle<> handle;
  auto d = local::run(p.get_deferred(), &handle);
  p.callback(3);
  assert_no_result(d);
  handle.resume();
  CHECK(success_result_of(std::move(d)) == 3);
}

TEST_CASE("a callback may be a coroutine", "[coroutine]") {
  promise<int> p;
  auto d = p.get_deferred().add_callback([](int v) { return add_one(succeed(v)); });
  p.callback(1);
  CHECK(success_result_of(std::move(d)) == 2);
}

namespace {

// Any other coroutine may wait for a deferred, too.
struct fire_and_forget {
  struct promise_type {
    fire_and_forget get_return_object() const { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const {}
    void unhandled_exception() const { std::terminate(); }
  };
};

fire_and_forget store(deferred<int> d, int& value) {
  value = co_await std::move(d);
}

} // namespace

TEST_CASE("a coroutine of another kind may wait for a deferred", "[coroutine]") {
  int value = 0;
  promise<int> p;
  store(p.get_deferred(), value);
  p.callback(4);
  CHECK(value == 4);
  promise<int> q;
  store(q.get_deferred(), value);
  q.abandon();
  CHECK(value == 4);
}

TEST_CASE("a coroutine may return a failure", "[coroutine]") {
  struct local {
    static deferred<int> run() { co_return failure(errc::line_too_long); }
  };
  failure_result_of(local::run(), errc::line_too_long);
}

TEST_CASE("cancelling a coroutine cancels what it waits for", "[coroutine][M11]") {
  int cancelled = 0;
  promise<int> p{[&] {
    ++cancelled;
  }};
  auto d = add_one(p.get_deferred());
  d.cancel();
  CHECK(cancelled == 1);
  failure_result_of(std::move(d), errc::cancelled);
}

TEST_CASE("a coroutine that catches the cancellation returns its value", "[coroutine][M11]") {
  promise<int> p;
  promise<int> instead;
  auto d = recover(p.get_deferred(), instead.get_deferred());
  d.cancel();
  assert_no_result(d);
  instead.callback(7);
  CHECK(success_result_of(std::move(d)) == 7);
}

TEST_CASE("a coroutine that recovers can be cancelled again", "[coroutine]") {
  promise<int> p;
  promise<int> instead;
  auto d = recover(p.get_deferred(), instead.get_deferred());
  d.cancel();
  d.cancel();
  failure_result_of(std::move(d), errc::cancelled);
}

TEST_CASE("a coroutine that is cancelled while it runs finds the next wait cancelled",
          "[coroutine]") {
  promise<int> first;
  promise<int> second;
  struct local {
    static deferred<int> run(deferred<int> a, deferred<int> b, deferred<int>*& self) {
      co_await std::move(a);
      self->cancel();
      co_return co_await std::move(b);
    }
  };
  deferred<int>* self = nullptr;
  auto d = local::run(first.get_deferred(), second.get_deferred(), self);
  self = &d;
  first.callback(1);
  failure_result_of(std::move(d), errc::cancelled);
}

TEST_CASE("a dropped promise throws where it is waited for", "[coroutine]") {
  deferred<int> d = [] {
    promise<int> p;
    return add_one(p.get_deferred());
  }();
  failure_result_of(std::move(d), errc::broken_promise);
}

TEST_CASE("a coroutine goes on though its deferred was dropped", "[coroutine]") {
  int destroyed = 0;
  promise<int> p;
  { auto d = hold(p.get_deferred(), destroyed); }
  CHECK(destroyed == 0);
  p.callback(1);
  CHECK(destroyed == 1);
}

TEST_CASE("an abandoned coroutine is destroyed and does not run on, nor does what waits for it",
          "[coroutine]") {
  int destroyed = 0;
  int ran = 0;
  promise<int> p;
  hold(p.get_deferred(), destroyed).add_both([&] { ++ran; });
  p.abandon();
  CHECK(destroyed == 1);
  CHECK(ran == 0);
  CHECK_THROWS_AS(p.callback(1), already_fired);
}

TEST_CASE("what callbacks captured is destroyed when the promise is abandoned", "[deferred]") {
  auto held = std::make_shared<int>(0);
  promise<int> p;
  succeed(1)
    .add_callback([d = p.get_deferred().add_callback([held](int v) { return v; })](
                    int) mutable -> deferred<int> { return std::move(d); })
    .add_both([held] { ++*held; });
  CHECK(held.use_count() == 3);
  p.abandon();
  CHECK(held.use_count() == 1);
  CHECK(*held == 0);
}

TEST_CASE("what is added to an abandoned deferred is destroyed at once", "[deferred]") {
  auto held = std::make_shared<int>(0);
  promise<int> p;
  auto d = p.get_deferred();
  p.abandon();
  SECTION("a callback") {
    d.add_callback([held](int v) { return ++*held + v; });
  }
  SECTION("a coroutine, with what waits for it") {
    int destroyed = 0;
    hold(std::move(d), destroyed).add_both([held] { ++*held; });
    CHECK(destroyed == 1);
  }
  SECTION("what follows a callback that returns it") {
    for (int links : {1, 9, 10, 30}) {
      promise<int> q;
      q.abandon();
      auto outer = succeed(1);
      outer.pause();
      outer.add_callback([&](int) { return q.get_deferred(); });
      for (int i = 0; i < links; ++i)
        outer.add_callback([held](int v) { return ++*held + v; });
      outer.unpause();
      CHECK(held.use_count() == 1);
    }
  }
  CHECK(held.use_count() == 1);
  CHECK(*held == 0);
}

TEST_CASE("the locals of a coroutine are gone before its callbacks run", "[coroutine]") {
  int destroyed = 0;
  int seen = 0;
  promise<int> p;
  hold(p.get_deferred(), destroyed).add_callback([&] { seen = destroyed; });
  p.callback(1);
  CHECK(seen == 1);
}

TEST_CASE("a moved-away deferred cannot be waited for", "[coroutine]") {
  struct local {
    static deferred<int> run() {
      auto d = succeed(1);
      auto other = std::move(d);
      co_return co_await std::move(d);
    }
  };
  failure_result_of<std::logic_error>(local::run());
}

namespace {

deferred<int> one_more(deferred<int> d) {
  co_return 1 + co_await std::move(d);
}

deferred<int> stopped_inside(deferred<int> d, canceller& stop) {
  stop = d.canceller();
  try {
    co_return co_await std::move(d);
  } catch (const cancelled_error&) {
    co_return -1;
  }
}

} // namespace

TEST_CASE("a tower of 200,000 coroutines is cancelled without stack", "[coroutine]") {
  promise<int> p;
  auto d = p.get_deferred();
  for (int i = 0; i < 200'000; ++i)
    d = one_more(std::move(d));
  d.cancel();
  failure_result_of(std::move(d), errc::cancelled);
}

TEST_CASE("a coroutine in a tower may go on when it is cancelled", "[coroutine]") {
  promise<int> p;
  promise<int> other;
  int caught = 0;
  auto inner = [](deferred<int> first, promise<int>& then, int& count) -> deferred<int> {
    try {
      co_return co_await std::move(first);
    } catch (const cancelled_error&) {
      ++count;
    }
    co_return co_await then.get_deferred();
  }(p.get_deferred(), other, caught);
  auto d = one_more(one_more(std::move(inner)));
  d.cancel();
  CHECK(caught == 1);
  assert_no_result(d);
  other.callback(1);
  CHECK(success_result_of(std::move(d)) == 3);
}

TEST_CASE("what a coroutine awaits is cancelled from elsewhere", "[coroutine][canceller]") {
  promise<int> p;
  canceller stop;
  auto d = stopped_inside(p.get_deferred(), stop);
  assert_no_result(d);
  stop.cancel();
  CHECK(success_result_of(std::move(d)) == -1);
}
