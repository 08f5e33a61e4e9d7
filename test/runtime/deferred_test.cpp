#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <troupe/runtime/deferred.hpp>
#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

const std::runtime_error broken("broken");

// Counts how often what a callback captured is destroyed.
struct tracked {
  explicit tracked(int& count) : destroyed(&count) {}
  tracked(tracked&& other) noexcept : destroyed(std::exchange(other.destroyed, nullptr)) {}
  ~tracked() {
    if (destroyed != nullptr)
      ++*destroyed;
  }
  int* destroyed;
};

} // namespace

TEST_CASE("a callback gets the value and the errback is left alone", "[deferred][D01]") {
  promise<std::string> p;
  std::vector<std::string> got;
  bool failed = false;
  p.get_deferred().add_callbacks([&](std::string s) { got.push_back(std::move(s)); },
                                 [&](failure) { failed = true; });
  p.callback("hello");
  CHECK(got == std::vector<std::string>{"hello"});
  CHECK_FALSE(failed);
}

TEST_CASE("the second callback gets what the first returned", "[deferred][D02]") {
  promise<int> p;
  auto d = p.get_deferred()
             .add_callback([](int v) { return std::to_string(v); })
             .add_callback([](const std::string& s) { return s + "!"; });
  p.callback(5);
  CHECK(success_result_of(std::move(d)) == "5!");
}

TEST_CASE("an errback does not see what the callback beside it throws, the next one does",
          "[deferred][D03]") {
  promise<int> p;
  bool beside = false;
  auto d = p.get_deferred()
             .add_callbacks([](int) -> int { throw broken; },
                            [&](failure) {
                              beside = true;
                              return 1;
                            })
             .add_errback([](const failure& f) {
               f.trap<std::runtime_error>();
               return 2;
             });
  p.callback(0);
  CHECK_FALSE(beside);
  CHECK(success_result_of(std::move(d)) == 2);
}

TEST_CASE("callbacks after an errback that returned a value run with it", "[deferred][D05]") {
  auto d = fail<int>(broken).add_errback([](failure) { return 7; }).add_callback([](int v) {
    return v * 2;
  });
  CHECK(success_result_of(std::move(d)) == 14);
}

TEST_CASE("values skip errbacks and failures skip callbacks", "[deferred]") {
  CHECK(success_result_of(deferred<int>(succeed(1).add_errback([](failure) { return 2; }))) == 1);
  bool called = false;
  auto d = fail<int>(errc::timed_out).add_callback([&](int v) {
    called = true;
    return v;
  });
  failure_result_of(std::move(d), errc::timed_out);
  CHECK_FALSE(called);
}

TEST_CASE("add_both is called with the value on success and with the failure on error",
          "[deferred][D06]") {
  SECTION("as an outcome") {
    auto say = [](const outcome<int>& o) {
      return o ? std::to_string(*o) : o.error().message();
    };
    CHECK(success_result_of(deferred<std::string>(succeed(5).add_both(say))) == "5");
    CHECK(success_result_of(deferred<std::string>(fail<int>(broken).add_both(say))) == "broken");
  }
  SECTION("as one or the other") {
    struct both {
      int operator()(int v) const { return v; }
      int operator()(failure) const { return -1; }
    };
    CHECK(success_result_of(deferred<int>(succeed(5).add_both(both{}))) == 5);
    CHECK(success_result_of(deferred<int>(fail<int>(broken).add_both(both{}))) == -1);
  }
  SECTION("as nothing but the fact") {
    int calls = 0;
    succeed(5).add_both([&] { ++calls; });
    fail<int>(broken).add_both([&] { ++calls; });
    CHECK(calls == 2);
  }
}

TEST_CASE("an outcome that is passed on by add_both keeps value and failure", "[deferred]") {
  auto pass = [](outcome<int> o) {
    return o;
  };
  CHECK(success_result_of(deferred<int>(succeed(5).add_both(pass))) == 5);
  failure_result_of(deferred<int>(fail<int>(errc::cancelled).add_both(pass)), errc::cancelled);
}

TEST_CASE("a deferred fires once only", "[deferred][D07]") {
  promise<int> p;
  auto d = p.get_deferred();
  SECTION("callback first") {
    p.callback(1);
    CHECK_THROWS_AS(p.callback(2), already_fired);
    CHECK_THROWS_AS(p.errback(errc::cancelled), already_fired);
    CHECK(success_result_of(std::move(d)) == 1);
  }
  SECTION("errback first") {
    p.errback(errc::timed_out);
    CHECK_THROWS_AS(p.callback(2), already_fired);
    CHECK_THROWS_AS(p.errback(errc::cancelled), already_fired);
    failure_result_of(std::move(d), errc::timed_out);
  }
}

