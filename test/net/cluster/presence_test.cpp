#include <troupe/cluster/presence.hpp>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <caf/send.hpp>

#include <troupe/cluster/cluster.hpp>
#include <troupe/cluster/memory_backplane.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/cluster_fixture.hpp>

#include "support/catch.hpp"
#include "wire.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using strings = std::vector<std::string>;

namespace {

class somebody final : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](caf::unit_t) {
    }};
  }
};

/// One who watches a room: all that it was told, as text; and who is there by that.
struct witness {
  strings told;
  std::map<std::string, std::string> there;
  std::size_t count = 0;
  std::string wrong;

  void take(const presence_change& c) {
    std::string text{to_string(c.cause)};
    for (const auto& one : c.joins) {
      text += " +" + one.key;
      if (!there.emplace(one.key, one.meta).second)
        wrong += one.key + " joins twice; ";
    }
    for (const auto& one : c.leaves) {
      text += " -" + one.key;
      if (there.erase(one.key) == 0)
        wrong += one.key + " leaves, and was not there; ";
    }
    for (const auto& one : c.updates) {
      text += " =" + one.key + ':' + one.meta;
      const auto known = there.find(one.key);
      if (known == there.end())
        wrong += one.key + " changes, and was not there; ";
      else
        known->second = one.meta;
    }
    count = c.count;
    told.push_back(text);
  }
  strings taken() { return std::exchange(told, {}); }
};

struct rooms_net : cluster_fixture {
  using cluster_fixture::cluster_fixture;

  template <class F>
  void as(const caf::actor& who, F fn) {
    basic_actor::run_as(caf::actor_cast<caf::strong_actor_ptr>(who), [&] {
      fn(static_cast<somebody&>(*caf::actor_cast<caf::abstract_actor*>(who)));
    });
    runtime().settle();
  }
  caf::actor spawn() { return runtime().spawn_on<somebody>(0); }
  void track(const caf::actor& who, std::size_t number, const std::string& room,
             const std::string& key, const std::string& meta = {}) {
    as(who, [&](somebody& me) { presence{node(number)}.track(me, room, key, meta); });
  }
  void untrack(const caf::actor& who, std::size_t number, const std::string& room,
               const std::string& key) {
    as(who, [&](somebody& me) { presence{node(number)}.untrack(me, room, key); });
  }
  caf::actor user(std::size_t number, const std::string& room, const std::string& key,
                  const std::string& meta = {}) {
    auto who = spawn();
    track(who, number, room, key, meta);
    return who;
  }
  void end(caf::actor& who) {
    caf::anon_send_exit(std::exchange(who, {}), caf::exit_reason::kill);
    runtime().settle();
  }
  std::shared_ptr<witness> watch(std::size_t number, const std::string& room) {
    auto seen = std::make_shared<witness>();
    watchers.push_back(spawn());
    as(watchers.back(), [&](somebody& me) {
      presence{node(number)}.watch(me, room, [seen](const presence_change& c) { seen->take(c); });
    });
    return seen;
  }
  strings keys(std::size_t number, const std::string& room) {
    strings all;
    for (const auto& one : presence{node(number)}.list(room, SIZE_MAX))
      all.push_back(one.key);
    return all;
  }
  std::vector<caf::actor> watchers;
};

} // namespace

