// Kept topics when the store is away, slow, broken or another one.

#include <troupe/history/kept_topics.hpp>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "kept_topics_fixture.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using Catch::Contains;

using fixture = kept_topics_fixture;

TEST_CASE("what was missed while the store was away is read when it is back", "[history]") {
  fixture f;
  fake_connection::output a;
  CHECK(f.resume(f.connect(a), {}).complete);
  f.append("1");
  f.store->now->lose_live = 2;
  f.append("2");
  const auto last = f.append("3");
  f.rt.in_turn(
    [&] { f.store->now->events->history_lost(failure{history_errc::store_unavailable}); });
  CHECK(a.written == "1");
  f.rt.in_turn([&] { f.store->now->events->history_ready(last.epoch); });
  f.rt.settle();
  CHECK(a.written == "123");
}

TEST_CASE("what is missed while a topic is read for the first time is read again", "[history]") {
  fixture f;
  fake_connection::output a;
  const auto first = f.append("1");
  f.store->now->hold_reads = true;
  auto begun = f.resume_begun(f.connect(a), {});
  f.store->now->lose_live = 1;
  f.append("2");
  f.rt.in_turn([&] { f.store->now->events->history_ready(first.epoch); });
  f.store->now->hold_reads = false;
  f.rt.in_turn([&] { f.store->now->let_read(); });
  CHECK(f.value(std::move(begun)).complete);
  CHECK(a.written == "12");
}

TEST_CASE("a topic that could not be read is read when the store is back", "[history]") {
  fixture f;
  const auto first = f.append("1");
  f.open();
  fake_connection::output a;
  auto& store = *f.store->now;
  store.fail_reads = true;
  CHECK_FALSE(f.resume(f.connect(a), first).complete);
  f.rt.in_turn([&] { store.events->history_lost(failure{history_errc::store_unavailable}); });
  store.fail_reads = false;
  store.hold_reads = true;
  {
    kept_topics others{f.rt, f.store->inner()}; // which tells nobody else
    f.rt.settle();
    auto d = f.rt.in_turn([&] { return others.get("lobby").append(f.writer(), "2"); });
    f.value(std::move(d));
  }
  f.rt.in_turn([&] { store.events->history_ready(first.epoch); });
  f.rt.settle();
  f.append("3");
  CHECK(a.written.empty()); // not before what came before it
  store.hold_reads = false;
  f.rt.in_turn([&] { store.let_read(); });
  f.rt.settle();
  CHECK(a.written == "23");
  f.append("4");
  CHECK(a.written == "234");
}

TEST_CASE("what was missed is read also if the store cannot at first when it is back",
          "[history]") {
  fixture f;
  fake_connection::output a;
  CHECK(f.resume(f.connect(a), {}).complete);
  f.append("1");
  f.store->now->lose_live = 1;
  const auto last = f.append("2");
  f.store->now->fail_reads = true;
  f.rt.in_turn([&] {
    f.store->now->events->history_lost(failure{history_errc::store_unavailable});
    f.store->now->events->history_ready(last.epoch);
  });
  for (int i = 0; i < 20; ++i)
    f.rt.advance(5s);
  const auto reads = f.store->now->reads;
  CHECK(reads > 5);
  CHECK(reads < 30); // ever less often
  CHECK(a.written == "1");
  f.store->now->fail_reads = false;
  f.rt.advance(8s);
  f.rt.settle();
  CHECK(a.written == "12");
  f.rt.advance(1min);
  CHECK(f.store->now->reads == reads + 1);
}

TEST_CASE("what was read before the store was lost says nothing of what was missed then",
          "[history]") {
  fixture f;
  fake_connection::output a;
  CHECK(f.resume(f.connect(a), {}).complete);
  f.append("1");
  f.store->now->lose_live = 1;
  f.store->now->hold_reads = true;
  f.append("2");
  f.append("3"); // a gap is found, and read
  CHECK(f.store->now->held.size() == 1);
  f.store->now->lose_live = 1;
  const auto last = f.append("4");
  f.rt.in_turn([&] {
    f.store->now->events->history_lost(failure{history_errc::store_unavailable});
    f.store->now->events->history_ready(last.epoch);
  });
  f.store->now->hold_reads = false;
  f.rt.in_turn([&] { f.store->now->let_read(); });
  f.rt.settle();
  CHECK(a.written == "1234");
}

