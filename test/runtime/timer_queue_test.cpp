#include <troupe/runtime/timer_queue.hpp>

#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include <troupe/testing/manual_clock.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

time_point at(duration d) {
  return time_point{d};
}

time_point tell(const void* now) {
  return *static_cast<const time_point*>(now);
}

int uncaught = 0;
void count_uncaught() noexcept {
  ++uncaught;
}

} // namespace

TEST_CASE("a call runs at its time, once, and not before", "[K01]") {
  manual_clock clock;
  int made = 0;
  auto call = clock.call_later(2s, [&] { ++made; });
  CHECK(call.active());
  CHECK(call.get_time() == at(2s));
  clock.advance(1999ms);
  CHECK(made == 0);
  clock.advance(1ms);
  CHECK(made == 1);
  CHECK_FALSE(call.active());
  clock.advance(10s);
  CHECK(made == 1);
}

TEST_CASE("a call that was made or cancelled says which", "[K02]") {
  manual_clock clock;
  delayed_call call;
  bool refused = false;
  call = clock.call_later(1s, [&] {
    CHECK_FALSE(call.active());
    try {
      call.cancel();
    } catch (const already_called&) {
      refused = true;
    }
  });
  clock.advance(1s);
  CHECK(refused);
  CHECK_THROWS_AS(call.cancel(), already_called);
  CHECK_THROWS_AS(call.delay(1s), already_called);
  CHECK_THROWS_AS(call.reset(1s), already_called);
  CHECK_THROWS_AS(call.get_time(), already_called);
  auto other = clock.call_later(1s, [] { FAIL("it was cancelled"); });
  other.cancel();
  CHECK_FALSE(other.active());
  CHECK_THROWS_AS(other.cancel(), already_cancelled);
  CHECK_THROWS_AS(other.delay(1s), already_cancelled);
  CHECK_THROWS_AS(other.reset(1s), already_cancelled);
  clock.advance(5s);
}

TEST_CASE("a handle is not mistaken for a later call in the same place") {
  manual_clock clock;
  auto old = clock.call_later(1s, [] {});
  old.cancel();
  auto now = clock.call_later(1s, [] {});
  CHECK_FALSE(old.active());
  CHECK(now.active());
  CHECK_THROWS_AS(old.cancel(), std::logic_error);
  CHECK(now.active());
  delayed_call none;
  CHECK_FALSE(none.active());
  CHECK_THROWS_AS(none.cancel(), std::logic_error);
}

TEST_CASE("delay pushes a call on, reset counts from now", "[K03][K05]") {
  manual_clock clock;
  int made = 0;
  auto call = clock.call_later(1s, [&] { ++made; });
  call.delay(1s);
  CHECK(call.get_time() == at(2s));
  clock.advance(1500ms);
  CHECK(made == 0);
  call.reset(3s);
  CHECK(call.get_time() == at(4500ms));
  clock.advance(2999ms);
  CHECK(made == 0);
  clock.advance(1ms);
  CHECK(made == 1);
  auto sooner = clock.call_later(10s, [&] { ++made; });
  sooner.delay(-9s);
  clock.advance(1s);
  CHECK(made == 2);
  auto bad = clock.call_later(1s, [] {});
  CHECK_THROWS_AS(bad.reset(-1s), std::logic_error);
}

TEST_CASE("calls run in the order of their times, moved ones too", "[K06]") {
  manual_clock clock;
  std::string order;
  auto a = clock.call_later(1s, [&] { order += 'a'; });
  a.reset(3s);
  clock.call_later(2s, [&] { order += 'b'; });
  clock.call_later(1s, [&] {
    order += 'c';
    a.reset(3s);
  });
  clock.pump({1s, 1s, 1s});
  CHECK(order == "cb");
  clock.advance(1s);
  CHECK(order == "cba");
}

