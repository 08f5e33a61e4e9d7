#include "sqlite_log.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/directory.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using Catch::Contains;
using troupe::detail::log_entry;
using troupe::detail::sqlite_error;
using troupe::detail::sqlite_log;

namespace {

struct opened {
  explicit opened(const sqlite_history_options& o) : options(o), log(options) {}
  sqlite_history_options options;
  sqlite_log log;

  std::vector<log_entry> append(const std::string& topic, const std::vector<std::string>& bodies,
                                const std::string& id = {}) {
    std::vector<log_entry> all;
    for (const auto& body : bodies)
      all.push_back({topic, id, shared_bytes{body}});
    log.append(all.data(), all.data() + all.size());
    return all;
  }
  std::string read(const std::string& topic, history_query q = {}) {
    if (q.limit == 0)
      q.limit = 1000;
    if (q.max_bytes == 0)
      q.max_bytes = 1 << 20;
    page = log.read(topic, q);
    std::string all;
    for (const auto& m : page.messages)
      all += m->bytes.text();
    return all;
  }
  history_page page;
};

/// Returns the code and the text with which opening fails.
failure refusal(const sqlite_history_options& options) {
  try {
    const sqlite_log log{options};
  } catch (const sqlite_error& e) {
    return failure{e.code(), e.what()};
  }
  return {};
}

} // namespace

TEST_CASE("a log in a file keeps messages by topic, in one order, and knows the one before each",
          "[sqlite_history]") {
  const directory folder;
  const sqlite_history_options options{.file = folder / "log"};
  std::uint64_t epoch = 0;
  {
    opened o{options};
    epoch = o.log.epoch();
    const auto first = o.append("a", {"1", "2"});
    CHECK(first[0].at == history_position{epoch, 1});
    CHECK(first[1].message->previous == 1);
    const auto other = o.append("b", {"x"});
    CHECK(other[0].at.sequence == 3);
    CHECK(other[0].message->previous == 0);
    CHECK(o.append("a", {std::string("\0\xff", 2)})[0].message->previous == 2);
  }
  opened again{options};
  CHECK(again.log.epoch() == epoch);
  CHECK(again.read("a") == std::string("12\0\xff", 4));
  CHECK(again.page.floor == 0);
  CHECK(again.page.last == 4);
  CHECK(again.read("b") == "x");
  CHECK(again.read("c").empty());
  CHECK(again.page.last == 0);
  CHECK(again.append("b", {"y", ""})[0].message->previous == 3);
  CHECK(again.read("b") == "xy");
  CHECK(again.page.messages.size() == 3); // one is empty
}

TEST_CASE("a log is read by place, number and bytes, the newest first", "[sqlite_history]") {
  const directory folder;
  opened o{{.file = folder / "log"}};
  o.append("a", {"1", "2", "3", "4", "5"});
  CHECK(o.read("a", {.after = 2}) == "345");
  CHECK(o.page.floor == 2);
  CHECK(o.read("a", {.limit = 2}) == "45");
  CHECK(o.page.floor == 3);
  CHECK(o.read("a", {.before = 4, .limit = 2}) == "23");
  CHECK(o.read("a", {.after = 5}).empty());
  CHECK(o.page.floor == 5);
  CHECK(o.read("a", {.after = UINT64_MAX}).empty());
  CHECK(o.read("a", {.max_bytes = 3}) == "345");
  o.append("a", {"a long one"});
  CHECK(o.read("a", {.max_bytes = 3}) == "a long one");
}

TEST_CASE("an id that the topic has is not kept again, in one transaction or in two",
          "[sqlite_history]") {
  const directory folder;
  opened o{{.file = folder / "log"}};
  const auto first = o.append("a", {"1", "1"}, "id");
  CHECK(first[0].at == first[1].at);
  CHECK(first[1].message == nullptr);
  CHECK(o.append("a", {"1"}, "id")[0].at == first[0].at);
  CHECK(o.append("b", {"1"}, "id")[0].at != first[0].at); // of another topic
  CHECK(o.read("a") == "1");
  CHECK(o.page.messages[0]->id == "id");
}

TEST_CASE("the oldest of a topic go, and what is missing can be told", "[sqlite_history]") {
  const directory folder;
  const sqlite_history_options options{.file = folder / "log", .per_topic = 8};
  {
    opened o{options};
    for (char c = 'a'; c < 'a' + 9; ++c)
      o.append("t", {std::string(1, c)});
    CHECK(o.read("t") == "abcdefghi"); // an eighth more than that stay
    o.append("t", {"j"});
    CHECK(o.read("t") == "cdefghij");
    CHECK(o.page.floor == 2);
  }
  opened again{options};
  again.append("t", {"k"});
  again.append("t", {"l"});
  CHECK(again.read("t") == "efghijkl");
}

