#include <troupe/runtime/detail/run_queue.hpp>

#include <vector>

#include <troupe/runtime/detail/block_cache.hpp>

#include "support/catch.hpp"
#include "theft_watch.hpp"

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

TEST_CASE("who is queued while nobody waits is the first, whoever comes behind") {
  stealable_queue queue{true};
  for (int round = 0; round < 3; ++round) {
    const auto first = fill(queue, 1);
    CHECK(queue.size() == 1);
    const auto others = fill(queue, 2);
    CHECK(queue.size() == 3);
    CHECK(queue.pop_front() == &first[0]);
    const auto last = fill(queue, 1); // behind those that wait
    CHECK(queue.pop_front() == &others[0]);
    CHECK(queue.pop_front() == &others[1]);
    CHECK(queue.pop_front() == &last[0]);
    CHECK(queue.pop_front() == nullptr);
    CHECK(queue.size() == 0);
  }
  const auto first = fill(queue, 1);
  const auto others = fill(queue, 2);
  queue.hasten(1);
  CHECK(queue.pop_front() == &others[1]);
  CHECK(queue.pop_front() == &first[0]);
  CHECK(queue.pop_front() == &others[0]);
}

TEST_CASE("all that is given to another queue comes before what waits there, in its order") {
  const auto count =
    GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{2}, 3 * stealable_queue::most_stolen);
  stealable_queue from{true};
  stealable_queue to{true};
  const auto first = fill(to, 1); // whose turn is next stays the next
  const auto waiting = fill(to, 3);
  const auto jobs = fill(from, count);
  CHECK(from.give_all(to) == count);
  CHECK(from.size() == 0);
  CHECK(from.pop_front() == nullptr);
  CHECK(to.size() == count + 4);
  CHECK(to.pop_front() == &first[0]);
  for (const auto& job : jobs)
    CHECK(to.pop_front() == &job);
  for (const auto& job : waiting)
    CHECK(to.pop_front() == &job);
}

TEST_CASE("a theft is bad if much was made for others, or come from them, and the rest grows") {
  theft_watch thefts{2};
  CHECK(thefts.rests_for() == troupe::duration::zero());
  std::vector<void*> blocks(100);
  const auto take = [&] {
    for (auto*& block : blocks)
      block = take_block(64);
  };
  const auto give = [&] {
    for (auto* const block : blocks)
      give_block(block, 64);
  };
  take();
  give();
  const auto mark = block_mark();
  take();
  const bool counts = blocks_taken_since(mark) == 100; // not under the address sanitizer
  give();
  CHECK(blocks_taken_since(mark) == 0);

  thefts.begin(1);
  CHECK(thefts.is_watching());
  CHECK(thefts.victim() == 1);
  take();
  give();
  CHECK_FALSE(thefts.was_bad(true)); // all stays in this thread
  CHECK_FALSE(thefts.is_watching());
  CHECK(thefts.rests_for() == troupe::duration::zero());
  if (!counts)
    return;
  thefts.begin(1);
  take();
  CHECK(thefts.was_bad(true));
  const auto rest = thefts.rests_for();
  CHECK(rest > troupe::duration::zero());
  for (int i = 0; i < 2; ++i) {
    thefts.begin(1);
    give();
    CHECK(thefts.was_bad(true));
    take();
  }
  CHECK(thefts.rests_for() > rest);
  give();
}

TEST_CASE("of a loop on which nobody waited it is not known whether it is slow") {
  theft_watch thefts{2};
  CHECK_FALSE(thefts.is_slow(0, 7));
  thefts.note_progress([](std::size_t) { return theft_watch::nothing_waited; });
  CHECK_FALSE(thefts.is_slow(0, 7));
  thefts.note_progress([](std::size_t i) { return i == 0 ? std::uint64_t{7} : std::uint64_t{0}; });
  CHECK_FALSE(thefts.is_slow(1, std::uint64_t{1} << 60)); // it gets on, at any rate
  const auto begin = cpu_ticks();
  while (cpu_ticks() - begin < 50 * cpu_ticks_of_100_us()) {
  }
  CHECK(thefts.is_slow(0, 8));
  CHECK_FALSE(thefts.is_slow(0, 7 + 1'000'000));
}
