// What a loop does in one turn, and what it says of turns that are too long. Time is moved by hand,
// also in the middle of a turn.

#include <troupe/runtime/event_loop.hpp>

#include <algorithm>
#include <functional>
#include <numeric>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <asio/post.hpp>
#include <caf/send.hpp>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <troupe/runtime/detail/patience.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/prometheus.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/testing/manual_clock.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// A runtime of one loop that is turned by hand, and the log that it writes.
struct by_hand {
  manual_clock time;
  std::ostringstream log;
  runtime rt;

  explicit by_hand(duration per_turn = 10ms, duration warn = duration::max())
    : rt{{.loops = 1,
          .time_per_turn = per_turn,
          .warn_turn = warn,
          .install_signal_handlers = false,
          .logger = std::make_shared<spdlog::logger>(
            "test", std::make_shared<spdlog::sinks::ostream_sink_st>(log)),
          .time_source = &time}} {
    rt.logger().set_pattern("%v");
  }

  void turn() { rt.reactor().iterate(); }
  event_loop& loop() { return rt.scheduler().loop(0); }
};

/// An actor for which each message takes a millisecond.
template <class Base>
class slow : public Base {
public:
  slow(caf::actor_config& cfg, by_hand* on, int* handled) : Base(cfg), on_(on), handled_(handled) {}
  caf::behavior make_behavior() override {
    return {[this](int ms) {
              on_->time.advance(std::chrono::milliseconds(ms));
              ++*handled_;
            },
            [this](const std::string&) {
              for (int i = 0; i < 100; ++i)
                this->call_later(duration::zero(), [this] {
                  on_->time.advance(1ms);
                  ++*handled_;
                });
            }};
  }

private:
  by_hand* on_;
  int* handled_;
};

using slow_pinned = slow<pinned_actor>;
using slow_floating = slow<floating_actor>;

} // namespace

TEMPLATE_TEST_CASE("messages that take long do not keep a turn from its end", "", slow_pinned,
                   slow_floating) {
  by_hand h;
  int handled = 0;
  const auto a = h.rt.spawn<TestType>(&h, &handled);
  h.turn(); // it begins
  for (int i = 0; i < 100; ++i)
    caf::anon_send(a, 1);
  std::vector<int> turns;
  while (handled < 100) {
    const auto before = handled;
    h.turn();
    turns.push_back(handled - before);
    REQUIRE(turns.back() > 0);
    REQUIRE(turns.back() <= 20);
  }
}

TEST_CASE("short messages are handled as many as they are") {
  by_hand h;
  int handled = 0;
  const auto a = h.rt.spawn<slow_pinned>(&h, &handled);
  h.turn();
  for (int i = 0; i < 120; ++i)
    caf::anon_send(a, 0);
  h.turn();
  CHECK(handled == 120);
}

TEST_CASE("functions from other threads that take long do not keep a turn from its end") {
  by_hand h;
  std::vector<int> called;
  for (int i = 0; i < 100; ++i)
    h.rt.reactor().call_from_thread([&, i] {
      h.time.advance(1ms);
      called.push_back(i);
    });
  bool timer = false;
  h.rt.reactor().call_later(5ms, [&] { timer = true; });
  h.turn();
  CHECK(called.size() == 10);
  CHECK_FALSE(timer);
  h.turn();
  CHECK(timer);
  CHECK(called.size() == 20);
  bool later = false;
  h.rt.reactor().call_from_thread([&] { later = called.size() == 100; });
  for (int i = 0; i < 10; ++i)
    h.turn();
  std::vector<int> all(100);
  std::iota(all.begin(), all.end(), 0);
  CHECK(called == all);
  CHECK(later);
}

TEST_CASE("functions that are left when the runtime ends are destroyed") {
  const auto held = std::make_shared<int>();
  {
    by_hand h;
    for (int i = 0; i < 30; ++i)
      h.rt.reactor().call_from_thread([&h, held] { h.time.advance(1ms); });
    h.turn();
    CHECK(held.use_count() == 21);
  }
  CHECK(held.use_count() == 1);
}