TEST_CASE("who is in a room is known on all nodes, until it leaves or ends",
          "[cluster][presence]") {
  rooms_net net{{.nodes = 3}};
  net.run_for(1s);
  auto alice = net.user(0, "lobby", "alice", "away");
  auto bob = net.user(1, "lobby", "bob");
  net.track(bob, 1, "kitchen", "bob");
  CHECK(net.keys(0, "lobby") == strings{"alice"}); // here at once
  net.run_for(200ms);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(net.keys(i, "lobby") == strings{"alice", "bob"});
    CHECK(net.keys(i, "kitchen") == strings{"bob"});
    presence here{net.node(i)};
    CHECK(here.count("lobby") == 2);
    CHECK(here.count("cellar") == 0);
    const auto first = here.list("lobby", 1);
    REQUIRE(first.size() == 1);
    CHECK(first[0].meta == "away");
    CHECK(first[0].node == "n0");
  }
  net.untrack(bob, 1, "lobby", "bob");
  net.untrack(bob, 1, "lobby", "nobody"); // nothing
  net.end(alice);
  net.run_for(200ms);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(net.keys(i, "lobby").empty());
    CHECK(net.keys(i, "kitchen") == strings{"bob"});
  }
  auto dead = net.spawn();
  net.as(dead, [&](somebody& me) {
    presence{net.node(0)}.track(me, "lobby", "ghost");
    me.quit();
  });
  net.run_for(200ms);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(net.keys(i, "lobby").empty());
}

TEST_CASE("one with two devices is there once, until both are gone", "[cluster][presence]") {
  rooms_net net{{.nodes = 3}};
  net.run_for(1s);
  const auto seen = net.watch(2, "lobby");
  auto phone = net.user(0, "lobby", "alice", "phone");
  net.run_for(200ms);
  auto desk = net.user(1, "lobby", "alice", "desk");
  net.run_for(200ms);
  presence here{net.node(2)};
  REQUIRE(here.list("lobby").size() == 1);
  CHECK(here.list("lobby")[0].entries == 2);
  CHECK(here.count("lobby") == 1);
  net.end(phone);
  net.run_for(200ms);
  CHECK(here.list("lobby")[0].meta == "desk");
  net.end(desk);
  net.run_for(200ms);
  CHECK(seen->taken() == strings{"present", "joined +alice", "joined =alice:desk", "left -alice"});
}

TEST_CASE("a watch begins with who is there, and hears what has changed in a moment as one",
          "[cluster][presence]") {
  rooms_net net{{.nodes = 2}};
  net.run_for(1s);
  auto alice = net.user(0, "lobby", "alice");
  auto bob = net.user(0, "lobby", "bob");
  net.run_for(200ms);
  const auto here = net.watch(0, "lobby"), there = net.watch(1, "lobby");
  for (const auto& one : {here, there})
    CHECK(one->taken() == strings{"present +alice +bob"});
  auto carol = net.user(0, "lobby", "carol");
  auto dave = net.user(0, "lobby", "dave");
  net.end(bob);
  auto short_one = net.user(0, "lobby", "short");
  net.end(short_one);
  net.track(alice, 0, "lobby", "alice", "busy");
  net.run_for(300ms);
  for (const auto& one : {here, there})
    CHECK(one->taken() == strings{"joined +carol +dave =alice:busy", "left -bob"});
  CHECK(there->count == 3);
  net.track(alice, 0, "lobby", "alice", "busy"); // nothing new
  net.run_for(300ms);
  CHECK(here->told.empty());
  net.end(net.watchers[1]);
  net.end(carol);
  net.run_for(300ms);
  CHECK(here->taken() == strings{"left -carol"});
  CHECK(there->told.empty());
}

TEST_CASE("with a node all that were on it go, once; who is cut off comes back as healed",
          "[cluster][presence]") {
  rooms_net net{{.nodes = 4}};
  net.run_for(1s);
  std::vector<caf::actor> users;
  for (const auto* key : {"a", "b", "c"})
    users.push_back(net.user(1, "lobby", key));
  users.push_back(net.user(2, "lobby", "d"));
  users.push_back(net.user(3, "lobby", "e"));
  net.run_for(500ms);
  const auto seen = net.watch(0, "lobby");
  seen->taken();
  net.crash(1);
  net.run_for(3s);
  CHECK(seen->taken() == strings{"node_down -a -b -c"});
  net.leave(2);
  net.run_for(50ms);
  CHECK(seen->taken() == strings{"node_left -d"});
  const auto other = net.watch(3, "lobby");
  auto f = net.user(0, "lobby", "f");
  net.run_for(300ms);
  other->taken();
  seen->taken();
  net.split({0});
  net.run_for(4s);
  CHECK(seen->taken() == strings{"node_down -e"});
  CHECK(other->taken() == strings{"node_down -f"});
  net.mend_all();
  net.run_for(4s);
  CHECK(seen->taken() == strings{"healed +e"});
  CHECK(other->taken() == strings{"healed +f"});
}

