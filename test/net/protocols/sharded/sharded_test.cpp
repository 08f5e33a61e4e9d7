#include <troupe/sharded/sharded.hpp>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>

#include <troupe/cluster/cluster_actor.hpp>
#include <troupe/cluster/detail/message_codec.hpp>
#include <troupe/testing/logged_errors.hpp>

#include "entity_net.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

struct stays_here {
  int n = 0;
};

sharded_options kind_with(duration idle_after) {
  sharded_options kind;
  kind.idle_after = idle_after;
  return kind;
}

} // namespace

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(stays_here)

TEST_CASE("the first message starts an entity, and every node finds the same one", "[sharded]") {
  entity_net net{{.nodes = 3}};
  net.run_for(2s);
  std::set<std::string> nodes;
  for (int i = 0; i < 30; ++i) {
    const auto key = "room" + std::to_string(i);
    const auto first = net.add(0, key, "a", 1);
    net.run_for(200ms);
    CHECK(first->ok());
    const auto second = net.add(1, key, "b", 1);
    net.run_for(50ms);
    CHECK(second->number == 2);
    const auto where = net.which(2, key);
    CHECK(where == net.all(2).where(key) + " 2");
    nodes.insert(where.substr(0, 2));
    CHECK(net.log.running[key].size() == 1);
  }
  CHECK(nodes.size() == 3);
  CHECK(net.log.overlaps == 0);
  std::size_t running = 0;
  for (std::size_t i = 0; i < 3; ++i)
    running += net.all(i).counters().entities;
  CHECK(running == 30);
}

TEST_CASE("what is for an entity here is handed over in place", "[sharded]") {
  entity_net net{{.nodes = 2}};
  net.run_for(2s);
  const auto key = net.key_on(0);
  CHECK(net.add(0, key, "a", 1)->times == 0);
  net.run_for(200ms);
  CHECK(net.all(0).runs_here(key));
  const auto before = net.node(0).counters().questions_out;
  const auto got = net.add(0, key, "a", 2);
  net.runtime().settle();
  CHECK(got->number == 2);
  CHECK_FALSE(net.all(0).get(key).send(add_atom::value, std::string{"a"}, std::uint64_t{3}));
  net.runtime().settle();
  CHECK(net.which(0, key) == "n0 3");
  CHECK(net.node(0).counters().questions_out == before);
}

