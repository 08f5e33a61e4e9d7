// One attempt to have a lease: its times to the moment, and answers that are late, lost or strange.

#include "lease_claim.hpp"

#include <troupe/leases/lease_errc.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::detail;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

constexpr lease_times usual{5s, 1s, 1s, 500ms, 1s};

/// A claim, and time by hand.
struct one {
  explicit one(std::string who = "a/1", std::uint64_t asked = 0)
    : claim(std::move(who), usual, asked) {}

  lease_claim::step step() { return claim.next(now); }

  /// Expects that it reads, and answers.
  void reads(lease_record r) {
    const auto s = step();
    REQUIRE(s.what == lease_claim::want::read);
    claim.have_read(s.number, now, r);
  }
  lease_claim::step writes() {
    const auto s = step();
    REQUIRE(s.what == lease_claim::want::write);
    return s;
  }
  void has_it(std::uint64_t revision) {
    reads({});
    claim.have_written(writes().number, now, revision);
    REQUIRE(claim.at() == lease_claim::phase::held);
  }
  /// Nothing is to be done now, and the next thing in `d`.
  void idle_for(duration d) {
    CHECK(step().what == lease_claim::want::nothing);
    CHECK(claim.wake_at() - now == d);
  }

  time_point now{1000s};
  lease_claim claim;
};

using phase = lease_claim::phase;
using want = lease_claim::want;

} // namespace

TEST_CASE("a lease that nobody has is read and taken, and its token is the revision") {
  one a;
  a.reads({.revision = 7});
  const auto w = a.writes();
  CHECK(w.record.revision == 7);
  CHECK(w.record.holder == "a/1");
  CHECK(w.record.ttl == 5s);
  a.claim.have_written(w.number, a.now, std::uint64_t{8});
  CHECK(a.claim.at() == phase::held);
  CHECK(a.claim.token() == 8);
  CHECK(a.claim.held_until() == a.now + 4s);
  CHECK(a.claim.others_from() == a.now + 5s);
  a.idle_for(1s);
}

TEST_CASE("what is held counts from when the write was sent, and is renewed with the same token") {
  one a;
  a.reads({});
  auto w = a.writes();
  const auto sent = a.now;
  a.now += 300ms;
  a.claim.have_written(w.number, a.now, std::uint64_t{1});
  CHECK(a.claim.held_until() == sent + 4s);
  a.idle_for(700ms);
  a.now = sent + 1s;
  w = a.writes();
  CHECK(w.record.revision == 1);
  a.claim.have_written(w.number, a.now, std::uint64_t{5});
  CHECK(a.claim.token() == 1);
  CHECK(a.claim.held_until() == sent + 5s);
}

TEST_CASE("a write that was answered after its time gives nothing") {
  one a;
  a.reads({});
  const auto w = a.writes();
  a.now += 4s;
  a.claim.have_written(w.number, a.now, std::uint64_t{1});
  CHECK(a.claim.at() == phase::seeking);
  a.reads({.revision = 1, .holder = "a/1", .ttl = 5s}); // it was ours
  CHECK(a.writes().record.revision == 1);
}

TEST_CASE(
  "one that another has is taken when its revision has been the same for its ttl, not before") {
  one a;
  a.reads({.revision = 7, .holder = "b/2", .ttl = 3s});
  CHECK(a.claim.holder() == "b/2");
  a.idle_for(500ms);
  for (int i = 0; i < 5; ++i) {
    a.now += 500ms;
    a.reads({.revision = 7, .holder = "b/2", .ttl = 3s});
  }
  a.now += 499ms; // 2.999 s
  CHECK(a.step().what == want::nothing);
  a.now += 1ms;
  CHECK(a.writes().record.revision == 7);
}

TEST_CASE("a renewal that is seen begins the wait anew") {
  one a;
  a.reads({.revision = 7, .holder = "b/2", .ttl = 3s});
  a.now += 2900ms;
  a.reads({.revision = 8, .holder = "b/2", .ttl = 3s});
  a.now += 500ms;
  a.reads({.revision = 8, .holder = "b/2", .ttl = 3s});
  CHECK(a.step().what == want::nothing);
  a.now += 2500ms;
  CHECK(a.writes().record.revision == 8);
}

TEST_CASE("whoever loses the race reads who won") {
  one a;
  a.reads({.revision = 7});
  a.claim.have_written(a.writes().number, a.now, failure{lease_errc::conflict});
  a.reads({.revision = 8, .holder = "b/2", .ttl = 5s});
  CHECK(a.claim.at() == phase::seeking);
  a.idle_for(500ms);
}

TEST_CASE("a store that refuses what it shows is not asked all the time") {
  one a;
  SECTION("to give a lease") {
    a.reads({.revision = 7});
    a.claim.have_written(a.writes().number, a.now, failure{lease_errc::conflict});
    a.reads({.revision = 7});
    a.idle_for(500ms);
    a.now += 500ms;
    CHECK(a.writes().record.revision == 7);
  }
  SECTION("to keep one") {
    a.has_it(1);
    a.now += 1s;
    a.claim.have_written(a.writes().number, a.now, failure{lease_errc::conflict});
    a.reads({.revision = 1, .holder = "a/1", .ttl = 5s});
    a.idle_for(500ms);
    a.now += 500ms;
    CHECK(a.writes().record.revision == 1);
  }
}

