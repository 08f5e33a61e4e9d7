// What a page of a kept topic has when something was missed, or the store is away, slow or behind.

#include <troupe/history/kept_topics.hpp>

#include <memory>
#include <string>

#include "kept_topics_fixture.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

using fixture = kept_topics_fixture;

TEST_CASE("a page waits for what was missed, and who resumes does not", "[history]") {
  fixture f;
  fake_connection::output a, b;
  CHECK(f.resume(f.connect(a), {}).complete);
  const auto first = f.append("1");
  const auto ask = [&] {
    auto page = f.rt.in_turn([&] { return f.room.history(f.writer()); });
    f.rt.settle();
    return page;
  };
  auto& store = *f.store->now;

  SECTION("while the store was away") {
    store.lose_live = 1;
    f.append("2");
    store.hold_reads = true;
    f.rt.in_turn([&] { store.events->history_lost(failure{history_errc::store_unavailable}); });
    CHECK(failure_result_of(ask()).check(history_errc::store_unavailable));
    f.rt.in_turn([&] { store.events->history_ready(first.epoch); });
    f.rt.settle();
    auto page = ask();
    CHECK_FALSE(page.ready());
    CHECK(f.resume(f.connect(b), first).complete);
    CHECK(b.written.empty());

    const auto comes_with_the_next_read = [&] {
      f.rt.settle();
      CHECK(store.held.size() == 2);
      f.rt.in_turn([&] { store.let_read(1); });
      f.rt.settle();
      CHECK_FALSE(page.ready());
      CHECK(store.held.size() == 1);
      f.rt.in_turn([&] { store.let_read(); });
      CHECK(f.texts(f.value(std::move(page))) == "12");
    };
    SECTION("and is back") {
      store.hold_reads = false;
      f.rt.in_turn([&] { store.let_read(); });
      CHECK(f.texts(f.value(std::move(page))) == "12");
      CHECK(a.written == "12");
      CHECK(b.written == "2");
      const auto reads = store.reads;
      CHECK(f.texts(f.value(ask())) == "12");
      CHECK(store.reads == reads);
    }
    SECTION("and is away again: what was read before that is asked for once more") {
      f.rt.in_turn([&] {
        store.events->history_lost(failure{history_errc::store_unavailable});
        store.events->history_ready(first.epoch);
      });
      CHECK(failure_result_of(std::move(page)).check(history_errc::store_unavailable));
      page = ask();
      comes_with_the_next_read();
    }
    SECTION("and who was asked before that never answers") {
      f.rt.in_turn([&] {
        store.events->history_lost(failure{history_errc::store_unavailable});
        store.events->history_ready(first.epoch);
      });
      CHECK(failure_result_of(std::move(page)).check(history_errc::store_unavailable));
      page = ask();
      store.held.pop_front();
      f.rt.in_turn([&] { store.let_read(); });
      CHECK(f.texts(f.value(std::move(page))) == "12");
      CHECK(a.written == "12");
      f.rt.advance(5s);
      f.rt.settle();
    }
    SECTION("and may have more than when it was asked") {
      f.rt.in_turn([&] { store.events->history_ready(first.epoch); }); // another server leads it
      comes_with_the_next_read();
    }
    SECTION("and cannot read") {
      f.rt.in_turn([&] { store.fail_read(); });
      CHECK(failure_result_of(std::move(page)).check(history_errc::store_failed));
    }
  }
  SECTION("that was said to be kept, and has not been heard") {
    store.lose_live = 1;
    f.append("2");
    const auto reads = store.reads;
    CHECK(f.texts(f.value(ask())) == "12");
    CHECK(store.reads == reads + 1);
    CHECK(f.texts(f.value(ask())) == "12");
    CHECK(store.reads == reads + 1); // it has been heard with that page
  }
  SECTION("that was said to be kept before, and not for what is said to be while it is read") {
    store.lose_live = 2;
    f.append("2");
    store.hold_reads = true;
    auto page = ask();
    f.append("3");
    f.rt.in_turn([&] { store.let_read(); });
    CHECK(f.texts(f.value(std::move(page))) == "12");
  }
  SECTION("that was said to be kept, and which a copy that is behind does not have") {
    store.lose_live = 1;
    f.append("2");
    store.spoil = [](history_page& p) {
      p.messages.pop_back();
    };
    const auto reads = store.reads;
    auto page = ask();
    const bool comes = GENERATE(true, false);
    const auto span = f.options.patience / 4;
    f.rt.advance(span);
    f.rt.settle();
    CHECK(store.reads == reads + 2);
    if (!comes) {
      f.rt.advance(span);
      f.rt.settle();
      f.rt.advance(span - 1ns);
      f.rt.settle();
      CHECK_FALSE(page.ready());
      f.rt.advance(1ns);
      f.rt.settle();
      CHECK(failure_result_of(std::move(page)).check(history_errc::store_unavailable));
      CHECK(store.reads == reads + 4);
      page = ask();
    }
    store.spoil = [](history_page&) {
    };
    f.rt.advance(span);
    CHECK(f.texts(f.value(std::move(page))) == "12");
  }
  SECTION("that was said to be kept, and is gone since") {
    store.lose_live = 1;
    f.append("2");
    store.spoil = [](history_page& p) {
      p.messages.clear();
      p.floor = p.last = 0;
    };
    CHECK(f.texts(f.value(ask())) == "1"); // which memory has
  }
}

