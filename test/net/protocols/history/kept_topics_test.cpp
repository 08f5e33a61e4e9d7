#include <troupe/history/kept_topics.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include "kept_topics_fixture.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using Catch::Contains;

using fixture = kept_topics_fixture;

TEST_CASE("what is appended reaches all who have resumed, the one who appended too, in one order",
          "[history]") {
  fixture f;
  fake_connection::output a, b;
  CHECK(f.resume(f.connect(a), {}).complete);
  CHECK(f.resume(f.connect(b), {}, 0).complete);
  const auto first = f.append("one ");
  const auto second = f.append("two ");
  CHECK(first.epoch == second.epoch);
  CHECK(first.sequence < second.sequence);
  CHECK(a.written == "one two ");
  CHECK(b.written == "one two ");
}

TEST_CASE("a newcomer gets the newest, as many as it wants, and has missed nothing", "[history]") {
  fixture f;
  for (const auto* text : {"1", "2", "3", "4"})
    f.append(text);
  fake_connection::output a, b;
  const auto r = f.resume(f.connect(a), {}, 2);
  CHECK(r.complete);
  CHECK(r.replayed == 2);
  CHECK(a.written == "34");
  f.append("5");
  CHECK(a.written == "345");
  CHECK(f.resume(f.connect(b), {}, 0).complete);
  CHECK(b.written.empty());
}

TEST_CASE("who was away gets what was missed, once, and then what comes", "[history]") {
  fixture f;
  fake_connection::output a;
  auto& who = f.connect(a);
  f.append("1");
  const auto seen = f.append("2");
  f.append("3");
  f.append("4");
  const auto r = f.resume(who, seen);
  CHECK(r.complete);
  CHECK(r.replayed == 2);
  CHECK(a.written == "34");
  f.append("5");
  CHECK(a.written == "345");

  SECTION("twice in a row: nothing is repeated") {
    f.rt.in_turn([&] { f.room.leave(who); });
    f.append("6");
    const auto again = f.resume(who, r.at);
    CHECK(again.complete);
    CHECK(again.replayed == 2); // 5, which it has had, came after that place
    const auto once_more = f.resume(who, again.at);
    CHECK(once_more.complete);
    CHECK(once_more.replayed == 0);
    CHECK(a.written
          == "345"
             "56");
  }
  SECTION("with no leave between: it is one subscription") {
    CHECK(f.resume(who, r.at).complete);
    f.append("6");
    CHECK(a.written
          == "345"
             "5"
             "6");
  }
  SECTION("after it left nothing comes") {
    f.rt.in_turn([&] { f.room.leave(who); });
    f.append("6");
    CHECK(a.written == "345");
  }
}

TEST_CASE("a room that is in memory is resumed in place, and the store is not asked", "[history]") {
  fixture f;
  fake_connection::output first, a;
  const auto start = f.append("1");
  CHECK(f.resume(f.connect(first), {}).complete);
  f.append("2");
  const auto reads = f.store->now->reads;
  auto& who = f.connect(a);
  f.rt.in_turn([&] {
    auto d = f.room.resume(&who, start);
    CHECK(a.written == "2");
    CHECK(d.ready());
    CHECK(success_result_of(std::move(d)).complete);
  });
  CHECK(f.store->now->reads == reads);
}

TEST_CASE("a storm of those who come back reads the store once", "[history]") {
  fixture f;
  const auto start = f.append("1");
  f.append("2");
  f.open(); // nothing is in memory
  f.store->now->hold_reads = true;
  std::vector<fake_connection::output> outs(500);
  std::vector<deferred<resumed>> all;
  for (auto& out : outs)
    all.push_back(f.resume_begun(f.connect(out), start));
  f.store->now->hold_reads = false;
  f.rt.in_turn([&] { f.store->now->let_read(); });
  for (std::size_t i = 0; i < outs.size(); ++i) {
    CHECK(f.value(std::move(all[i])).complete);
    CHECK(outs[i].written == "2");
  }
  CHECK(f.store->now->reads == 1);
}