TEST_CASE("with debugging on, a second call tells where the first was", "[deferred][D07]") {
  set_debugging(true);
  promise<int> p;
  set_debugging(false);
  auto d = p.get_deferred();
  p.callback(1);
  try {
    p.callback(2);
    FAIL("it did not throw");
  } catch (const already_fired& e) {
    const std::string text = e.what();
    CHECK(text.find("made at ") != std::string::npos);
    CHECK(text.find("first called at ") != std::string::npos);
    CHECK(text.find("deferred_test.cpp:") != std::string::npos);
  }
}

TEST_CASE("a callback added to a deferred with a result runs before add_callback returns",
          "[deferred][D09]") {
  int got = 0;
  succeed(5).add_callback([&](int v) { got = v; });
  CHECK(got == 5);
}

TEST_CASE("a paused deferred runs its callbacks when it is unpaused", "[deferred][D10]") {
  auto d = fail<int>(broken);
  d.pause();
  CHECK(d.paused());
  bool ran = false;
  d.add_errback([&](const failure& f) {
    ran = f.check<std::runtime_error>();
    return 0;
  });
  CHECK_FALSE(ran);
  assert_no_result(d);
  d.unpause();
  CHECK(ran);
  CHECK_FALSE(d.paused());
}

TEST_CASE("two pauses need two calls of unpause, and a third is an error", "[deferred][D11]") {
  auto d = succeed(1);
  d.pause();
  d.pause();
  int ran = 0;
  d.add_callback([&](int v) { return ran = v; });
  d.unpause();
  CHECK(ran == 0);
  d.unpause();
  CHECK(ran == 1);
  CHECK_THROWS_AS(d.unpause(), std::logic_error);
  d.add_callback([&](int v) { return ran = v + 1; });
  CHECK(ran == 2);
}

TEST_CASE("a pause ends with the deferred, for nobody could undo it", "[deferred]") {
  int ran = 0;
  {
    auto d = succeed(1);
    d.pause();
    d.add_callback([&](int v) { return ran = v; });
  }
  CHECK(ran == 1);
}

TEST_CASE("a callback that is added by a running one runs after it, never inside it",
          "[deferred][D17]") {
  promise<int> p;
  auto d = p.get_deferred();
  std::vector<std::string> order;
  d.add_callback([&](int v) {
    d.add_callback([&](int w) {
      order.push_back("added");
      return w;
    });
    order.push_back("first");
    return v;
  });
  d.add_callback([&](int v) {
    order.push_back("second");
    return v;
  });
  p.callback(1);
  CHECK(order == std::vector<std::string>{"first", "second", "added"});
  CHECK(d.ready());
}

TEST_CASE("maybe_deferred makes a deferred of whatever a function does", "[deferred][D22]") {
  CHECK(success_result_of(maybe_deferred([](int a, int b) { return a + b; }, 1, 2)) == 3);
  success_result_of(maybe_deferred([] {}));
  failure_result_of<std::runtime_error>(maybe_deferred([]() -> int { throw broken; }));
  failure_result_of(maybe_deferred([]() -> failure { return errc::timed_out; }), errc::timed_out);
  failure_result_of(maybe_deferred([]() -> outcome<int> { return failure(errc::timed_out); }),
                    errc::timed_out);
  promise<int> p;
  auto d = maybe_deferred([&] { return p.get_deferred(); });
  assert_no_result(d);
  p.callback(4);
  CHECK(success_result_of(std::move(d)) == 4);
}

TEST_CASE("errback takes exceptions, codes, or the exception being handled", "[deferred][D23]") {
  promise<int> p;
  auto d = p.get_deferred();
  SECTION("nothing, outside of a catch block") {
    CHECK_THROWS_AS(p.errback(), no_current_exception);
    CHECK_FALSE(p.called());
  }
  SECTION("nothing, inside a catch block") {
    try {
      throw broken;
    } catch (...) {
      p.errback();
    }
    failure_result_of<std::runtime_error>(std::move(d));
  }
  SECTION("an exception") {
    p.errback(std::out_of_range("9"));
    failure_result_of<std::out_of_range>(std::move(d));
  }
}

