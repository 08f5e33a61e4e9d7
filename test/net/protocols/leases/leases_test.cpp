// Leases of a program, in virtual time.

#include <troupe/leases/leases.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

#include "faulty_leases.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

/// One who wants leases.
class holder : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](int) {
    }};
  }
  lease got;
  failure refused;
  std::vector<std::string> lost;
};

/// Programs that share a store, in one runtime.
struct programs {
  programs() : store(std::make_shared<memory_leases>()) {}
  ~programs() {
    for (auto& p : all)
      p->locks.reset();
  }

  struct program {
    std::shared_ptr<faulty_leases> way;
    std::optional<leases> locks;
    caf::actor actor;
    holder& who() const {
      return *static_cast<holder*>(caf::actor_cast<caf::abstract_actor*>(actor));
    }
    lease& got() const { return who().got; }
  };

  program& add(const std::string& name) {
    auto p = std::make_unique<program>();
    p->way = std::make_shared<faulty_leases>(store);
    leases_options o;
    o.node = name;
    p->locks.emplace(rt, p->way, o);
    p->actor = rt.spawn_on<holder>(0);
    all.push_back(std::move(p));
    return *all.back();
  }

  void acquire(program& p, const std::string& name, duration wait = duration::max()) {
    acquire(p, p.actor, name, wait);
  }
  void acquire(program& p, const caf::actor& whose, const std::string& name,
               duration wait = duration::max()) {
    auto& who = *static_cast<holder*>(caf::actor_cast<caf::abstract_actor*>(whose));
    rt.in_turn([&] {
      who.enter([&] {
        acquire_options o;
        o.wait = wait;
        o.lost = [&who](const failure& why) {
          who.lost.push_back(why.message());
        };
        p.locks->acquire(who, name, std::move(o))
          .add_callbacks([&who](lease l) { who.got = std::move(l); },
                         [&who](const failure& why) { who.refused = why; });
      });
    });
    rt.settle();
  }
  void release(program& p) {
    rt.in_turn([&] { p.got().release(); });
    rt.settle();
  }
  /// In small steps, so that each answer comes when it would.
  void pass(duration d) {
    for (; d > 0s; d -= 100ms) {
      rt.advance(std::min<duration>(d, 100ms));
      rt.settle();
    }
  }

  lease_store_ref store;
  manual_runtime rt;
  std::vector<std::unique_ptr<program>> all;
};

} // namespace

TEST_CASE("a lease is held by one, renewed for as long as it is, and then the other's at once") {
  programs s;
  auto& a = s.add("a");
  auto& b = s.add("b");
  s.acquire(a, "billing");
  REQUIRE(a.got().held());
  CHECK(a.got().name() == "billing");
  CHECK(a.locks->counters().held == 1);
  s.acquire(b, "billing");
  s.pass(60s);
  CHECK(a.got().held());
  CHECK_FALSE(b.got().held());
  CHECK(a.locks->counters().renewed >= 55);
  const auto view = a.got().view();
  const auto first = view.token();
  s.release(a);
  CHECK_FALSE(view.held());
  CHECK(b.got().held());
  CHECK(b.got().token() > first);
  CHECK(a.who().lost.empty());
  CHECK(a.locks->counters().held == 0);
}

TEST_CASE("a program that ends without a word is followed after its ttl") {
  programs s;
  auto& a = s.add("a");
  auto& b = s.add("b");
  s.acquire(a, "billing");
  s.acquire(b, "billing");
  s.pass(1200ms);
  a.locks.reset(); // nothing is written any more
  CHECK_FALSE(a.got().held());
  s.pass(4500ms);
  CHECK_FALSE(b.got().held());
  s.pass(1s);
  CHECK(b.got().held());
}

TEST_CASE("a lease whose store is away is lost a margin before the other has it") {
  for (const auto how : {faulty_leases::fault::fails, faulty_leases::fault::answers_nothing}) {
    programs s;
    auto& a = s.add("a");
    auto& b = s.add("b");
    s.acquire(a, "billing");
    s.acquire(b, "billing");
    s.pass(3s);
    a.way->now = how;
    const auto until = a.got().held_until();
    CHECK(until - s.rt.now() > 3s);
    s.pass(until - s.rt.now() - 100ms);
    CHECK(a.got().held());
    CHECK(a.who().lost.empty());
    s.pass(100ms);
    CHECK_FALSE(a.got().held());
    REQUIRE(a.who().lost.size() == 1);
    CHECK_THAT(a.who().lost[0],
               Contains(how == faulty_leases::fault::fails ? "out of order" : "does not answer"));
    CHECK_FALSE(b.got().held());
    s.pass(900ms);
    CHECK_FALSE(b.got().held());
    s.pass(700ms);
    CHECK(b.got().held());
    CHECK(a.locks->counters().lost == 1);
    CHECK((a.locks->counters().store_failures > 0) == (how == faulty_leases::fault::fails));
  }
}

TEST_CASE("a store that is away for a moment takes nothing away") {
  programs s;
  auto& a = s.add("a");
  s.acquire(a, "billing");
  for (const auto how : {faulty_leases::fault::fails, faulty_leases::fault::answers_nothing,
                         faulty_leases::fault::loses_answers}) {
    const auto token = a.got().token();
    a.way->now = how;
    s.pass(1800ms);
    a.way->now = faulty_leases::fault::none;
    s.pass(10s);
    CHECK(a.got().held());
    CHECK(a.got().token() == token);
    CHECK(a.who().lost.empty());
  }
}

