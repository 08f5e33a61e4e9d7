#include <troupe/runtime/repeats.hpp>

#include <algorithm>
#include <optional>
#include <sstream>

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <troupe/testing/manual_clock.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::manual_clock;

namespace {

struct fixture {
  fixture() { logger.set_pattern("%l %v"); }
  void fail(int n = 1, const std::string& kind = "a") {
    for (int i = 0; i < n; ++i)
      log->note(kind, log_level::error, [&] {
        ++rendered;
        return kind + " failed: no room";
      });
  }
  std::string told() {
    auto all = text.str();
    text.str({});
    return all;
  }

  std::ostringstream text;
  spdlog::logger logger{"", std::make_shared<spdlog::sinks::ostream_sink_st>(text)};
  manual_clock time;
  int rendered = 0;
  std::optional<repeats> log{std::in_place, logger, time, 60s};
};

} // namespace

TEST_CASE("what repeats is logged once, and then counted", "[repeats]") {
  fixture f;
  f.fail();
  CHECK(f.told() == "error a failed: no room\n");
  CHECK(f.time.get_delayed_calls().empty()); // nothing repeats yet
  f.time.advance(20s);
  f.fail(1000);
  CHECK(f.told().empty());
  CHECK(f.rendered == 1);
  f.time.advance(39999ms);
  CHECK(f.told().empty());
  f.time.advance(1ms);
  CHECK(f.told() == "error a failed: no room (1000 more within 60 s)\n");
  f.time.advance(59s);
  f.fail(2);
  f.time.advance(1s);
  CHECK(f.told() == "error a failed: no room (2 more within 60 s)\n");
  f.time.advance(24h);
  CHECK(f.told().empty());
  CHECK(f.time.get_delayed_calls().empty()); // it stopped, and costs nothing
  f.fail();
  CHECK(f.told() == "error a failed: no room\n"); // begins anew
}

TEST_CASE("the end of what repeats is told with how often it was, and only then", "[repeats]") {
  fixture f;
  f.log->over("a", log_level::info, "a works");
  CHECK(f.told().empty());
  f.fail(30);
  f.told();
  f.time.advance(3s);
  f.log->over("a", log_level::info, "a works");
  CHECK(f.told() == "info a works (after 30 times within 3 s)\n");
  f.log->over("a", log_level::info, "a works");
  f.time.advance(60s);
  CHECK(f.told().empty());
  f.fail();
  CHECK(f.told() == "error a failed: no room\n");
  f.log->over("a", log_level::info, "a works");
  CHECK(f.told() == "info a works (after 1 time within 0 s)\n");
}

TEST_CASE("kinds are told apart, up to a bound", "[repeats]") {
  fixture f;
  f.fail(2, "a");
  f.fail(2, "b");
  CHECK(f.told() == "error a failed: no room\nerror b failed: no room\n");
  for (std::size_t i = 0; i < 2 * repeats::most_kinds; ++i)
    f.fail(1, std::to_string(i));
  const auto text = f.told();
  CHECK(std::count(text.begin(), text.end(), '\n') == repeats::most_kinds - 1);
  f.time.advance(60s);
  f.told();
  f.time.advance(60s);
  f.fail(1, "c"); // those that are quiet make room
  CHECK(f.told() == "error c failed: no room\n");
}

TEST_CASE("what is below the logger's level is neither rendered nor counted", "[repeats]") {
  fixture f;
  f.logger.set_level(spdlog::level::critical);
  f.fail(10);
  f.logger.set_level(spdlog::level::info);
  CHECK(f.rendered == 0);
  f.fail();
  CHECK(f.told() == "error a failed: no room\n");
}

TEST_CASE("what was counted and not told is told at the end", "[repeats]") {
  fixture f;
  f.fail(8);
  f.told();
  f.time.advance(5s);
  f.log.reset();
  CHECK(f.told() == "error a failed: no room (7 more within 5 s)\n");
  f.time.advance(1h); // the call that it left behind finds nothing
  CHECK(f.told().empty());
}