TEST_CASE("a deferred prints its state", "[deferred][D26]") {
  promise<std::string> p;
  auto d = p.get_deferred();
  CHECK(to_string(d).find("<deferred at 0x") == 0);
  CHECK(to_string(d).find("result") == std::string::npos);
  p.callback("orange");
  CHECK(to_string(d).find(" current result: orange>") != std::string::npos);
  d.pause();
  CHECK(to_string(d).find(" paused>") != std::string::npos);
  CHECK(to_string(succeed()).find("current result: nothing") != std::string::npos);
  auto f = fail<int>(errc::timed_out);
  CHECK(to_string(f).find("failure: it took longer") != std::string::npos);
  f.add_errback([] { return 0; });

  promise<int> q;
  auto waiting = succeed(1).add_callback([&](int) { return q.get_deferred(); });
  CHECK(to_string(waiting).find(" waiting on deferred at 0x") != std::string::npos);
  q.callback(1);
}

TEST_CASE("a callback may return a failure or an outcome", "[deferred]") {
  failure_result_of(
    deferred<int>(succeed(1).add_callback([](int) -> failure { return errc::timed_out; })),
    errc::timed_out);
  auto halve = [](int v) -> outcome<double> {
    if (v % 2 != 0)
      return failure(errc::invalid_argument);
    return v / 2.;
  };
  CHECK(success_result_of(deferred<double>(succeed(6).add_callback(halve))) == 3.);
  failure_result_of(deferred<double>(succeed(7).add_callback(halve)), errc::invalid_argument);
}

TEST_CASE("a callback that does not care takes no argument", "[deferred]") {
  int ran = 0;
  succeed(5).add_callback([&] { ++ran; });
  fail<int>(broken).add_errback([&] { ++ran; });
  CHECK(ran == 2);
}

TEST_CASE("values and callbacks may be move-only, and of any size", "[deferred]") {
  promise<std::unique_ptr<int>> p;
  auto d = p.get_deferred()
             .add_callback([extra = std::make_unique<int>(2)](std::unique_ptr<int> v) {
               return std::array<long, 50>{*v + *extra};
             })
             .add_callback([big = std::array<long, 50>{10}](const std::array<long, 50>& v) {
               return v[0] + big[0];
             });
  p.callback(std::make_unique<int>(1));
  CHECK(success_result_of(std::move(d)) == 13);
}

TEST_CASE("every callback is destroyed exactly once, as soon as it ran or was skipped",
          "[deferred]") {
  int destroyed = 0;
  promise<int> p;
  auto d = p.get_deferred();
  int seen = -1;
  d.add_callback([t = tracked(destroyed)](int v) { return v; });
  d.add_errback([t = tracked(destroyed)](failure) { return 0; });
  d.add_callback([t = tracked(destroyed), &seen, &destroyed](int v) {
    seen = destroyed;
    return v;
  });
  SECTION("fired") {
    p.callback(1);
    CHECK(seen == 2);
    CHECK(destroyed == 3);
  }
  SECTION("dropped") {
    { promise<int> gone = std::move(p); }
    CHECK(seen == 2);
    CHECK(destroyed == 3);
  }
}

TEST_CASE("a chain may have more callbacks than fit its block", "[deferred]") {
  for (const int n : {0, 1, 9, 10, 11, 26, 27, 1000}) {
    promise<int> p;
    auto d = p.get_deferred();
    for (int i = 0; i < n; ++i)
      d.add_callback([i](int v) { return v == i ? v + 1 : -1; });
    p.callback(0);
    CHECK(success_result_of(std::move(d)) == n);
  }
}

TEST_CASE("callbacks that the last one of a full chain adds run once, in order", "[deferred]") {
  for (int n = 1; n < 60; ++n) {
    promise<int> p;
    auto d = p.get_deferred();
    for (int i = 1; i < n; ++i)
      d.add_callback([](int v) { return v + 1; });
    d.add_callback([&d](int v) {
      for (int i = 0; i < 40; ++i)
        d.add_callback([expected = v + 1 + i](int w) { return w == expected ? w + 1 : -1; });
      return v + 1;
    });
    p.callback(0);
    CHECK(success_result_of(std::move(d)) == n + 40);
  }
}