TEST_CASE("calls with equal times run in the order in which they were made", "[S6]") {
  manual_clock clock;
  std::vector<int> order, expected;
  for (int i = 0; i < 1000; ++i) {
    clock.call_later(1s, [&order, i] { order.push_back(i); });
    expected.push_back(i);
  }
  clock.advance(1s);
  CHECK(order == expected);
}

TEST_CASE("the pending calls are exactly those to come", "[K07]") {
  manual_clock clock;
  CHECK(clock.get_delayed_calls().empty());
  const auto a = clock.call_later(1s, [] {});
  auto b = clock.call_later(2s, [] {});
  const auto c = clock.call_later(3s, [] {});
  b.cancel();
  clock.advance(1s);
  CHECK_FALSE(a.active());
  CHECK(clock.get_delayed_calls() == std::vector<delayed_call>{c});
}

TEST_CASE("a manual clock makes calls that come due meanwhile, and takes negative delays",
          "[K09][S8]") {
  manual_clock clock;
  std::string order;
  clock.call_later(3s, [&] {
    order += '1';
    CHECK(clock.now() == at(5s));
    clock.call_later(0s, [&] { order += '2'; });
  });
  clock.call_later(-1s, [&] { order += '0'; });
  clock.advance(5s);
  CHECK(order == "012");
}

TEST_CASE("a pass makes what was due before it began, and nothing that it adds itself") {
  auto now = at(0s);
  timer_queue queue{&tell, &now};
  std::string order;
  queue.add(at(1s), [&] {
    order += 'a';
    queue.add(at(0s), [&] { order += 'x'; });
  });
  auto moved = queue.add(at(2s), [&] { order += 'm'; });
  queue.add(at(1s), [&] { moved.delay(-1s); });
  queue.add(at(2s), [&] { order += 'b'; });
  CHECK(queue.run_due(at(2s), &count_uncaught) == 3);
  CHECK(order == "ab");
  CHECK(queue.run_due(at(2s), &count_uncaught) == 2);
  CHECK(order == "abxm");
  CHECK(queue.empty());
}

TEST_CASE("an exception in a call does not keep the others from being made", "[K13]") {
  auto now = at(0s);
  timer_queue queue{&tell, &now};
  int made = 0;
  uncaught = 0;
  queue.add(at(1s), [] { throw std::runtime_error("no"); });
  queue.add(at(1s), [&] { ++made; });
  queue.run_due(at(1s), &count_uncaught);
  CHECK(uncaught == 1);
  CHECK(made == 1);
}

TEST_CASE("a call cancelled by one before it in the same pass is not made") {
  auto now = at(0s);
  timer_queue queue{&tell, &now};
  delayed_call second;
  queue.add(at(1s), [&] { second.cancel(); });
  second = queue.add(at(1s), [] { FAIL("it was cancelled"); });
  CHECK(queue.pending().size() == 2);
  CHECK(queue.run_due(at(1s), &count_uncaught) == 1);
}

TEST_CASE("a queue can be cleared by a call, and by what its calls hold") {
  auto now = at(0s);
  timer_queue queue{&tell, &now};
  queue.add(at(1s), [&] {
    CHECK(queue.pending().size() == 2);
    queue.clear();
    CHECK(queue.empty());
  });
  queue.add(at(1s), [] { FAIL("it was cleared"); });
  struct adder {
    timer_queue* q;
    ~adder() {
      q->add(at(9s), [] {});
    }
  };
  queue.add(at(2s), [held = std::make_shared<adder>(&queue)] {});
  CHECK(queue.run_due(at(1s), &count_uncaught) == 1);
  queue.clear();
  CHECK(queue.empty());
}