TEST_CASE("one whose node is taken for down by one other only is not away for the rest",
          "[cluster][presence]") {
  rooms_net net{{.nodes = 4}};
  net.run_for(1s);
  auto alice = net.user(1, "lobby", "alice");
  net.run_for(200ms);
  const auto seen = net.watch(2, "lobby");
  net.cut(0, 1);
  net.run_for(4s);
  net.mend_all();
  const auto before = net.node(1).incarnation();
  net.run_for(5s);
  CHECK(net.node(1).incarnation() > before);
  CHECK(seen->taken() == strings{"present +alice"});
  CHECK(net.keys(0, "lobby") == strings{"alice"});
}

TEST_CASE("who is back within leave_hold was never away: restarts are not seen",
          "[cluster][presence]") {
  rooms_net net{{.nodes = 3, .node = {.leave_hold = 5s}}};
  net.run_for(1s);
  auto alice = net.user(1, "lobby", "alice"), bob = net.user(1, "lobby", "bob");
  auto carol = net.user(1, "lobby", "carol");
  net.run_for(200ms);
  const auto seen = net.watch(0, "lobby");
  net.leave(1);
  net.run_for(1s);
  net.end(alice);
  net.end(bob);
  net.end(carol);
  net.restart(1);
  net.run_for(1s);
  alice = net.user(1, "lobby", "alice"); // at the same node
  bob = net.user(2, "lobby", "bob");     // at another one
  CHECK(net.keys(0, "lobby") == strings{"alice", "bob", "carol"});
  net.run_for(2500ms);
  CHECK(seen->taken() == strings{"present +alice +bob +carol"});
  net.run_for(1s);
  CHECK(seen->taken() == strings{"node_left -carol"}); // 5 s after its node left
  net.crash(1);
  net.run_for(6900ms);
  CHECK(seen->told.empty());
  net.run_for(2s);
  CHECK(seen->taken() == strings{"node_down -alice"});
  CHECK(net.keys(2, "lobby") == strings{"bob"});
}

TEST_CASE("of one with two devices that is shown whose node is there", "[cluster][presence]") {
  rooms_net net{{.nodes = 3, .node = {.leave_hold = 5s}}};
  net.run_for(1s);
  const auto phone = net.user(0, "lobby", "alice", "phone");
  const auto desk = net.user(1, "lobby", "alice", "desk");
  net.run_for(200ms);
  presence here{net.node(2)};
  CHECK(here.list("lobby").at(0).meta == "phone");
  net.crash(0);
  net.run_for(4s); // it is down, and held
  CHECK(here.list("lobby").at(0).entries == 2);
  CHECK(here.list("lobby")[0].meta == "desk");
  CHECK(here.list("lobby")[0].node == "n1");
  net.crash(1);
  net.run_for(3s); // the other one is held, too
  CHECK(here.list("lobby").at(0).meta == "phone");
}

