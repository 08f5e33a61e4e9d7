// The chat on several nodes: who has which name, and who is seen where.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <caf/send.hpp>

#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/cluster_fixture.hpp>

#include "chat/node_registry.hpp"
#include "chat/rooms.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using strings = std::vector<std::string>;

namespace {

using do_claim_atom = caf::atom_constant<caf::atom("doclaim")>;     // name, room
using do_rename_atom = caf::atom_constant<caf::atom("dorename")>;   // name
using do_release_atom = caf::atom_constant<caf::atom("dorelease")>; // name
using do_move_atom = caf::atom_constant<caf::atom("domove")>;       // room
using do_tell_atom = caf::atom_constant<caf::atom("dotell")>;       // whom, text
using do_who_atom = caf::atom_constant<caf::atom("dowho")>;         // room
using do_watch_atom = caf::atom_constant<caf::atom("dowatch")>;

/// A user, or a door that watches, and what the registry has said to it.
class somebody : public pinned_actor {
public:
  somebody(caf::actor_config& cfg, caf::actor users, strings* heard, bool alive)
    : pinned_actor(cfg), users_(std::move(users)), heard_(heard), alive_(alive) {}

  caf::behavior make_behavior() override {
    return {
      [this](do_claim_atom, const std::string& name, const std::string& room) {
        name_ = name;
        send(users_, claim_atom::value, name, room);
      },
      [this](do_rename_atom, const std::string& name) {
        send(users_, claim_atom::value, name, std::string{"lobby"}, name_);
        former_ = std::exchange(name_, name);
      },
      [this](do_release_atom) { send(users_, release_atom::value, name_); },
      [this](do_move_atom, const std::string& room) {
        send(users_, move_atom::value, name_, room);
      },
      [this](do_tell_atom, const std::string& whom, const std::string& text) {
        send(users_, tell_atom::value, name_, whom, text);
      },
      [this](do_who_atom, const std::string& room) { send(users_, who_atom::value, room); },
      [this](do_watch_atom) { send(users_, watch_atom::value); },
      [this](granted_atom) {
        heard_->push_back("granted");
        if (!former_.empty())
          send(users_, release_atom::value, std::exchange(former_, {}));
      },
      [this](taken_atom) { heard_->push_back("taken"); },
      [this](bumped_atom, const std::string& name) {
        heard_->push_back("bumped " + name);
        send(users_, release_atom::value, name_);
      },
      [this](asked_atom, const std::string& name) {
        if (alive_)
          send(users_, present_atom::value, name);
      },
      [this](answer_atom, const shared_bytes& line) { hear(line); },
      [this](const shared_bytes& line) { hear(line); },
      [this](entered_atom, const std::string& name, const std::string& room) {
        heard_->push_back('+' + name + ' ' + room);
      },
      [this](left_atom, const std::string& name, const std::string& room) {
        heard_->push_back('-' + name + ' ' + room);
      },
      [this](renamed_atom, const std::string& former, const std::string& name) {
        heard_->push_back(former + '=' + name);
      },
      [this](gone_atom, const std::string& name) { heard_->push_back('-' + name); },
    };
  }

private:
  void hear(const shared_bytes& line) {
    if (!line.text().empty())
      heard_->emplace_back(line.text().substr(0, line.text().size() - 2));
  }

  const caf::actor users_;
  strings* const heard_;
  const bool alive_;
  std::string name_;
  std::string former_;
};

struct person {
  std::unique_ptr<strings> heard = std::make_unique<strings>();
  caf::actor who;

  strings taken() { return std::exchange(*heard, {}); }
};

cluster_options with_hold(duration hold) {
  cluster_options options;
  options.leave_hold = hold;
  options.list_limit = options.max_entries;
  return options;
}

struct chat_net {
  explicit chat_net(std::size_t nodes = 3, std::uint64_t seed = 1)
    : net({.nodes = nodes, .seed = seed, .node = with_hold(5s)}) {
    for (std::size_t i = 0; i < nodes; ++i)
      registries.push_back(start(i));
    net.run_for(1s);
  }
  ~chat_net() {
    for (auto& r : registries)
      caf::anon_send_exit(r, caf::exit_reason::kill);
    net.runtime().settle();
  }

  caf::actor start(std::size_t i) {
    return net.runtime().spawn<node_registry>(
      &net.node(i), std::make_shared<chat_rooms>(net.runtime(), topics{net.node(i)}));
  }
  void crash(std::size_t i) {
    net.crash(i); // before its registry could say that its users are gone
    caf::anon_send_exit(std::exchange(registries[i], {}), caf::exit_reason::kill);
    net.runtime().settle();
  }
  void restart(std::size_t i) {
    net.restart(i);
    registries[i] = start(i);
  }

