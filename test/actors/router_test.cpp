#include <troupe/actors/router.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <thread>

#include <caf/send.hpp>

#include <troupe/actors/handlers.hpp>
#include <troupe/actors/supervisor.hpp>
#include <troupe/runtime/dead_letter.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/mailbox_bound.hpp>
#include <troupe/runtime/metrics.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "support/catch.hpp"
#include "support/children.hpp"
#include "support/oracle.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using who_atom = caf::atom_constant<caf::atom("who")>;
using put_atom = caf::atom_constant<caf::atom("put")>;

/// Says who it is, and who asked.
class named_worker : public floating_actor {
public:
  named_worker(caf::actor_config& cfg, std::string name, std::vector<std::string>* got = nullptr)
    : floating_actor(cfg), name_(std::move(name)), got_(got) {
    bound_mailbox(*this, 1000);
  }
  caf::behavior make_behavior() override {
    return {
      [this](who_atom) { return name_; },
      [this](const std::string& text) { got_->push_back(name_ + text); },
      [this](put_atom, const std::string& key, int) { return name_ + " has " + key; },
      [this](quit_atom) -> caf::result<int> {
        held_.emplace_back(*this);
        quit();
        return caf::delegated<int>{};
      },
      [this](hold_atom) -> caf::result<std::string> {
        held_.emplace_back(*this);
        return caf::delegated<std::string>{};
      },
      [this](drop_atom) { held_.clear(); },
      [this](throw_atom) -> caf::result<int> {
        return failure{errc::not_supported, name_}.to_caf_error();
      },
      [](int x) { return x + 1; },
    };
  }

private:
  const std::string name_;
  std::vector<std::string>* const got_;
  std::vector<owed_response> held_;
};

class unbounded : public floating_actor {
public:
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    return {[](int) {
    }};
  }
};

struct words { // outlive the runtime
  std::vector<std::string> got;
};

struct pool : words, asking {
  std::vector<caf::actor> workers;

  router make(std::size_t count, router_options options = {}) {
    router r{rt, std::move(options)};
    for (std::size_t i = 0; i < count; ++i) {
      workers.push_back(rt.spawn<named_worker>(std::string(1, static_cast<char>('a' + i)), &got));
      CHECK(r.join(workers.back()));
    }
    return r;
  }
  template <class Whom>
  std::string who(const Whom& r) {
    auto answer = ask_now<std::string>(r, who_atom::value);
    return answer ? *answer : answer.error().message();
  }
  std::string said() {
    std::string all;
    for (const auto& g : std::exchange(got, {}))
      all += g;
    return all;
  }
};

router_options by(routing r) {
  router_options options;
  options.by = r;
  return options;
}

router_options by_key() {
  auto options = by(routing::consistent_hash);
  options.key = key_at<std::string>(1);
  return options;
}

std::map<int, caf::actor> places(const router& r, int keys) {
  std::map<int, caf::actor> where;
  for (int key = 0; key < keys; ++key)
    where[key] = r.member_for("key " + std::to_string(key));
  return where;
}

std::uint64_t letters(runtime& rt) {
  return rt.metrics()
    .add_counter("troupe_dead_letters_total", "", {{"reason", "no_member"}})
    .value();
}

} // namespace

TEST_CASE("members get their turn, one after the other", "[router]") {
  pool p;
  const auto r = p.make(3);
  std::string order;
  for (int i = 0; i < 7; ++i)
    order += p.who(r);
  CHECK(order == "abcabca");
  CHECK(p.who(r.handle()) == "b"); // the same, as an actor
  p.rt.in_turn([&] {
    for (const auto* const text : {"1", "2", "3"})
      caf::anon_send(r.handle(), std::string{text});
  });
  p.rt.settle();
  CHECK(p.said() == "c1a2b3");
}

TEST_CASE("the answer comes from the member, straight to who asked", "[router]") {
  pool p;
  const auto r = p.make(1);
  caf::strong_actor_ptr from;
  int got = 0;
  const auto asker = p.rt.spawn([&](caf::event_based_actor* self) -> caf::behavior {
    self->request(r.handle(), caf::infinite, 41).then([&got, &from, self](int x) {
      got = x;
      from = self->current_sender();
    });
    return {[](caf::unit_t) {
    }};
  });
  p.rt.settle();
  CHECK(got == 42);
  CHECK(from == p.workers[0]);
}

TEST_CASE("a member that leaves gets nothing more", "[router]") {
  pool p;
  const auto r = p.make(3);
  CHECK(p.who(r) == "a");
  CHECK(r.leave(p.workers[1]));
  CHECK_FALSE(r.leave(p.workers[1]));
  CHECK(p.who(r) + p.who(r) + p.who(r) == "cac");
  CHECK(r.join(p.workers[1]));
  CHECK(r.join(p.workers[1])); // twice is once
  CHECK(r.size() == 3);
  CHECK(r.members() == std::vector{p.workers[0], p.workers[2], p.workers[1]});
}

