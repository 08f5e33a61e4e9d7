// Topics of a cluster whose nodes stop, come back and are cut off, and the checker that looks on.
#include <troupe/cluster/cluster.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

#include <troupe/testing/cluster_fixture.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using Catch::Contains;

TEST_CASE("a stop of ten seconds costs publications, which are counted to the last one",
          "[cluster]") {
  cluster_fixture net{{.nodes = 3}};
  for (std::size_t i = 0; i < 3; ++i)
    net.subscribe(i, "lobby");
  net.run_for(1s);
  net.stop(2);
  for (int i = 0; i < 1000; ++i) {
    net.publish(0, "lobby");
    net.run_for(10ms);
  }
  const auto before = net.heard(2);
  net.go_on(2);
  net.run_for(3s);
  const auto info = net.view(2, 0);
  CHECK(info.received + info.missed == 1000);
  CHECK(info.missed > 700); // those of the time in which it was taken for down
  CHECK(net.heard(2) - before == info.received);
  CHECK(net.heard(1) == 1000);
  net.settle();
}

TEST_CASE("a subscriber that comes back, or comes new, is known everywhere", "[cluster]") {
  cluster_fixture net{{.nodes = 10, .seed = 2, .network = {.loss = 0.2}}};
  net.run_for(5s);
  for (std::size_t i = 0; i < 10; ++i)
    net.subscribe(i, "lobby");
  net.subscribe(3, "kitchen");
  net.unsubscribe(4, "lobby");
  net.run_for(2s);
  net.crash(5);
  net.restart(5);
  net.subscribe(5, "lobby");
  net.settle();
}

TEST_CASE("random accidents lose nothing that is not counted", "[cluster]") {
  const auto seed = GENERATE(range(1, 13));
  cluster_fixture net{{.nodes = 12,
                       .seed = static_cast<std::uint64_t>(seed),
                       .network = {.least_latency = 1ms, .most_latency = 30ms, .loss = 0.01}}};
  std::mt19937_64 random{static_cast<std::uint64_t>(seed)};
  const auto any = [&](std::size_t below) {
    return static_cast<std::size_t>(random() % below);
  };
  const auto topic = [&] {
    return "room " + std::to_string(any(6));
  };
  net.run_for(1s);
  for (int turn = 0; turn < 400; ++turn) {
    const auto who = any(net.size()), other = any(net.size());
    switch (any(24)) {
    case 0:
      net.cut_one_way(who, other);
      break;
    case 1:
      net.cut(who, other);
      break;
    case 2:
      net.split({who, other, any(net.size())});
      break;
    case 3:
    case 4:
      net.mend_all();
      break;
    case 5:
      if (net.runs(who))
        net.stop(who);
      break;
    case 6:
    case 7:
      net.go_on(who);
      break;
    case 8:
      net.slow_down(who, any(2) == 0 ? 300ms : 0ms);
      break;
    case 9:
      net.unplug(who);
      break;
    case 10:
    case 11:
      net.plug(who);
      break;
    case 12:
      if (any(3) == 0)
        net.crash(who);
      break;
    case 13:
      if (any(3) == 0 && net.runs(who))
        net.leave(who);
      break;
    case 14:
      if (!net.runs(who))
        net.restart(who);
      break;
    case 15:
      net.set_loss(any(2) == 0 ? 0.2 : 0.01);
      break;
    case 16:
    case 17:
      if (net.runs(who))
        net.unsubscribe(who, topic());
      break;
    default:
      if (net.runs(who))
        net.subscribe(who, topic());
      if (net.runs(other))
        net.publish(other, topic(), 1 + any(5));
      break;
    }
    net.run_for(std::chrono::milliseconds(any(150)));
  }
  net.settle();
  CHECK(net.heard() > 0);
}

TEST_CASE("the checker sees what goes wrong", "[cluster]") {
  cluster_fixture net{{.nodes = 2}};
  net.subscribe(1, "lobby");
  net.run_for(1s);
  net.runtime().in_turn([&] {
    net.rooms(0).get("lobby").publish("0 1 5");
    net.rooms(0).get("lobby").publish("0 1 5");
  });
  CHECK_THROWS_WITH(net.run_for(50ms), Contains("n1 heard \"0 1 5\" twice"));
  net.runtime().in_turn([&] { net.rooms(0).get("lobby").publish("0 1 4"); });
  CHECK_THROWS_WITH(net.run_for(50ms), Contains("n1 heard \"0 1 4\" behind 5"));
  net.cut_one_way(0, 1);
  net.publish(0, "lobby");
  net.run_for(50ms);
  CHECK_THAT(net.uncounted(), Contains("n0 published 4 for n1, which got 3 and missed 0"));
  net.crash(0);
  net.run_for(100ms);
  CHECK_THAT(net.disagreement(), Contains("n1 takes n0 for up, which is not there"));
}
