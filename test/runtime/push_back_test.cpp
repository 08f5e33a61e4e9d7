// Actors that feed one without room stop until it has some.

#include <troupe/runtime/mailbox_bound.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include <caf/send.hpp>

#include <troupe/runtime/dead_letter.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/metrics.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/skipped.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::manual_runtime;

namespace {

using open_atom = caf::atom_constant<caf::atom("open")>;
using numbers = std::vector<int>;

/// Skips what it gets until it is told to open, so that what comes stays in its mailbox.
template <class Base>
class gate : public Base {
public:
  gate(caf::actor_config& cfg, numbers& got, std::size_t most) : Base(cfg), got_(got) {
    bound_mailbox(*this, most, full_mailbox::push_back);
  }
  caf::behavior make_behavior() override {
    return {[this](int x) {
      got_.push_back(x);
    }};
  }

private:
  numbers& got_;
};

/// Sends on what it gets.
template <class Base>
class feeder : public Base {
public:
  feeder(caf::actor_config& cfg, std::vector<caf::actor> to, numbers& got, int times = 1,
         std::size_t most = 0)
    : Base(cfg), to_(std::move(to)), got_(got), times_(times) {
    if (most > 0)
      bound_mailbox(*this, most, full_mailbox::push_back);
  }
  caf::behavior make_behavior() override {
    return {[this](int x) {
              got_.push_back(x);
              for (int i = 0; i < times_; ++i)
                for (const auto& to : to_)
                  this->send(to, x);
              if (sent)
                sent();
            },
            [this](const caf::actor& to) { to_.push_back(to); },
            [](double x) {
              return x + 1;
            }};
  }
  void hold_back(bool stopped) override { holds.push_back(stopped); }
  void on_exit() override {
    to_.clear(); // which may have a handle of this one
    Base::on_exit();
  }
  std::vector<bool> holds;
  std::function<void()> sent;

private:
  std::vector<caf::actor> to_;
  numbers& got_;
  const int times_;
};

using pinned_feeder = feeder<pinned_actor>;
using floating_feeder = feeder<floating_actor>;

template <class A>
A& object(const caf::actor& handle) {
  return *static_cast<A*>(caf::actor_cast<caf::abstract_actor*>(handle));
}

std::uint64_t refused(runtime& rt) {
  return rt.metrics()
    .add_counter("troupe_dead_letters_total", "", {{"reason", "mailbox_full"}})
    .value();
}

numbers up_to(int n) {
  numbers all;
  for (int i = 1; i <= n; ++i)
    all.push_back(i);
  return all;
}

// So that a case sees each turn: an actor handles one message in each.
runtime_options slow(std::size_t loops) {
  runtime_options o;
  o.loops = loops;
  o.install_signal_handlers = false;
  o.messages_per_actor = 1;
  return o;
}

struct slowly {
  runtime rt{slow(1)};
  void turn(int n = 1) {
    while (n-- > 0)
      rt.reactor().iterate();
  }
};

} // namespace

TEMPLATE_TEST_CASE(
  "who feeds a full mailbox handles nothing until half of it is free, and nothing is lost",
  "[push_back]", pinned_feeder, floating_feeder) {
  numbers fed;
  numbers got;
  slowly s;
  const auto to = caf::actor_cast<caf::actor>(s.rt.template spawn<gate<floating_actor>>(got, 4u));
  const auto a = caf::actor_cast<caf::actor>(
    s.rt.template spawn<TestType>(std::vector<caf::actor>{to}, fed, 2)); // two for each
  for (int i = 1; i <= 50; ++i)
    caf::anon_send(a, i);
  std::size_t longest = 0;
  object<TestType>(a).sent = [&] {
    longest = std::max(longest, 2 * fed.size() - got.size());
  };
  for (int i = 0; i < 2000 && got.size() < 100; ++i)
    s.turn();
  s.turn(5);
  CHECK(got.size() == 100);
  CHECK(fed == up_to(50));
  CHECK(longest >= 5);
  CHECK(longest <= 6); // the message that found it full, and the rest of that handler
  CHECK(refused(s.rt) == 0);
  auto& holds = object<TestType>(a).holds;
  CHECK(holds.size() > 10);
  CHECK(holds.size() % 2 == 0);
  for (std::size_t i = 0; i < holds.size(); ++i)
    CHECK(holds[i] == (i % 2 == 0));
}