TEST_CASE("many topics that have missed something are read a few at a time", "[history]") {
  fixture f;
  fake_connection::output a;
  auto& who = f.connect(a);
  std::uint64_t epoch = 0;
  for (int i = 0; i < 100; ++i) {
    f.room = f.topics->get("room " + std::to_string(i));
    epoch = f.append("x").epoch;
    CHECK(f.resume(who, {}).complete);
  }
  f.store->now->reads = 0;
  f.store->now->hold_reads = true;
  f.rt.in_turn([&] {
    f.store->now->events->history_lost(failure{history_errc::store_unavailable});
    f.store->now->events->history_ready(epoch);
  });
  f.rt.settle();
  std::size_t most = 0;
  while (!f.store->now->held.empty()) {
    most = std::max(most, f.store->now->held.size());
    f.rt.in_turn([&] { f.store->now->let_read(); });
    f.rt.settle();
  }
  CHECK(most == 16);
  CHECK(f.store->now->reads == 100);
}

TEST_CASE("who listens hears all of a store that is another one", "[history]") {
  fixture f;
  fake_connection::output a;
  CHECK(f.resume(f.connect(a), {}).complete);
  f.append("1");
  const auto another = std::make_shared<memory_history>();
  {
    kept_topics others{f.rt, another};
    f.rt.settle();
    auto d = f.rt.in_turn([&] { return others.get("lobby").append(f.writer(), "2"); });
    f.value(std::move(d));
  }
  f.store->now->hold_reads = true;
  f.rt.in_turn([&] { f.store->now->replace(another); });
  f.rt.settle();
  f.append("3");
  CHECK(a.written == "1");
  f.store->now->hold_reads = false;
  f.rt.in_turn([&] { f.store->now->let_read(); });
  f.rt.settle();
  CHECK(a.written == "123");
  f.append("4");
  CHECK(a.written == "1234");
}

TEST_CASE("a store that takes longer than one's patience makes it incomplete, and live",
          "[history]") {
  fixture f{{.patience = 2s}};
  const auto start = f.append("1");
  f.append("2");
  f.open();
  f.store->now->hold_reads = true;
  fake_connection::output a;
  auto d = f.resume_begun(f.connect(a), start);
  f.rt.advance(2s - 1ns);
  CHECK_FALSE(d.called());
  f.rt.advance(1ns);
  CHECK_FALSE(f.value(std::move(d)).complete);
  CHECK(a.written.empty());
  f.store->now->hold_reads = false;
  f.rt.in_turn([&] { f.store->now->let_read(); });
  f.rt.settle();
  CHECK(a.written == "2"); // it might not have come, and did
  f.append("3");
  CHECK(a.written == "23");
}

TEST_CASE("who could not wait for the store misses nothing that is kept meanwhile", "[history]") {
  fixture f{{.patience = 2s}};
  const auto start = f.append("1");
  f.append("2");
  f.open();
  f.store->now->hold_reads = true;
  fake_connection::output a, b, c;
  auto first = f.resume_begun(f.connect(a), start);
  auto newcomer = f.resume_begun(f.connect(b), {});
  f.rt.advance(2s);
  CHECK_FALSE(f.value(std::move(first)).complete);
  CHECK_FALSE(f.value(std::move(newcomer)).complete);
  f.append("3");
  f.append("4");
  CHECK(a.written.empty());
  f.store->now->hold_reads = false;
  f.rt.in_turn([&] { f.store->now->let_read(); });
  f.rt.settle();
  CHECK(a.written == "234");
  CHECK(b.written == "1234");
  CHECK(
    f.resume(f.connect(c), start).complete); // memory has it now, and nobody gets anything twice
  f.append("5");
  CHECK(a.written == "2345");
  CHECK(b.written == "12345");
  CHECK(c.written == "2345");
}

TEST_CASE("a store that cannot read makes it incomplete at once", "[history]") {
  fixture f;
  const auto start = f.append("1");
  f.append("2");
  f.open();
  f.store->now->fail_reads = true;
  fake_connection::output a;
  CHECK_FALSE(f.resume(f.connect(a), start).complete);
  f.append("3");
  CHECK(a.written == "3");
  f.store->now->fail_reads = false;
  fake_connection::output b;
  CHECK(f.resume(f.connect(b), start).complete);
  CHECK(b.written == "23");
  f.append("4");
  CHECK(a.written == "34");
  CHECK(b.written == "234");
}

