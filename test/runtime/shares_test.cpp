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

/// What feeders have sent that is not handled yet.
struct backlog {
  int handled = 0;
  int now = 0;
  int most = 0;
};

/// Takes what feeders send.
class eater : public floating_actor {
public:
  eater(caf::actor_config& cfg, backlog& waiting) : floating_actor(cfg), waiting_(waiting) {}
  caf::behavior make_behavior() override {
    return {[this](std::int64_t) {
      --waiting_.now;
      ++waiting_.handled;
    }};
  }

private:
  backlog& waiting_;
};

/// Sends so many numbers for each message, and goes on by itself, unless it is told not to, for ever.
class feeder : public floating_actor {
public:
  feeder(caf::actor_config& cfg, backlog& waiting, caf::actor to, int each, bool goes_on = true)
    : floating_actor(cfg), waiting_(waiting), to_(std::move(to)), each_(each), goes_on_(goes_on) {}
  caf::behavior make_behavior() override {
    return {[this](go_atom) {
      for (int i = 0; i < each_; ++i)
        send(to_, std::int64_t{i});
      waiting_.now += each_;
      waiting_.most = std::max(waiting_.most, waiting_.now);
      if (goes_on_)
        send(caf::actor{this}, go_atom::value);
    }};
  }

private:
  backlog& waiting_;
  caf::actor to_;
  int each_;
  bool goes_on_;
};

/// Sends so many numbers to each of the next ones when it has had so many, and says so.
class relay : public floating_actor {
public:
  relay(caf::actor_config& cfg, std::vector<int>& order, int me, int takes,
        std::vector<caf::actor> next = {}, int sends = 0)
    : floating_actor(cfg), order_(order), me_(me), left_(takes), next_(std::move(next)),
      sends_(sends) {}
  caf::behavior make_behavior() override {
    return {[this](std::int64_t) {
      if (--left_ != 0)
        return;
      order_.push_back(me_);
      for (int i = 0; i < sends_; ++i)
        for (const auto& next : next_)
          send(next, std::int64_t{i});
    }};
  }

private:
  std::vector<int>& order_;
  int me_;
  int left_;
  std::vector<caf::actor> next_;
  int sends_;
};

/// How many actors there are, and were.
struct census {
  int now = 0;
  int most = 0;
  int all = 0;
};

/// Has ten others below it, as deep as it is told, and ends.
class branch : public floating_actor {
public:
  branch(caf::actor_config& cfg, census& living) : floating_actor(cfg), living_(living) {
    ++living_.all;
    living_.most = std::max(living_.most, ++living_.now);
  }
  ~branch() override { --living_.now; }
  caf::behavior make_behavior() override {
    return {[this](int depth) {
      for (int i = 0; depth > 0 && i < 10; ++i)
        send(spawn<branch>(living_), depth - 1);
      quit();
    }};
  }

private:
  census& living_;
};

/// Returns a message to its sender and takes memory that it does not give back before the end.
class hoarder : public floating_actor {
public:
  hoarder(caf::actor_config& cfg, int& times, int most)
    : floating_actor(cfg), times_(times), most_(most) {}
  ~hoarder() override {
    for (auto* const block : hoard_)
      troupe::detail::give_block(block, 1000);
  }
  caf::behavior make_behavior() override {
    return {[this](const caf::actor& other) {
      hoard_.push_back(troupe::detail::take_block(1000));
      if (++times_ < most_)
        send(other, caf::actor{this});
    }};
  }

private:
  int& times_;
  int most_;
  std::vector<void*> hoard_;
};

/// Takes so many turns that what there is, also of other tests, is usual for the loop.
void work_for_a_while(manual_runtime& rt) {
  backlog none;
  const auto busy = caf::actor_cast<caf::actor>(rt.spawn<eater>(none));
  for (int i = 0; i < 1'000; ++i) {
    caf::anon_send(busy, std::int64_t{i});
    rt.reactor().iterate();
  }
  caf::anon_send_exit(busy, caf::exit_reason::user_shutdown);
  rt.settle();
}

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

