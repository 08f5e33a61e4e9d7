#include <stdexcept>
#include <vector>

#include <troupe/runtime/deferred_lock.hpp>
#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("run holds the lock until its deferred fires, and passes the result",
          "[deferred_lock][Q13]") {
  deferred_lock lock;
  promise<int> p;
  auto d = lock.run([&] { return p.get_deferred(); });
  CHECK(lock.locked());
  auto next = lock.acquire();
  assert_no_result(next);
  p.callback(5);
  CHECK(success_result_of(std::move(d)) == 5);
  success_result_of(std::move(next));
  CHECK(lock.locked());
  lock.release();
  CHECK_FALSE(lock.locked());
}

TEST_CASE("run releases the lock on an error too", "[deferred_lock][Q13]") {
  deferred_lock lock;
  failure_result_of<std::runtime_error>(lock.run([]() -> int { throw std::runtime_error("x"); }));
  CHECK_FALSE(lock.locked());
  failure_result_of(lock.run([] { return fail<int>(errc::timed_out); }), errc::timed_out);
  CHECK_FALSE(lock.locked());
}

TEST_CASE("a waiting acquire that is cancelled leaves the line", "[deferred_lock][Q14]") {
  deferred_lock lock;
  success_result_of(lock.acquire());
  auto a = lock.acquire();
  auto b = lock.acquire();
  CHECK(lock.waiting() == 2);
  a.cancel();
  CHECK(lock.waiting() == 1);
  failure_result_of(std::move(a), errc::cancelled);
  assert_no_result(b);
  lock.release();
  success_result_of(std::move(b));
  lock.release();
}

TEST_CASE("cancelling an acquire that has the lock does nothing", "[deferred_lock][Q14]") {
  deferred_lock lock;
  auto d = lock.acquire();
  d.cancel();
  success_result_of(std::move(d));
  CHECK(lock.locked());
  lock.release();
}

TEST_CASE("releasing what nobody holds is an error", "[deferred_lock][Q15]") {
  deferred_lock lock;
  CHECK_THROWS_AS(lock.release(), std::logic_error);
}

TEST_CASE("a semaphore lets as many in as it has tokens", "[deferred_semaphore][Q15]") {
  CHECK_THROWS_AS(deferred_semaphore(0), std::logic_error);
  deferred_semaphore semaphore(13);
  for (int i = 0; i < 13; ++i)
    success_result_of(semaphore.acquire());
  CHECK(semaphore.tokens() == 0);
  auto last = semaphore.acquire();
  assert_no_result(last);
  semaphore.release();
  success_result_of(std::move(last));
  for (int i = 0; i < 13; ++i)
    semaphore.release();
  CHECK(semaphore.tokens() == 13);
  CHECK_THROWS_AS(semaphore.release(), std::logic_error);
}

TEST_CASE("a line of 100,000 is served in order and without stack", "[deferred_semaphore]") {
  constexpr int many = 100'000;
  deferred_lock lock;
  success_result_of(lock.acquire());
  int served = 0;
  bool in_order = true;
  for (int i = 0; i < many; ++i)
    lock.run([&, i] { in_order = in_order && served++ == i; }).add_errback([] {});
  lock.release();
  CHECK(served == many);
  CHECK(in_order);
  CHECK_FALSE(lock.locked());
}

TEST_CASE("dropping a lock fails those that wait for it", "[deferred_lock]") {
  auto lock = std::make_unique<deferred_lock>();
  success_result_of(lock->acquire());
  auto a = lock->acquire();
  auto b = lock->acquire();
  a.add_errback([&](const failure& f) {
    b.cancel();
    return f;
  });
  lock.reset();
  failure_result_of(std::move(a), errc::broken_promise);
  failure_result_of(std::move(b), errc::cancelled);
}
