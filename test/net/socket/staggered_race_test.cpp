#include <troupe/net/detail/staggered_race.hpp>

#include <troupe/testing/deferred.hpp>
#include <troupe/testing/manual_clock.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using race = troupe::detail::staggered_race<int>;

/// Attempts that end when the test says so.
struct contest {
  explicit contest(std::size_t count) : promises(count), cancelled(count) {}

  deferred<int> start() {
    std::vector<race::attempt> attempts;
    for (std::size_t i = 0; i < promises.size(); ++i)
      attempts.emplace_back([this, i] {
        begun.push_back(i);
        if (fails_at_once)
          return fail<int>(errc::connection_refused);
        promises[i].emplace([this, i] { cancelled[i] = true; });
        return promises[i]->get_deferred();
      });
    return race::run(clock, 300ms, std::move(attempts), [this](const std::vector<failure>& all) {
      failures = all;
      return all.front();
    });
  }

  manual_clock clock;
  std::vector<std::optional<promise<int>>> promises;
  std::vector<bool> cancelled;
  std::vector<std::size_t> begun;
  std::vector<failure> failures;
  bool fails_at_once = false;
};

} // namespace

TEST_CASE("attempts begin one head start after the other", "[E07]") {
  contest c{3};
  auto d = c.start();
  CHECK(c.begun == std::vector<std::size_t>{0});
  c.clock.advance(299ms);
  CHECK(c.begun.size() == 1);
  c.clock.advance(1ms);
  CHECK(c.begun == std::vector<std::size_t>{0, 1});
  c.clock.advance(300ms);
  CHECK(c.begun == std::vector<std::size_t>{0, 1, 2});
  CHECK(c.clock.get_delayed_calls().empty());
  c.promises[1]->callback(11);
  CHECK(success_result_of(std::move(d)) == 11);
  CHECK(c.cancelled == std::vector<bool>{true, false, true});
}

TEST_CASE("the first to succeed wins, and leaves no call behind", "[E07]") {
  contest c{2};
  auto d = c.start();
  c.promises[0]->callback(1);
  CHECK(success_result_of(std::move(d)) == 1);
  CHECK(c.begun.size() == 1);
  CHECK(c.clock.get_delayed_calls().empty());
}

TEST_CASE("an attempt that fails lets the next begin at once", "[E07]") {
  contest c{3};
  auto d = c.start();
  c.clock.advance(100ms);
  c.promises[0]->errback(errc::no_route);
  CHECK(c.begun == std::vector<std::size_t>{0, 1});
  c.clock.advance(299ms);
  CHECK(c.begun.size() == 2);
  c.clock.advance(1ms); // a head start after the second began
  CHECK(c.begun.size() == 3);
  c.promises[1]->errback(errc::no_route);
  c.promises[2]->callback(3);
  CHECK(success_result_of(std::move(d)) == 3);
}

TEST_CASE("when all have failed, each is told in order", "[E07]") {
  contest c{3};
  auto d = c.start();
  c.clock.advance(300ms);
  c.clock.advance(300ms);
  c.promises[2]->errback(errc::timed_out);
  c.promises[0]->errback(errc::no_route);
  assert_no_result(d);
  c.promises[1]->errback(errc::connection_refused);
  failure_result_of(std::move(d), errc::no_route);
  REQUIRE(c.failures.size() == 3);
  CHECK(c.failures[1].check(errc::connection_refused));
  CHECK(c.failures[2].check(errc::timed_out));
  CHECK(c.clock.get_delayed_calls().empty());
}

TEST_CASE("attempts that fail at once are all made", "[E07]") {
  contest c{100};
  c.fails_at_once = true;
  failure_result_of(c.start(), errc::connection_refused);
  CHECK(c.begun.size() == 100);
  CHECK(c.failures.size() == 100);
  CHECK(c.clock.get_delayed_calls().empty());
}

TEST_CASE("cancelling the race cancels every attempt", "[E07]") {
  contest c{3};
  auto d = c.start();
  c.clock.advance(300ms);
  d.cancel();
  failure_result_of(std::move(d), errc::cancelled);
  CHECK(c.cancelled == std::vector<bool>{true, true, false});
  CHECK(c.clock.get_delayed_calls().empty());
}
