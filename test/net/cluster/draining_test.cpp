#include <troupe/cluster/cluster.hpp>

#include <stdexcept>
#include <string>
#include <vector>

#include <caf/send.hpp>

#include <troupe/cluster/presence.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/cluster_fixture.hpp>
#include <troupe/testing/logged_errors.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// A connection, as it were: ends when it is told to, or never.
class client final : public pinned_actor {
public:
  client(caf::actor_config& cfg, troupe::cluster* of, int number, bool obeys,
         std::vector<int>* told)
    : pinned_actor(cfg), of_(of), number_(number), obeys_(obeys), told_(told) {}
  caf::behavior make_behavior() override {
    presence{*of_}.track(*this, "lobby", "user " + std::to_string(number_));
    of_->on_drain(*this, [this] {
      told_->push_back(number_);
      if (obeys_)
        quit();
    });
    return {[](caf::unit_t) {
    }};
  }

private:
  troupe::cluster* const of_;
  const int number_;
  const bool obeys_;
  std::vector<int>* const told_;
};

struct drained_net : cluster_fixture {
  using cluster_fixture::cluster_fixture;
  caf::actor join(std::size_t number, int which, bool obeys) {
    const caf::actor who = runtime().spawn_on<client>(0, &node(number), which, obeys, &told);
    runtime().settle();
    return who;
  }
  std::shared_ptr<int> drain(std::size_t number, drain_options how) {
    auto fired = std::make_shared<int>(0);
    runtime().in_turn([&] { node(number).drain(how).add_callback([fired] { ++*fired; }); });
    return fired;
  }
  std::vector<int> told;
};

cluster_options holding() {
  cluster_options options;
  options.leave_hold = 5s;
  return options;
}

} // namespace

TEST_CASE("clients are told in batches, and the node leaves when the last one has ended",
          "[cluster][drain]") {
  drained_net net{{.nodes = 2, .node = holding()}};
  net.run_for(1s);
  const auto serving = net.join(1, 100, false);
  net.runtime().in_turn([&] { net.node(1).serve("name", serving); });
  for (int i = 0; i < 25; ++i)
    net.join(1, i, true);
  net.run_for(500ms);
  CHECK(net.node(1).ready());
  CHECK(net.node(0).actor("name").is_served());
  const auto fired = net.drain(1, {.batch = 10, .every = 1s, .grace = 30s});
  CHECK_FALSE(net.node(1).ready());
  const auto again = net.drain(1, {});
  net.run_for(50ms);
  CHECK_FALSE(net.node(0).actor("name").is_served()); // others ask others now
  CHECK(net.node(1).actor("name").is_served());       // its own clients still may
  CHECK(net.told == std::vector<int>{100, 0, 1, 2, 3, 4, 5, 6, 7, 8});
  net.run_for(940ms);
  CHECK(net.told.size() == 10);
  net.run_for(20ms);
  CHECK(net.told.size() == 20);
  net.join(1, 77, true); // it has come behind the closed port's back
  net.run_for(2s);
  CHECK(net.told.size() == 27);
  CHECK(net.told.back() == 77);
  CHECK(net.node(1).state() == own_state::up);
  CHECK(*fired == 0);
  caf::anon_send_exit(serving, caf::exit_reason::kill);
  net.run_for(50ms);
  CHECK(*fired == 1);
  CHECK(*again == 1);
  CHECK(net.node(1).state() == own_state::left);
  CHECK(net.view(0, 1).state == node_state::left);
}

TEST_CASE("a drain that does not wait between its batches is idle when all are told",
          "[cluster][drain]") {
  drained_net net{{.nodes = 2, .node = holding()}};
  net.run_for(1s);
  for (int i = 0; i < 5; ++i)
    net.join(1, i, false);
  const auto fired = net.drain(1, {.batch = 2, .every = 0s, .grace = 30s});
  net.run_for(100ms);
  CHECK(net.told == std::vector<int>{0, 1, 2, 3, 4});
  net.join(1, 77, false);
  net.run_for(100ms);
  CHECK(net.told.back() == 77);
  CHECK(*fired == 0);
}

