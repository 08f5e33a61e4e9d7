// How many messages an actor handles before others get their turn: by what its turn has made for them, and by what
// waits for it.

#include <troupe/runtime/event_loop.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include <caf/send.hpp>

#include <troupe/runtime/detail/block_cache.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

namespace {

using namespace troupe;
using testing::manual_runtime;

using go_atom = caf::atom_constant<caf::atom("go")>;

/// Tells whether the memory that a turn makes is known: under the address sanitizer it is not.
bool knows_memory() {
  const auto before = troupe::detail::bytes_taken();
  auto* const block = troupe::detail::take_block(100);
  const auto known = troupe::detail::bytes_taken() > before;
  troupe::detail::give_block(block, 100);
  return known;
}

/// How often in a row one of several actors was the one that ran.
struct record {
  int last = 0;
  std::vector<int> runs;

  void note(int who) {
    if (who != last)
      runs.push_back(0);
    last = who;
    ++runs.back();
  }
  int longest() const { return *std::max_element(runs.begin(), runs.end()); }
};

/// Takes numbers.
class taker : public floating_actor {
public:
  taker(caf::actor_config& cfg, record& all, int me) : floating_actor(cfg), all_(all), me_(me) {}
  caf::behavior make_behavior() override {
    return {[this](std::int64_t) {
      all_.note(me_);
    }};
  }

private:
  record& all_;
  int me_;
};

/// Sends so many numbers to each of some for each message, and goes on by itself.
class maker : public floating_actor {
public:
  maker(caf::actor_config& cfg, record& all, std::vector<caf::actor> to, int each, int times)
    : floating_actor(cfg), all_(all), to_(std::move(to)), each_(each), times_(times) {}
  caf::behavior make_behavior() override {
    return {[this](go_atom) {
      all_.note(-1);
      for (int i = 0; i < each_; ++i)
        for (const auto& to : to_)
          send(to, std::int64_t{i});
      if (--times_ > 0)
        send(caf::actor{this}, go_atom::value);
    }};
  }

private:
  record& all_;
  std::vector<caf::actor> to_;
  int each_;
  int times_;
};

record run(int takers, int each, int times) {
  record all;
  manual_runtime rt;
  std::vector<caf::actor> to;
  for (int i = 1; i <= takers; ++i)
    to.push_back(caf::actor_cast<caf::actor>(rt.spawn<taker>(all, i)));
  rt.settle();
  caf::anon_send(caf::actor_cast<caf::actor>(rt.spawn<maker>(all, to, each, times)),
                 go_atom::value);
  rt.settle();
  return all;
}

} // namespace

TEST_CASE("an actor that has made much for others lets them run before it goes on") {
  if (!knows_memory())
    return;
  // A hundred messages, of some hundred bytes each, twice: then the others.
  const auto much = run(100, 1, 20);
  CHECK(much.runs.size() >= 20 / 2 * 100);
  CHECK(much.longest() <= 2);
  // Of few, those of all its fifty messages.
  const auto little = run(1, 1, 40);
  CHECK(little.runs == std::vector<int>{40, 40});
}

TEST_CASE("an actor for which many wait works them off in one turn, but not without end") {
  if (!knows_memory())
    return;
  CHECK(run(2, 300, 1).runs == std::vector<int>{1, 300, 300});
  // Those of fifty, and seven times as many.
  CHECK(run(2, 1'000, 1).runs == std::vector<int>{1, 400, 400, 400, 400, 200, 200});
}

TEST_CASE("an actor for which few more than its share wait handles its share") {
  CHECK(run(2, 100, 1).runs == std::vector<int>{1, 50, 50, 50, 50});
}
