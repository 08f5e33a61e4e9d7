// Kept topics when something is missing between what is known and what comes.

#include <troupe/history/kept_topics.hpp>

#include <string>
#include <vector>

#include "kept_topics_fixture.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

using fixture = kept_topics_fixture;

TEST_CASE("what was lost on the way is read from the store before what follows is passed on",
          "[history]") {
  fixture f;
  fake_connection::output a;
  CHECK(f.resume(f.connect(a), {}).complete);
  f.append("1");
  f.store->now->lose_live = 2;
  f.append("2");
  f.append("3");
  CHECK(a.written == "1");
  f.append("4");
  CHECK(a.written == "1234");
  CHECK(f.topics->counters().gaps == 1);
  CHECK(f.topics->counters().gaps_unfilled == 0);

  SECTION("also while more comes and the store takes its time") {
    f.store->now->lose_live = 1;
    f.store->now->hold_reads = true;
    f.append("5");
    f.append("6");
    f.append("7");
    CHECK(a.written == "1234");
    f.store->now->hold_reads = false;
    f.rt.in_turn([&] { f.store->now->let_read(); });
    f.rt.settle();
    CHECK(a.written == "1234567");
  }
  SECTION("a store that does not answer is asked again, and then left alone") {
    f.store->now->lose_live = 1;
    f.store->now->fail_reads = true;
    f.append("5");
    f.append("6");
    CHECK(a.written == "1234");
    f.rt.advance(2s);
    f.rt.advance(2s);
    f.rt.advance(2s);
    CHECK(a.written == "12346");
    CHECK(f.topics->counters().gaps_unfilled == 1);
    f.append("7");
    CHECK(a.written == "123467");
  }
}

TEST_CASE("a gap is not given up while the store is away", "[history]") {
  fixture f;
  fake_connection::output a;
  CHECK(f.resume(f.connect(a), {}).complete);
  f.append("1");
  f.store->now->lose_live = 1;
  f.store->now->hold_reads = true;
  f.append("2");
  const auto last = f.append("3");
  f.rt.in_turn([&] {
    f.store->now->events->history_lost(failure{history_errc::store_unavailable});
    f.store->now->fail_read();
  });
  f.rt.advance(1min);
  CHECK(a.written == "1");
  f.store->now->hold_reads = false;
  f.rt.in_turn([&] { f.store->now->events->history_ready(last.epoch); });
  f.rt.settle();
  CHECK(a.written == "123");
  CHECK(f.topics->counters().gaps_unfilled == 0);
}

TEST_CASE("a gap is given as much time as there is, however much comes behind it", "[history]") {
  fixture f;
  fake_connection::output a;
  CHECK(f.resume(f.connect(a), {}).complete);
  f.append("1");
  f.store->now->lose_live = 1;
  f.store->now->fail_reads = true;
  for (int i = 2; i <= 9; ++i)
    f.append(std::to_string(i));
  f.store->now->fail_reads = false;
  f.rt.advance(500ms);
  f.rt.settle();
  CHECK(a.written == "123456789");
  CHECK(f.topics->counters().gaps_unfilled == 0);
}

TEST_CASE("a gap is given time also by a store that reads and does not have it yet", "[history]") {
  fixture f;
  fake_connection::output a;
  CHECK(f.resume(f.connect(a), {}).complete);
  f.append("1");
  auto& store = *f.store->now;
  store.lose_live = 1;
  store.spoil = [](history_page& p) {
    std::erase_if(p.messages, [](const kept_ref& m) { return m->bytes.text() != "1"; });
  };
  const auto reads = store.reads;
  f.append("2");
  for (const char* text : {"3", "4", "5", "6", "7"})
    f.append(text);
  CHECK(store.reads == reads + 1);
  CHECK(a.written == "1");
  const auto span = f.options.patience / 4;
  SECTION("and has it then, however often somebody asks for it meanwhile") {
    std::vector<deferred<history_page>> pages;
    for (int i = 0; i < 8; ++i) {
      pages.push_back(f.rt.in_turn([&] { return f.room.history(f.writer()); }));
      f.rt.advance(span / 8);
      f.rt.settle();
    }
    CHECK(store.reads >= reads + 8);
    CHECK(a.written == "1");
    store.spoil = [](history_page&) {
    };
    f.rt.advance(span);
    f.rt.settle();
    CHECK(a.written == "1234567");
    for (auto& page : pages)
      CHECK(f.texts(f.value(std::move(page))) == "1234567");
    CHECK(f.topics->counters().gaps_unfilled == 0);
  }
  SECTION("and never has it") {
    for (int i = 0; i < 3; ++i) {
      CHECK(a.written == "1");
      f.rt.advance(span);
      f.rt.settle();
    }
    CHECK(a.written == "134567");
    CHECK(f.topics->counters().gaps_unfilled == 1);
    CHECK(store.reads == reads + 4);
  }
}