TEST_CASE(
  "an actor has one entry for each room and key, however these are spelt, and all end with it",
  "[cluster][presence]") {
  rooms_net net{{.nodes = 2}};
  net.run_for(1s);
  auto who = net.spawn();
  const std::pair<const char*, const char*> places[] = {
    {"a", "bc"}, {"ab", "c"}, {"1 a", "b"}, {"a", "b"}, {"b", "a"}};
  for (const auto& [room, key] : places)
    net.track(who, 0, room, key, "1");
  for (const auto& [room, key] : places)
    net.track(who, 0, room, key, "2");
  net.run_for(500ms);
  CHECK(net.keys(1, "a") == strings{"b", "bc"});
  CHECK(net.keys(1, "ab") == strings{"c"});
  CHECK(presence{net.node(1)}.count("a") == 2);
  net.untrack(who, 0, "a", "bc");
  net.untrack(who, 0, "a", "bc");
  net.run_for(500ms);
  CHECK(net.keys(1, "a") == strings{"b"});
  CHECK(net.keys(1, "ab") == strings{"c"});
  net.end(who);
  net.run_for(500ms);
  for (const auto& [room, key] : places)
    CHECK(presence{net.node(1)}.count(room) == 0);
}

TEST_CASE("of a large room only the count travels", "[cluster][presence]") {
  rooms_net net{{.nodes = 3, .node = {.list_limit = 10}}};
  net.run_for(1s);
  const auto seen = net.watch(0, "hall");
  auto guest = net.user(2, "hall", "guest");
  std::vector<caf::actor> users;
  const auto add = [&](int n) {
    for (; n > 0; --n)
      users.push_back(net.user(1, "hall", "u" + std::to_string(100 + users.size())));
    net.run_for(300ms);
  };
  const auto take = [&](int n) {
    for (; n > 0; --n) {
      net.end(users.back());
      users.pop_back();
    }
    net.run_for(300ms);
  };
  presence far{net.node(0)}, near{net.node(1)};
  add(10);
  CHECK(far.list("hall").size() == 11);
  add(1);
  CHECK(far.list("hall").size() == 1); // the guest, whose node names it
  CHECK(far.count("hall") == 12);
  CHECK(near.list("hall").size() == 12);
  CHECK(near.count("hall") == 12);
  const auto messages = net.node(1).counters().messages_out;
  seen->taken();
  add(1000);
  CHECK(net.node(1).counters().messages_out < messages + 8); // not one for each
  CHECK(far.count("hall") == 1012);
  CHECK(seen->count == 1012);
  CHECK(seen->taken() == strings{"joined"});
  take(1005);
  CHECK(far.count("hall") == 7);
  CHECK(far.list("hall").size() == 1);
  take(1);
  CHECK(far.count("hall") == 6);
  CHECK(far.list("hall").size() == 6); // half as many: named again
  add(6);
  net.crash(1);
  net.run_for(3s);
  CHECK(far.count("hall") == 1);
  CHECK(net.keys(2, "hall") == strings{"guest"});
}