TEST_CASE("one who sends very much in one handler is refused beyond twice the bound",
          "[push_back]") {
  numbers fed;
  numbers got;
  manual_runtime rt;
  const auto to = caf::actor_cast<caf::actor>(rt.spawn<gate<pinned_actor>>(got, 3u));
  const auto a =
    caf::actor_cast<caf::actor>(rt.spawn<pinned_feeder>(std::vector<caf::actor>{to}, fed, 20));
  caf::anon_send(a, 7);
  rt.settle();
  CHECK(got == numbers(6, 7));
  CHECK(refused(rt) == 14);
  CHECK_FALSE(object<pinned_feeder>(a).held_back());
}

TEST_CASE("senders that nobody can stop are refused at the bound", "[push_back]") {
  numbers got;
  manual_runtime rt;
  const auto to = caf::actor_cast<caf::actor>(rt.spawn<gate<pinned_actor>>(got, 3u));
  const auto plain = rt.spawn([](caf::event_based_actor* self) -> caf::behavior {
    return {[self](const caf::actor& whom) {
      for (int i = 1; i <= 5; ++i)
        self->send(whom, i);
    }};
  });
  rt.settle();
  caf::anon_send(plain, to);
  rt.settle();
  CHECK(got == up_to(3));
  CHECK(refused(rt) == 2);
  rt.in_turn([&] {
    for (int i = 1; i <= 5; ++i)
      caf::anon_send(to, i);
  });
  rt.settle();
  CHECK(refused(rt) == 4);
}

TEMPLATE_TEST_CASE(
  "who is stopped still answers to the end, to calls, to urgent messages and to responses",
  "[push_back]", pinned_feeder, floating_feeder) {
  numbers fed;
  numbers got;
  slowly s;
  const auto to = caf::actor_cast<caf::actor>(s.rt.template spawn<gate<pinned_actor>>(got, 1u));
  const auto idle =
    caf::actor_cast<caf::actor>(s.rt.template spawn<TestType>(std::vector<caf::actor>{}, fed, 1));
  const auto a =
    caf::actor_cast<caf::actor>(s.rt.template spawn<TestType>(std::vector<caf::actor>{to}, fed, 1));
  s.turn(5);
  auto& self = object<TestType>(a);
  // Another holds it: a mailbox that nobody empties.
  numbers never;
  const auto full = caf::actor_cast<caf::actor>(s.rt.template spawn<gate<pinned_actor>>(never, 1u));
  std::vector<std::string> seen;
  const auto me = caf::actor_cast<caf::strong_actor_ptr>(a);
  const auto its = caf::actor_cast<caf::strong_actor_ptr>(full);
  bool blocked = false;
  basic_actor::run_as(me, [&] {
    self.request(idle, 5s, 1.0).then([&](double) {
      seen.push_back(self.held_back() ? "response while held" : "response");
    });
    self.send(full, 1);
    self.send(full, 2);
    blocked = self.held_back();
    basic_actor::run_as(me, [&] { seen.push_back(self.held_back() ? "call while held" : "call"); });
    // It is stopped for as long as this stands in front of the receiver.
    self.call_later(0s, [&] { seen.push_back("delayed"); });
  });
  caf::anon_send(a, 5); // ordinary: behind
  for (int i = 0; i < 200; ++i)
    s.turn();
  CHECK(blocked);
  CHECK(seen.size() == 3);
  CHECK(never == numbers{1, 2});
  CHECK(fed == numbers{5});
  CHECK(got == numbers{5});
}

