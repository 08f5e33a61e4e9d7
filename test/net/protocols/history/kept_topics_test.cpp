#include <troupe/history/kept_topics.hpp>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <troupe/testing/deferred.hpp>
#include <troupe/testing/logged_errors.hpp>

#include "faulty_history.hpp"
#include "support/catch.hpp"
#include "support/topic_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

struct fixture {
  explicit fixture(kept_topics_options o = {}, memory_history_options m = {})
    : options(o), store(std::make_shared<faulty_history>(m)) {
    open();
  }
  ~fixture() { // stores fail here as a test says; what is told again and again is told by then
    topics.reset();
    rt.advance(2min);
    errors.flush();
  }

  void open() {
    topics.reset();
    topics.emplace(rt, store, options);
    rt.settle();
    room = topics->get("lobby");
  }

  fake_connection& connect(fake_connection::output& out) {
    handles.push_back(rt.spawn_on<fake_connection>(0, &out));
    rt.settle();
    return topic_fixture::connection(handles.back());
  }

  /// Appends, and returns where it is.
  history_position append(std::string_view text, const std::string& id = {}) {
    return value(append_begun(text, id));
  }
  deferred<history_position> append_begun(std::string_view text, const std::string& id = {}) {
    auto& w = writer();
    auto d = rt.in_turn([&] { return room.append(w, text, {.id = id}); });
    rt.settle();
    return d;
  }

  deferred<resumed> resume_begun(fake_connection& who, history_position since,
                                 std::size_t limit = 1000) {
    auto d = rt.in_turn([&] { return room.resume(&who, since, limit); });
    rt.settle();
    return d;
  }
  resumed resume(fake_connection& who, history_position since, std::size_t limit = 1000) {
    return value(resume_begun(who, since, limit));
  }

  template <class T>
  T value(deferred<T> d) {
    rt.settle();
    return success_result_of(std::move(d));
  }

  std::string texts(const history_page& page) {
    std::string all;
    for (const auto& m : page.messages)
      all += m->bytes.text();
    return all;
  }

  fake_connection& writer() {
    if (!writer_)
      writer_ = &connect(unread);
    return *writer_;
  }

  kept_topics_options options;
  fake_connection::output unread;
  manual_runtime rt;
  logged_errors errors{rt};
  std::shared_ptr<faulty_history> store;
  std::vector<caf::actor> handles;
  fake_connection* writer_ = nullptr;
  std::optional<kept_topics> topics;
  kept_topic room;
};

} // namespace

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
  CHECK(a.written.empty()); // it was told that it would not come
  f.append("3");
  CHECK(a.written == "3");
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