TEST_CASE("a lease that is not renewed is lost a margin before others may have it, to the moment") {
  one a;
  a.has_it(1);
  const auto since = a.now;
  a.now += 1s;
  a.claim.have_written(a.writes().number, a.now,
                       failure{lease_errc::store_unavailable, "no route"});
  a.now += 500ms;
  a.claim.have_read(a.step().number, a.now, failure{lease_errc::store_unavailable, "no route"});
  a.now = since + 4s - 1ns;
  CHECK(a.step().what == want::read);
  CHECK(a.claim.at() == phase::held);
  CHECK(a.claim.wake_at() == since + 4s);
  a.now += 1ns;
  CHECK(a.step().what == want::nothing);
  CHECK(a.claim.at() == phase::lost);
  CHECK(a.claim.why().check(lease_errc::lost));
  CHECK_THAT(a.claim.why().message(), Contains("no route"));
}

TEST_CASE("an answer that comes when the time is over does not bring it back") {
  one a;
  a.has_it(1);
  a.now += 1s;
  const auto w = a.writes();
  a.now += 3s;
  a.claim.have_written(w.number, a.now, std::uint64_t{2});
  CHECK(a.step().what == want::nothing);
  CHECK(a.claim.at() == phase::lost);
}

TEST_CASE("a renewal whose answer is lost is found out by reading") {
  one a;
  a.has_it(1);
  a.now += 1s;
  const auto lost = a.writes();
  a.now += 1s - 1ns; // patience
  CHECK(a.step().what == want::nothing);
  a.now += 1ns;
  a.reads({.revision = 2, .holder = "a/1", .ttl = 5s});
  const auto w = a.writes();
  CHECK(w.record.revision == 2);
  a.claim.have_written(lost.number, a.now, std::uint64_t{2}); // too late, and not waited for
  CHECK(a.claim.held_until() == a.now + 2s);
  a.claim.have_written(w.number, a.now, std::uint64_t{3});
  CHECK(a.claim.held_until() == a.now + 4s);
  CHECK(a.claim.token() == 1);
}

TEST_CASE("one that finds another in its place is told at once, by whom") {
  one a;
  a.has_it(1);
  a.now += 1s;
  a.claim.have_written(a.writes().number, a.now, failure{lease_errc::conflict});
  a.reads({.revision = 9, .holder = "b/2", .ttl = 5s});
  CHECK(a.claim.at() == phase::lost);
  CHECK_THAT(a.claim.why().message(), Contains("b/2 has it"));
}

TEST_CASE("a store that has lost its records takes a lease away") {
  one a;
  a.has_it(1);
  a.now += 1s;
  a.claim.have_written(a.writes().number, a.now, failure{lease_errc::conflict});
  a.reads({.revision = 100});
  CHECK(a.claim.at() == phase::lost);
}

TEST_CASE("what is released is written so, and the next one need not wait") {
  one a;
  a.has_it(1);
  a.claim.release(a.now);
  const auto w = a.writes();
  CHECK(w.record.revision == 1);
  CHECK(w.record.holder.empty());
  a.claim.have_written(w.number, a.now, std::uint64_t{2});
  CHECK(a.claim.at() == phase::released);
  one b{"b/2"};
  b.reads({.revision = 2});
  CHECK(b.writes().record.revision == 2);
}

TEST_CASE("a release waits for the renewal that is on its way") {
  one a;
  a.has_it(1);
  a.now += 1s;
  const auto renewal = a.writes();
  a.claim.release(a.now);
  CHECK(a.step().what == want::nothing);
  a.claim.have_written(renewal.number, a.now, std::uint64_t{2});
  CHECK(a.claim.at() == phase::releasing);
  const auto w = a.writes();
  CHECK(w.record.revision == 2);
  CHECK(w.record.holder.empty());
}

TEST_CASE("a release that the store does not answer ends all the same") {
  one a;
  a.has_it(1);
  a.claim.release(a.now);
  static_cast<void>(a.writes());
  a.now += 2s - 1ns;
  static_cast<void>(a.step());
  CHECK(a.claim.at() == phase::releasing);
  a.now += 1ns;
  static_cast<void>(a.step());
  CHECK(a.claim.at() == phase::released);
}

TEST_CASE("an attempt that is ended while it takes the lease gives back what it got") {
  one a;
  a.reads({});
  const auto w = a.writes();
  a.claim.release(a.now);
  CHECK(a.claim.at() == phase::releasing);
  a.claim.have_written(w.number, a.now, std::uint64_t{1});
  a.reads({.revision = 1, .holder = "a/1", .ttl = 5s});
  const auto end = a.writes();
  CHECK(end.record.holder.empty());
  CHECK(end.record.revision == 1);
}

TEST_CASE("an attempt that has written nothing ends at once") {
  one a;
  a.reads({.revision = 7, .holder = "b/2", .ttl = 5s});
  a.claim.release(a.now);
  CHECK(a.claim.at() == phase::released);
}

TEST_CASE("answers to an earlier claim are none to this one") {
  one a{"a/1", 5};
  const auto s = a.step();
  CHECK(s.number == 6);
  a.claim.have_read(5, a.now, lease_record{});
  a.claim.have_written(6, a.now,
                       failure{lease_errc::conflict}); // nor to another question: harmless
  CHECK(a.claim.at() == phase::seeking);
}

TEST_CASE("a record that claims a longer ttl than a day is believed for a day") {
  one a;
  a.reads({.revision = 7, .holder = "b/2", .ttl = duration::max()});
  a.now += 24h;
  CHECK(a.writes().record.revision == 7);
}