TEST_CASE("delayed calls that take long do not keep a turn from its end, and stay in order") {
  by_hand h;
  std::vector<int> made;
  for (int i = 0; i < 100; ++i)
    h.rt.reactor().call_later(duration::zero(), [&, i] {
      h.time.advance(1ms);
      made.push_back(i);
    });
  bool called = false;
  h.turn();
  CHECK(made.size() == 10);
  h.rt.reactor().call_from_thread([&] { called = true; });
  h.turn();
  CHECK(called);
  CHECK(made.size() == 20);
  for (int i = 0; i < 8; ++i)
    h.turn();
  std::vector<int> all(100);
  std::iota(all.begin(), all.end(), 0);
  CHECK(made == all);
  CHECK(h.loop().timers().empty());
}

TEST_CASE("the delayed calls of a floating actor do not keep a turn from its end") {
  by_hand h;
  int made = 0;
  const auto a = h.rt.spawn<slow_floating>(&h, &made);
  caf::anon_send(a, std::string{"call"});
  h.turn();
  h.turn();
  for (int turns = 0; made < 100; ++turns) {
    const auto before = made;
    h.turn();
    REQUIRE(made - before <= 20);
    REQUIRE(turns < 100);
  }
  CHECK(made == 100);
}

TEST_CASE("I/O events that take long do not keep a turn from its end") {
  by_hand h;
  int handled = 0;
  for (int i = 0; i < 100; ++i)
    asio::post(h.loop().io(), [&] {
      h.time.advance(1ms);
      ++handled;
    });
  bool timer = false;
  h.rt.reactor().call_later(5ms, [&] { timer = true; });
  h.turn();
  CHECK(handled == 10);
  CHECK(timer);
}

TEST_CASE("output of many connections does not keep a turn from its end, and is sent in order") {
  struct slow_output final : end_of_turn {
    slow_output(by_hand& on, std::vector<int>& all, int n) : h(on), sent(all), number(n) {}
    void turn_ended() noexcept override {
      h.time.advance(1ms);
      sent.push_back(number);
    }
    by_hand& h;
    std::vector<int>& sent;
    int number;
  };
  by_hand h;
  std::vector<int> sent, expected(25);
  std::iota(expected.begin(), expected.end(), 0);
  std::vector<slow_output> outputs;
  for (const int i : expected)
    outputs.emplace_back(h, sent, i);
  for (auto& output : outputs)
    h.loop().at_end_of_turn(output);
  h.turn();
  CHECK(sent.size() == 10);
  h.turn();
  CHECK(sent.size() == 20);
  h.turn();
  CHECK(sent == expected);
}

namespace {

/// Notes when its turn ends, and then does something.
struct noting final : end_of_turn {
  noting(std::string& all, char n, std::function<void()> f = {})
    : ended(all), name(n), then(std::move(f)) {}
  void turn_ended() noexcept override {
    ended += name;
    if (then)
      then();
  }
  std::string& ended;
  char name;
  std::function<void()> then;
};

} // namespace

TEST_CASE(
  "who gathers hands on at the end of the turn, and what that has sent goes before all else") {
  by_hand h;
  std::string ended;
  noting rest{ended, 'r'};
  noting sent{ended, 's'};
  noting gathers{ended, 'g', [&] {
                   h.loop().at_end_of_turn(sent);
                 }};
  h.loop().at_end_of_turn(rest);
  h.loop().before_flush(gathers);
  h.turn();
  CHECK(ended == "gsr");
  h.turn();
  CHECK(ended == "gsr");
}

TEST_CASE(
  "who gathers on does so in the next turn, and who always has more to send ends no turn late") {
  by_hand h;
  std::string ended;
  noting sent{ended, 's', [&] {
                if (ended.size() < 4)
                  h.loop().at_end_of_turn(sent);
              }};
  noting gathers{ended, 'g', [&] {
                   if (ended.size() < 4)
                     h.loop().before_flush(gathers);
                   if (ended.size() == 1)
                     h.loop().at_end_of_turn(sent);
                 }};
  h.loop().before_flush(gathers);
  h.turn();
  CHECK(ended == "gss"); // when it was handed something, and with all others
  h.turn();
  CHECK(ended == "gssgs");
  h.turn();
  CHECK(ended == "gssgs");
}