TEST_CASE("what is told late, and more of it than somebody asks for, is not skipped", "[history]") {
  fixture f{{.ring_messages = 2}};
  fake_connection::output a;
  CHECK(f.resume(f.connect(a), {}).complete);
  f.append("1");
  f.append("2");
  f.append("3");
  auto& store = *f.store->now;
  store.lose_live = 5;
  for (const char* text : {"4", "5", "6", "7", "8"})
    f.append(text);
  CHECK(a.written == "123");
  auto page = f.rt.in_turn([&] { return f.room.history(f.writer(), {.limit = 2}); });
  CHECK(f.texts(f.value(std::move(page))) == "78");
  CHECK(a.written == "12345678");
  CHECK(f.topics->counters().gaps_unfilled == 0);
}

TEST_CASE("who resumes has all that comes while the store reads, in one go", "[history]") {
  fixture f{{.ring_messages = 2, .max_replay = 8}};
  fake_connection::output a, b, c;
  const bool known = GENERATE(true, false);
  if (known)
    CHECK(f.resume(f.connect(a), {}).complete);
  const auto start = f.append("0");
  for (const char* text : {"1", "2", "3"})
    f.append(text);
  auto& store = *f.store->now;
  store.hold_reads = true;
  auto begun = f.resume_begun(f.connect(b), start);
  const auto reads = store.reads;
  for (const char* text : {"4", "5", "6", "7"})
    f.append(text);
  SECTION("as far as memory has it") {
    f.rt.in_turn([&] { store.let_read(); });
    const auto told = f.value(std::move(begun));
    CHECK(told.complete);
    CHECK(told.replayed == 7);
    CHECK(b.written == "1234567");
    CHECK(store.reads == reads);

    f.append("8");
    CHECK(b.written == "12345678");
    auto again = f.resume_begun(f.connect(c), told.at); // memory has no more than usual
    CHECK(again.ready());
    CHECK(c.written == "8");
    CHECK_FALSE(f.resume_begun(f.connect(c), start).ready());
  }
  SECTION("and no more than anybody may get") {
    for (int i = 0; i < 9; ++i)
      f.append("x");
    f.rt.in_turn([&] { store.let_read(); });
    const auto told = f.value(std::move(begun)); // at once: asking again would not help
    CHECK_FALSE(told.complete);
    CHECK(b.written == "xxxxxxxx");
    CHECK(store.reads == reads);
  }
}

TEST_CASE("a page that claims more than it has loses nothing", "[history]") {
  fixture f;
  fake_connection::output a;
  f.store->now->spoil = [](history_page& page) {
    page.messages.clear();
    page.floor = 0;
    page.last = 1;
  };
  SECTION("of what comes after it") {
    CHECK(f.resume(f.connect(a), {}).complete);
    f.append("1");
  }
  SECTION("of what came before it") {
    f.store->now->hold_reads = true;
    auto d = f.resume_begun(f.connect(a), {});
    f.append("1");
    f.rt.in_turn([&] { f.store->now->let_read(); });
    CHECK(f.value(std::move(d)).complete);
  }
  f.store->now->hold_reads = false;
  f.store->now->spoil = [](history_page&) {
  };
  f.append("2");
  CHECK(a.written == "12");
}