TEST_CASE("a page has what comes while it is read, too, as far as memory has it", "[history]") {
  const bool all = GENERATE(true, false);
  fixture f{{.ring_messages = 2, .max_replay = all ? std::size_t{6} : std::size_t{3}}};
  fake_connection::output a;
  CHECK(f.resume(f.connect(a), {}).complete);
  for (const char* text : {"1", "2", "3"})
    f.append(text);
  f.store->now->hold_reads = true;
  auto page = f.rt.in_turn([&] { return f.room.history(f.writer()); });
  f.rt.settle();
  for (const char* text : {"4", "5", "6", "7"})
    f.append(text);
  f.rt.in_turn([&] { f.store->now->let_read(); });
  CHECK(f.texts(f.value(std::move(page))) == (all ? "234567" : "123"));
  CHECK(a.written == "1234567");
}

TEST_CASE("a page is not made of memory where the store has less than that", "[history]") {
  fixture f{{.ring_messages = 2}};
  fake_connection::output a;
  CHECK(f.resume(f.connect(a), {}).complete);
  for (const char* text : {"1", "2", "3", "4", "5"})
    f.append(text);
  const auto ask = [&] {
    return f.rt.in_turn([&] { return f.room.history(f.writer()); });
  };
  f.store->now->spoil = [](history_page& p) {
    p.messages.resize(2);
  };
  auto page = ask();
  f.rt.settle();
  CHECK_FALSE(page.ready());
  f.rt.advance(f.options.patience);
  CHECK(failure_result_of(std::move(page)).check(history_errc::store_unavailable));
  f.store->now->spoil = [](history_page& p) {
    p.messages.clear();
    p.floor = p.last = 0;
  };
  CHECK(f.value(ask()).messages.empty()); // dropped since
  f.store->now->spoil = [](history_page&) {
  };
  CHECK(f.texts(f.value(ask())) == "12345");
}

TEST_CASE("a page has what was heard of others when it was asked for, and nothing of another epoch",
          "[history]") {
  fixture f{{.ring_messages = 2}};
  fake_connection::output a;
  CHECK(f.resume(f.connect(a), {}).complete);
  for (const char* text : {"1", "2", "3"})
    f.append(text);
  const auto epoch = f.append("4").epoch;
  auto& store = *f.store->now;
  const auto ask = [&] {
    return f.rt.in_turn([&] { return f.room.history(f.writer()); });
  };

  SECTION("of others") {
    f.rt.in_turn([&] {
      for (std::uint64_t n = 5; n < 9; ++n)
        store.events->history_kept("lobby", std::make_shared<const kept_message>(kept_message{
                                              {epoch, n}, n - 1, 0, {}, shared_bytes{"x"}}));
      store.events->history_kept_so_far();
    });
    auto page = ask();
    f.rt.settle();
    CHECK_FALSE(page.ready());
    f.rt.advance(f.options.patience);
    CHECK(failure_result_of(std::move(page)).check(history_errc::store_unavailable));
  }
  SECTION("of another epoch") {
    store.spoil = [&](history_page& p) {
      p.epoch = epoch + 2;
      p.messages.resize(1);
    };
    store.hold_reads = true;
    auto page = ask();
    f.rt.settle();
    f.rt.in_turn([&] { store.events->history_ready(epoch + 2); });
    store.hold_reads = false;
    f.rt.in_turn([&] { store.let_read(); });
    CHECK(f.texts(f.value(std::move(page))) == "1");
  }
}

TEST_CASE("who asks for more than what is being read gets more", "[history]") {
  fixture f{{.ring_messages = 2}};
  fake_connection::output b;
  const auto first = f.append("0");
  for (int i = 1; i < 8; ++i)
    f.append(std::to_string(i));
  auto& store = *f.store->now;
  store.hold_reads = true;
  const auto ask = [&](std::size_t limit) {
    auto page = f.rt.in_turn([&] { return f.room.history(f.writer(), {.limit = limit}); });
    f.rt.settle();
    return page;
  };
  auto small = ask(3);
  auto large = ask(6);
  auto all = f.resume_begun(f.connect(b), first);
  CHECK(store.held.size() == 1);
  store.hold_reads = false;
  f.rt.in_turn([&] { store.let_read(); });
  CHECK(f.texts(f.value(std::move(small))) == "567");
  CHECK(f.texts(f.value(std::move(large))) == "234567");
  CHECK(f.value(std::move(all)).complete);
  CHECK(b.written == "1234567");
  CHECK(store.reads == 2);
}