TEST_CASE("who gathers can be taken back, also by one that ends before it") {
  by_hand h;
  std::string ended;
  noting second{ended, '2'};
  noting first{ended, '1', [&] {
                 h.loop().forget(second);
               }};
  h.loop().before_flush(first);
  h.loop().before_flush(second);
  h.turn();
  h.turn();
  CHECK(ended == "1");
}

TEST_CASE("before much is sent, what those answer who were just handed something is taken in") {
  const std::size_t others = GENERATE(15, 16);
  const bool sends = GENERATE(true, false);
  by_hand h;
  std::string ended;
  noting sent{ended, 's', [&] {
                asio::post(h.loop().io(), [&] { ended += 'a'; });
              }};
  noting gathers{ended, 'g', [&] {
                   if (sends)
                     h.loop().at_end_of_turn(sent);
                 }};
  std::vector<noting> rest(others, noting{ended, 'r'});
  for (auto& one : rest)
    h.loop().at_end_of_turn(one);
  h.loop().before_flush(gathers);
  h.turn();
  h.turn();
  const std::string all(others, 'r');
  CHECK(ended == (!sends ? "g" + all : others < 16 ? "gs" + all + 'a' : "gsa" + all));
}

TEST_CASE("whoever has much to do is told when a turn's time is over") {
  by_hand h;
  int steps = 0;
  h.rt.reactor().call_from_thread([&] {
    while (!h.loop().should_yield()) {
      h.time.advance(1ms);
      ++steps;
    }
  });
  h.turn();
  CHECK(steps == 10);
}

TEST_CASE("a loop knows until when it has handed out what came") {
  by_hand h;
  h.time.advance(1s);
  h.turn();
  CHECK(h.loop().heard_until() == h.time.now());
  const auto before = h.time.now();
  for (int i = 0; i < 300; ++i) // more than `events_per_turn`
    asio::post(h.loop().io(), [] {});
  h.time.advance(1s);
  troupe::detail::patience waits;
  CHECK_FALSE(waits.is_over(h.loop(), h.time.now(), 10s));
  h.turn();
  CHECK(h.loop().heard_until() == before);
  CHECK_FALSE(waits.is_over(h.loop(), h.time.now(), 10s));
  h.turn();
  CHECK(h.loop().heard_until() == h.time.now());
  CHECK(waits.is_over(h.loop(), h.time.now(), 10s));
}

TEST_CASE("a loop that has work looks for I/O each 10 us, and after 32 turns at the latest") {
  const auto turn_takes = GENERATE(0us, 4us, 10us);
  manual_clock time;
  int turns = 0, looks = 0, posted_in = 0, most = 0;
  bool posted = false;
  std::function<void()> work;
  runtime rt{{.loops = 1, .install_signal_handlers = false, .time_source = &time}};
  work = [&] {
    ++turns;
    time.advance(turn_takes);
    if (looks == 10)
      return;
    rt.reactor().call_later(0s, work);
    if (std::exchange(posted, true))
      return;
    posted_in = turns;
    asio::post(rt.scheduler().loop(0).io(), [&] {
      most = std::max(most, turns - posted_in);
      posted = false;
      if (++looks == 10)
        rt.stop();
    });
  };
  rt.reactor().call_later(0s, work);
  rt.run();
  CHECK(looks == 10);
  CHECK(most == (turn_takes == 0us ? 32 : turn_takes == 4us ? 2 : 0));
}

TEST_CASE("a loop that always has more to read makes a time-out twice as long, not endless") {
  by_hand h;
  h.time.advance(1s);
  const auto due = h.time.now();
  troupe::detail::patience waits;
  CHECK_FALSE(waits.is_over(h.loop(), due, 10s));
  h.time.advance(9999ms);
  CHECK_FALSE(waits.is_over(h.loop(), due, 10s));
  h.time.advance(1ms);
  CHECK(waits.is_over(h.loop(), due, 10s));
}

// -- turns that were too long ---------------------------------------------------------------------

