#include <troupe/cluster/cluster.hpp>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <troupe/cluster/memory_backplane.hpp>
#include <troupe/cluster/presence.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/cluster_fixture.hpp>

#include "support/catch.hpp"
#include "support/running.hpp"
#include "watched_cluster.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using Catch::Contains;

TEST_CASE("nodes find each other over the backplane, without a list", "[cluster]") {
  watched net{{.nodes = 5}};
  net.run_for(200ms);
  CHECK(net.disagreement().empty());
  CHECK(net.node(0).nodes().size() == 4);
  CHECK(net.node(0).state() == own_state::up);
  told events;
  net.watch(0, events);
  net.run_for(5ms);
  CHECK(events == told{"up n1", "up n2", "up n3", "up n4"}); // it begins with those that are up
}

TEST_CASE("a node that is killed is suspected, and down within three seconds; nobody else is",
          "[cluster]") {
  watched net{{.nodes = 3}};
  net.run_for(5s);
  told events;
  net.watch(0, events);
  net.run_for(5ms);
  events.clear();
  net.crash(2);
  net.run_for(700ms); // its last beat may have been half a second before
  CHECK(events.empty());
  net.run_for(600ms);
  CHECK(events == told{"suspected n2"});
  net.run_for(650ms);
  CHECK(events == told{"suspected n2"});
  net.run_for(1050ms);
  CHECK(events == told{"suspected n2", "down n2"});
  CHECK(net.view(0, 2).state == node_state::down);
  net.run_for(20s);
  CHECK(events.size() == 2);
}

TEST_CASE("a process that takes over a name is up at once, and the one before is down",
          "[cluster]") {
  watched net{{.nodes = 3}};
  net.run_for(2s);
  told events;
  net.watch(0, events);
  net.run_for(5ms);
  events.clear();
  const auto before = net.view(0, 2).incarnation;
  net.crash(2);
  net.run_for(100ms);
  net.restart(2);
  net.run_for(200ms);
  CHECK(events == told{"down n2", "up n2"});
  CHECK(net.view(0, 2).incarnation > before);
  net.settle();
}

TEST_CASE("a node that leaves is not missed", "[cluster]") {
  watched net{{.nodes = 3}};
  net.run_for(1s);
  told events;
  net.watch(0, events);
  net.run_for(5ms);
  events.clear();
  net.leave(2);
  CHECK(net.node(2).state() == own_state::left);
  net.run_for(10ms);
  CHECK(events == told{"left n2"});
  net.run_for(10s);
  CHECK(events.size() == 1);
  net.restart(2);
  net.run_for(1s);
  CHECK(events == told{"left n2", "up n2"});
  net.settle();
}

TEST_CASE("a node that stops for a second is suspected at most", "[cluster]") {
  watched net{{.nodes = 3}};
  net.run_for(2s);
  told events;
  net.watch(0, events);
  net.run_for(5ms);
  events.clear();
  net.stop(2);
  net.run_for(1s);
  net.go_on(2);
  net.run_for(5s);
  for (const auto& event : events)
    CHECK((event == "suspected n2" || event == "up n2"));
  net.settle();
}

TEST_CASE("a node that stops for ten seconds comes back as a new incarnation, and blames nobody",
          "[cluster]") {
  watched net{{.nodes = 3}};
  net.run_for(2s);
  told at_0, at_2;
  net.watch(0, at_0);
  net.watch(2, at_2);
  net.run_for(5ms);
  at_0.clear();
  at_2.clear();
  const auto before = net.node(2).incarnation();
  net.stop(2);
  net.run_for(10s);
  CHECK(at_0 == told{"suspected n2", "down n2"});
  net.go_on(2);
  net.run_for(1s);
  CHECK(at_0 == told{"suspected n2", "down n2", "up n2"});
  CHECK(at_2 == told{"rejoined n2"}); // it took nobody for down, though it had heard nobody
  CHECK(net.node(2).incarnation() > before);
  net.settle();
}

TEST_CASE("halves that do not see each other are two clusters, and one again when they do",
          "[cluster]") {
  watched net{{.nodes = 6}};
  net.run_for(2s);
  net.split({0, 1, 2});
  net.run_for(4s);
  CHECK(net.view(0, 1).state == node_state::up);
  CHECK(net.view(0, 4).state == node_state::down);
  CHECK(net.view(4, 0).state == node_state::down);
  net.mend_all();
  net.run_for(2s);
  CHECK(net.disagreement().empty());
  net.settle();
}

TEST_CASE("a line that is cut in one direction takes a node from one view only", "[cluster]") {
  watched net{{.nodes = 3}};
  net.run_for(2s);
  net.cut_one_way(1, 0);
  net.run_for(10s);
  CHECK(net.view(0, 1).state == node_state::down);
  CHECK(net.view(1, 0).state == node_state::up);
  CHECK(net.view(2, 1).state == node_state::up);
  net.settle();
}

TEST_CASE("a node that loses its backplane keeps its view for a while, and then believes nothing",
          "[cluster]") {
  watched net{{.nodes = 3}};
  net.run_for(2s);
  told events;
  net.watch(0, events);
  net.run_for(5ms);
  events.clear();
  net.unplug(0);
  net.run_for(9900ms);
  CHECK(net.node(0).state() == own_state::isolated);
  CHECK(events == told{"isolated n0"});
  CHECK(net.view(0, 1).state == node_state::up);
  CHECK(net.view(1, 0).state == node_state::down);
  net.run_for(200ms);
  CHECK(events == told{"isolated n0", "down n1", "down n2"});
  net.plug(0);
  net.run_for(1s);
  CHECK(net.node(0).state() == own_state::up);
  CHECK(net.disagreement().empty());
  net.settle();
}

