#include <troupe/runtime/detail/run_queue.hpp>

#include <vector>

#include "support/catch.hpp"

using namespace troupe::detail;

namespace {

/// A job that is only moved about.
struct idle_job final : caf::resumable {
  resume_result resume(caf::execution_unit*, std::size_t) override { return done; }
  void intrusive_ptr_add_ref_impl() override {}
  void intrusive_ptr_release_impl() override {}
};

/// Queues `count` new jobs.
std::vector<idle_job> fill(stealable_queue& queue, std::size_t count) {
  std::vector<idle_job> jobs(count);
  for (auto& job : jobs)
    queue.push(&job);
  return jobs;
}

} // namespace

TEST_CASE("a queue of floating actors is first in, first out, however it grows and wraps") {
  stealable_queue queue{true};
  const auto jobs = fill(queue, 40);
  for (std::size_t i = 0; i < 20; ++i)
    CHECK(queue.pop_front() == &jobs[i]);
  const auto more = fill(queue, 100);
  for (std::size_t i = 20; i < 40; ++i)
    CHECK(queue.pop_front() == &jobs[i]);
  for (const auto& job : more)
    CHECK(queue.pop_front() == &job);
  CHECK(queue.pop_front() == nullptr);
}

TEST_CASE("those that were queued last can be put in front, in their order") {
  stealable_queue queue{true};
  const auto gone = fill(queue, 60); // so that it wraps
  for (std::size_t i = 0; i < gone.size(); ++i)
    queue.pop_front();
  const auto jobs = fill(queue, 64);
  queue.hasten(64); // there are no others
  queue.hasten(65);
  queue.hasten(3);
  CHECK(queue.size() == 64);
  for (std::size_t i = 61; i < 64; ++i)
    CHECK(queue.pop_front() == &jobs[i]);
  for (std::size_t i = 0; i < 61; ++i)
    CHECK(queue.pop_front() == &jobs[i]);
  CHECK(queue.pop_front() == nullptr);
}

TEST_CASE("a thief takes the later half, in its order, behind what it has") {
  stealable_queue victim{true};
  stealable_queue thief{true};
  const auto own = fill(thief, 1);
  const auto jobs = fill(victim, 7);
  CHECK(victim.steal_half(thief) == 4);
  CHECK(victim.size() == 3);
  CHECK(thief.size() == 5);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(victim.pop_front() == &jobs[i]);
  CHECK(thief.pop_front() == &own[0]);
  for (std::size_t i = 3; i < 7; ++i)
    CHECK(thief.pop_front() == &jobs[i]);
}

TEST_CASE("a single job is stolen, and of none none") {
  stealable_queue victim{true};
  stealable_queue thief{true};
  CHECK(victim.steal_half(thief) == 0);
  const auto jobs = fill(victim, 1);
  CHECK(victim.steal_half(thief) == 1);
  CHECK(victim.pop_front() == nullptr);
  CHECK(thief.pop_front() == &jobs[0]);
}

TEST_CASE("a thief takes no more at once than it has a bound for") {
  stealable_queue victim{true};
  stealable_queue thief{true};
  const auto jobs = fill(victim, 4 * stealable_queue::most_stolen);
  CHECK(victim.steal_half(thief) == stealable_queue::most_stolen);
  CHECK(victim.size() == 3 * stealable_queue::most_stolen);
  CHECK(thief.pop_front() == &jobs[3 * stealable_queue::most_stolen]);
}