TEST_CASE("what is too old goes, and its topic remembers where it was", "[sqlite_history]") {
  const directory folder;
  std::int64_t now = 1'000'000;
  opened o{{.file = folder / "log", .max_age = 10s, .date = [&] {
              return now;
            }}};
  o.append("t", {"1", "2"});
  now += 6000;
  o.append("t", {"3"});
  CHECK_FALSE(o.log.drop_old());
  CHECK(o.read("t") == "123");
  now += 4001;
  CHECK_FALSE(o.log.drop_old());
  CHECK(o.read("t") == "3");
  CHECK(o.page.floor == 2);
  now += 100'000;
  o.log.drop_old();
  CHECK(o.read("t").empty());
  CHECK(o.page.floor == 3);
  CHECK(o.append("t", {"4"})[0].message->previous == 3);
}

TEST_CASE("a full log keeps none of what was to be written at once, and goes on when there is room",
          "[sqlite_history]") {
  const directory folder;
  const sqlite_history_options options{
    .file = folder / "log", .per_topic = 4, .max_bytes = 256 * 1024};
  opened o{options};
  const std::string large(20'000, 'x');
  std::size_t kept = 0;
  failure why;
  for (int i = 0; i < 100 && !why; ++i)
    try {
      o.append("t" + std::to_string(i), {"small", large});
      ++kept;
    } catch (const sqlite_error& e) {
      why = failure{e.code(), e.what()};
      CHECK_FALSE(e.lost_sync());
    }
  CHECK(why.check(history_errc::store_full));
  CHECK_THAT(why.message(), Contains(options.file) && Contains("make room"));
  CHECK(kept > 5);
  CHECK(o.read("t" + std::to_string(kept)).empty());
  CHECK(o.read("t0") == "small" + large);
  const auto last = o.append("t0", {"a"});
  CHECK(last[0].at.sequence == 2 * kept + 1); // nothing is between
}

TEST_CASE("a file that is no log is refused with what to do, and left as it is",
          "[sqlite_history]") {
  const directory folder;
  const auto file = folder / "log";
  SECTION("text") {
    std::ofstream{file} << std::string(10'000, 'x');
    const auto why = refusal({.file = file});
    CHECK(why.check(history_errc::wrong_store));
    CHECK_THAT(why.message(), Contains(file) && Contains("choose another file"));
    CHECK(std::filesystem::file_size(file) == 10'000);
  }
  SECTION("a database of another program") {
    {
      troupe::detail::sqlite_database other{file};
      other.run("CREATE TABLE t (x)");
    }
    const auto why = refusal({.file = file});
    CHECK(why.check(history_errc::wrong_store));
    CHECK_THAT(why.message(), Contains("another program"));
  }
  SECTION("of a later version") {
    { opened o{{.file = file}}; }
    {
      troupe::detail::sqlite_database later{file};
      later.run("PRAGMA user_version = 2");
    }
    CHECK_THAT(refusal({.file = file}).message(), Contains("version is 2"));
  }
  SECTION("in a folder that is not there") {
    const auto why = refusal({.file = folder / "none/log"});
    CHECK(why.check(history_errc::store_failed));
    CHECK_THAT(why.message(), Contains("none/log") && Contains("look at the folder"));
  }
  SECTION("in use") {
    opened o{{.file = file}};
    o.append("t", {"1"});
    const auto why = refusal({.file = file});
    CHECK(why.check(history_errc::store_in_use));
    CHECK_THAT(why.message(), Contains("stop the other process"));
    CHECK(o.append("t", {"2"})[0].at.sequence == 2);
  }
}

TEST_CASE("a damaged log says so where it is read or written", "[sqlite_history]") {
  const directory folder;
  const auto file = folder / "log";
  {
    opened o{{.file = file}};
    for (int i = 0; i < 50; ++i)
      o.append("t", {std::string(3000, 'x')});
  }
  REQUIRE(std::filesystem::file_size(file) > 100'000);
  {
    std::fstream f{file, std::ios::in | std::ios::out | std::ios::binary};
    f.seekp(4096); // all but the head
    f << std::string(100'000, '\xa5');
  }
  std::string said;
  history_errc code{};
  try {
    opened o{{.file = file}};
    o.read("t");
  } catch (const sqlite_error& e) {
    said = e.what();
    code = static_cast<history_errc>(e.code().value());
  }
  CHECK(code == history_errc::store_corrupt);
  CHECK_THAT(said, Contains(file) && Contains("restore it from a copy"));
}
