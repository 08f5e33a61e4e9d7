// Nodes whose runtimes run in threads of their own, on several loops each.

#include <troupe/cluster/cluster.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <caf/send.hpp>

#include <troupe/actors/topics.hpp>
#include <troupe/cluster/memory_backplane.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using say_atom = caf::atom_constant<caf::atom("say")>;
using say_all_atom = caf::atom_constant<caf::atom("say all")>;

/// Publishes "<who> <n>" for each message n, or for all below it.
class speaker : public pinned_actor {
public:
  speaker(caf::actor_config& cfg, topic room, std::string who)
    : pinned_actor(cfg), room_(std::move(room)), who_(std::move(who)) {}
  caf::behavior make_behavior() override {
    return {[this](say_atom, int n) { say(n); },
            [this](say_all_atom, int count) {
              for (int n = 0; n < count; ++n)
                say(n);
            }};
  }

private:
  void say(int n) { room_.publish(who_ + ' ' + std::to_string(n)); }

  const topic room_;
  const std::string who_;
};

/// Expects of each speaker 0, 1, 2 and so on, up to `last`.
class listener : public pinned_actor {
public:
  listener(caf::actor_config& cfg, std::size_t speakers, int last, std::atomic<int>* wrong,
           events* done)
    : pinned_actor(cfg), speakers_(speakers), last_(last), wrong_(wrong), done_(done) {}
  caf::behavior make_behavior() override {
    return {[this](const published& p) {
      const std::string line{p.bytes.text()};
      const auto space = line.find(' ');
      auto& next = next_[line.substr(0, space)];
      if (std::stoi(line.substr(space + 1)) != next++)
        ++*wrong_;
      if (next == last_ && ++complete_ == speakers_)
        done_->add("all");
    }};
  }

private:
  const std::size_t speakers_;
  const int last_;
  std::atomic<int>* const wrong_;
  events* const done_;
  std::map<std::string, int> next_;
  std::size_t complete_ = 0;
};

/// Has its loop for itself until `over`, once it has sent somebody a number.
class occupant : public pinned_actor {
public:
  occupant(caf::actor_config& cfg, const std::atomic<bool>& over)
    : pinned_actor(cfg), over_(over) {}
  caf::behavior make_behavior() override;

private:
  const std::atomic<bool>& over_;
};

/// Two runtimes in one process, each a node of the same cluster.
struct two_nodes {
  two_nodes(std::size_t loops_of_a, std::size_t loops_of_b) : a{loops_of_a}, b{loops_of_b} {}
  const std::shared_ptr<memory_backplane> wire = std::make_shared<memory_backplane>();
  running a, b;
  troupe::cluster left{a.rt, {.name = "a", .via = wire}};
  troupe::cluster right{b.rt, {.name = "b", .via = wire}};
  const topics here{left}, there{right};
};