TEST_CASE("an append says why it failed", "[history]") {
  fixture f{{.max_message = 4, .max_in_flight = 2}};
  SECTION("too long, or its id") {
    CHECK(failure_result_of(f.append_begun("12345")).check(errc::message_too_long));
    CHECK(
      failure_result_of(f.append_begun("1", std::string(129, 'x'))).check(errc::invalid_argument));
  }
  SECTION("the store refuses") {
    f.store->now->fail_appends = true;
    const auto why = failure_result_of(f.append_begun("1"));
    CHECK(why.check(history_errc::store_failed));
    CHECK_THAT(why.message(), Contains("on purpose"));
  }
  SECTION("the store says nothing") {
    f.store->now->hold_appends = true;
    auto d = f.append_begun("1");
    f.rt.advance(5s - 1ns);
    CHECK_FALSE(d.called());
    auto second = f.append_begun("2");
    CHECK(failure_result_of(f.append_begun("3")).check(errc::queue_overflow));
    f.rt.advance(1ns);
    f.rt.settle();
    const auto why = failure_result_of(std::move(d));
    CHECK(why.check(errc::timed_out));
    CHECK_THAT(why.message(), Contains("same id"));
    f.rt.advance(5s);
    f.rt.settle();
    CHECK(failure_result_of(std::move(second)).check(errc::timed_out));
  }
  SECTION("the store is away") {
    f.rt.in_turn([&] {
      f.store->now->events->history_lost(failure{history_errc::store_unavailable, "gone for tea"});
    });
    CHECK_FALSE(f.topics->ready());
    CHECK_THAT(failure_result_of(f.append_begun("1")).message(), Contains("gone for tea"));
  }
  CHECK(f.topics->counters().failed == f.topics->counters().appends);
}

TEST_CASE("whatever happens, who is told that nothing is missing has each message once, in order",
          "[history]") {
  const auto seed = GENERATE(range(1u, 25u));
  INFO("seed " << seed);
  std::mt19937 random{seed};
  const auto chance = [&](unsigned percent) {
    return random() % 100 < percent;
  };
  fixture f{{.ring_messages = 1 + random() % 8, .max_replay = 5000}};
  struct client {
    fake_connection* who = nullptr;
    fake_connection::output out;
    history_position at;
    std::vector<std::uint64_t> has;
    bool listens = false;
  };
  std::vector<client> clients(5);
  for (auto& c : clients)
    c.who = &f.connect(c.out);
  auto& writer = f.writer();
  std::vector<std::uint64_t> all;
  std::size_t incomplete = 0;
  for (int step = 0; step < 300; ++step) {
    f.store->now->lose_live = chance(10) ? 1 + random() % 3 : 0;
    f.store->now->hold_reads = chance(30);
    if (chance(60))
      f.rt.in_turn([&] {
        for (unsigned n = 1 + random() % 5; n > 0; --n)
          f.room.append(writer, "x").add_callback([&](history_position p) {
            all.push_back(p.sequence);
          });
      });
    if (chance(50))
      f.rt.settle(1 + random() % 4);
    auto& c = clients[random() % clients.size()];
    if (c.listens && chance(50)) {
      f.rt.in_turn([&] { f.room.leave(*c.who); });
      c.listens = false;
    } else if (!c.listens) {
      c.listens = true;
      f.rt.in_turn([&] {
        f.room
          .resume(c.who, c.at, 5000,
                  [&c](const kept_message& m) {
                    c.has.push_back(m.at.sequence);
                    c.at = m.at;
                  })
          .add_callback([&](const resumed& r) {
            incomplete += r.complete ? 0 : 1;
            c.at = r.at;
          });
      });
    }
    if (!f.store->now->hold_reads)
      f.rt.in_turn([&] { f.store->now->let_read(); });
  }
  f.store->now->hold_reads = false;
  f.store->now->lose_live = 0;
  for (auto& c : clients)
    if (!c.listens)
      f.rt.in_turn([&] {
        f.room
          .resume(c.who, c.at, 5000,
                  [&c](const kept_message& m) { c.has.push_back(m.at.sequence); })
          .add_callback([&](const resumed& r) { incomplete += r.complete ? 0 : 1; });
      });
  f.append("last"); // shows what was lost before it
  for (int i = 0; i < 10; ++i) {
    f.rt.in_turn([&] { f.store->now->let_read(); });
    f.rt.settle();
  }
  all.push_back(all.empty() ? 1 : all.back() + 1);
  CHECK(incomplete == 0);
  for (const auto& c : clients) {
    const auto from = c.has.empty() ? all.end() : std::ranges::find(all, c.has.front());
    CHECK(c.has == std::vector<std::uint64_t>(from, all.end()));
  }
}