TEST_CASE("what is dropped by clearing a queue may take other calls back") {
  auto now = at(0s);
  timer_queue queue{&tell, &now};
  struct canceller {
    delayed_call other;
    ~canceller() {
      if (other.active())
        other.cancel();
    }
  };
  std::vector<std::shared_ptr<canceller>> each;
  for (int i = 0; i < 4; ++i)
    each.push_back(std::make_shared<canceller>());
  std::vector<delayed_call> calls;
  for (int i = 0; i < 4; ++i)
    calls.push_back(queue.add(at(1s * (i + 1)), [held = each[static_cast<std::size_t>(i)]] {}));
  for (std::size_t i = 0; i < 4; ++i)
    each[i]->other = calls[i ^ 1]; // in pairs, so that each order has one that comes first
  each.clear();
  int taken_back = 0;
  struct watcher {
    delayed_call other;
    int* taken_back;
    ~watcher() { *taken_back += other.active() ? 1 : 0; }
  };
  auto first = std::make_shared<watcher>(delayed_call{}, &taken_back);
  auto second = std::make_shared<watcher>(delayed_call{}, &taken_back);
  const auto a = queue.add(at(9s), [held = first] {});
  const auto b = queue.add(at(9s), [held = second] {});
  std::exchange(first, nullptr)->other = b;
  std::exchange(second, nullptr)->other = a;
  queue.clear();
  CHECK(queue.empty());
  CHECK(taken_back == 1); // for the one that went first, the other was still pending
}

TEST_CASE("a function is destroyed once, when its call is made or cancelled") {
  manual_clock clock;
  auto made = std::make_shared<int>(), cancelled = std::make_shared<int>();
  clock.call_later(1s, [made] {});
  auto call = clock.call_later(1s, [cancelled] {});
  CHECK(made.use_count() == 2);
  call.cancel();
  CHECK(cancelled.use_count() == 1);
  clock.advance(1s);
  CHECK(made.use_count() == 1);
}

TEST_CASE("a span that leads beyond the end of time never comes") {
  manual_clock clock;
  clock.advance(1s);
  auto call = clock.call_later(duration::max(), [] { FAIL("it came"); });
  call.delay(duration::max());
  clock.advance(24h);
  CHECK(call.active());
}

TEST_CASE("cancelling within a pass does not search the whole heap") {
  auto now = at(0s);
  timer_queue queue{&tell, &now};
  // What a sweep of the heap would drop is still there afterwards: stale entries are few beside
  // the live ones.
  for (int i = 0; i < 1000; ++i)
    queue.add(at(1h), [] {});
  std::vector<delayed_call> victims;
  for (int i = 0; i < 10; ++i)
    victims.push_back(queue.add(at(2h), [] {}));
  for (int i = 0; i < 300; ++i)
    queue.add(at(1s), [&, i] {
      if (i < 10)
        victims[static_cast<std::size_t>(i)].cancel();
    });
  CHECK(queue.run_due(at(1s), &count_uncaught) == 300);
  CHECK(queue.size() == 1000);
  CHECK(queue.next_due() == at(1h));
}

TEST_CASE("a pass inside a call of another pass keeps the order") {
  auto now = at(0s);
  timer_queue queue{&tell, &now};
  std::string order;
  queue.add(at(1s), [&] {
    order += 'a';
    queue.add(at(1s), [&] { order += 'n'; });
    queue.run_due(at(1s), &count_uncaught);
  });
  for (const char c : {'b', 'c', 'd'})
    queue.add(at(1s), [&order, c] { order += c; });
  queue.run_due(at(1s), &count_uncaught);
  CHECK(order == "anbcd");
}

TEST_CASE("misuse is told") {
  manual_clock clock;
  CHECK_THROWS_AS(clock.call_later(1s, task{}), std::logic_error);
}

