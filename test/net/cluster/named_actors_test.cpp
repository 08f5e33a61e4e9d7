#include <troupe/cluster/cluster_actor.hpp>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/send.hpp>

#include <troupe/cluster/cluster.hpp>
#include <troupe/cluster/memory_backplane.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/cluster_fixture.hpp>

#include "named_server.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

struct here_only {
  int n = 0;
};

} // namespace

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(here_only)

namespace {

/// Hears of ends.
class watcher final : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](caf::unit_t) {
    }};
  }
};

struct named : cluster_fixture {
  using cluster_fixture::cluster_fixture;

  caf::actor serve(std::size_t number, const std::string& name) {
    auto who = runtime().spawn_on<server>(0, "n" + std::to_string(number), &notes);
    runtime().in_turn([&] { CHECK(node(number).serve(name, who)); });
    return who;
  }
  void end(caf::actor& who) {
    caf::anon_send_exit(std::exchange(who, {}), caf::exit_reason::kill);
    runtime().settle();
  }

  /// What came of a question: the answer, or the name of the error; both, if that happened twice.
  struct result {
    std::string answer;
    failure why;
    int times = 0;
    duration after{};
  };
  template <class... Ts>
  std::shared_ptr<result> ask(const cluster_actor& whom, duration timeout, Ts... values) {
    auto got = std::make_shared<result>();
    const auto asked = now();
    runtime().in_turn([&] {
      troupe::ask<std::string>(runtime(), whom, timeout, values...)
        .add_both([this, got, asked](outcome<std::string> what) {
          ++got->times;
          got->after = now() - asked;
          if (what)
            got->answer = *what;
          else
            got->why = what.error();
        });
    });
    return got;
  }

  std::vector<std::int64_t> notes;
};

} // namespace

TEST_CASE("an actor is asked by its name from every node", "[cluster][names]") {
  named net{{.nodes = 3}};
  net.run_for(1s);
  net.serve(2, "users");
  CHECK(net.node(2).actor("users").is_served()); // here at once
  net.run_for(20ms);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(net.node(i).actor("users").is_served());
    CHECK(net.node(i).actor("users", "n2").is_served());
    CHECK_FALSE(net.node(i).actor("users", "n1").is_served());
    const auto got = net.ask(net.node(i).actor("users"), 5s, where_atom::value, std::int64_t{7});
    net.run_for(20ms);
    CHECK(got->answer == "n2 7");
    CHECK(got->times == 1);
  }
  CHECK_FALSE(net.node(0).actor("users").send(note_atom::value, std::int64_t{1}));
  CHECK_FALSE(net.node(0).actor("users").send(note_atom::value, std::int64_t{2}));
  net.run_for(20ms);
  CHECK(net.notes == std::vector<std::int64_t>{1, 2});
}

TEST_CASE("whoever hears first that an actor has ended may give its name to the next one",
          "[cluster][names]") {
  named net{{.nodes = 2}};
  net.run_for(1s);
  auto first = net.serve(0, "users");
  net.run_for(20ms);
  std::vector<failure> at_0, at_1;
  const auto hears = net.runtime().spawn_on<watcher>(0);
  basic_actor::run_as(caf::actor_cast<caf::strong_actor_ptr>(hears), [&] {
    auto& me = static_cast<watcher&>(*caf::actor_cast<caf::abstract_actor*>(hears));
    net.node(0).watch(me, net.node(0).actor("users", "n0"),
                      [&](const failure& why) { at_0.push_back(why); });
    net.node(1).watch(me, net.node(1).actor("users", "n0"),
                      [&](const failure& why) { at_1.push_back(why); });
  });
  net.run_for(20ms);
  auto second = net.runtime().spawn_on<server>(0, "second", &net.notes);
  bool served = false;
  caf::actor_cast<caf::strong_actor_ptr>(first)->get()->attach_functor(
    [&] { served = net.node(0).serve("users", second); }); // runs before what was attached earlier
  net.end(first);
  CHECK(served);
  net.run_for(20ms);
  CHECK(at_0.size() == 1);
  CHECK(at_1.size() == 1);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto got = net.ask(net.node(i).actor("users"), 5s, where_atom::value, std::int64_t{7});
    net.run_for(20ms);
    CHECK(got->answer == "second 7");
  }
  net.end(second);
  net.run_for(20ms);
  CHECK_FALSE(net.node(0).actor("users").is_served());
  CHECK_FALSE(net.node(1).actor("users").is_served());
}