TEST_CASE("within a program the first who asked has it first") {
  programs s;
  auto& a = s.add("a");
  const auto second = s.rt.spawn_on<holder>(0);
  auto& other = *static_cast<holder*>(caf::actor_cast<caf::abstract_actor*>(second));
  s.acquire(a, "x");
  s.acquire(a, second, "x");
  CHECK_FALSE(other.got.held());
  s.release(a);
  CHECK(other.got.held());
  CHECK(a.way->reads <= 4);
}

TEST_CASE("what was lost here is the next one's here only when the first has given it up") {
  programs s;
  auto& a = s.add("a");
  const auto second = s.rt.spawn_on<holder>(0);
  auto& other = *static_cast<holder*>(caf::actor_cast<caf::abstract_actor*>(second));
  s.acquire(a, "x");
  s.acquire(a, second, "x");
  const auto until = a.got().held_until();
  a.way->now = faulty_leases::fault::fails;
  s.pass(until - s.rt.now());
  a.way->now = faulty_leases::fault::none;
  REQUIRE(a.who().lost.size() == 1);
  s.pass(900ms);
  CHECK_FALSE(other.got.held());
  SECTION("by releasing it") {
    s.release(a);
    s.pass(500ms);
    CHECK(other.got.held());
  }
  SECTION("or when others could have it") {
    s.pass(100ms);
    s.pass(500ms);
    CHECK(other.got.held());
  }
}

TEST_CASE("who waits for so long is told who has it, or why nobody knows") {
  programs s;
  auto& a = s.add("a");
  auto& b = s.add("b");
  s.acquire(a, "x");
  s.acquire(b, "x", 2s);
  s.pass(1900ms);
  CHECK_FALSE(b.who().refused);
  s.pass(100ms);
  CHECK(b.who().refused.check(lease_errc::held_elsewhere));
  CHECK_THAT(b.who().refused.message(), Contains(a.locks->holder()));
  s.release(a);
  s.pass(1s);
  CHECK_FALSE(b.got().held());
  b.way->now = faulty_leases::fault::fails;
  s.acquire(b, "x", 2s);
  s.pass(2s);
  CHECK(b.who().refused.check(lease_errc::store_unavailable));
  b.way->now = faulty_leases::fault::none;
  s.acquire(a, "x"); // nothing of b's is left
  CHECK(a.got().held());
}

TEST_CASE("an actor that ends while it waits takes its attempt along, and gives back what it has") {
  programs s;
  auto& a = s.add("a");
  auto& b = s.add("b");
  s.acquire(a, "x");
  s.acquire(b, "x");
  s.rt.in_turn([&] { b.who().enter([&] { b.who().quit(); }); });
  s.rt.settle();
  const auto before = b.way->reads;
  s.pass(5s);
  CHECK(b.way->reads == before);
  s.rt.in_turn([&] { a.who().enter([&] { a.who().got = {}; }); });
  s.rt.settle();
  auto& c = s.add("c");
  s.acquire(c, "x");
  CHECK(c.got().held());
}

TEST_CASE("what is asked back is held until it is given, and nothing more is had") {
  programs s;
  auto& a = s.add("a");
  auto& b = s.add("b");
  s.acquire(a, "x");
  s.acquire(b, "x");
  bool done = false;
  s.rt.in_turn([&] { a.locks->give_back().add_callback([&] { done = true; }); });
  s.rt.settle();
  CHECK_FALSE(done);
  REQUIRE(a.who().lost.size() == 1);
  CHECK(a.got().held());
  s.release(a);
  CHECK(done);
  CHECK(b.got().held());
  s.acquire(a, "y");
  CHECK(a.who().refused.check(errc::runtime_stopped));
}

TEST_CASE("who does not give back is not waited for longer than a margin") {
  programs s;
  auto& a = s.add("a");
  s.acquire(a, "x");
  bool done = false;
  s.rt.in_turn([&] { a.locks->give_back().add_callback([&] { done = true; }); });
  s.pass(900ms);
  CHECK_FALSE(done);
  s.pass(100ms);
  CHECK(done);
  CHECK_FALSE(a.got().held());
  CHECK(a.locks->counters().held == 0);
  auto& b = s.add("b");
  s.acquire(b, "x");
  s.pass(6s);
  CHECK(b.got().held());
}

TEST_CASE("a lease that is abandoned is nobody's until its time is over") {
  programs s;
  auto& a = s.add("a");
  auto& b = s.add("b");
  s.acquire(a, "x");
  s.acquire(b, "x");
  s.rt.in_turn([&] { a.got().abandon(); });
  s.pass(4900ms);
  CHECK_FALSE(b.got().held());
  s.pass(700ms);
  CHECK(b.got().held());
}

TEST_CASE("names and options that make no sense are refused in words") {
  programs s;
  auto& a = s.add("a");
  s.acquire(a, "");
  CHECK(a.who().refused.check(errc::invalid_argument));
  s.acquire(a, std::string(201, 'x'));
  CHECK(a.who().refused.check(errc::invalid_argument));
  const auto refused = [&](auto change) {
    leases_options o;
    change(o);
    try {
      const leases l{s.rt, s.store, o};
    } catch (const std::invalid_argument& e) {
      return std::string{e.what()};
    }
    return std::string{};
  };
  CHECK_THAT(refused([](leases_options& o) { o.node = "a b"; }), Contains("white space"));
  CHECK_THAT(refused([](leases_options& o) { o.margin = 4s; }), Contains("margin"));
  CHECK_THAT(refused([](leases_options& o) { o.ttl = 48h; }), Contains("a day"));
  CHECK_THROWS_AS((leases{s.rt, nullptr}), std::invalid_argument);
}