template <class Done>
bool wait_until(Done done) {
  for (int i = 0; i < 2000; ++i) {
    if (done())
      return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

caf::behavior occupant::make_behavior() {
  return {[this](say_atom, const caf::actor& to) {
    send(to, say_atom::value, 1);
    static_cast<void>(wait_until([&] { return over_.load(); }));
  }};
}

} // namespace

TEST_CASE("what each publisher says keeps its order over loops, nodes and thieves", "[cluster]") {
  const std::size_t loops = GENERATE(1, 3);
  const int count = static_cast<int>(load_size(10'000));
  events done, seen;
  std::atomic<int> wrong{0};
  two_nodes net{loops, loops};
  for (std::size_t i = 0; i < loops; ++i)
    net.there.get("room").subscribe(
      caf::actor_cast<caf::actor>(net.b.rt.spawn_on<listener>(i, loops + 1, count, &wrong, &done)));
  std::vector<caf::actor> speakers;
  const auto room = net.here.get("room");
  for (std::size_t i = 0; i < loops; ++i)
    speakers.push_back(
      caf::actor_cast<caf::actor>(net.a.rt.spawn_on<speaker>(i, room, "loop" + std::to_string(i))));
  speakers.push_back(net.a.rt.spawn([room](caf::event_based_actor*) -> caf::behavior {
    return {[room](say_atom, int n) {
      room.publish("floating " + std::to_string(n));
    }};
  }));
  net.a.start();
  net.b.start();
  REQUIRE(wait_until([&] { return net.left.topics_elsewhere() == 1; }));
  for (int n = 0; n < count; ++n)
    for (const auto& one : speakers)
      caf::anon_send(one, say_atom::value, n);
  CHECK(done.wait_for("all", static_cast<int>(loops)));
  CHECK(wrong == 0);
  CHECK(net.left.counters().publications_dropped == 0);
  CHECK(net.right.counters().publications_missed == 0);
  CHECK(net.right.counters().publications_in == static_cast<std::uint64_t>(count) * (loops + 1));

  net.a.stop(); // says goodbye by itself
  CHECK(net.left.state() == own_state::left);
  CHECK(wait_until([&] {
    const auto known = net.right.nodes();
    return known.size() == 1 && known[0].state == node_state::left;
  }));
  net.b.stop();
}

TEST_CASE(
  "what is published on a loop that is busy then precedes what its publisher says elsewhere",
  "[cluster]") {
  events done;
  std::atomic<int> wrong{0};
  std::atomic<bool> over{false};
  two_nodes net{3, 1};
  net.there.get("room").subscribe(
    caf::actor_cast<caf::actor>(net.b.rt.spawn_on<listener>(0, 1, 2, &wrong, &done)));
  const auto blocks = caf::actor_cast<caf::actor>(net.a.rt.spawn_on<occupant>(1, over));
  const auto moves = net.a.rt.spawn(
    [room = net.here.get("room"), blocks, &over](caf::event_based_actor* self) -> caf::behavior {
      return {[=, &over](say_atom, int n) {
        room.publish("floating " + std::to_string(n));
        if (n == 0)
          self->send(blocks, say_atom::value, caf::actor{self}); // which asks for the next one
        else
          over = true;
      }};
    });
  net.a.start();
  net.b.start();
  REQUIRE(wait_until([&] { return net.left.topics_elsewhere() == 1; }));
  net.a.rt.scheduler().loop(1).post([&] { caf::anon_send(moves, say_atom::value, 0); });
  CHECK(done.wait_for("all"));
  CHECK(wait_until([&] { return over.load(); })); // it says so behind what it publishes
  CHECK(wrong == 0);
  net.a.stop();
  net.b.stop();
}

TEST_CASE("what a loop publishes in a turn goes to the cluster's loop as one", "[cluster]") {
  const int count = 1000;
  events done;
  std::atomic<int> wrong{0};
  two_nodes net{2, 1};
  net.there.get("room").subscribe(
    caf::actor_cast<caf::actor>(net.b.rt.spawn_on<listener>(0, 1, count, &wrong, &done)));
  const auto who =
    caf::actor_cast<caf::actor>(net.a.rt.spawn_on<speaker>(1, net.here.get("room"), "loop1"));
  net.a.start();
  net.b.start();
  REQUIRE(wait_until([&] { return net.left.topics_elsewhere() == 1; }));
  const auto posted = [&] {
    return net.a.rt.scheduler().loop(0).counters().jobs_from_outside;
  };
  const auto before = posted();
  caf::anon_send(who, say_all_atom::value, count);
  CHECK(done.wait_for("all"));
  CHECK(wrong == 0);
  CHECK(net.right.counters().publications_in == static_cast<std::uint64_t>(count));
  CHECK(posted() - before < static_cast<std::uint64_t>(count / 10)); // a beat may be among them
  net.a.stop();
  net.b.stop();
}

TEST_CASE("nodes that come and go leave nothing behind", "[cluster]") {
  auto wire = std::make_shared<memory_backplane>();
  running a{1};
  troupe::cluster stays{a.rt, {.name = "stays", .via = wire, .heartbeat = 20ms}};
  a.start();
  for (int i = 0; i < 20; ++i) {
    running b{2};
    troupe::cluster comes{b.rt, {.name = "comes", .via = wire, .heartbeat = 20ms}};
    const topics rooms{comes};
    b.start();
    REQUIRE(wait_until([&] {
      const auto known = stays.nodes();
      return known.size() == 1 && known[0].state == node_state::up;
    }));
    b.stop();
    REQUIRE(wait_until([&] { return stays.nodes().at(0).state == node_state::left; }));
  }
  CHECK(stays.nodes().size() == 1);
  a.stop();
}
