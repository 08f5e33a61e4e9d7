// What is read of a stream, over a server that a test tells what happens meanwhile.

#include <troupe/jetstream_history/jetstream_history.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <troupe/history/history_errc.hpp>

#include "fake_jetstream.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using strings = std::vector<std::string>;
using fixture = fake_jetstream_fixture;

namespace {

strings texts(const history_page& page) {
  strings all;
  for (const auto& m : page.messages)
    all.emplace_back(m->bytes.text());
  return all;
}

strings numbers(std::uint64_t from, std::uint64_t to, std::uint64_t step = 1) {
  strings all;
  for (; from <= to; from += step)
    all.push_back(std::to_string(from));
  return all;
}

} // namespace

TEST_CASE(
  "what is kept while a quiet room is read for the first time is heard once, whenever it comes",
  "[history]") {
  const auto at = GENERATE(range(0, 4)); // the request
  const bool before = GENERATE(true, false);
  const bool has_some = GENERATE(true, false);
  INFO("request " << at << (before ? ", before" : ", after") << " its answer");
  fixture f;
  REQUIRE(f.topics->ready());
  if (has_some)
    f.stream.keep("t", "0");
  int asked = 0;
  f.stream.before = [&](std::string_view) {
    if (before && asked++ == at)
      f.stream.keep("t", "1");
  };
  f.stream.after = [&](std::string_view) {
    if (!before && asked++ == at)
      f.stream.keep("t", "1");
  };
  CHECK(f.resume("t", {}).complete);
  f.stream.before = f.stream.after = [](std::string_view) {
  };
  f.net.rt.in_turn([&] {
    if (asked <= at)
      f.stream.keep("t", "1");
    f.stream.keep("t", "2");
  });
  f.net.flush();
  CHECK(f.heard == (has_some ? strings{"0", "1", "2"} : strings{"1", "2"}));
  CHECK(f.topics->counters().gaps_unfilled == 0);
}

TEST_CASE("a question that nobody answers makes no hole in a page", "[history]") {
  fixture f;
  for (int i = 1; i <= 400; ++i)
    f.stream.keep("t", std::to_string(i));
  int asked = 0;
  f.stream.answers = [&](std::string_view subject) {
    return subject.find("MSG.GET") == std::string_view::npos || ++asked != 100;
  };
  auto d = f.resume_begun("t", {}, 400);
  CHECK(asked > 300);
  CHECK_FALSE(d.called());
  f.net.advance(6s);
  CHECK_FALSE(success_result_of(std::move(d)).complete);
  CHECK(f.heard.empty());
  CHECK(f.resume("t", {}, 400).complete);
  CHECK(f.heard == numbers(1, 400));
}

TEST_CASE("what the stream drops while it is read is told, and no hole is left", "[history]") {
  fixture f{{.per_topic = 400}};
  const auto first = f.stream.keep("t", "1");
  for (int i = 2; i <= 400; ++i)
    f.stream.keep("t", std::to_string(i));
  const auto epoch = f.resume("other", {}).at.epoch;
  int asked = 0;
  const auto at = GENERATE(2, 5, 100, 250);
  f.stream.before = [&](std::string_view subject) {
    if (subject.find("MSG.GET") == std::string_view::npos || ++asked != at)
      return;
    for (int i = 401; i < 700; ++i)
      f.stream.keep("t", std::to_string(i));
    f.stream.drop_before(300);
  };
  SECTION("who comes back") {
    CHECK_FALSE(f.resume("t", {epoch, first}, 1000).complete);
    CHECK(f.heard == numbers(300, 699));
  }
  SECTION("in a page") {
    const auto page = success_result_of(f.history("t", {.limit = 1000, .before = {epoch, 350}}));
    CHECK(texts(page) == numbers(300, 349));
    CHECK(page.floor == 299);
  }
  CHECK(asked > at);
}

TEST_CASE("a page is not taken for all that there ever was if some is dropped meanwhile",
          "[history]") {
  const auto at = GENERATE(2, 5, 100, 250);
  fixture f{{.per_topic = 400}};
  for (int i = 1; i <= 400; ++i)
    f.stream.keep("t", std::to_string(i));
  int asked = 0;
  f.stream.before = [&](std::string_view subject) {
    if (subject.find("MSG.GET") == std::string_view::npos || ++asked != at)
      return;
    for (int i = 401; i <= 450; ++i)
      f.stream.keep("t", std::to_string(i));
    f.stream.drop_before(51);
  };
  const auto page = success_result_of(f.history("t", {.limit = 1000}));
  CHECK(texts(page) == numbers(51, 450));
  CHECK(page.floor == 50);
}