TEST_CASE("with losses, cuts and crashes, all see the same after the last fault, and watchers were "
          "told how it came",
          "[cluster][presence]") {
  for (std::uint64_t seed = 1; seed <= 16; ++seed) {
    INFO("seed " << seed);
    constexpr std::size_t nodes = 5;
    cluster_options options;
    options.leave_hold = seed % 2 == 0 ? 3s : 0s;
    options.list_limit = seed % 4 == 0 ? 4 : 1000;
    rooms_net net{{.nodes = nodes, .seed = seed, .node = options}};
    std::mt19937_64 random{seed};
    struct one {
      std::size_t node;
      std::string room, key;
      caf::actor who;
    };
    std::vector<one> users;
    std::map<std::size_t, std::vector<std::pair<std::string, std::shared_ptr<witness>>>> views;
    net.run_for(1s);
    net.set_loss(0.1);
    const auto watch_all = [&](std::size_t number) {
      for (const auto* room : {"a", "b"})
        views[number].emplace_back(room, net.watch(number, room));
    };
    for (std::size_t i = 0; i < nodes; ++i)
      watch_all(i);
    for (int round = 0; round < 400; ++round) {
      const auto number = random() % nodes;
      switch (random() % 10) {
      case 0:
        if (random() % 10 == 0) {
          for (auto& user : users)
            if (user.node == number)
              net.end(user.who);
          std::erase_if(users, [&](const auto& user) { return user.node == number; });
          views.erase(number);
          net.restart(number);
          watch_all(number);
        }
        break;
      case 1:
        net.cut_one_way(number, random() % nodes);
        break;
      case 2:
        net.mend_all();
        break;
      case 3:
        if (random() % 4 == 0) {
          net.stop(number);
          net.run_for(std::chrono::milliseconds(random() % 4000));
          net.go_on(number);
        }
        break;
      case 4:
      case 5:
        if (!users.empty()) {
          const auto which = random() % users.size();
          if (random() % 2 == 0)
            net.end(users[which].who);
          else
            net.untrack(users[which].who, users[which].node, users[which].room, users[which].key);
          users.erase(users.begin() + static_cast<std::ptrdiff_t>(which));
        }
        break;
      default: {
        one user{number, random() % 2 == 0 ? "a" : "b", "u" + std::to_string(random() % 12), {}};
        user.who = net.user(number, user.room, user.key, std::to_string(random() % 3));
        users.push_back(std::move(user));
      }
      }
      net.run_for(std::chrono::milliseconds(random() % 150));
    }
    net.settle();
    net.run_for(5s); // what was held has gone
    for (const std::string room : {"a", "b"}) {
      std::map<std::string, std::size_t> expected;
      for (const auto& user : users)
        if (user.room == room)
          ++expected[user.key];
      for (std::size_t i = 0; i < nodes; ++i) {
        presence here{net.node(i)};
        const auto all = here.list(room, SIZE_MAX);
        if (options.list_limit == 1000) {
          std::map<std::string, std::size_t> seen;
          for (const auto& who : all)
            seen[who.key] = who.entries;
          if (seen != expected)
            FAIL("n" << i << " sees " << seen.size() << " keys in " << room << " of "
                     << expected.size());
          const auto first = presence{net.node(0)}.list(room, SIZE_MAX);
          for (std::size_t k = 0; k < all.size(); ++k)
            CHECK((all[k].meta == first[k].meta && all[k].node == first[k].node));
        }
        CHECK(here.count(room) >= (expected.empty() ? 0 : 1));
        CHECK(here.count(room) <= users.size());
      }
      for (const auto& [number, watched] : views)
        for (const auto& [which, seen] : watched) {
          if (which != room)
            continue;
          CHECK(seen->wrong.empty());
          std::map<std::string, std::string> listed;
          for (const auto& who : presence{net.node(number)}.list(room, SIZE_MAX))
            listed.emplace(who.key, who.meta);
          CHECK(seen->there == listed);
        }
    }
    for (auto& user : users)
      net.end(user.who);
    net.run_for(5s);
    for (std::size_t i = 0; i < nodes; ++i)
      for (const auto* room : {"a", "b"})
        CHECK(presence{net.node(i)}.count(room) == 0);
  }
}

TEST_CASE("what makes no sense is refused where it is said", "[cluster][presence]") {
  rooms_net net{{.nodes = 1}};
  net.run_for(1s);
  presence here{net.node(0)};
  const auto who = net.spawn();
  net.as(who, [&](somebody& me) {
    CHECK_THROWS_AS(here.track(me, "", "alice"), std::invalid_argument);
    CHECK_THROWS_AS(here.track(me, "lobby", ""), std::invalid_argument);
    CHECK_THROWS_AS(here.track(me, "lobby", std::string(201, 'x')), std::invalid_argument);
    CHECK_THROWS_AS(here.track(me, "lobby", "alice", std::string(1025, 'x')),
                    std::invalid_argument);
    CHECK_THROWS_AS(here.watch(me, "lobby", {}), std::logic_error);
    here.track(me, "lobby", std::string(200, 'x'), std::string(1024, 'x'));
  });
  CHECK(here.count("lobby") == 1);
}