TEST_CASE("a member that ends leaves by itself", "[router]") {
  pool p;
  const auto r = p.make(3);
  const auto ended = p.workers[1];
  caf::anon_send_exit(ended, caf::exit_reason::kill);
  p.rt.settle();
  CHECK(r.size() == 2);
  CHECK(p.who(r) + p.who(r) + p.who(r) == "aca");
  CHECK_FALSE(r.join(ended));
  CHECK(r.size() == 2);
}

TEST_CASE("a question that a member has taken fails if that ends before it answers", "[router]") {
  pool p;
  const auto r = p.make(2);
  auto answer = p.ask_now<int>(r, quit_atom::value);
  REQUIRE_FALSE(answer);
  CHECK((answer.error().check(errc::actor_down) || answer.error().check(errc::broken_promise)));
  CHECK(r.size() == 1);
  CHECK(p.who(r) == "b");
}

TEST_CASE("a router without members refuses, and says so", "[router]") {
  for (const auto strategy : {routing::round_robin, routing::smallest_mailbox,
                              routing::least_outstanding, routing::consistent_hash}) {
    pool p;
    auto options = by_key();
    options.by = strategy;
    const router r{p.rt, options};
    const auto through_handle =
      p.ask_now<std::string>(r.handle(), put_atom::value, std::string{"k"}, 1);
    CHECK(through_handle.error().check(errc::actor_down));
    CHECK(through_handle.error().message().find("the router has no members") == 0);
    CHECK(p.ask_now<std::string>(r, put_atom::value, std::string{"k"}, 1)
            .error()
            .check(errc::actor_down));
    CHECK_FALSE(r.member_for("k"));
    const auto before = letters(p.rt);
    p.rt.in_turn([&] { caf::anon_send(r.handle(), put_atom::value, std::string{"k"}, 1); });
    p.rt.settle();
    CHECK(letters(p.rt) == before + 1);
  }
}

TEST_CASE("by smallest_mailbox, who has much to do gets nothing more", "[router]") {
  pool p;
  const auto r = p.make(3, by(routing::smallest_mailbox));
  p.rt.in_turn([&] {
    for (int i = 0; i < 4; ++i)
      caf::anon_send(p.workers[0], std::string{"-"});
    caf::anon_send(p.workers[1], std::string{"-"});
    for (const auto* const text : {"1", "2", "3", "4", "5"})
      caf::anon_send(r.handle(), std::string{text}); // c, b, c, b, c or the like
  });
  p.rt.settle();
  std::map<char, int> routed;
  for (const auto& g : p.got)
    if (g[1] != '-')
      ++routed[g[0]];
  CHECK(routed == std::map<char, int>{{'b', 2}, {'c', 3}});
  CHECK_THROWS_AS(r.join(p.rt.spawn<unbounded>()), std::logic_error);
  CHECK(r.size() == 3);
}

TEST_CASE("by least_outstanding, who owes the fewest answers is asked", "[router]") {
  pool p;
  const auto r = p.make(3, by(routing::least_outstanding));
  std::map<std::string, int> answered;
  p.rt.in_turn([&] {
    for (int i = 0; i < 6; ++i)
      ask<std::string>(p.rt, r, wait_for_ever, hold_atom::value).add_both([](outcome<std::string>) {
      });
  });
  p.rt.settle();
  caf::anon_send(p.workers[1], drop_atom::value); // b fails its two
  p.rt.settle();
  CHECK(p.who(r) + p.who(r) == "bb"); // answered at once, so it owes nothing again
  p.rt.in_turn([&] {
    for (int i = 0; i < 2; ++i)
      ask<std::string>(p.rt, r, wait_for_ever, hold_atom::value).add_both([](outcome<std::string>) {
      });
  });
  p.rt.settle();
  CHECK(p.who(r) != p.who(r)); // all owe two: in turn
}

TEST_CASE("by consistent_hash, a key has its member", "[router]") {
  pool p;
  const auto r = p.make(4, by_key());
  std::map<std::string, std::string> first;
  for (const auto* const key : {"ann", "bob", "carol", "dave", "eve", "frank"})
    first[key] = *p.ask_now<std::string>(r, put_atom::value, std::string{key}, 1);
  for (const auto& [key, answer] : first) {
    CHECK(*p.ask_now<std::string>(r.handle(), put_atom::value, key, 2) == answer);
    CHECK(*p.ask_now<std::string>(r.member_for(key), put_atom::value, key, 3) == answer);
  }
  const auto keyless = p.ask_now<std::string>(r, who_atom::value);
  CHECK(keyless.error().check(errc::invalid_argument));
  CHECK(p.ask_now<std::string>(r.handle(), who_atom::value).error().check(errc::invalid_argument));
  CHECK_THROWS_AS((router{p.rt, by(routing::consistent_hash)}), std::invalid_argument);
}