TEST_CASE("an actor that has ended serves nothing, and the name stays free", "[cluster][names]") {
  named net{{.nodes = 2}};
  net.run_for(1s);
  const auto ended = net.runtime().spawn_on<server>(0, "n0", &net.notes);
  caf::anon_send_exit(ended, caf::exit_reason::kill);
  net.runtime().settle();
  net.runtime().in_turn([&] { CHECK_FALSE(net.node(0).serve("users", ended)); });
  net.run_for(20ms);
  CHECK_FALSE(net.node(0).actor("users").is_served());
  CHECK_FALSE(net.node(1).actor("users").is_served());
  net.serve(0, "users");
  net.run_for(20ms);
  CHECK(net.node(1).actor("users").is_served());
}

TEST_CASE("the nearest is asked: ours, else the others in turn, or the one that is meant",
          "[cluster][names]") {
  named net{{.nodes = 4}};
  net.run_for(1s);
  net.serve(1, "users");
  net.serve(2, "users");
  auto ours = net.serve(3, "users");
  net.run_for(20ms);
  const auto answers = [&](std::size_t from, std::string node = {}) {
    std::map<std::string, int> by;
    for (int i = 0; i < 12; ++i) {
      const auto got =
        net.ask(net.node(from).actor("users", node), 1s, where_atom::value, std::int64_t{i});
      net.run_for(20ms);
      ++by[got->answer.substr(0, 2)];
    }
    return by;
  };
  CHECK(answers(0) == std::map<std::string, int>{{"n1", 4}, {"n2", 4}, {"n3", 4}});
  CHECK(answers(3) == std::map<std::string, int>{{"n3", 12}});
  CHECK(answers(3, "n1") == std::map<std::string, int>{{"n1", 12}});
  net.end(ours);
  net.run_for(20ms);
  CHECK(answers(3) == std::map<std::string, int>{{"n1", 6}, {"n2", 6}});
}

TEST_CASE("nobody serves it: known at once, without a word to anybody", "[cluster][names]") {
  named net{{.nodes = 2}};
  net.run_for(1s);
  const auto before = net.node(0).counters().questions_out;
  const auto got = net.ask(net.node(0).actor("nobody"), 5s, where_atom::value, std::int64_t{1});
  CHECK(got->times == 1);
  CHECK(got->why.check(errc::actor_down));
  CHECK_THAT(got->why.message(), Contains("nobody serves 'nobody' in cluster troupe"));
  const auto there =
    net.ask(net.node(0).actor("nobody", "n1"), 5s, where_atom::value, std::int64_t{1});
  CHECK_THAT(there->why.message(), Contains("on node n1"));
  CHECK(
    net.node(0).actor("nobody").send(note_atom::value, std::int64_t{1}).check(errc::actor_down));
  CHECK(net.node(0).counters().questions_out == before);
}

TEST_CASE("each question has one end: an answer, a failure, or its time", "[cluster][names]") {
  named net{{.nodes = 3}};
  net.run_for(1s);
  auto who = net.serve(1, "users");
  net.run_for(20ms);
  const auto users = net.node(0).actor("users");

  const auto refused = net.ask(users, 5s, refuse_atom::value);
  const auto unknown = net.ask(users, 5s, std::string{"what?"});
  const auto handle = net.ask(users, 5s, handle_atom::value);
  const auto slow = net.ask(users, 300ms, never_atom::value);
  const auto down = net.ask(users, 5s, never_atom::value);
  net.run_for(299ms);
  CHECK(refused->why.check(errc::name_taken));
  CHECK_THAT(refused->why.message(), Contains("it is mine"));
  CHECK(unknown->why.check(errc::no_handler));
  CHECK(handle->why.check(errc::not_supported)); // a handle does not travel back
  CHECK_THAT(handle->why.message(), Contains("handles of actors"));
  CHECK(slow->times == 0);
  net.run_for(2ms);
  CHECK(slow->why.check(errc::timed_out));
  CHECK(down->times == 0);
  net.end(who);
  net.run_for(20ms);
  CHECK(down->why.check(errc::actor_down));
  net.run_for(10s);
  for (const auto& one : {refused, unknown, handle, slow, down})
    CHECK(one->times == 1);
}

TEST_CASE(
  "a question to a node that is killed, or leaves, or is cut off, fails within three seconds",
  "[cluster][names]") {
  named net{{.nodes = 4}};
  net.run_for(1s);
  net.serve(1, "one");
  net.serve(2, "two");
  net.serve(3, "three");
  net.run_for(2s);
  const auto killed = net.ask(net.node(0).actor("one"), 60s, never_atom::value);
  const auto left = net.ask(net.node(0).actor("two"), 60s, never_atom::value);
  const auto cut = net.ask(net.node(0).actor("three"), 60s, never_atom::value);
  net.run_for(20ms);
  net.crash(1);
  net.leave(2);
  net.cut(0, 3);
  net.run_for(20ms);
  CHECK(left->why.check(errc::connection_lost));
  CHECK_THAT(left->why.message(), Contains("node n2 has left"));
  CHECK(killed->times == 0);
  net.run_for(3s);
  CHECK(killed->why.check(errc::connection_lost));
  CHECK_THAT(killed->why.message(), Contains("node n1 is down"));
  CHECK(cut->why.check(errc::connection_lost));
  CHECK_FALSE(net.node(0).actor("one").is_served());
  CHECK_FALSE(net.node(0).actor("three").is_served());
  net.mend_all();
  net.run_for(3s);
  CHECK(net.node(0).actor("three").is_served()); // and is there again
  net.run_for(60s);
  for (const auto& one : {killed, left, cut})
    CHECK(one->times == 1);
}