  person somebody_at(std::size_t node, bool alive = true) {
    person p;
    p.who = net.runtime().spawn_on<somebody>(0, registries[node], p.heard.get(), alive);
    net.runtime().settle();
    return p;
  }
  person user(std::size_t node, const std::string& name, const std::string& room = "lobby",
              bool alive = true) {
    auto p = somebody_at(node, alive);
    CHECK(tell(p, do_claim_atom::value, name, room) == strings{"granted"});
    return p;
  }
  person watcher(std::size_t node) {
    auto p = somebody_at(node);
    caf::anon_send(p.who, do_watch_atom::value);
    net.run_for(20ms);
    return p;
  }

  template <class... What>
  strings tell(person& whom, const What&... what) {
    whom.taken();
    caf::anon_send(whom.who, what...);
    net.run_for(50ms);
    return whom.taken();
  }
  strings who(person& p) { return tell(p, do_who_atom::value, std::string{"lobby"}); }

  cluster_fixture net;
  std::vector<caf::actor> registries;
};

const std::string lobby = "lobby";

} // namespace

TEST_CASE("a name belongs to one user of all nodes", "[chat][nodes]") {
  chat_net c;
  auto ann = c.user(0, "ann");
  auto eve = c.somebody_at(1);
  CHECK(c.tell(eve, do_claim_atom::value, std::string{"Ann"}, lobby) == strings{"taken"});
  CHECK(c.tell(eve, do_claim_atom::value, std::string{"eve"}, lobby) == strings{"granted"});
  CHECK(c.tell(eve, do_rename_atom::value, std::string{"ann"}) == strings{"taken"});
  CHECK(c.tell(ann, do_release_atom::value).empty());
  auto next = c.user(2, "ANN");
}

TEST_CASE("of two who want a name at once on two nodes, one gets it", "[chat][nodes]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    chat_net c{3, seed};
    for (int round = 0; round < 10; ++round) {
      std::vector<person> all;
      for (std::size_t i = 0; i < 3; ++i)
        all.push_back(c.somebody_at(i));
      const auto name = "x" + std::to_string(round);
      for (auto& p : all) {
        caf::anon_send(p.who, do_claim_atom::value, name, lobby);
        c.net.run_for(std::chrono::milliseconds(seed % 4));
      }
      c.net.run_for(100ms);
      int granted = 0, taken = 0;
      for (auto& p : all) {
        REQUIRE(p.heard->size() == 1);
        ++(p.heard->front() == "granted" ? granted : taken);
      }
      CHECK(granted == 1);
      CHECK(taken == 2);
    }
  }
}

TEST_CASE("who has lost the connection on one node has the name at once on another",
          "[chat][nodes]") {
  chat_net c;
  auto ann = c.user(0, "ann", "lobby", false); // her node has not seen it yet
  auto again = c.somebody_at(1);
  auto late = c.somebody_at(2);
  CHECK(c.tell(again, do_claim_atom::value, std::string{"ann"}, lobby).empty());
  CHECK(c.tell(late, do_claim_atom::value, std::string{"ann"}, lobby) == strings{"taken"});
  CHECK(again.taken().empty());
  c.tell(ann, do_release_atom::value);
  CHECK(again.taken() == strings{"granted"});
}

TEST_CASE("a name that is freed goes to who still waits for it, not to a node that waits no longer",
          "[chat][nodes]") {
  chat_net c;
  auto ann = c.user(0, "ann", "lobby", false);
  c.net.run_for(300ms);
  auto elsewhere = c.somebody_at(1);
  CHECK(c.tell(elsewhere, do_claim_atom::value, std::string{"ann"}, lobby).empty());
  c.net.run_for(2s);
  CHECK(elsewhere.taken() == strings{"taken"}); // there was no answer
  auto again = c.somebody_at(0);
  CHECK(c.tell(again, do_claim_atom::value, std::string{"ann"}, lobby).empty());
  c.tell(ann, do_release_atom::value);
  CHECK(again.taken() == strings{"granted"});
}

