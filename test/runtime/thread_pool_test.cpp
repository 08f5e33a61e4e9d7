#include <troupe/runtime/thread_pool.hpp>

#include <atomic>
#include <latch>

#include "support/catch.hpp"

using namespace troupe;

TEST_CASE("work that waits for the start brings as many threads as allowed", "[H09]") {
  const auto [jobs, expected] = GENERATE(table<std::size_t, std::size_t>({{5, 5}, {50, 10}}));
  thread_pool pool{0, 10};
  std::latch begun{static_cast<std::ptrdiff_t>(expected)}, go{1};
  std::atomic<std::size_t> made{0};
  for (std::size_t i = 0; i < jobs; ++i)
    pool.call_in_thread([&] {
      if (made++ < expected)
        begun.count_down();
      go.wait();
    });
  CHECK(pool.workers() == 0);
  CHECK(pool.queued() == jobs);
  pool.start();
  begun.wait();
  CHECK(pool.workers() == expected);
  CHECK(pool.queued() == jobs - expected);
  go.count_down();
  pool.stop();
  pool.join();
  CHECK(made == jobs); // what was queued is finished
  CHECK(pool.workers() == 0);
}

TEST_CASE("an exception is logged, and the thread goes on", "[H06]") {
  thread_pool pool{1, 1};
  pool.start();
  std::latch done{1};
  pool.call_in_thread([] { throw std::runtime_error("no"); });
  pool.call_in_thread([&] { done.count_down(); });
  done.wait();
  CHECK(pool.workers() == 1);
}

TEST_CASE("a result callback runs in the same thread, with the result or the failure", "[H07]") {
  thread_pool pool{0, 2};
  pool.start();
  std::latch done{2};
  bool same_thread = false; // looked at behind the latch
  std::string message;
  pool.call_in_thread_with_callback(
    [&](outcome<std::thread::id> x) {
      same_thread = x.value() == std::this_thread::get_id();
      done.count_down();
    },
    [] { return std::this_thread::get_id(); });
  pool.call_in_thread_with_callback(
    [&](outcome<void> x) {
      message = x.error().message();
      done.count_down();
      throw std::runtime_error("logged");
    },
    [] { throw std::runtime_error("new"); });
  done.wait();
  CHECK(same_thread);
  CHECK(message == "new");
}

TEST_CASE("limits can be changed, and nonsense is refused", "[H10]") {
  thread_pool pool{0, 1};
  CHECK_THROWS_AS(pool.adjust_size(2, 1), std::logic_error);
  CHECK_THROWS_AS(thread_pool(0, 0), std::logic_error);
  CHECK_THROWS_AS(pool.call_in_thread(task{}), std::logic_error);
  pool.start();
  pool.adjust_size(3, 5);
  CHECK(pool.workers() == 3);
  CHECK(pool.min() == 3);
  CHECK(pool.max() == 5);
}

TEST_CASE("after the stop work is dropped", "[H13]") {
  thread_pool pool{0, 1};
  pool.start();
  bool told = false, ran = false;
  pool.stop([&] { told = true; });
  CHECK(told);
  pool.call_in_thread([&] { ran = true; });
  pool.join();
  CHECK_FALSE(ran);
  CHECK(pool.queued() == 0);
}
