#include <troupe/runtime/thread_pool.hpp>

#include <atomic>
#include <chrono>
#include <fstream>
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

namespace {

long pages_of_address_space() {
  std::ifstream file{"/proc/self/statm"};
  long pages = 0;
  file >> pages;
  return pages;
}

} // namespace

TEST_CASE("threads that a smaller pool needs no more give their memory back") {
  thread_pool pool{0, 1};
  pool.start();
  pool.adjust_size(10, 10);
  const auto before = pages_of_address_space();
  for (int i = 0; i < 200; ++i) {
    pool.adjust_size(0, 1);
    while (pool.workers() > 1)
      std::this_thread::yield();
    pool.adjust_size(10, 10);
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // which keep addresses
  // 1,800 of them have ended, with stacks of 8 MiB, each joined by one that ended later: the last of that row may
  // be on its way yet. malloc keeps some GiB of addresses, too.
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  const auto grown = [&] {
    return (pages_of_address_space() - before) * 4096;
  };
  while (grown() >= 300 * (8L << 20) && std::chrono::steady_clock::now() < limit)
    std::this_thread::yield();
  CHECK(grown() < 300 * (8L << 20));
#else
  static_cast<void>(before);
#endif
}

TEST_CASE("what no thread has begun can be dropped, and is not destroyed under the pool's lock") {
  struct asks {
    thread_pool& pool;
    std::size_t& queued;
    asks(thread_pool& p, std::size_t& q) : pool(p), queued(q) {}
    asks(asks&& other) noexcept : pool(other.pool), queued(other.queued) { other.last = false; }
    ~asks() {
      if (last)
        queued = pool.queued();
    }
    bool last = true;
  };
  std::size_t queued = 99;
  thread_pool pool{0, 1};
  bool ran = false;
  pool.call_in_thread([&, a = asks{pool, queued}] { ran = true; });
  const bool by_stop = GENERATE(true, false);
  by_stop ? pool.stop() : pool.drop_queued();
  CHECK(queued == 0);
  pool.start();
  pool.stop();
  pool.join();
  CHECK_FALSE(ran);
}