TEST_CASE("of two that feed each other one goes on, whatever their bounds", "[push_back]") {
  numbers from_a;
  numbers from_b;
  manual_runtime rt;
  const auto a = caf::actor_cast<caf::actor>(
    rt.spawn<floating_feeder>(std::vector<caf::actor>{}, from_a, 1, 2u));
  const auto b =
    caf::actor_cast<caf::actor>(rt.spawn<pinned_feeder>(std::vector<caf::actor>{a}, from_b, 1, 2u));
  rt.settle();
  rt.in_turn([&] { caf::anon_send(a, b); });
  rt.settle();
  // Four numbers go round and round, which is all that the two mailboxes hold together.
  rt.in_turn([&] {
    for (int i = 1; i <= 2; ++i) {
      caf::anon_send(a, i);
      caf::anon_send(b, i + 10);
    }
  });
  std::size_t before = 0;
  for (int round = 0; round < 20; ++round) {
    rt.settle(8);
    const auto handled = from_a.size() + from_b.size();
    CHECK(handled > before);
    before = handled;
  }
  CHECK(refused(rt) == 0);
}

TEST_CASE("a chain of three stops from its end to its beginning, and goes on so", "[push_back]") {
  numbers first;
  numbers second;
  numbers last;
  slowly s;
  const auto c = caf::actor_cast<caf::actor>(s.rt.spawn<gate<floating_actor>>(last, 2u));
  const auto b = caf::actor_cast<caf::actor>(
    s.rt.spawn<floating_feeder>(std::vector<caf::actor>{c}, second, 2, 2u));
  const auto a =
    caf::actor_cast<caf::actor>(s.rt.spawn<pinned_feeder>(std::vector<caf::actor>{b}, first, 2));
  for (int i = 1; i <= 30; ++i)
    caf::anon_send(a, i);
  std::size_t widest = 0;
  object<pinned_feeder>(a).sent = [&] {
    widest = std::max(widest, 2 * first.size() - second.size());
  };
  for (int i = 0; i < 5000 && last.size() < 120; ++i)
    s.turn();
  CHECK(last.size() == 120);
  CHECK(widest >= 3);
  CHECK(widest <= 4);
  CHECK(refused(s.rt) == 0);
}

TEST_CASE("one who sleeps with what it skipped takes no more than twice its bound", "[push_back]") {
  class closed : public floating_actor {
  public:
    explicit closed(caf::actor_config& cfg) : floating_actor(cfg) {
      bound_mailbox(*this, 2, full_mailbox::push_back);
      set_default_handler(caf::skip);
    }
    caf::behavior make_behavior() override {
      return {[](open_atom) {
      }};
    }
  };
  numbers fed;
  manual_runtime rt;
  const auto to = caf::actor_cast<caf::actor>(rt.spawn<closed>());
  const auto a =
    caf::actor_cast<caf::actor>(rt.spawn<pinned_feeder>(std::vector<caf::actor>{to}, fed, 1));
  for (int i = 1; i <= 100; ++i)
    caf::anon_send(a, i);
  rt.settle(1000);
  CHECK(fed == up_to(100));
  CHECK(refused(rt) >= 95); // 2 * 2, and one of the one that feeds it
  CHECK_FALSE(object<pinned_feeder>(a).held_back());
}

