#include <troupe/runtime/deferred_filesystem_lock.hpp>

#include <fstream>

#include <unistd.h>

#include <troupe/testing/deferred.hpp>
#include <troupe/testing/manual_clock.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

struct lock_file {
  lock_file()
    : path(std::filesystem::temp_directory_path() / ("troupe-lock-" + std::to_string(::getpid()))) {
    std::filesystem::remove(path);
  }
  ~lock_file() { std::filesystem::remove(path); }
  std::filesystem::path path;
};

} // namespace

TEST_CASE("a filesystem lock is had by one at a time", "[Q19]") {
  const lock_file file;
  manual_clock clock;
  deferred_filesystem_lock a{file.path, clock};
  deferred_filesystem_lock b{file.path, clock};
  CHECK(a.lock());
  CHECK(a.clean());
  CHECK(a.locked());
  CHECK_FALSE(a.lock());
  CHECK_FALSE(b.lock());
  long holder = 0;
  std::ifstream{file.path} >> holder;
  CHECK(holder == ::getpid());
  a.unlock();
  CHECK(b.lock());
  CHECK(b.clean());
  CHECK_THROWS_AS(a.unlock(), std::logic_error);
}

TEST_CASE("waiting for a filesystem lock that stays held times out", "[Q19]") {
  const lock_file file;
  manual_clock clock;
  deferred_filesystem_lock holder{file.path, clock};
  deferred_filesystem_lock lock{file.path, clock};
  REQUIRE(holder.lock());
  auto d = lock.defer_until_locked(5500ms);
  for (int i = 0; i < 5; ++i)
    clock.advance(1s);
  clock.advance(499ms);
  assert_no_result(d);
  clock.advance(1ms);
  const auto why = failure_result_of(std::move(d), errc::timed_out);
  CHECK(why.message().find(file.path) != std::string::npos);
  CHECK(clock.get_delayed_calls().empty());
  CHECK_FALSE(lock.locked());
}

TEST_CASE("a filesystem lock that is given back is taken at the next attempt", "[Q19]") {
  const lock_file file;
  manual_clock clock;
  deferred_filesystem_lock holder{file.path, clock};
  deferred_filesystem_lock lock{file.path, clock};
  REQUIRE(holder.lock());
  auto d = lock.defer_until_locked(10s);
  clock.advance(500ms);
  holder.unlock();
  assert_no_result(d);
  clock.advance(500ms);
  success_result_of(std::move(d));
  CHECK(lock.locked());
  CHECK(clock.get_delayed_calls().empty());
}

TEST_CASE("a second attempt on one filesystem lock is refused", "[Q19]") {
  const lock_file file;
  manual_clock clock;
  deferred_filesystem_lock holder{file.path, clock};
  deferred_filesystem_lock lock{file.path, clock};
  REQUIRE(holder.lock());
  auto d = lock.defer_until_locked();
  failure_result_of(lock.defer_until_locked(), errc::already_trying_to_lock);
  d.cancel();
  failure_result_of(std::move(d), errc::cancelled);
  CHECK(clock.get_delayed_calls().empty());
  holder.unlock();
  success_result_of(lock.defer_until_locked());
}

TEST_CASE("the end of a filesystem lock cancels the attempt and gives the lock back", "[Q19]") {
  const lock_file file;
  manual_clock clock;
  deferred_filesystem_lock other{file.path, clock};
  {
    deferred_filesystem_lock holder{file.path, clock};
    REQUIRE(holder.lock());
    auto d = std::make_unique<deferred_filesystem_lock>(file.path, clock);
    auto waiting = d->defer_until_locked();
    d.reset();
    failure_result_of(std::move(waiting), errc::cancelled);
    CHECK(clock.get_delayed_calls().empty());
    CHECK_FALSE(other.lock());
  }
  CHECK(other.lock());
}

TEST_CASE("a holder that died leaves a filesystem lock free, and not clean", "[Q19]") {
  const lock_file file;
  std::ofstream{file.path} << "4711\n"; // as one who died left it
  manual_clock clock;
  deferred_filesystem_lock lock{file.path, clock};
  CHECK(lock.lock());
  CHECK_FALSE(lock.clean());
}

TEST_CASE("a filesystem lock that cannot be had at all says why", "[Q19]") {
  manual_clock clock;
  deferred_filesystem_lock lock{"/nonexistent/lock", clock};
  CHECK_THROWS_AS(lock.lock(), std::system_error);
  const auto why = failure_result_of(lock.defer_until_locked());
  CHECK(why.check(std::errc::no_such_file_or_directory));
  CHECK(why.message().find("/nonexistent/lock") != std::string::npos);
}
