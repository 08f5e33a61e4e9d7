// Timers in such numbers that most of them wait in the wheel.

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <troupe/runtime/timer_queue.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

time_point at(duration d) {
  return time_point{d};
}

time_point tell(const void* now) {
  return *static_cast<const time_point*>(now);
}

void never() noexcept {
  std::terminate();
}

constexpr int crowd = 20'000;

} // namespace

TEST_CASE("among many calls, random operations agree with a plain map", "[timers]") {
  std::mt19937_64 random{11};
  auto now = at(-1h); // times before zero are times as well
  timer_queue queue{&tell, &now};
  using key = std::pair<time_point, std::uint64_t>; // time and sequence
  struct entry {
    delayed_call call;
    int number;
  };
  std::map<key, entry> model;
  std::vector<int> made, expected;
  std::uint64_t sequence = 0;
  const auto some_span = [&] { // of every order of magnitude, some of them equal, some in the past
    const auto unit = std::int64_t{1} << random() % 45;
    return duration{unit * static_cast<std::int64_t>(random() % 8) - 1'000'000};
  };
  const auto pick = [&] {
    const auto from = model.lower_bound({now + some_span(), 0});
    return from == model.end() ? model.begin() : from;
  };
  int number = 0;
  const auto add = [&] {
    const auto due = now + some_span();
    const int n = number++;
    model[{due, sequence++}] = {queue.add(due, [&made, n] { made.push_back(n); }), n};
  };
  for (int i = 0; i < crowd; ++i)
    add();
  for (int i = 0; i < 100'000; ++i) {
    switch (model.empty() ? 0 : random() % 16) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
      add();
      break;
    case 8:
    case 9:
    case 10: {
      const auto i_th = pick();
      i_th->second.call.cancel();
      model.erase(i_th);
      break;
    }
    case 11:
    case 12:
    case 13:
    case 14: {
      const auto i_th = pick();
      const auto e = i_th->second;
      const auto by = some_span();
      const auto due = i_th->first.first + by;
      auto call = e.call;
      call.delay(by);
      REQUIRE(call.get_time() == due);
      model.erase(i_th);
      model[{due, sequence++}] = e;
      break;
    }
    default:
      now += duration{std::int64_t{1} << random() % 36};
      queue.run_due(now, &never);
      while (!model.empty() && model.begin()->first.first <= now) {
        expected.push_back(model.begin()->second.number);
        model.erase(model.begin());
      }
      REQUIRE(made == expected);
      made.clear();
      expected.clear();
    }
    if (i % 64 == 0) {
      REQUIRE(queue.size() == model.size());
      REQUIRE(queue.next_due()
              == (model.empty() ? std::nullopt : std::optional{model.begin()->first.first}));
    }
    if (i == 50'000) // all but some thousand go
      while (model.size() > 3000) {
        const auto i_th = pick();
        i_th->second.call.cancel();
        model.erase(i_th);
      }
  }
  CHECK(queue.pending().size() == model.size());
  CHECK(model.size() > 4'096);
  now = time_point::max();
  queue.run_due(now, &never);
  for (const auto& [when, e] : model)
    expected.push_back(e.number);
  CHECK(made == expected);
  CHECK(queue.empty());
}

TEST_CASE("many calls that are due at once are made in the order in which they were added",
          "[timers]") {
  const auto when = GENERATE(at(0s), at(7s), time_point::min(), time_point::max());
  auto now = at(0s);
  timer_queue queue{&tell, &now};
  std::vector<int> made;
  for (int i = 0; i < crowd; ++i) {
    queue.add(when, [&made, i] { made.push_back(i); });
    if (i % 100 == 0) // others are before and behind
      queue.add(at(std::chrono::microseconds(i)), [] {});
  }
  CHECK(queue.next_due() == std::min(when, at(0s)));
  queue.run_due(time_point::max(), &never);
  CHECK(made.size() == crowd);
  CHECK(std::is_sorted(made.begin(), made.end()));
  CHECK(queue.empty());
}

TEST_CASE("of many calls that were cancelled nothing comes, and the next one is known",
          "[timers]") {
  auto now = at(0s);
  timer_queue queue{&tell, &now};
  std::vector<delayed_call> calls;
  int made = 0;
  for (int i = 0; i < crowd; ++i)
    calls.push_back(queue.add(at(std::chrono::milliseconds(i)), [&made] { ++made; }));
  for (int i = 0; i < crowd - 1; ++i)
    calls[static_cast<std::size_t>(i)].cancel();
  CHECK(queue.next_due() == at(std::chrono::milliseconds(crowd - 1)));
  CHECK(queue.pending() == std::vector{calls.back()});
  CHECK(queue.run_due(at(1h), &never) == 1);
  CHECK(made == 1);
  CHECK_FALSE(queue.next_due());
}

TEST_CASE("many calls are cleared, and what they hold may add others meanwhile", "[timers]") {
  auto now = at(0s);
  timer_queue queue{&tell, &now};
  int ended = 0;
  struct held {
    timer_queue* to;
    int* count;
    ~held() {
      if (++*count % 100 == 0)
        to->add(at(1h), [] {});
    }
  };
  for (int i = 0; i < crowd; ++i)
    queue.add(at(std::chrono::milliseconds(i)),
              [one = std::make_unique<held>(held{&queue, &ended})] {});
  ended = 0; // what was moved from while it was made
  queue.clear();
  CHECK(ended == crowd);
  CHECK(queue.empty());
  CHECK_FALSE(queue.next_due());
  int made = 0;
  queue.add(at(1s), [&made] { ++made; });
  CHECK(queue.run_due(at(1s), &never) == 1);
  CHECK(made == 1);
}

TEST_CASE("a call of a crowd may add one that is due before the rest", "[timers]") {
  auto now = at(0s);
  timer_queue queue{&tell, &now};
  std::string order;
  for (int i = 0; i < crowd; ++i)
    queue.add(at(10s + std::chrono::microseconds(i)), [] {});
  queue.add(at(1s), [&] {
    order += 'a';
    queue.add(at(2s), [&order] { order += 'b'; });
    queue.add(at(10s + 5us), [&order] { order += 'd'; });
    queue.add(at(3s), [&order] { order += 'c'; });
  });
  for (now = at(1s); now <= at(11s); now += 1s)
    queue.run_due(now, &never);
  CHECK(order == "abcd");
  CHECK(queue.empty());
}