TEST_CASE("more was missed than memory has: the store tells", "[history]") {
  fixture f{{.ring_messages = 3}};
  fake_connection::output first, a;
  CHECK(f.resume(f.connect(first), {}).complete);
  const auto start = f.append("0");
  for (const auto* text : {"1", "2", "3", "4", "5", "6"})
    f.append(text);
  const auto r = f.resume(f.connect(a), start);
  CHECK(r.complete);
  CHECK(a.written == "123456");
  CHECK(f.topics->counters().store_reads == 2);

  SECTION("more than is wanted: the newest, and it is told") {
    fake_connection::output b;
    const auto part = f.resume(f.connect(b), start, 4);
    CHECK_FALSE(part.complete);
    CHECK(b.written == "3456");
    CHECK(part.at == r.at);
  }
  SECTION("exactly as many as are wanted: all") {
    fake_connection::output b;
    CHECK(f.resume(f.connect(b), start, 6).complete);
    CHECK(b.written == "123456");
  }
}

TEST_CASE("what the store has dropped is told, and what it has is replayed", "[history]") {
  fixture f{{.ring_messages = 2}, {.per_topic = 3}};
  const auto start = f.append("1");
  const auto second = f.append("2");
  for (const auto* text : {"3", "4", "5"})
    f.append(text);
  fake_connection::output a, b;
  const auto r = f.resume(f.connect(a), start);
  CHECK_FALSE(r.complete);
  CHECK(a.written == "345");
  CHECK(f.resume(f.connect(b), second).complete);
  CHECK(b.written == "345");
}

TEST_CASE("another epoch, and a place in the future, are told", "[history]") {
  fixture f;
  f.append("1");
  const auto last = f.append("2");
  fake_connection::output a, b, c;
  SECTION("of another store") {
    const auto r = f.resume(f.connect(a), {last.epoch + 1, last.sequence});
    CHECK_FALSE(r.complete);
    CHECK(r.at == last);
    CHECK(a.written == "12");
    const auto again = f.resume(f.connect(b), {last.epoch + 1, 0}); // from memory
    CHECK_FALSE(again.complete);
    CHECK(b.written == "12");
  }
  SECTION("of the future") {
    const auto r = f.resume(f.connect(a), {last.epoch, last.sequence + 1000});
    CHECK_FALSE(r.complete);
    CHECK(r.at == last);
    CHECK(a.written.empty());
    f.append("3");
    CHECK(a.written == "3");
  }
  SECTION("the store is another one meanwhile") {
    CHECK(f.resume(f.connect(a), last).complete);
    auto other = std::make_shared<faulty_history>();
    const auto before = last.epoch;
    f.store = other;
    f.open();
    const auto now = f.append("new");
    CHECK(now.epoch != before);
    CHECK_FALSE(f.resume(f.connect(b), last).complete);
    CHECK(b.written == "new");
  }
}

TEST_CASE("a topic that nobody has written to is empty, and complete", "[history]") {
  fixture f;
  fake_connection::output a;
  const auto r = f.resume(f.connect(a), {});
  CHECK(r.complete);
  CHECK(r.replayed == 0);
  f.append("1");
  CHECK(a.written == "1");
  fake_connection::output b;
  CHECK(f.resume(f.connect(b), r.at).complete);
  CHECK(b.written == "1");
}

TEST_CASE("what is appended again with the same id is kept once", "[history]") {
  fixture f;
  fake_connection::output a;
  CHECK(f.resume(f.connect(a), {}).complete);
  const auto first = f.append("x", "id-1");
  CHECK(f.append("x", "id-1") == first);
  CHECK(f.append("x", "id-2") != first);
  CHECK(a.written == "xx");
}

TEST_CASE("history comes by pages, the newest first, up to its beginning", "[history]") {
  fixture f{{.ring_messages = 3}};
  for (int i = 0; i < 7; ++i)
    f.append(std::to_string(i));
  const auto page = [&](history_request r) {
    return f.value(f.rt.in_turn([&] { return f.room.history(f.writer(), r); }));
  };
  auto p = page({.limit = 3});
  CHECK(f.texts(p) == "456");
  p = page({.limit = 3, .before = p.messages.front()->at});
  CHECK(f.texts(p) == "123");
  p = page({.limit = 3, .before = p.messages.front()->at});
  CHECK(f.texts(p) == "0");
  p = page({.limit = 3, .before = p.messages.front()->at});
  CHECK(f.texts(p).empty());
  CHECK(f.texts(page({.limit = 100})) == "0123456");
  CHECK(f.texts(page({.limit = 3, .before = {1, 5}})).empty()); // of another epoch
}