TEST_CASE("a hundred thousand random operations agree with a plain map") {
  std::mt19937 random{7};
  manual_clock clock;
  using key = std::pair<duration, std::uint64_t>; // time and sequence
  struct entry {
    delayed_call call;
    int number;
  };
  std::map<key, entry> model;
  std::vector<int> made, expected;
  std::uint64_t sequence = 0;
  duration now{};
  const auto pick = [&] {
    auto i = model.begin();
    std::advance(i, static_cast<long>(random() % std::min<std::size_t>(model.size(), 50)));
    return i;
  };
  for (int n = 0; n < 100'000; ++n) {
    const auto delay = std::chrono::milliseconds(random() % 1000);
    switch (model.empty() ? 0 : random() % 6) {
    case 0:
    case 1:
    case 2:
      model[{now + delay, sequence++}] = {
        clock.call_later(delay, [&made, n] { made.push_back(n); }), n};
      break;
    case 3: {
      const auto i = pick();
      i->second.call.cancel();
      model.erase(i);
      break;
    }
    case 4: {
      const auto i = pick();
      auto e = i->second;
      const auto due = i->first.first + delay;
      e.call.delay(delay);
      model.erase(i);
      model[{due, sequence++}] = e;
      break;
    }
    default:
      now += std::chrono::milliseconds(random() % 20);
      clock.advance(now - clock.now().time_since_epoch());
      while (!model.empty() && model.begin()->first.first <= now) {
        expected.push_back(model.begin()->second.number);
        model.erase(model.begin());
      }
      REQUIRE(made == expected);
      made.clear();
      expected.clear();
    }
    if (n % 1000 == 0)
      REQUIRE(clock.get_delayed_calls().size() == model.size());
  }
}

TEST_CASE("a burst of calls leaves its handles usable when its memory is given back", "[timers]") {
  testing::manual_clock clock;
  std::vector<delayed_call> calls;
  for (int i = 0; i < 5000; ++i)
    calls.push_back(clock.call_later(1s, [] {}));
  for (int i = 0; i < 2500; ++i)
    calls[static_cast<std::size_t>(i)].cancel();
  clock.advance(1s);
  for (auto& call : calls) {
    CHECK_FALSE(call.active());
    CHECK_THROWS_AS(call.cancel(), std::logic_error);
  }
  int made = 0;
  for (int i = 0; i < 5000; ++i)
    clock.call_later(std::chrono::milliseconds(5000 - i), [&made, i] { made += made == 4999 - i; });
  for (auto& call : calls)
    CHECK_FALSE(call.active());
  clock.advance(5s);
  CHECK(made == 5000);
}

TEST_CASE("handles take the time from their clock", "[timers][K14]") {
  testing::manual_clock clock;
  clock.advance(100s);
  int made = 0;
  auto call = clock.call_later(10s, [&] { ++made; });
  CHECK(call.get_time() == clock.now() + 10s);
  clock.advance(4s);
  call.reset(5s);
  CHECK(call.get_time() == clock.now() + 5s);
  call.delay(1s);
  CHECK(call.get_time() == clock.now() + 6s);
  clock.advance(6s - 1ns);
  CHECK(made == 0);
  clock.advance(1ns);
  CHECK(made == 1);
}

TEST_CASE("a pass that is ended early leaves the rest to the next one, before anything else") {
  time_point now = at(1s);
  timer_queue queue{&tell, &now};
  std::vector<int> made;
  std::vector<delayed_call> calls;
  for (int i = 0; i < 5; ++i)
    calls.push_back(queue.add(at(1s), [&made, &queue, i] {
      made.push_back(i);
      if (i == 1)
        queue.add(at(0s), [&made] { made.push_back(5); });
    }));
  int left = 2;
  const auto two = [](void* n, const task&) {
    return --*static_cast<int*>(n) > 0;
  };
  CHECK(queue.run_due(now, &count_uncaught, two, &left) == 2);
  CHECK(made == std::vector{0, 1});
  CHECK(queue.size() == 4);
  CHECK(queue.pending().size() == 4);
  CHECK(queue.next_due() == at(1s));
  calls[2].cancel();
  calls[3].reset(1s);
  CHECK(queue.run_due(now, &count_uncaught) == 1);
  CHECK(made == std::vector{0, 1, 4});
  CHECK(queue.next_due() == at(0s));
  CHECK(queue.run_due(now, &count_uncaught) == 1);
  CHECK(made == std::vector{0, 1, 4, 5});
  CHECK(queue.next_due() == at(2s));
  queue.clear();
  CHECK_FALSE(queue.next_due());
}
