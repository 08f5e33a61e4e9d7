#include <stdexcept>
#include <vector>

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/deferred_lock.hpp>
#include <troupe/testing/deferred.hpp>
#include <troupe/testing/manual_runtime.hpp>

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

namespace {

/// An actor on loop 0 of a runtime that the test turns, with coroutines that use a lock.
class locker : public pinned_actor {
public:
  locker(caf::actor_config& cfg, deferred_lock& lock) : pinned_actor(cfg), lock_(lock) {}
  caf::behavior make_behavior() override {
    return {[](caf::unit_t) {
    }};
  }

  deferred<void> acquire() {
    co_await lock_.acquire();
    has = true;
    lock_.release();
  }
  deferred<void> hold(deferred<void> meanwhile) {
    const auto held = co_await lock_.hold();
    has = true;
    co_await std::move(meanwhile);
  }
  deferred<void> work(deferred<void> meanwhile) {
    has = true;
    co_await std::move(meanwhile);
  }
  void run(deferred<void> meanwhile) {
    lock_.run([this, d = std::move(meanwhile)]() mutable { return work(std::move(d)); })
      .add_errback([] {});
  }

  bool has = false;

private:
  deferred_lock& lock_;
};

struct lock_users {
  locker& make() {
    handles.push_back(rt.spawn_on<locker>(0, std::ref(lock)));
    rt.settle();
    return *static_cast<locker*>(caf::actor_cast<caf::abstract_actor*>(handles.back()));
  }
  void end(std::size_t i) {
    caf::anon_send_exit(handles[i], caf::exit_reason::kill);
    rt.settle();
  }
  deferred_lock lock;
  manual_runtime rt;
  std::vector<caf::actor> handles;
};

} // namespace

TEST_CASE("an actor that ends in line for a lock leaves the line, and the next one has it",
          "[deferred_lock]") {
  lock_users u;
  success_result_of(u.lock.acquire());
  auto& first = u.make();
  auto& second = u.make();
  first.acquire().add_both([] { FAIL_CHECK("it was told"); });
  second.acquire().add_errback([] {});
  CHECK(u.lock.waiting() == 2);
  u.end(0);
  CHECK(u.lock.waiting() == 1);
  u.lock.release();
  CHECK_FALSE(first.has);
  CHECK(second.has);
  CHECK_FALSE(u.lock.locked());
}

TEST_CASE("an actor that ends while it holds a lock gives it back", "[deferred_lock]") {
  const bool by_run = GENERATE(true, false);
  lock_users u;
  promise<void> never;
  auto& first = u.make();
  auto& second = u.make();
  if (by_run)
    first.run(never.get_deferred());
  else
    first.hold(never.get_deferred()).add_errback([] {});
  second.acquire().add_errback([] {});
  CHECK(first.has);
  CHECK_FALSE(second.has);
  u.end(0);
  CHECK(second.has);
  CHECK_FALSE(u.lock.locked());
}

TEST_CASE("a lock is not given to a deferred that was dropped", "[deferred_lock]") {
  deferred_lock lock;
  success_result_of(lock.acquire());
  { const auto dropped = lock.acquire(); }
  auto next = lock.acquire();
  lock.release();
  success_result_of(std::move(next));
  lock.release();
  CHECK_FALSE(lock.locked());
}

TEST_CASE("a lease gives its token back once, by hand or at its end, and may outlive its semaphore",
          "[deferred_semaphore]") {
  auto semaphore = std::make_unique<deferred_semaphore>(2);
  auto a = success_result_of(semaphore->hold());
  auto b = success_result_of(semaphore->hold());
  CHECK(semaphore->tokens() == 0);
  a.release();
  a.release();
  CHECK_FALSE(a);
  CHECK(semaphore->tokens() == 1);
  a = std::move(b);
  CHECK(semaphore->tokens() == 1);
  semaphore.reset();
  CHECK(a);
}

TEST_CASE("a lock may be destroyed by the one that it lets in", "[deferred_lock]") {
  auto lock = std::make_unique<deferred_lock>();
  success_result_of(lock->acquire());
  bool in = false;
  lock->acquire().add_callback([&] {
    in = true;
    lock.reset();
  });
  auto last = lock->acquire();
  lock->release();
  CHECK(in);
  failure_result_of(std::move(last), errc::broken_promise);
}