TEST_CASE("callbacks that keep adding callbacks use no more and more memory or stack",
          "[deferred]") {
  auto d = succeed(0);
  struct again {
    deferred<int>* d;
    int operator()(int v) const {
      if (v < 100'000)
        d->add_callback(again{d});
      return v + 1;
    }
  };
  d.add_callback(again{&d});
  CHECK(success_result_of(std::move(d)) == 100'001);
}

TEST_CASE("a promise that is dropped fails its deferred", "[deferred]") {
  deferred<int> d = [] {
    promise<int> p;
    return p.get_deferred();
  }();
  failure_result_of(std::move(d), errc::broken_promise);
}

TEST_CASE("a promise that nobody waits for is dropped in silence", "[deferred]") {
  unhandled_failures unhandled;
  { promise<int> p; }
  {
    promise<int> p;
    { auto d = p.get_deferred(); }
  }
  CHECK(unhandled.empty());
}

TEST_CASE("the deferred of a promise can be had once", "[deferred]") {
  promise<int> p;
  auto d = p.get_deferred();
  CHECK_THROWS_AS(p.get_deferred(), std::logic_error);
  auto moved = std::move(d);
  CHECK_FALSE(d);
  CHECK_THROWS_AS(d.called(), std::logic_error);
  CHECK_FALSE(moved.called());
}

TEST_CASE("the deferred may be dropped while its callbacks wait, or run", "[deferred]") {
  promise<int> p;
  int ran = 0;
  auto d = std::make_unique<deferred<int>>(p.get_deferred());
  d->add_callback([&](int v) {
    d.reset();
    ++ran;
    return v;
  });
  d->add_callback([&](int v) {
    ++ran;
    return v;
  });
  p.callback(1);
  CHECK(ran == 2);
}

TEST_CASE("a callback may drop the promise that fires it", "[deferred]") {
  auto p = std::make_unique<promise<int>>();
  int ran = 0;
  p->get_deferred().add_callback([&](int) { p.reset(); }).add_callback([&] { ++ran; });
  p->callback(1);
  CHECK(ran == 1);
}

TEST_CASE("the type of what follows an errback fits both sides", "[deferred]") {
  using std::is_same_v;
  STATIC_REQUIRE(
    is_same_v<decltype(succeed(1).add_errback([](failure) { return 2; })), chained<int>>);
  STATIC_REQUIRE(is_same_v<decltype(succeed(1).add_errback([](failure) {})), chained<void>>);
  STATIC_REQUIRE(
    is_same_v<decltype(succeed(1.).add_errback([](failure) { return 2; })), chained<double>>);
  STATIC_REQUIRE(
    is_same_v<decltype(succeed(1).add_errback([](failure f) { return f; })), chained<int>>);
  STATIC_REQUIRE(
    is_same_v<decltype(succeed(1).add_callback([](int) { return succeed(2.); })), chained<double>>);
  succeed(1).add_errback([](failure) {}).add_callback([] {});
}

TEST_CASE("an unhandled failure is reported once, when its last owner goes", "[deferred][D25]") {
  unhandled_failures unhandled;
  SECTION("with the deferred") {
    {
      promise<int> p;
      auto d = p.get_deferred();
      p.errback(broken);
      d.add_callback([](int v) { return v; });
      CHECK(unhandled.empty());
    }
    CHECK(unhandled.flush<std::runtime_error>().size() == 1);
  }
  SECTION("with the promise, where the deferred was dropped before") {
    promise<int> p;
    p.get_deferred().add_callback([](int v) { return v; });
    p.errback(broken);
    { auto gone = std::move(p); }
    CHECK(unhandled.flush().size() == 1);
  }
  SECTION("not if it was handled") {
    fail<int>(broken).add_errback([] {});
    CHECK(unhandled.empty());
  }
  SECTION("not if it was taken") {
    failure_result_of(fail<int>(broken));
    CHECK(unhandled.empty());
  }
  CHECK(unhandled.empty());
}

namespace {
std::string where_created;
} // namespace

TEST_CASE("with debugging on, an unhandled failure tells where its deferred was made",
          "[deferred]") {
  const auto previous = set_unhandled_hook([](const unhandled_failure& what) noexcept {
    where_created = what.created != nullptr ? what.created->file_name() : "unknown";
  });
  { auto d = fail<int>(broken); }
  CHECK(where_created == "unknown");
  set_debugging(true);
  { auto d = fail<int>(broken); }
  set_debugging(false);
  CHECK(where_created.find("deferred_test.cpp") != std::string::npos);
  set_unhandled_hook(previous);
}
