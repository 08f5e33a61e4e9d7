// Random webs of deferreds, of which in the end nothing may be left.

#include <random>
#include <utility>
#include <vector>

#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/deferred_list.hpp>
#include <troupe/testing/deferred.hpp>
#include <troupe/testing/manual_clock.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

// Counts the objects that callbacks have captured.
struct counted {
  explicit counted(long& count) : alive(&count) { ++count; }
  counted(const counted& other) : alive(other.alive) { ++*alive; }
  ~counted() { --*alive; }
  long* alive;
};

class web {
public:
  explicit web(unsigned seed) : random_(seed) {}

  // Does one thing to a deferred or a promise, chosen by chance. Callbacks do more of the same.
  void act() {
    switch (pick(16)) {
    case 0:
      return add(promise<int>());
    case 1:
      return add(promise<int>([this, c = counted(alive)] { act_inside(); }));
    case 2:
      return add(promise<int>([this](promise<int>& p) {
        if (pick(2) == 0)
          p.callback(3);
      }));
    case 3:
    case 4:
      return fire();
    case 5: {
      auto p = some_promise();
      if (pick(3) == 0)
        p.abandon();
      return; // else it is broken
    }
    case 6:
      return keep(some().add_callback([this, c = counted(alive)](int v) { return run(v); }));
    case 7:
      return keep(some().add_errback([this, c = counted(alive)](failure f) -> outcome<int> {
        if (pick(3) == 0)
          return f;
        return run(0);
      }));
    case 8:
    case 9:
      return keep(some().add_callback([this, inner = some(), c = counted(alive)](int v) mutable {
        run(v);
        return std::move(inner);
      }));
    case 10: {
      auto d = some();
      d.cancel();
      return keep(std::move(d));
    }
    case 11: {
      auto d = some();
      if (d.paused())
        d.unpause();
      else
        d.pause();
      return keep(std::move(d));
    }
    case 12: {
      promise<int> p;
      auto d = p.get_deferred();
      some().chain_deferred(std::move(p));
      return keep(std::move(d));
    }
    case 13:
      return keep(wait(some(), counted(alive)));
    case 14:
      return keep(some().add_timeout(std::chrono::milliseconds(pick(20)), clock));
    default:
      return keep(pick(2) == 0
                    ? race(several()).add_callback([](indexed<int> x) { return x.value; })
                    : gather_results(several(), pick(2) == 0)
                        .add_callback([this, c = counted(alive)](const std::vector<int>& v) {
                          return run(static_cast<int>(v.size()));
                        }));
    }
  }

  void drop_all() {
    while (!deferreds_.empty() || !promises_.empty()) {
      if (!deferreds_.empty())
        static_cast<void>(take(deferreds_));
      if (!promises_.empty())
        static_cast<void>(take(promises_));
    }
  }

  manual_clock clock;
  long alive = 0;

private:
  unsigned pick(unsigned n) { return static_cast<unsigned>(random_() % n); }

  template <class T>
  T take(std::vector<T>& from) {
    const auto i =
      from.begin() + static_cast<std::ptrdiff_t>(pick(static_cast<unsigned>(from.size())));
    auto taken = std::move(*i);
    from.erase(i);
    return taken;
  }

  void add(promise<int> p) {
    keep(p.get_deferred());
    promises_.push_back(std::move(p));
  }

  void keep(deferred<int> d) { deferreds_.push_back(std::move(d)); }

  deferred<int> some() {
    if (deferreds_.empty() || pick(3) == 0) {
      if (pick(2) == 0)
        return succeed(1);
      add(promise<int>());
    }
    return take(deferreds_);
  }

  promise<int> some_promise() { return promises_.empty() ? promise<int>() : take(promises_); }

  std::vector<deferred<int>> several() {
    std::vector<deferred<int>> all;
    for (auto n = pick(4); n > 0; --n)
      all.push_back(some());
    return all;
  }

  void fire() {
    auto p = some_promise();
    try {
      if (pick(3) == 0)
        p.errback(errc::timed_out);
      else
        p.callback(1);
    } catch (const already_fired&) {
      // It was cancelled, or fired before.
    }
    if (pick(2) == 0)
      promises_.push_back(std::move(p));
  }

  int run(int v) {
    act_inside();
    if (pick(5) == 0)
      throw std::runtime_error("x");
    return v + 1;
  }

  void act_inside() {
    if (depth_ == 4)
      return;
    ++depth_;
    act();
    --depth_;
  }

  static deferred<int> wait(deferred<int> d, counted) {
    try {
      co_return co_await std::move(d) + 1;
    } catch (const cancelled_error&) {
      co_return 5;
    }
  }

  std::mt19937 random_;
  std::vector<deferred<int>> deferreds_;
  std::vector<promise<int>> promises_;
  int depth_ = 0;
};

} // namespace

TEST_CASE("of random webs of deferreds nothing is left", "[deferred]") {
  unhandled_failures unhandled;
  for (unsigned seed = 0; seed < 300; ++seed) {
    web w(seed);
    for (int i = 0; i < 400; ++i) {
      w.act();
      if (i % 20 == 0)
        w.clock.advance(5ms);
    }
    w.drop_all();
    INFO("seed " << seed);
    CHECK(w.alive == 0);
    CHECK(w.clock.get_delayed_calls().empty());
  }
}