TEST_CASE("all nodes that lose the backplane for two seconds lose nobody", "[cluster]") {
  watched net{{.nodes = 5}};
  net.run_for(3s);
  told events;
  net.watch(0, events);
  net.run_for(5ms);
  events.clear();
  for (std::size_t i = 0; i < net.size(); ++i)
    net.unplug(i);
  net.run_for(2s);
  for (std::size_t i = 0; i < net.size(); ++i)
    net.plug(i);
  net.run_for(5s);
  CHECK(events == told{"isolated n0", "rejoined n0"});
  net.settle();
}

TEST_CASE("a lossy and slow network makes no false alarm", "[cluster]") {
  watched net{{.nodes = 10,
               .seed = 3,
               .network = {.least_latency = 20ms, .most_latency = 200ms, .loss = 0.02}}};
  net.run_for(3s);
  told events;
  net.watch(0, events);
  net.run_for(250ms);
  events.clear();
  net.run_for(600s);
  for (const auto& event : events)
    CHECK_THAT(event, !Contains("down"));
  net.settle();
}

TEST_CASE("a node is forgotten in the end, and its return is that of a stranger", "[cluster]") {
  watched net{{.nodes = 3, .node = {.forget_after = 5s}}};
  net.run_for(1s);
  net.crash(2);
  net.run_for(6s);
  CHECK(net.node(0).nodes().size() == 2);
  net.run_for(3s);
  CHECK(net.node(0).nodes().size() == 1);
  net.restart(2);
  net.run_for(1s);
  CHECK(net.disagreement().empty());
}

TEST_CASE("a process whose clock is behind takes a name over all the same", "[cluster]") {
  watched net{{.nodes = 2}};
  net.run_for(1s);
  auto wire = std::make_shared<memory_backplane>();
  manual_runtime rt;
  auto told_first = named("a"), told_other = named("b"), told_second = named("a");
  told_first.via = told_other.via = told_second.via = wire;
  told_first.seed = 1;
  told_other.seed = 2;
  told_second.seed = 3;
  troupe::cluster other{rt, told_other};
  manual_clock late, early;
  late.advance(1h);
  std::optional<troupe::cluster> first{std::in_place, rt, told_first, late};
  const auto pass = [&](duration span) {
    for (; span > 0ms; span -= 10ms) {
      rt.in_turn([&] {
        late.advance(10ms);
        early.advance(10ms);
      });
      rt.advance(10ms);
    }
  };
  pass(1s);
  REQUIRE(other.nodes().at(0).state == node_state::up);
  const auto before = other.nodes().at(0).incarnation;
  rt.in_turn([&] { first.reset(); });
  rt.settle();
  troupe::cluster second{rt, told_second, early};
  pass(1s);
  REQUIRE(other.nodes().size() == 1);
  CHECK(other.nodes()[0].state == node_state::up);
  CHECK(other.nodes()[0].incarnation > before);
  CHECK(other.nodes()[0].incarnation == second.incarnation());
}

TEST_CASE("what was asked of a cluster that has been destroyed is not begun any more",
          "[cluster]") {
  manual_runtime rt;
  manual_clock time;
  std::optional<troupe::cluster> node{std::in_place, rt, named("a"), time};
  for (int i = 0; i < 100; ++i) {
    rt.in_turn([&] { time.advance(10ms); });
    rt.settle();
  }
  REQUIRE(node->state() == own_state::up);
  REQUIRE_FALSE(time.get_delayed_calls().empty());
  told events;
  const auto who = rt.spawn_on<watcher>(0, &*node, &events);
  presence here{*node};
  const auto looked_at = troupe::detail::core_of(*node).lock(); // as by another loop, for a moment
  basic_actor::run_as(caf::actor_cast<caf::strong_actor_ptr>(who), [&] {
    here.track(static_cast<watcher&>(*caf::actor_cast<caf::abstract_actor*>(who)), "lobby", "ann");
    node->serve("ann", who);
    node.reset();
  });
  rt.settle();
  CHECK(time.get_delayed_calls().empty());
  CHECK(here.count("lobby") == 0);
}

// -- many ---------------------------------------------------------------------------------------

TEST_CASE("the same seed is the same run, and another one is another", "[cluster]") {
  const auto run = [](std::uint64_t seed) {
    cluster_fixture net{{.nodes = 8, .seed = seed, .network = {.loss = 0.05}}};
    for (std::size_t i = 0; i < 8; ++i)
      net.subscribe(i, "lobby");
    net.run_for(1s);
    for (int i = 0; i < 50; ++i) {
      net.publish(static_cast<std::size_t>(i) % 8, "lobby");
      net.run_for(20ms);
    }
    net.split({1, 2});
    net.crash(5);
    net.run_for(4s);
    net.restart(5);
    net.settle();
    return net.digest();
  };
  const auto first = run(7);
  CHECK(run(7) == first);
  CHECK(run(8) != first);
}

TEST_CASE("hundreds of nodes agree, also after accidents", "[cluster]") {
  const auto all = std::max<std::size_t>(load_size(200), 60);
  cluster_fixture net{{.nodes = all, .seed = 11}};
  net.run_for(1s);
  CHECK(net.disagreement().empty());
  std::set<std::size_t> half;
  for (std::size_t i = 0; i < all / 2; ++i)
    half.insert(i);
  net.split(half);
  net.run_for(4s);
  CHECK(net.view(0, all * 3 / 4).state == node_state::down);
  for (std::size_t i = 0; i < all / 10; ++i)
    net.crash(i * 7);
  net.mend_all();
  net.run_for(4s);
  CHECK(net.disagreement().empty());
  for (std::size_t i = 0; i < all / 10; ++i)
    net.restart(i * 7);
  net.settle();
  CHECK(net.node(0).nodes().size() == all - 1);
}