TEST_CASE("people of all nodes are seen, told, renamed and gone", "[chat][nodes]") {
  chat_net c;
  auto seen = c.watcher(2);
  auto ann = c.user(0, "ann");
  auto bob = c.user(1, "bob");
  c.net.run_for(300ms);
  auto heard = seen.taken();
  std::sort(heard.begin(), heard.end());
  CHECK(heard == strings{"+ann lobby", "+bob lobby"});
  CHECK(c.who(ann) == strings{"In lobby: ann, bob"});
  auto later = c.watcher(0);
  CHECK(later.taken() == strings{"+bob lobby", "+ann lobby"});

  CHECK(c.tell(ann, do_tell_atom::value, std::string{"BOB"}, std::string{"psst"}).empty());
  CHECK(bob.taken() == strings{"[ann] psst"});
  CHECK(c.tell(ann, do_tell_atom::value, std::string{"eve"}, std::string{"psst"})
        == strings{"Nobody is called eve; /who tells who is in your room."});

  CHECK(c.tell(bob, do_rename_atom::value, std::string{"bert"}) == strings{"granted"});
  c.net.run_for(300ms);
  CHECK(seen.taken() == strings{"bob=bert"});
  CHECK(c.who(ann) == strings{"In lobby: ann, bert"});
  c.tell(bob, do_move_atom::value, std::string{"attic"});
  c.net.run_for(300ms);
  CHECK(c.who(ann) == strings{"In lobby: ann"});
  heard = seen.taken();
  std::sort(heard.begin(), heard.end());
  CHECK(heard == strings{"+bert attic", "-bert lobby"});
  c.tell(bob, do_release_atom::value);
  c.net.run_for(300ms);
  heard = seen.taken();
  std::sort(heard.begin(), heard.end());
  CHECK(heard == strings{"-bert", "-bert attic"});
}

TEST_CASE("the users of a node that is lost are gone once it is down and not back in time",
          "[chat][nodes]") {
  chat_net c;
  auto seen = c.watcher(0);
  auto ann = c.user(0, "ann");
  auto bob = c.user(1, "bob");
  auto eve = c.user(1, "eve");
  c.net.run_for(300ms);
  seen.taken();
  c.crash(1);
  c.net.run_for(7s);
  CHECK(seen.taken().empty()); // 2.5 s, and 5 s
  CHECK(c.who(ann) == strings{"In lobby: ann, bob, eve"});
  auto back = c.user(2, "bob"); // a name is free once the node is down
  c.net.run_for(2s);
  auto heard = seen.taken();
  std::sort(heard.begin(), heard.end());
  CHECK(heard == strings{"-eve", "-eve lobby"});
  CHECK(c.who(ann) == strings{"In lobby: ann, bob"});
  c.restart(1);
  c.net.run_for(2s);
  auto other = c.somebody_at(1);
  CHECK(c.tell(other, do_claim_atom::value, std::string{"ann"}, lobby) == strings{"taken"});
  CHECK(c.tell(other, do_claim_atom::value, std::string{"eve"}, lobby) == strings{"granted"});
  CHECK(c.who(other) == strings{"In lobby: ann, bob, eve"});
}

TEST_CASE("a name that was given twice while nodes were apart stays with who had it first",
          "[chat][nodes]") {
  for (const auto apart : {4s, 20s}) { // also shorter than users of lost nodes are held
    chat_net c;
    auto seen = c.watcher(2);
    auto ann = c.user(0, "ann");
    c.net.split({1});
    c.net.run_for(apart);
    auto young = c.user(1, "ann");
    auto tim = c.user(1, "tim");
    c.net.run_for(1s);
    c.net.mend_all();
    c.net.run_for(3s);
    CHECK(young.taken() == strings{"bumped ann"});
    CHECK(ann.taken().empty());
    CHECK(c.who(ann) == strings{"In lobby: ann, tim"});
    CHECK(c.who(tim) == strings{"In lobby: ann, tim"});
    auto heard = seen.taken();
    CHECK(std::count(heard.begin(), heard.end(), "+ann lobby")
          == 1 + std::count(heard.begin(), heard.end(), "-ann lobby"));
    CHECK(std::count(heard.begin(), heard.end(), "+tim lobby") == 1);
  }
}

TEST_CASE("a node that does not answer holds no name back for long, and keeps what it has",
          "[chat][nodes]") {
  chat_net c;
  auto ann = c.user(0, "ann");
  c.net.run_for(300ms);
  c.net.stop(0);
  auto bob = c.somebody_at(1);
  CHECK(c.tell(bob, do_claim_atom::value, std::string{"bob"}, lobby).empty());
  c.net.run_for(2s);
  CHECK(bob.taken() == strings{"granted"});
  c.net.go_on(0);
  c.net.run_for(3s);
  CHECK(c.who(bob) == strings{"In lobby: ann, bob"});
  auto eve = c.somebody_at(1);
  CHECK(c.tell(eve, do_claim_atom::value, std::string{"ann"}, lobby) == strings{"taken"});
}