TEST_CASE("one who sleeps with what it skipped lets those go on that feed it", "[push_back]") {
  numbers fed;
  numbers got;
  class closed : public floating_actor {
  public:
    closed(caf::actor_config& cfg, numbers& n) : floating_actor(cfg), got_(n) {
      bound_mailbox(*this, 2, full_mailbox::push_back);
      set_default_handler(caf::skip);
    }
    caf::behavior make_behavior() override {
      return {[this](open_atom) {
        become([this](int x) { got_.push_back(x); });
        retry_skipped(*this);
      }};
    }

  private:
    numbers& got_;
  };
  manual_runtime rt;
  const auto to = caf::actor_cast<caf::actor>(rt.spawn<closed>(got));
  const auto a =
    caf::actor_cast<caf::actor>(rt.spawn<pinned_feeder>(std::vector<caf::actor>{to}, fed, 1));
  for (int i = 1; i <= 3; ++i)
    caf::anon_send(a, i);
  rt.settle(40);
  CHECK(fed == up_to(3)); // it would wait for what only it can send
  CHECK(got.empty());
  rt.in_turn([&] { caf::anon_send<caf::message_priority::high>(to, open_atom::value); });
  rt.settle();
  CHECK(got == up_to(3));
  CHECK_FALSE(object<pinned_feeder>(a).held_back());
}

TEMPLATE_TEST_CASE(
  "if the receiver ends, who was stopped goes on; if the sender ends, nobody waits for it",
  "[push_back]", pinned_feeder, floating_feeder) {
  numbers fed;
  numbers got;
  slowly s;
  const auto to = caf::actor_cast<caf::actor>(s.rt.template spawn<gate<pinned_actor>>(got, 1u));
  const auto a =
    caf::actor_cast<caf::actor>(s.rt.template spawn<TestType>(std::vector<caf::actor>{to}, fed, 3));
  s.turn(5);
  auto& self = object<TestType>(a);
  const auto me = caf::actor_cast<caf::strong_actor_ptr>(a);
  bool was = false;
  SECTION("the receiver") {
    basic_actor::run_as(me, [&] {
      for (int i = 0; i < 3; ++i)
        self.send(to, i);
      was = self.held_back();
      caf::anon_send_exit(to, caf::exit_reason::kill);
    });
    caf::anon_send(a, 1);
    s.turn(100);
    CHECK(was);
    CHECK(fed == numbers{1});
    CHECK_FALSE(self.held_back());
  }
  SECTION("the sender") {
    basic_actor::run_as(me, [&] {
      for (int i = 0; i < 2; ++i)
        self.send(to, i);
      was = self.held_back();
      self.quit();
      self.send(to, 2); // too late to be stopped
    });
    caf::anon_send(a, 1);
    s.turn(100);
    CHECK(was);
    CHECK(fed.empty());
    CHECK(got.size() == 2);
    CHECK(self.getf(caf::abstract_actor::is_cleaned_up_flag));
  }
}

TEST_CASE("actors that are stopped when a runtime ends are let go", "[push_back]") {
  numbers fed;
  numbers got;
  caf::weak_actor_ptr one;
  {
    slowly s;
    const auto to = caf::actor_cast<caf::actor>(s.rt.spawn<gate<floating_actor>>(got, 1u));
    const auto a =
      caf::actor_cast<caf::actor>(s.rt.spawn<floating_feeder>(std::vector<caf::actor>{to}, fed, 2));
    one = caf::actor_cast<caf::weak_actor_ptr>(a);
    s.turn(5);
    for (int i = 0; i < 10; ++i)
      caf::anon_send(a, i);
    s.turn(2);
  }
  CHECK_FALSE(caf::actor_cast<caf::strong_actor_ptr>(one));
}

// -- over loops ---------------------------------------------------------------------------------

namespace {

/// Counts what comes and sends it on, one less; at 0 it is done.
class hop : public pinned_actor {
public:
  hop(caf::actor_config& cfg, std::size_t most, std::atomic<int>& done, std::promise<void>& all,
      int wanted)
    : pinned_actor(cfg), done_(done), all_(all), wanted_(wanted) {
    bound_mailbox(*this, most, full_mailbox::push_back);
  }
  caf::behavior make_behavior() override {
    return {[this](int left) {
              if (left > 0)
                send(next_, left - 1);
              else if (done_.fetch_add(1) + 1 == wanted_)
                all_.set_value();
            },
            [this](const caf::actor& next) {
              next_ = next;
            }};
  }
  void on_exit() override {
    next_ = {};
    pinned_actor::on_exit();
  }

private:
  caf::actor next_;
  std::atomic<int>& done_;
  std::promise<void>& all_;
  const int wanted_;
};

} // namespace