TEST_CASE("a member more or less moves its share of the keys, and no other", "[router]") {
  constexpr int keys = 20'000;
  pool p;
  const auto r = p.make(9, by_key());
  const auto nine = places(r, keys);
  std::map<caf::actor, int> shares;
  for (const auto& [key, who] : nine)
    ++shares[who];
  CHECK(shares.size() == 9);
  for (const auto& [who, share] : shares) {
    CHECK(share > keys / 9 * 2 / 3);
    CHECK(share < keys / 9 * 3 / 2);
  }

  const caf::actor tenth = p.rt.spawn<named_worker>("j");
  r.join(tenth);
  const auto ten = places(r, keys);
  int moved = 0;
  for (const auto& [key, who] : ten)
    if (who != nine.at(key)) {
      ++moved;
      CHECK(who == tenth);
    }
  CHECK(moved > keys / 10 * 2 / 3);
  CHECK(moved < keys / 10 * 3 / 2);

  r.leave(tenth);
  CHECK(places(r, keys) == nine);
  const auto gone = p.workers[3];
  caf::anon_send_exit(gone, caf::exit_reason::kill);
  p.rt.settle();
  for (const auto& [key, who] : places(r, keys))
    CHECK((nine.at(key) == gone ? who != gone : who == nine.at(key)));
}

TEST_CASE("a successor under the same name gets the keys of its predecessor", "[router]") {
  pool p;
  const auto r = p.make(3, by_key());
  const caf::actor first = p.rt.spawn<named_worker>("x");
  r.join(first, "shard 7");
  const auto before = places(r, 1000);
  r.leave(first);
  const caf::actor second = p.rt.spawn<named_worker>("x");
  r.join(second, "shard 7");
  for (const auto& [key, who] : places(r, 1000))
    CHECK(who == (before.at(key) == first ? second : before.at(key)));
}

TEST_CASE("a broadcast is for every member, and has no one answer", "[router]") {
  pool p;
  const auto r = p.make(3, by(routing::broadcast));
  p.rt.in_turn([&] { caf::anon_send(r.handle(), std::string{"!"}); });
  p.rt.settle();
  CHECK(p.said() == "a!b!c!");
  CHECK(p.ask_now<std::string>(r, who_atom::value).error().check(errc::invalid_argument));
  CHECK(p.ask_now<std::string>(r.handle(), who_atom::value).error().check(errc::invalid_argument));
  const auto before = letters(p.rt);
  const router nobody{p.rt, by(routing::broadcast)};
  p.rt.in_turn([&] { caf::anon_send(nobody.handle(), std::string{"!"}); });
  p.rt.settle();
  CHECK(letters(p.rt) == before + 1);
}

TEST_CASE("ask_all has every answer, and every failure", "[router]") {
  pool p;
  const auto r = p.make(3, by(routing::broadcast));
  std::string got;
  const auto asker = p.rt.spawn<testing::asker<floating_actor>>([&](basic_actor& self) {
    ask_all<std::string>(self, r, 1s, who_atom::value)
      .add_callback([&](const std::vector<outcome<std::string>>& all) {
        for (const auto& answer : all)
          got += answer ? *answer : "-";
      });
    ask_all<int>(self, r, 1s, throw_atom::value)
      .add_callback([&](const std::vector<outcome<int>>& all) {
        for (const auto& answer : all)
          got += answer.error().check(errc::not_supported) ? "!" : "-";
      });
    ask_all<int>(self, router{p.rt}, 1s, 1).add_callback([&](const std::vector<outcome<int>>& all) {
      got += std::to_string(all.size());
    });
  });
  p.rt.settle();
  CHECK(got == "0abc!!!");
}

TEST_CASE("the end of a router leaves its members alone", "[router]") {
  pool p;
  const auto r = p.make(2);
  const auto handle = r.handle();
  caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);
  p.rt.settle();
  CHECK(r.size() == 0);
  CHECK_FALSE(r.join(p.workers[0]));
  CHECK(p.ask_now<std::string>(handle, who_atom::value).error().check(errc::actor_down));
  CHECK(p.who(p.workers[0]) + p.who(p.workers[1]) == "ab");
}