TEST_CASE("a function gets messages with their places, and may leave or resume from within",
          "[history]") {
  fixture f;
  f.append("1", "me");
  fake_connection::output unused;
  auto& who = f.connect(unused);
  std::vector<std::string> got;
  const std::function<void(const kept_message&)> leave_at_3 = [&](const kept_message& m) {
    got.push_back(m.id + std::string{m.bytes.text()});
    if (m.bytes.text() == "3")
      f.room.leave(who);
    if (m.bytes.text() == "2")
      (void)f.room.resume(&who, m.at, 10, [&](const kept_message& next) {
        got.push_back("again " + std::string{next.bytes.text()});
      });
  };
  SECTION("live") {
    f.value(f.rt.in_turn([&] { return f.room.resume(&who, {}, 10, leave_at_3); }));
    CHECK(got == std::vector<std::string>{"me1"});
    f.append("3");
    f.append("4");
    CHECK(got == std::vector<std::string>{"me1", "3"});
  }
  SECTION("resumed from within") {
    f.value(f.rt.in_turn([&] { return f.room.resume(&who, {}, 10, leave_at_3); }));
    f.append("2");
    f.append("3");
    CHECK(got == std::vector<std::string>{"me1", "2", "again 3"});
  }
}

TEST_CASE("a subscriber that ends is gone, and so is what it waits for", "[history]") {
  fixture f;
  f.append("1");
  f.open();
  f.store->now->hold_reads = true;
  fake_connection::output a, b;
  auto& who = f.connect(a);
  bool told = false;
  f.resume_begun(who, {}).add_both([&](outcome<resumed>) { told = true; });
  caf::anon_send_exit(f.handles.back(), caf::exit_reason::user_shutdown);
  f.rt.settle();
  f.store->now->hold_reads = false;
  f.rt.in_turn([&] { f.store->now->let_read(); });
  f.rt.settle();
  CHECK_FALSE(told);
  CHECK(a.written.empty());
  CHECK(f.resume(f.connect(b), {}).complete);
  f.append("2");
  CHECK(b.written == "12");
}

TEST_CASE("a room that nobody uses is forgotten after a while, and found again in the store",
          "[history]") {
  fixture f{{.linger = 60s}};
  fake_connection::output a, b;
  auto& who = f.connect(a);
  const auto start = f.append("1");
  CHECK(f.resume(who, {}).complete);
  f.rt.in_turn([&] { f.room.leave(who); });
  for (int i = 0; i < 8; ++i)
    f.rt.advance(30s);
  const auto reads = f.store->now->reads;
  f.append("2");
  CHECK(f.resume(f.connect(b), start).complete);
  CHECK(f.store->now->reads == reads + 1);
  CHECK(b.written == "2");
}

TEST_CASE("a name that cannot be one, and options that make no sense, are refused", "[history]") {
  fixture f;
  CHECK_THROWS_WITH(f.topics->get(""), Contains("1 to 200 bytes"));
  CHECK_THROWS_WITH(f.topics->get(std::string(201, 'x')), Contains("not 201"));
  CHECK_THROWS_WITH((kept_topics{f.rt, nullptr}), Contains("no store"));
  CHECK_THROWS_WITH((kept_topics{f.rt, f.store, {.max_replay = 0}}), Contains("max_replay"));
}

TEST_CASE("after its end, kept topics refuse what is left of their handles", "[history]") {
  fixture f;
  fake_connection::output a;
  auto& who = f.connect(a);
  f.writer();
  f.topics.reset();
  CHECK(failure_result_of(f.append_begun("1")).check(errc::runtime_stopped));
  CHECK(failure_result_of(f.resume_begun(who, {})).check(errc::runtime_stopped));
}

// Messages are lost live, reads come late, subscribers come and go with what they have: each has all of it, once, in order.