TEST_CASE("what does not travel is an error where it is sent, also to an actor of this node",
          "[cluster][names]") {
  named net{{.nodes = 2, .node = {.max_message = 1000}}};
  net.run_for(1s);
  net.serve(1, "users");
  net.run_for(20ms);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto users = net.node(i).actor("users");
    const auto got = net.ask(users, 5s, here_only{1});
    CHECK(got->why.check(errc::not_supported));
    CHECK_THAT(got->why.message(), Contains("here_only"));
    CHECK(users.send(here_only{1}).check(errc::not_supported));
    const auto for_ever = net.ask(users, wait_for_ever, where_atom::value, std::int64_t{1});
    CHECK(for_ever->why.check(errc::invalid_argument));
  }
  const auto users = net.node(0).actor("users");
  CHECK(net.ask(users, 5s, std::string(1001, 'x'))->why.check(errc::message_too_long));
  CHECK(users.send(std::string(1001, 'x')).check(errc::message_too_long));
}

TEST_CASE("a name has one actor on a node, until that ends", "[cluster][names]") {
  named net{{.nodes = 2}};
  net.run_for(1s);
  auto first = net.serve(1, "users");
  auto second = net.runtime().spawn_on<server>(0, "second", &net.notes);
  CHECK_FALSE(net.node(1).serve("users", second));
  net.end(first);
  CHECK(net.node(1).serve("users", second));
  net.run_for(20ms);
  const auto got = net.ask(net.node(0).actor("users"), 5s, where_atom::value, std::int64_t{1});
  net.run_for(20ms);
  CHECK(got->answer == "second 1");
  net.node(1).unserve("users");
  net.run_for(20ms);
  CHECK_FALSE(net.node(0).actor("users").is_served());

  const auto local = net.runtime().names().get("cache"); // whoever has that name of the runtime
  CHECK(net.node(1).serve("users", local));
  net.run_for(20ms);
  const auto none = net.ask(net.node(0).actor("users"), 5s, where_atom::value, std::int64_t{1});
  net.run_for(20ms);
  CHECK(none->why.check(errc::actor_down));
  CHECK(net.runtime().names().put("cache", second));
  const auto some = net.ask(net.node(0).actor("users"), 5s, where_atom::value, std::int64_t{2});
  net.run_for(20ms);
  CHECK(some->answer == "second 2");

  CHECK_THROWS_AS(net.node(1).serve("", second), std::invalid_argument);
  CHECK_THROWS_AS(net.node(1).serve(std::string(201, 'x'), second), std::invalid_argument);
  CHECK_THROWS_AS(net.node(1).serve("empty", caf::actor{}), std::invalid_argument);
}

TEST_CASE("a watch ends once: with its actor, its node, or the last who serves the name",
          "[cluster][names]") {
  std::map<std::string, std::vector<failure>> ends;
  named net{{.nodes = 4}};
  net.run_for(1s);
  auto one = net.serve(1, "users");
  auto two = net.serve(2, "users");
  net.run_for(20ms);
  const auto self = net.runtime().spawn_on<watcher>(0);
  const auto as_self = [&](auto fn) {
    basic_actor::run_as(caf::actor_cast<caf::strong_actor_ptr>(self), [&, fn] {
      fn(static_cast<watcher&>(*caf::actor_cast<caf::abstract_actor*>(self)));
    });
    net.runtime().settle();
  };
  const auto note = [&](const std::string& what) {
    return [&ends, what](const failure& why) {
      ends[what].push_back(why);
    };
  };
  std::uint64_t taken_back = 0;
  as_self([&](watcher& me) {
    auto& node = net.node(0);
    node.watch(me, node.actor("users", "n1"), note("n1's"));
    node.watch(me, node.actor("users", "n2"), note("n2's"));
    node.watch(me, node.actor("users"), note("any"));
    node.watch(me, node.actor("nobody"), note("nobody"));
    node.watch_node(me, "n3", note("n3"));
    node.watch_node(me, "n9", note("n9"));
    taken_back = node.watch(me, node.actor("users"), note("taken back"));
  });
  CHECK(ends["nobody"].size() == 1);
  CHECK(ends["n9"].size() == 1);
  net.node(0).unwatch(taken_back);
  net.end(one);
  one = net.serve(1, "users"); // another one at once: the first has ended all the same
  net.run_for(50ms);
  REQUIRE(ends["n1's"].size() == 1);
  CHECK(ends["n1's"][0].check(errc::actor_down));
  CHECK(ends["any"].empty());
  net.crash(2);
  net.end(one);
  net.run_for(50ms);
  CHECK(ends["any"].empty()); // nobody knows yet that the second one's node is gone
  net.run_for(3s);
  REQUIRE(ends["n2's"].size() == 1);
  CHECK(ends["n2's"][0].check(errc::connection_lost));
  REQUIRE(ends["any"].size() == 1);
  CHECK(ends["n3"].empty());
  net.stop(3); // so long that it is taken for down
  net.run_for(4s);
  net.go_on(3);
  net.run_for(3s);
  REQUIRE(ends["n3"].size() == 1);
  CHECK(ends["n3"][0].check(errc::connection_lost));
  net.run_for(20s);
  for (const auto& what : {"n1's", "n2's", "any", "nobody", "n3", "n9"})
    CHECK(ends[what].size() == 1);
  CHECK(ends["taken back"].empty());
}