TEST_CASE("in a ring over two loops each goes on, and nothing is lost", "[push_back]") {
  std::atomic<int> done{0};
  std::promise<void> all;
  testing::running server{2};
  std::vector<caf::actor> ring;
  for (std::size_t i = 0; i < 4; ++i)
    ring.push_back(caf::actor_cast<caf::actor>(server.rt.spawn_on<hop>(i % 2, 4u, done, all, 7)));
  for (std::size_t i = 0; i < ring.size(); ++i)
    caf::anon_send(ring[i], ring[(i + 1) % ring.size()]);
  server.start();
  // No more than twice a bound holds, so that nobody is refused, and more than the bound.
  server.rt.reactor().call_from_thread([&] {
    for (int i = 0; i < 7; ++i)
      caf::anon_send(ring[static_cast<std::size_t>(i) % 3],
                     static_cast<int>(testing::load_size(5'000)));
  });
  REQUIRE(all.get_future().wait_for(60s) == std::future_status::ready);
  server.stop();
  CHECK(refused(server.rt) == 0);
}

TEST_CASE("a chain over two loops hands all on, with no more than its bounds hold", "[push_back]") {
  const int count = static_cast<int>(testing::load_size(5'000));
  std::atomic<int> done{0};
  std::promise<void> all;
  testing::running server{2};
  std::vector<caf::actor> chain;
  for (std::size_t i = 0; i < 4; ++i)
    chain.push_back(caf::actor_cast<caf::actor>(
      server.rt.spawn_on<hop>(i % 2, i == 0 ? 1'000'000u : 8u, done, all, count)));
  for (std::size_t i = 0; i + 1 < chain.size(); ++i)
    caf::anon_send(chain[i], chain[i + 1]);
  server.start();
  server.rt.reactor().call_from_thread([&] {
    for (int i = 0; i < count; ++i)
      caf::anon_send(chain[0], 3);
  });
  REQUIRE(all.get_future().wait_for(60s) == std::future_status::ready);
  server.stop();
  CHECK(refused(server.rt) == 0);
}

TEST_CASE("senders and receivers that are killed while others wait leave nobody waiting",
          "[push_back]") {
  std::atomic<int> done{0};
  std::promise<void> all;
  std::promise<void> last;
  testing::running server{2};
  const auto to =
    caf::actor_cast<caf::actor>(server.rt.spawn_on<hop>(1, 2u, done, all, 1'000'000'000));
  server.start();
  for (std::size_t i = 0; i < testing::load_size(200); ++i) {
    const auto between =
      caf::actor_cast<caf::actor>(server.rt.spawn_on<hop>(i % 2, 2u, done, all, 1'000'000'000));
    const auto from = caf::actor_cast<caf::actor>(
      server.rt.spawn_on<hop>((i / 2) % 2, 1000u, done, all, 1'000'000'000));
    caf::anon_send(between, to);
    caf::anon_send(from, between);
    for (int n = 0; n < 20; ++n)
      caf::anon_send(from, 2);
    caf::anon_send_exit(i % 3 == 0 ? from : between, caf::exit_reason::kill);
    if (i % 3 != 0)
      caf::anon_send_exit(from, caf::exit_reason::user_shutdown);
    else
      caf::anon_send_exit(between, caf::exit_reason::user_shutdown);
  }
  basic_actor::run_as(caf::actor_cast<caf::strong_actor_ptr>(to), [&] { last.set_value(); });
  CHECK(last.get_future().wait_for(30s) == std::future_status::ready);
  server.stop();
}