TEST_CASE("at the end of the grace time the node leaves, and its users are held",
          "[cluster][drain]") {
  drained_net net{{.nodes = 2, .node = holding()}};
  net.run_for(1s);
  const auto one = net.join(1, 1, false);
  net.run_for(500ms);
  const auto fired = net.drain(1, {.grace = 3s});
  net.run_for(2990ms);
  CHECK(*fired == 0);
  net.run_for(50ms);
  CHECK(*fired == 1);
  CHECK(net.view(0, 1).state == node_state::left);
  CHECK(presence{net.node(0)}.count("lobby") == 1);
  net.run_for(4900ms);
  CHECK(presence{net.node(0)}.count("lobby") == 1);
  net.run_for(200ms);
  CHECK(presence{net.node(0)}.count("lobby") == 0);
}

TEST_CASE("a drain without clients is over at once, also of a node that leaves by other means",
          "[cluster][drain]") {
  drained_net net{{.nodes = 3}};
  net.run_for(1s);
  const auto empty = net.drain(0, {});
  net.run_for(10ms);
  CHECK(*empty == 1);
  const auto one = net.join(1, 1, false);
  const auto left = net.drain(1, {});
  net.run_for(10ms);
  CHECK(*left == 0);
  net.leave(1);
  CHECK(*left == 1);
  CHECK(*net.drain(1, {}) == 1);
  const auto two = net.join(2, 2, false);
  const auto crashed = net.drain(2, {});
  net.run_for(10ms);
  net.crash(2);
  CHECK(*crashed == 1);
  CHECK_THROWS_AS(
    net.runtime().in_turn([&] { static_cast<void>(net.node(0).drain({.batch = 0})); }),
    std::invalid_argument);
}

TEST_CASE("what is to be done before a node leaves is done when its clients have ended",
          "[cluster][drain]") {
  drained_net net{{.nodes = 2}};
  net.run_for(1s);
  const auto who = net.join(1, 1, false);
  std::string order;
  promise<void> first, second;
  logged_errors errors{net.runtime()};
  net.runtime().in_turn([&] {
    CHECK_THROWS_AS(net.node(1).before_leaving({}), std::logic_error);
    net.node(1).before_leaving([&] {
      order += 'a';
      return first.get_deferred();
    });
    net.node(1).before_leaving([&]() -> deferred<void> { throw std::runtime_error("boom"); });
    net.node(1).before_leaving([&] {
      order += 'b';
      return second.get_deferred();
    });
  });
  const auto fired = net.drain(1, {.grace = 30s});
  net.run_for(1s);
  CHECK(order.empty());
  caf::anon_send_exit(who, caf::exit_reason::user_shutdown);
  net.run_for(100ms);
  CHECK(order == "ab");
  CHECK(errors.flush<std::runtime_error>().size() == 1);
  net.runtime().in_turn([&] { first.errback(errc::timed_out); });
  net.run_for(1s);
  CHECK(*fired == 0);
  CHECK(net.view(0, 1).state == node_state::up);
  net.runtime().in_turn([&] { second.callback(); });
  net.run_for(100ms);
  CHECK(*fired == 1);
  CHECK(net.view(0, 1).state == node_state::left);
  CHECK(order == "ab");
}

TEST_CASE("a node that has drained waits five seconds at most for what is to be done",
          "[cluster][drain]") {
  drained_net net{{.nodes = 2}};
  net.run_for(1s);
  net.join(1, 1, false); // does not end
  promise<void> never;
  net.runtime().in_turn([&] { net.node(1).before_leaving([&] { return never.get_deferred(); }); });
  const auto fired = net.drain(1, {.grace = 2s});
  net.run_for(6900ms);
  CHECK(*fired == 0);
  net.run_for(200ms);
  CHECK(*fired == 1);
  CHECK(net.view(0, 1).state == node_state::left);
}