TEST_CASE("an actor for which very many wait works them off in one turn") {
  if (!knows_memory())
    return;
  CHECK(run(2, 10'000, 1).runs == std::vector<int>{1, 10'000, 10'000});
}

TEST_CASE("an actor for which few more than its share wait handles its share") {
  CHECK(run(2, 100, 1).runs == std::vector<int>{1, 50, 50, 50, 50});
}

TEST_CASE("what one actor gets from many that go on does not heap up behind them") {
  if (!knows_memory())
    return;
  // What one sends in a turn is more than the share of who gets it, by little or by much.
  const auto each = GENERATE(2, 10);
  backlog waiting;
  manual_runtime rt;
  const auto to = caf::actor_cast<caf::actor>(rt.spawn<eater>(waiting));
  std::vector<caf::actor> feeders;
  for (int i = 0; i < 100; ++i)
    feeders.push_back(caf::actor_cast<caf::actor>(rt.spawn<feeder>(waiting, to, each)));
  for (const auto& one : feeders)
    caf::anon_send(one, go_atom::value);
  rt.settle(20);
  CHECK(waiting.handled > 50'000);
  CHECK(waiting.most < 1'000); // what some of them send
}

TEST_CASE(
  "what one actor gets from many that wait again does not heap up behind them if it is much") {
  if (!knows_memory())
    return;
  const auto run = [](int each) {
    backlog waiting;
    manual_runtime rt;
    const auto to = caf::actor_cast<caf::actor>(rt.spawn<eater>(waiting));
    std::vector<caf::actor> feeders;
    for (int i = 0; i < 100; ++i)
      feeders.push_back(caf::actor_cast<caf::actor>(rt.spawn<feeder>(waiting, to, each, false)));
    work_for_a_while(rt);
    for (const auto& one : feeders)
      caf::anon_send(one, go_atom::value);
    rt.settle();
    CHECK(waiting.handled == 100 * each);
    return waiting.most;
  };
  CHECK(run(100) == 100);
  CHECK(run(1) == 100); // dealt with at once
}

TEST_CASE("who waits comes behind one whom another feeds, and not behind whom that one feeds") {
  if (!knows_memory())
    return;
  std::vector<int> order;
  manual_runtime rt;
  const auto make = [&](int me, int takes, std::vector<caf::actor> next = {}, int sends = 0) {
    return caf::actor_cast<caf::actor>(rt.spawn<relay>(order, me, takes, std::move(next), sends));
  };
  const auto third = make(3, 120);
  const auto second = make(2, 60, {third}, 120); // it makes more than it gives back
  const auto first = make(1, 1, {second}, 60);
  const auto waits = make(9, 1);
  work_for_a_while(rt);
  caf::anon_send(first, std::int64_t{0});
  caf::anon_send(waits, std::int64_t{0});
  rt.settle();
  CHECK(order == std::vector<int>{1, 2, 9, 3});
}

TEST_CASE("who waits comes behind eight whom another feeds, and not behind nine") {
  if (!knows_memory())
    return;
  const auto count = GENERATE(8, 9);
  std::vector<int> order;
  manual_runtime rt;
  const auto make = [&](int me, std::vector<caf::actor> next = {}, int sends = 0) {
    return caf::actor_cast<caf::actor>(rt.spawn<relay>(order, me, 1, std::move(next), sends));
  };
  std::vector<caf::actor> fed;
  for (int i = 0; i < count; ++i)
    fed.push_back(make(2));
  const auto first = make(1, fed, 10);
  const auto waits = make(9);
  work_for_a_while(rt);
  caf::anon_send(first, std::int64_t{0});
  caf::anon_send(waits, std::int64_t{0});
  rt.settle();
  const auto place = std::find(order.begin(), order.end(), 9) - order.begin();
  CHECK(place == (count == 8 ? order.end() - order.begin() - 1 : 1));
}

TEST_CASE("a tree of actors is not there as a whole before any of them ends") {
  if (!knows_memory())
    return;
  census living;
  {
    manual_runtime rt;
    caf::anon_send(caf::actor_cast<caf::actor>(rt.spawn<branch>(living)), 4);
    rt.settle(2'000);
  }
  CHECK(living.now == 0);
  CHECK(living.all == 11'111);
  CHECK(living.most < 4'000);
}

TEST_CASE("who waits gets its turn, however much those make that run before it") {
  if (!knows_memory())
    return;
  constexpr int most = 20'000;
  int times = 0;
  int when = 0;
  {
    manual_runtime rt;
    const auto one = caf::actor_cast<caf::actor>(rt.spawn<hoarder>(times, most));
    const auto other = caf::actor_cast<caf::actor>(rt.spawn<hoarder>(times, most));
    const auto waits = rt.spawn([&](caf::event_based_actor* self) -> caf::behavior {
      return {[&, self](go_atom) {
        when = times;
        self->quit();
      }};
    });
    rt.settle();
    // It is queued while they make much.
    caf::anon_send(one, other);
    while (times < 1'000)
      rt.reactor().iterate();
    const auto before = times;
    caf::anon_send(waits, go_atom::value);
    rt.settle(2'000);
    CHECK(times == most);
    REQUIRE(when > 0);
    CHECK(when - before <= 64 * 100);
  }
}