TEST_CASE("a router in its own member does not keep the runtime from ending", "[router]") {
  class knows_it : public floating_actor {
  public:
    knows_it(caf::actor_config& cfg, router r, std::shared_ptr<int> alive)
      : floating_actor(cfg), r_(std::move(r)), alive_(std::move(alive)) {}
    caf::behavior make_behavior() override {
      return {[](int) {
      }};
    }

  private:
    const router r_;
    const std::shared_ptr<int> alive_;
  };
  const auto alive = std::make_shared<int>();
  {
    manual_runtime rt;
    router r{rt};
    r.join(rt.spawn<knows_it>(r, alive));
    rt.settle();
    CHECK(alive.use_count() == 2);
  }
  CHECK(alive.use_count() == 1);
}

TEST_CASE("a router that has outlived its runtime may be told to end", "[router]") {
  caf::actor left;
  {
    pool p;
    left = p.make(1).handle();
  }
  caf::anon_send_exit(left, caf::exit_reason::user_shutdown);
  caf::anon_send(left, who_atom::value);
}

TEST_CASE("a supervised member joins again, and keeps its keys", "[router]") {
  nursery n;
  auto& sup = n.open(supervisor_options{});
  auto options = by_key();
  const router r{n.rt, options};
  for (const auto* const id : {"a", "b", "c"})
    n.wait(sup.start_child(member_of(r, n.calm(id))));
  n.rt.settle();
  CHECK(r.size() == 3);
  const auto before = places(r, 300);
  const auto b = sup.which_children()[1].actor;
  n.crash("b");
  n.rt.settle();
  const auto successor = sup.which_children()[1].actor;
  CHECK(successor != b);
  CHECK(r.size() == 3);
  for (const auto& [key, who] : places(r, 300))
    CHECK(who == (before.at(key) == b ? successor : before.at(key)));
}

TEST_CASE("pinned members stay on their loops", "[router]") {
  class where : public pinned_actor {
  public:
    using pinned_actor::pinned_actor;
    caf::behavior make_behavior() override {
      return {[this](who_atom) {
        return loop().is_current() ? static_cast<int>(loop().index()) : -1;
      }};
    }
  };
  runtime rt{{.loops = 3}};
  const router r{rt};
  for (std::size_t i = 0; i < 3; ++i)
    r.join(rt.spawn_on<where>(i));
  std::multiset<int> loops;
  run_as_actor(rt, [&](basic_actor& self) {
    std::vector<deferred<int>> answers;
    for (int i = 0; i < 6; ++i)
      answers.push_back(ask<int>(self, r, 10s, who_atom::value));
    gather_results(std::move(answers)).add_callback([&](const std::vector<int>& all) {
      loops.insert(all.begin(), all.end());
      rt.stop();
    });
  });
  CHECK(loops == std::multiset<int>{0, 0, 1, 1, 2, 2});
}

TEST_CASE("nothing is lost when members come and go between many threads", "[router]") {
  static constexpr int per_thread = 2000;
  class counter : public floating_actor {
  public:
    counter(caf::actor_config& cfg, std::atomic<int>* sum, std::function<void()> all)
      : floating_actor(cfg), sum_(sum), all_(std::move(all)) {}
    caf::behavior make_behavior() override {
      return {[this](int) {
        if (sum_->fetch_add(1) + 1 == 5 * per_thread)
          all_();
      }};
    }

  private:
    std::atomic<int>* const sum_;
    const std::function<void()> all_;
  };
  class sender : public pinned_actor {
  public:
    sender(caf::actor_config& cfg, router r) : pinned_actor(cfg), r_(std::move(r)) {}
    caf::behavior make_behavior() override {
      send(this, per_thread);
      return {[this](int left) {
        send(r_.handle(), left);
        if (left > 1)
          send(this, left - 1);
      }};
    }

  private:
    const router r_;
  };
  std::atomic<int> sum = 0;
  runtime rt{{.loops = 3}};
  const router r{rt};
  const auto done = [&rt] {
    rt.stop();
  };
  r.join(rt.spawn<counter>(&sum, done)); // one stays
  std::vector<caf::actor> senders;
  for (std::size_t i = 0; i < 3; ++i)
    senders.push_back(rt.spawn_on<sender>(i, r));
  std::thread outside{[&] {
    for (int i = 0; i < per_thread; ++i)
      caf::anon_send(r.handle(), i);
  }};
  std::thread joins{[&] {
    const caf::actor other = rt.spawn<counter>(&sum, done);
    for (int i = 0; i < per_thread; ++i) {
      r.join(other);
      caf::anon_send(r.handle(), i);
      r.leave(other);
    }
  }};
  rt.run();
  outside.join();
  joins.join();
  CHECK(sum == 5 * per_thread);
}