TEST_CASE("a turn that took too long names the actor whose message it was") {
  by_hand h{10ms, 100ms};
  int handled = 0;
  const auto a = h.rt.spawn<slow_pinned>(&h, &handled);
  h.turn();
  caf::anon_send(a, 99);
  h.turn();
  CHECK(h.log.str().empty());
  caf::anon_send(a, 2000);
  h.turn();
  CHECK(h.log.str()
        == "loop 0 was busy for 2000 ms in (anonymous namespace)::slow<troupe::pinned_actor> "
           "(a message)\n");
  const auto counters = h.rt.counters().front();
  CHECK(counters.long_turns == 1);
  CHECK(counters.turn_lengths[3] == 1); // up to 100 ms
  CHECK(counters.turn_lengths[5] == 1); // up to 10 s
  CHECK_THAT(prometheus_text(h.rt),
             Catch::Contains("troupe_loop_long_turns_total{loop=\"0\"} 1\n"));
  CHECK_THAT(prometheus_text(h.rt),
             Catch::Contains("troupe_loop_turn_seconds_bucket{loop=\"0\",le=\"0.1\"} 2\n")
               && Catch::Contains("troupe_loop_turn_seconds_bucket{loop=\"0\",le=\"+Inf\"} 3\n")
               && Catch::Contains("troupe_loop_turn_seconds_count{loop=\"0\"} 3\n"));
}

TEST_CASE("a turn that took too long names the function, or the callback that was entered") {
  by_hand h{10ms, 100ms};
  int handled = 0;
  const auto a = h.rt.spawn_on<slow_pinned>(0, &h, &handled);
  h.turn();
  SECTION("a delayed call") {
    h.rt.reactor().call_later(1ms, [&] { h.time.advance(150ms); });
    h.time.advance(1ms);
    h.turn();
    CHECK_THAT(h.log.str(), Catch::StartsWith("loop 0 was busy for 150 ms in ")
                              && Catch::Contains("{lambda()#")
                              && Catch::EndsWith(" (a delayed call)\n"));
  }
  SECTION("a function") {
    h.rt.reactor().call_from_thread([&] { h.time.advance(150ms); });
    h.turn();
    CHECK_THAT(h.log.str(), Catch::Contains("{lambda()#")
                              && Catch::EndsWith(" (a function from another thread)\n"));
  }
  SECTION("a callback") {
    asio::post(h.loop().io(), [&] {
      static_cast<slow_pinned*>(caf::actor_cast<caf::abstract_actor*>(a))
        ->enter("data_received", [&] { h.time.advance(150ms); });
    });
    h.turn();
    CHECK(h.log.str()
          == "loop 0 was busy for 150 ms in (anonymous namespace)::slow<troupe::pinned_actor>"
             "::data_received\n");
  }
  SECTION("the largest part of it") {
    h.rt.reactor().call_from_thread([&] { h.time.advance(60ms); });
    asio::post(h.loop().io(), [&] { h.time.advance(40ms); });
    h.turn();
    CHECK_THAT(h.log.str(), Catch::StartsWith("loop 0 was busy for 100 ms, 60 ms of it in ")
                              && Catch::EndsWith(" (a function from another thread)\n"));
  }
}

TEST_CASE("what makes every turn too long is named once a minute, and counted each time") {
  by_hand h{10ms, 100ms};
  const auto block = [&] {
    h.time.advance(200ms);
  };
  for (int i = 0; i < 10; ++i) {
    h.rt.reactor().call_from_thread(block);
    h.turn();
  }
  const auto lines = [&] {
    const auto text = h.log.str();
    return std::count(text.begin(), text.end(), '\n');
  };
  CHECK(lines() == 1);
  CHECK(h.rt.counters().front().long_turns == 10);
  asio::post(h.loop().io(), block);
  h.turn();
  CHECK(lines() == 2); // another one, more than a second later
  CHECK_THAT(h.log.str(), Catch::Contains("(9 other long turns since the latest warning)"));
  h.time.advance(1min);
  asio::post(h.loop().io(), block);
  h.turn();
  CHECK(lines() == 3);
}