TEST_CASE("an entity that is idle sleeps, and the next message wakes it", "[sharded]") {
  entity_net net{{.nodes = 2}, kind_with(10s)};
  net.run_for(2s);
  const auto key = net.key_on(1);
  net.add(0, key, "a", 1);
  net.run_for(5s);
  net.add(0, key, "a", 2); // its time begins anew
  net.run_for(9'900ms);
  CHECK(net.all(1).runs_here(key));
  net.run_for(200ms);
  CHECK_FALSE(net.all(1).runs_here(key));
  CHECK(net.all(1).counters().slept == 1);
  CHECK(net.all(1).counters().entities == 0);
  CHECK(net.log.ends == std::vector<std::string>{key + " n1 idle"});
  const auto got = net.add(0, key, "a", 3);
  net.run_for(50ms);
  CHECK(got->number == 1); // it had stored nothing
}

TEST_CASE("a message that meets an entity on its way to sleep is answered", "[sharded]") {
  entity_net net{{.nodes = 2}, kind_with(1s)};
  net.run_for(2s);
  const auto key = net.key_on(1);
  std::vector<std::shared_ptr<entity_net::result>> all;
  std::uint64_t n = 0;
  for (int i = 0; i < 60; ++i) { // the way takes 1 to 5 ms
    all.push_back(net.add(0, key, "a", ++n));
    net.run_for(1000ms - std::chrono::milliseconds(i % 8));
    for (int k = 0; k < 12; ++k) {
      all.push_back(net.add(0, key, "a", ++n));
      net.run_for(k % 4 == 0 ? 0ms : 1ms);
    }
    net.run_for(20ms);
  }
  net.run_for(500ms);
  for (const auto& one : all)
    CHECK(one->ok());
  CHECK(net.log.disorder == 0);
  CHECK(net.all(1).counters().slept > 5);
  CHECK(net.all(1).counters().slept < 55);
}

TEST_CASE("a node that comes takes its share, with its state and what is on its way", "[sharded]") {
  entity_net net{{.nodes = 3}};
  net.kill(2);
  net.run_for(4s);
  for (int i = 0; i < 40; ++i)
    for (std::uint64_t n = 1; n <= 3; ++n)
      net.add(i % 2, "room" + std::to_string(i), "a", n);
  net.run_for(1s);
  net.start_again(2);
  std::vector<std::shared_ptr<entity_net::result>> all;
  for (std::uint64_t n = 4; n <= 300; ++n) {
    for (int i = 0; i < 40; i += 7)
      all.push_back(net.add(i % 2, "room" + std::to_string(i), "a", n));
    net.run_for(5ms);
  }
  net.run_for(5s);
  for (const auto& one : all)
    CHECK(one->ok());
  CHECK(net.log.disorder == 0);
  CHECK(net.log.twice == 0);
  CHECK(net.log.overlaps == 0);
  int moved = 0;
  for (int i = 0; i < 40; ++i) {
    const auto key = "room" + std::to_string(i);
    const auto where = net.which(0, key);
    CHECK(where == net.all(0).where(key) + (i % 7 == 0 ? " 300" : " 3"));
    moved += where[1] == '2' ? 1 : 0;
  }
  CHECK(moved > 5);
  CHECK(net.all(2).counters().taken_over == static_cast<std::uint64_t>(moved));
  CHECK(net.all(0).counters().states_lost + net.all(1).counters().states_lost == 0);
}

TEST_CASE("a node that drains hands over all that it has, and nothing is lost", "[sharded]") {
  const bool leased = GENERATE(false, true);
  entity_net net{{.nodes = 3}, {}, leased};
  net.run_for(2s);
  for (int i = 0; i < 30; ++i)
    net.add(i % 3, "room" + std::to_string(i), "a", 1);
  net.run_for(3s);
  const auto had = net.all(1).counters().entities;
  CHECK(had > 3);
  int drained = 0;
  net.runtime().in_turn([&] { net.node(1).drain({}).add_callback([&] { ++drained; }); });
  std::vector<std::shared_ptr<entity_net::result>> all;
  for (std::uint64_t n = 2; n <= 200; ++n) {
    for (int i = 0; i < 30; ++i)
      all.push_back(net.add(i % 2 * 2, "room" + std::to_string(i), "a", n, 10s));
    net.run_for(5ms);
  }
  net.run_for(12s);
  CHECK(drained == 1);
  CHECK(net.node(1).state() == own_state::left);
  for (const auto& one : all)
    CHECK(one->ok());
  CHECK(net.log.disorder == 0);
  CHECK(net.log.overlaps == 0);
  CHECK(net.log.without_lease == 0);
  CHECK(net.all(1).counters().entities == 0);
  CHECK(net.all(1).counters().handed_over == had);
  for (int i = 0; i < 30; ++i) {
    const auto key = "room" + std::to_string(i);
    CHECK(net.which(0, key) == net.all(0).where(key) + " 200");
  }
  CHECK(net.all(1).get("room1").send(end_atom::value).check(errc::not_connected));
}

namespace {

/// What node 2 sends on to node 0, as if it had been at so many nodes: a number of "far", or of another one.
void send_on(entity_net& net, const std::string& key, std::uint32_t hops, std::uint64_t n = 1,
             const std::string& origin = "far") {
  std::string bytes;
  REQUIRE_FALSE(troupe::detail::write_message(
    bytes, net.runtime().system(), caf::make_message(add_atom::value, std::string{"far"}, n)));
  const auto incarnation = origin == "n0" ? net.node(0).incarnation() : 1;
  net.runtime().in_turn([&] {
    CHECK_FALSE(net.node(2)
                  .actor("sharded/tallies/*", "n0")
                  .send(caf::atom("route"), net.all(0).options().shards, hops, std::uint32_t{0},
                        origin, incarnation, std::uint64_t{0}, key, bytes));
  });
  net.run_for(20ms);
}

} // namespace

TEST_CASE("what nodes send on to each other waits for news, and what comes later waits behind it",
          "[sharded]") {
  entity_net net{{.nodes = 3}};
  net.run_for(2s);
  const auto key = net.key_on(1);
  const auto beat = net.node(0).options().heartbeat;
  send_on(net, key, 2);
  const auto own = net.add(0, key, "a", 1);
  SECTION("some time, then it goes to who has it as far as this node knows") {
    net.run_for(2 * beat - 50ms);
    CHECK(net.log.seen.empty());
    net.run_for(250ms);
    CHECK(net.log.seen.size() == 2);
    CHECK(own->number == 2);
    send_on(net, key, 2); // the next one waits as well
    net.log.seen.clear();
    net.run_for(beat);
    CHECK(net.log.seen.empty());
  }
  SECTION("until somebody else is to have it") {
    std::vector<std::shared_ptr<entity_net::result>> all{own};
    for (int i = 1; i < 8; ++i) { // some of these go to this node, others to node 2
      send_on(net, net.key_on(1, i), 2);
      all.push_back(net.add(0, net.key_on(1, i), "a", 1));
    }
    net.runtime().in_turn([&] { net.node(1).drain({}).add_callback([] {}); });
    CHECK(net.run_until([&] { return net.log.seen.size() == 16; }, beat / 2));
    net.run_for(50ms); // the answers
    for (const auto& one : all)
      CHECK(one->number == 2);
    CHECK(net.log.disorder == 0);
  }
}

TEST_CASE(
  "what this node has sent, and what comes back of that, stays ahead of what it sends later",
  "[sharded]") {
  entity_net net{{.nodes = 3}};
  net.run_for(2s);
  const auto key = net.key_on(1);
  net.add(0, key, "a", 1);
  net.run_for(1s);
  net.cut(0, 1); // which cannot say whether it has more to send back
  send_on(net, key, 2, 1, "n0");
  net.add(0, key, "far", 3);
  send_on(net, key, 2, 2, "n0");
  net.mend_all();
  CHECK(net.run_until([&] { return net.log.seen.size() == 4; }, 5s));
  CHECK(net.log.disorder == 0);
}

TEST_CASE("what one node has sent on goes to the next at once", "[sharded]") {
  entity_net net{{.nodes = 3}};
  net.run_for(2s);
  send_on(net, net.key_on(1), 1);
  CHECK(net.run_until([&] { return !net.log.seen.empty(); }, 50ms));
}

TEST_CASE("a node that drains stays until the others know, and what went through it is answered",
          "[sharded]") {
  entity_net net{{.nodes = 3}};
  net.run_for(2s);
  std::vector<std::string> keys; // which go from node 1 to node 2
  for (int i = 0; i < 50; ++i)
    keys.push_back(net.key_on(1, i));
  net.cut_one_way(1, 0);
  net.runtime().in_turn([&] { net.node(1).drain({}).add_callback([] {}); });
  net.run_for(700ms);
  CHECK(net.node(1).state() != own_state::left);
  const auto key = *std::find_if(keys.begin(), keys.end(),
                                 [&](const auto& one) { return net.all(2).where(one) == "n2"; });
  REQUIRE(net.all(0).where(key) == "n1");
  const auto open = net.ask(0, key, 10s, wait_atom::value);
  net.run_for(300ms);
  net.mend_all();
  net.run_for(2s);
  CHECK(net.all(0).where(key) == "n2");
  CHECK(net.all(2).runs_here(key));
  CHECK(open->times == 0);
  CHECK(net.node(1).state() != own_state::left);
  net.ask(0, key, 1s, end_atom::value);
  net.run_for(1s);
  CHECK(open->why.check(errc::actor_down));
  CHECK(net.node(1).state() == own_state::left);
}

TEST_CASE("of a node that is lost, questions fail, and its entities begin anew elsewhere",
          "[sharded]") {
  const bool leased = GENERATE(false, true);
  entity_net net{{.nodes = 3}, {}, leased};
  net.run_for(2s);
  const auto key = net.key_on(2);
  net.add(0, key, "a", 1);
  net.run_for(3s);
  const auto open = net.ask(0, key, 10s, wait_atom::value);
  net.run_for(50ms);
  net.kill(2);
  const auto early = net.add(1, key, "b", 2, 20s); // still believes in it
  net.run_for(3s);
  CHECK(open->why.check(errc::connection_lost));
  CHECK(early->times == 1);
  CHECK(early->why.check(errc::connection_lost));
  const auto later = net.add(1, key, "b", 3, 20s);
  net.run_for(7s);
  CHECK(later->number == 1);
  CHECK(net.log.overlaps == 0);
  CHECK(net.log.without_lease == 0);

  net.start_again(2);
  net.run_for(8s);
  CHECK(net.which(0, key) == "n2 1"); // it goes back, with what it has
}

TEST_CASE("without leases two sides of a split have two of a key, which become one after it",
          "[sharded]") {
  entity_net net{{.nodes = 4}};
  net.run_for(2s);
  const auto key = net.key_on(3);
  net.add(0, key, "a", 1);
  net.run_for(1s);
  net.split({0, 1});
  net.run_for(4s);
  net.add(0, key, "a", 2);
  net.add(0, key, "a", 3);
  net.add(2, key, "b", 1);
  net.run_for(2s);
  CHECK(net.log.running[key].size() == 2); // as the README says
  net.mend_all();
  net.run_for(6s);
  CHECK(net.log.running[key].size() == 1);
  CHECK(net.which(0, key) == "n3 4");
  CHECK(net.which(3, key) == "n3 4");
  CHECK(net.all(3).counters().merged == 1);
}

TEST_CASE("a node that others took for down gives way to what they have started", "[sharded]") {
  entity_net net{{.nodes = 3}};
  net.run_for(2s);
  const auto key = net.key_on(2);
  net.add(2, key, "a", 1);
  net.run_for(1s);
  net.stop(2);
  net.run_for(4s);
  net.add(0, key, "a", 2);
  net.run_for(1s);
  net.go_on(2);
  net.run_for(6s);
  CHECK(net.log.running[key].size() == 1);
  CHECK(net.which(1, key) == "n2 2");
}

TEST_CASE("with leases the entities of a node that loses the store end before others begin",
          "[sharded]") {
  entity_net net{{.nodes = 3}, {}, true};
  net.run_for(2s);
  const auto key = net.key_on(2);
  net.add(0, key, "a", 1);
  net.run_for(3s);
  net.split({2});
  net.parts[2].store->now = faulty_leases::fault::answers_nothing;
  const auto there = net.add(2, key, "b", 1);
  net.run_for(4'500ms);
  CHECK(there->ok()); // it had it still
  CHECK(net.all(2).counters().leases_lost == 1);
  CHECK_FALSE(net.all(2).runs_here(key));
  const auto here = net.add(0, key, "a", 2, 20s);
  const auto nowhere = net.add(2, key, "b", 2, 5s);
  net.run_for(5s);
  CHECK(here->number == 1);
  CHECK(nowhere->why.check(errc::timed_out));
  net.parts[2].store->now = faulty_leases::fault::none;
  net.mend_all();
  net.run_for(10s);
  CHECK(net.which(2, key) == "n2 1");
  CHECK(net.log.overlaps == 0);
  CHECK(net.log.without_lease == 0);
}

TEST_CASE("what waits is bounded, in number and in time, and told", "[sharded]") {
  sharded_options kind;
  kind.max_held = 5;
  kind.hold_for = 3s;
  kind.hosts = false;
  entity_net net{{.nodes = 1}, kind};
  net.run_for(2s);
  std::vector<std::shared_ptr<entity_net::result>> all;
  for (std::uint64_t n = 1; n <= 5; ++n)
    all.push_back(net.add(0, "room", "a", n, 10s));
  const auto more = net.add(0, "room", "a", 6, 10s);
  CHECK(more->why.check(errc::queue_overflow));
  CHECK(net.all(0)
          .get("room")
          .send(add_atom::value, std::string{"a"}, std::uint64_t{7})
          .check(errc::queue_overflow));
  CHECK(net.all(0).counters().held == 5);
  net.run_for(2'900ms);
  CHECK(all[0]->times == 0);
  net.run_for(300ms);
  for (const auto& one : all) {
    CHECK(one->why.check(errc::timed_out));
    CHECK_THAT(one->why.message(), Contains("no node hosts 'tallies'"));
  }
  CHECK(net.all(0).counters().held == 0);
  CHECK(net.all(0).counters().messages_told == 5);
}

TEST_CASE("what cannot be is told: keys, values, time-outs, options", "[sharded]") {
  entity_net net{{.nodes = 1}};
  net.run_for(2s);
  CHECK(net.all(0).get("").send(end_atom::value).check(errc::invalid_argument));
  CHECK(net.all(0).get(std::string(201, 'x')).send(end_atom::value).check(errc::invalid_argument));
  CHECK(net.all(0).get("room").send(stays_here{}).check(errc::not_supported));
  CHECK(net.ask(0, "room", wait_for_ever, which_atom::value)->why.check(errc::invalid_argument));
  CHECK(net.ask(0, "", 1s, which_atom::value)->why.check(errc::invalid_argument));
  const auto refused = [&](sharded_options options) {
    std::string why;
    net.runtime().in_turn([&] {
      try {
        sharded<tally> another{net.node(0), std::move(options), std::string{"n0"}, &net.log};
      } catch (const std::invalid_argument& e) {
        why = e.what();
      }
    });
    return why;
  };
  CHECK_THAT(refused({}), Contains("name has 1 to 100 bytes"));
  CHECK_THAT(refused({.name = "x", .shards = 0}), Contains("shards is 1 to 4,096"));
  CHECK_THAT(refused({.name = "x", .max_held = 0}), Contains("max_held"));
  CHECK_THAT(refused({.name = "x", .hold_for = 0s}), Contains("hold_for"));
  CHECK_THAT(refused({.name = "tallies"}), Contains("has one named 'tallies' already"));
  CHECK(refused({.name = "others"}).empty());
}

TEST_CASE("an entity that fails is started anew by the next message", "[sharded]") {
  entity_net net{{.nodes = 2}};
  logged_errors errors{net.runtime()};
  net.run_for(2s);
  const auto key = net.key_on(1);
  for (const std::size_t from : {0, 1}) {
    net.add(from, key, "a" + std::to_string(from), 1);
    net.run_for(200ms);
    const auto waits = net.ask(from, key, 5s, wait_atom::value);
    net.run_for(50ms);
    const auto crash = net.ask(from, key, 5s, crash_atom::value);
    net.run_for(50ms);
    CHECK(waits->why.check(errc::actor_down));
    CHECK(crash->times == 1);
    CHECK(crash->why);
    CHECK(net.which(from, key) == "n1 0");
    CHECK(errors.flush("told to").size() == 1);
  }
  const auto never = net.ask(0, "cannot be", 5s, which_atom::value);
  net.run_for(200ms);
  CHECK(never->why.check(errc::child_start_failed));
  CHECK_THAT(never->why.message(), Contains("it cannot be"));
  CHECK(errors.flush("cannot be made").size() == 1);
}

TEST_CASE("an entity that does not hand over is killed, and its shard goes on", "[sharded]") {
  entity_net net{{.nodes = 2}};
  net.run_for(2s);
  const auto owner = net.owner("slow");
  net.add(0, "slow", "a", 1);
  net.run_for(500ms);
  const auto begun = net.now();
  net.runtime().in_turn([&] { net.node(owner).drain({}).add_callback([] {}); });
  const auto got = net.ask(1 - owner, "slow", 10s, which_atom::value);
  CHECK(net.run_until([&] { return got->times > 0; }, 10s));
  CHECK(got->text == "n" + std::to_string(1 - owner) + " 0");
  CHECK(net.now() - begun >= 5s);
  CHECK(net.now() - begun < 6s);
  CHECK(net.all(owner).counters().killed == 1);
}

TEST_CASE("who has never sent anything does not start what another node still has", "[sharded]") {
  const bool leased = GENERATE(false, true);
  entity_net net{{.nodes = 3}, {}, leased};
  net.run_for(2s);
  const auto owner = net.owner("slow");
  net.add(owner, "slow", "a", 1);
  net.run_for(1s);
  const auto begun = net.now();
  net.runtime().in_turn([&] { net.node(owner).drain({}).add_callback([] {}); });
  net.run_for(50ms);
  const auto next = std::stoul(net.all((owner + 1) % 3).where("slow").substr(1));
  REQUIRE(next != owner);
  const auto got = net.ask(next, "slow", 10s, which_atom::value);
  CHECK(net.run_until([&] { return got->times > 0; }, 10s));
  CHECK(got->text == "n" + std::to_string(next) + " 0");
  CHECK(net.now() - begun >= 5s);
  CHECK(net.log.overlaps == 0);
}

TEST_CASE("one that takes too long to sleep is killed, and what came meanwhile goes to the next",
          "[sharded]") {
  auto kind = kind_with(1s);
  kind.hand_over_within = 2s;
  entity_net net{{.nodes = 1}, kind};
  net.run_for(2s);
  net.add(0, "slow", "a", 1);
  net.run_for(1'100ms);
  const auto got = net.ask(0, "slow", 5s, which_atom::value);
  net.run_for(1'700ms);
  CHECK(got->times == 0);
  net.run_for(400ms);
  CHECK(got->text == "n0 0");
  CHECK(net.all(0).counters().killed == 1);
  CHECK(net.log.overlaps == 0);
}

TEST_CASE("a node with another number of shards is told so", "[sharded]") {
  entity_net net{{.nodes = 2}};
  net.run_for(2s);
  net.kill(1);
  net.restart(1);
  net.runtime().in_turn([&] {
    net.parts[1].all.emplace(net.node(1), sharded_options{.name = "tallies", .shards = 7},
                             std::string{"n1"}, &net.log);
  });
  net.run_for(3s);
  bool told = false;
  for (int i = 0; i < 20 && !told; ++i) {
    const auto got = net.ask(0, "room" + std::to_string(i), 3s, which_atom::value);
    net.run_for(200ms);
    told = got->why.check(errc::invalid_argument)
           && got->why.message().find("must be the same on all nodes") != std::string::npos;
  }
  CHECK(told);
}