TEST_CASE("a page has nothing of what is gone when it is made", "[history]") {
  fixture f;
  for (int i = 1; i <= 20; ++i)
    f.stream.keep("t", std::to_string(i));
  f.stream.before = [&](std::string_view subject) {
    if (subject.find("MSG.GET") != std::string_view::npos
        && f.stream.asked == 21) // for all of them
      f.stream.drop_before(f.stream.last + 1);
  };
  CHECK(success_result_of(f.history("t", {})).messages.empty());
}

TEST_CASE("a page of large messages has as many of the newest as its bytes allow", "[history]") {
  fixture f{{}, {.max_replay_bytes = 1'000, .patience = 1h, .append_timeout = 1h}};
  std::vector<std::uint64_t> places;
  for (int i = 1; i <= 400; ++i)
    places.push_back(f.stream.keep("t", std::string(i < 395 ? 20 : 150, 'x') + std::to_string(i)));
  const auto page = success_result_of(f.history("t", {.limit = 1000}));
  REQUIRE(page.messages.size() == 9); // six of 153 bytes, and three of 23
  CHECK(page.floor == places[390]);
  for (std::size_t i = 0; i < page.messages.size(); ++i)
    CHECK(page.messages[i]->previous == places[390 + i]);
}

TEST_CASE("a page of a stream that has come to the last of its sequences is read", "[history]") {
  fixture f;
  f.stream.last = UINT64_MAX - 3;
  f.stream.keep("t", "1");
  f.stream.keep("t", "2");
  CHECK(texts(success_result_of(f.history("t", {.limit = 1000}))) == strings{"1", "2"});
  f.stream.keep("t", "3");
  (void)f.history("t", {.limit = 1000});
  CHECK(f.stream.asked < 500);
}

TEST_CASE("a server that answers with what was not asked for is not believed", "[history]") {
  fixture f;
  f.stream.keep("t", "1");
  f.stream.keep("t", "2");
  f.stream.goes_back = true;
  CHECK(failure_result_of(f.history("t", {})).check(history_errc::store_unavailable));
  CHECK(f.stream.asked < 20);
}

TEST_CASE("a page before a place reads little of a long history", "[history]") {
  const auto others = GENERATE(0, 1, 30);
  INFO(others << " messages of others between two");
  fixture f{{.per_topic = 1'000'000}};
  std::vector<std::uint64_t> places;
  for (int i = 1; i <= 3000; ++i) {
    places.push_back(f.stream.keep("t", std::to_string(i)));
    for (int k = 0; k < others; ++k)
      f.stream.keep("other", "x");
  }
  const auto epoch = f.resume("third", {}).at.epoch;
  f.stream.asked = 0;
  const auto page =
    success_result_of(f.history("t", {.limit = 50, .before = {epoch, places[1999]}}));
  CHECK(texts(page) == numbers(1950, 1999));
  CHECK(page.floor == places[1948]);
  CHECK(page.last == places.back());
  for (std::size_t i = 0; i < page.messages.size(); ++i)
    CHECK(page.messages[i]->previous == places[1948 + i]);
  INFO(f.stream.asked);
  CHECK(f.stream.asked <= 150);

  SECTION("and so does who comes for the first time") {
    f.stream.asked = 0;
    CHECK(f.resume("t", {}, 20).complete);
    CHECK(f.heard == numbers(2981, 3000));
    INFO(f.stream.asked);
    CHECK(f.stream.asked <= 300);
  }
  SECTION("also at its beginning") {
    const auto start =
      success_result_of(f.history("t", {.limit = 50, .before = {epoch, places[20]}}));
    CHECK(texts(start) == numbers(1, 20));
    CHECK(success_result_of(f.history("t", {.limit = 50, .before = {epoch, places[0]}}))
            .messages.empty());
  }
}

TEST_CASE("a page reaches back to where a room was last used", "[history]") {
  fixture f;
  const auto first = f.stream.keep("t", "1");
  f.stream.keep("t", "2");
  for (int i = 0; i < 20'000; ++i)
    f.stream.keep("other", "x");
  f.stream.keep("t", "3");
  f.stream.asked = 0;
  CHECK(f.resume("t", {}, 10).complete);
  CHECK(f.heard == strings{"1", "2", "3"});
  INFO(f.stream.asked);
  CHECK(f.stream.asked <= 60);
  const auto epoch = f.resume("other", {}, 0).at.epoch;
  const auto page = success_result_of(f.history("t", {.limit = 1, .before = {epoch, first + 2}}));
  CHECK(texts(page) == strings{"2"});
  CHECK(page.floor == first);
}

TEST_CASE("a topic that is resumed in the turn in which its store is attached is heard",
          "[history]") {
  fixture f;
  auto begun = f.net.rt.in_turn([&] {
    f.attach();
    return f.resume_now("t", {}, 10);
  });
  f.net.flush();
  CHECK(success_result_of(std::move(begun)).complete);
  f.net.rt.in_turn([&] { f.stream.keep("t", "1"); });
  f.net.flush();
  CHECK(f.heard == strings{"1"});
}