TEST_CASE("entries that another node makes up are refused, or bounded", "[cluster][presence]") {
  namespace wire = troupe::detail::wire;
  manual_runtime rt;
  auto carrier = std::make_shared<memory_backplane>();
  cluster_options options;
  options.name = "a";
  options.via = carrier;
  options.max_entries = 100;
  troupe::cluster a{rt, options};
  struct liar final : backplane_events {
    void backplane_up() override {}
    void backplane_down(const failure&) override {}
    void backplane_received(std::string_view, bytes_view) override {}
  } x;
  const auto link = carrier->attach({rt, "troupe", "x"}, x);
  const auto pass = [&](int ms) {
    for (; ms > 0; ms -= 10)
      rt.advance(10ms);
  };
  pass(1000);
  const auto say = [&](const wire::writer& out) {
    link->send_all(out.view());
    pass(20);
  };
  wire::writer beat{{wire::kind::beat, 7, 9}};
  wire::beat b;
  b.period_ms = 500;
  wire::write(beat, b);
  say(beat);
  std::uint64_t version = 0;
  const auto fact = [&](const std::string& key, const std::string& value, bool there = true) {
    wire::writer out{{wire::kind::facts, 7, 9}};
    wire::write(out, wire::interest{0, 0, version, version + 1});
    out.u8(there ? 1 : 0).text(key);
    if (there)
      out.varint(value.size()).raw(value);
    const auto refused = a.counters().refused_messages;
    say(out);
    if (a.counters().refused_messages != refused)
      return false;
    ++version;
    return true;
  };
  const auto key = [](std::uint64_t id) {
    wire::writer out;
    out.u8(2).u64(id);
    return std::string{as_text(out.view())};
  };
  const auto entry = [](std::string_view room, std::string_view name, std::string_view meta = {}) {
    wire::writer out;
    out.text(room).text(name).raw(meta);
    return std::string{as_text(out.view())};
  };
  const auto number = [](std::uint64_t n) {
    wire::writer out;
    out.u64(n);
    return std::string{as_text(out.view())};
  };
  CHECK_FALSE(fact(key(0), entry("lobby", "x")));
  CHECK_FALSE(fact("\2short", entry("lobby", "x")));
  CHECK_FALSE(fact(key(1) + "longer", entry("lobby", "x")));
  CHECK_FALSE(fact(key(1), ""));
  CHECK_FALSE(fact(key(1), entry("", "x")));
  CHECK_FALSE(fact(key(1), entry("lobby", "")));
  CHECK_FALSE(fact(key(1), entry(std::string(201, 'x'), "x")));
  CHECK_FALSE(fact(key(1), entry("lobby", "x", std::string(1025, 'x'))));
  CHECK_FALSE(fact("\3lobby", number(UINT64_MAX)));
  CHECK_FALSE(fact("\3lobby", "abc"));
  CHECK(fact("\11later", "whatever a later version says"));
  presence here{a};
  CHECK(here.count("lobby") == 0);
  CHECK(fact(key(1), entry("lobby", "x")));
  CHECK(fact(key(1), entry("kitchen", "x"))); // the same entry has moved
  CHECK(here.count("lobby") == 0);
  CHECK(here.count("kitchen") == 1);
  CHECK(fact(key(2), "", false)); // one that is not there
  for (std::uint64_t i = 2; i < 102; ++i)
    CHECK(fact(key(i), entry("lobby", "u" + std::to_string(i))));
  CHECK(here.count("lobby") == 99);
  CHECK(fact("\3lobby", number(1000)));
  CHECK(here.count("lobby") == 1099);
  CHECK(fact("\3lobby", "", false));
  CHECK(here.count("lobby") == 99);
  CHECK_FALSE(logged_errors{rt}.flush("max_entries").empty());
  pass(5000); // it is silent, and down
  CHECK(here.count("lobby") == 0);
}
