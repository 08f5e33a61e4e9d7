#include <memory>
#include <string>

#include <troupe/runtime/deferred_queue.hpp>
#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("a queue gives values in order, whether put or get comes first",
          "[deferred_queue][Q16]") {
  deferred_queue<std::string> queue;
  queue.put("a");
  queue.put("b");
  CHECK(queue.size() == 2);
  CHECK(success_result_of(queue.get()) == "a");
  CHECK(success_result_of(queue.get()) == "b");
  auto first = queue.get();
  auto second = queue.get();
  CHECK(queue.waiting() == 2);
  queue.put("c");
  CHECK(success_result_of(std::move(first)) == "c");
  assert_no_result(second);
  queue.put("d");
  CHECK(success_result_of(std::move(second)) == "d");
}

TEST_CASE("a queue has bounds in both directions", "[deferred_queue][Q17]") {
  deferred_queue<int> nothing_kept({.size = 0});
  CHECK_THROWS_AS(nothing_kept.put(1), queue_overflow_error);
  int value = 2;
  CHECK_FALSE(nothing_kept.try_put(value));
  auto waiting = nothing_kept.get();
  nothing_kept.put(3);
  CHECK(success_result_of(std::move(waiting)) == 3);

  deferred_queue<int> nobody_waits({.backlog = 0});
  failure_result_of(nobody_waits.get(), errc::queue_underflow);
  nobody_waits.put(1);
  CHECK(success_result_of(nobody_waits.get()) == 1);
}

TEST_CASE("a get that is cancelled loses no value", "[deferred_queue][Q18]") {
  deferred_queue<int> queue;
  auto d = queue.get();
  d.cancel();
  failure_result_of(std::move(d), errc::cancelled);
  queue.put(1);
  CHECK(queue.size() == 1);
  CHECK(success_result_of(queue.get()) == 1);
}

TEST_CASE("a value that was refused stays with the one who put it", "[deferred_queue]") {
  deferred_queue<std::unique_ptr<int>> queue({.size = 1});
  queue.put(std::make_unique<int>(1));
  auto value = std::make_unique<int>(2);
  CHECK_FALSE(queue.try_put(value));
  CHECK(*value == 2);
}

TEST_CASE("a value is not given to a deferred that was dropped", "[deferred_queue]") {
  deferred_queue<int> queue;
  { const auto dropped = queue.get(); }
  auto next = queue.get();
  queue.put(1);
  CHECK(success_result_of(std::move(next)) == 1);
  { const auto dropped = queue.get(); }
  queue.put(2);
  CHECK(queue.size() == 1);
}