TEST_CASE("with losses, cuts and crashes, each question and each watch ends once, and names agree "
          "after the last fault",
          "[cluster][names]") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    constexpr std::size_t nodes = 5;
    std::vector<int> watched; // how often each ended
    watched.reserve(1000);
    named net{{.nodes = nodes, .seed = seed}};
    std::mt19937_64 random{seed};
    const std::string names[] = {"a", "b", "c"};
    std::map<std::pair<std::size_t, std::string>, caf::actor> served;
    std::vector<std::shared_ptr<named::result>> asked;
    const auto self = net.runtime().spawn_on<watcher>(0);
    net.run_for(1s);
    net.set_loss(0.1);
    for (int round = 0; round < 300; ++round) {
      const auto number = random() % nodes;
      const auto& name = names[random() % 3];
      switch (random() % 10) {
      case 0:
        if (random() % 8 == 0) {
          for (auto next = served.begin(); next != served.end();)
            if (next->first.first == number) {
              net.end(next->second);
              next = served.erase(next);
            } else {
              ++next;
            }
          net.restart(number);
        }
        break;
      case 1:
        net.cut(number, random() % nodes);
        break;
      case 2:
        net.mend_all();
        break;
      case 3:
      case 4: {
        auto& who = served[{number, name}];
        if (!who)
          who = net.serve(number, name);
        break;
      }
      case 5: {
        auto& who = served[{number, name}];
        if (who)
          net.end(who);
        break;
      }
      case 6:
        basic_actor::run_as(caf::actor_cast<caf::strong_actor_ptr>(self), [&] {
          watched.push_back(0);
          auto* const ended = &watched.back();
          auto& me = static_cast<watcher&>(*caf::actor_cast<caf::abstract_actor*>(self));
          net.node(number).watch(
            me,
            net.node(number).actor(name,
                                   random() % 2 ? "" : "n" + std::to_string(random() % nodes)),
            [ended](const failure& why) {
              CHECK(why);
              ++*ended;
            });
        });
        net.runtime().settle();
        break;
      default:
        asked.push_back(net.ask(net.node(number).actor(name), 2s, where_atom::value,
                                static_cast<std::int64_t>(asked.size())));
      }
      net.run_for(std::chrono::milliseconds(random() % 100));
    }
    net.run_for(5s);
    INFO("seed " << seed);
    std::size_t answered = 0;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (asked[i]->times != 1)
        FAIL("question " << i << " ended " << asked[i]->times << " times");
      CHECK(asked[i]->after <= 2001ms);
      if (!asked[i]->why) {
        ++answered;
        CHECK(asked[i]->answer.substr(3) == std::to_string(i)); // nobody else's answer
      }
    }
    CHECK(answered > 20);
    for (auto& [where, who] : served)
      if (who && where.second == "c")
        net.end(who);
    net.settle();
    net.run_for(2s);
    for (std::size_t from = 0; from < nodes; ++from)
      for (std::size_t on = 0; on < nodes; ++on)
        for (const auto& name : names) {
          const auto there = served.find({on, name});
          const bool serves = there != served.end() && there->second;
          if (net.node(from).actor(name, "n" + std::to_string(on)).is_served() != serves)
            FAIL("n" << from << " is wrong about " << name << " on n" << on);
        }
    for (auto& [where, who] : served)
      if (who)
        net.end(who);
    net.run_for(5s);
    for (const auto times : watched)
      if (times != 1)
        FAIL("a watch ended " << times << " times");
  }
}
