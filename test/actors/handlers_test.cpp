#include <troupe/actors/handlers.hpp>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/respond.hpp>
#include <troupe/runtime/actor_timers.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/catch.hpp"
#include "support/oracle.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using find_atom = caf::atom_constant<caf::atom("find")>;
using slow_atom = caf::atom_constant<caf::atom("slow")>;

/// Its handlers return deferreds, and one of them is a coroutine.
template <class Base>
class librarian : public Base {
public:
  librarian(caf::actor_config& cfg, caf::actor o) : Base(cfg), oracle_(std::move(o)) {}

  caf::behavior make_behavior() override {
    return handlers(
      *this, &librarian::find, [](int x) { return succeed(x * 2); },
      [](const std::string& s) { return s.size(); },
      [](double) -> deferred<int> {
        return fail<int>(failure{errc::malformed_input, "a double"});
      },
      [this](slow_atom) { return chained<void>(defer_later(*this, 1ms)); },
      [this](quit_atom) -> deferred<int> {
        this->quit();
        return defer_later(*this, 1h, [] { return 1; });
      });
  }

  deferred<int> find(find_atom, int x) {
    const int first = co_await ask<int>(*this, oracle_, 10s, x);
    co_await defer_later(*this, 1ms);
    if (first < 0)
      throw std::runtime_error("negative");
    co_return co_await ask<int>(*this, oracle_, 10s, first);
  }

private:
  caf::actor oracle_;
};

} // namespace

TEMPLATE_TEST_CASE("what a handler's deferred comes to is the response", "[ask][handlers]",
                   floating_actor, pinned_actor) {
  runtime rt{{.loops = 2, .install_signal_handlers = false}};
  const auto o = rt.spawn<oracle>();
  const auto l = rt.spawn<librarian<TestType>>(o);
  std::vector<int> got;
  std::vector<failure> why;
  run_as_actor(rt, [&](basic_actor& self) {
    const auto note = [&](outcome<int> x) {
      if (x)
        got.push_back(*x);
      else
        why.push_back(x.error());
    };
    auto all = [&self, l, note, &rt]() -> deferred<void> {
      co_await ask<int>(self, l, 10s, find_atom::value, 40).add_both(note);
      co_await ask<int>(self, l, 10s, 21).add_both(note);
      co_await ask<void>(self, l, 10s, slow_atom::value);
      const auto size = co_await ask<std::size_t>(self, l, 10s, std::string{"four"});
      note(static_cast<int>(size));
      co_await ask<int>(self, l, 10s, 1.5).add_both(note);
      co_await ask<int>(self, l, 10s, find_atom::value, -7).add_both(note);
      co_await ask<int>(self, l, 10s, quit_atom::value).add_both(note);
      rt.stop();
    };
    static auto keep = std::function<deferred<void>()>{};
    keep = all; // a lambda's captures must outlive its coroutine
    keep().add_errback([&](const failure& f) {
      why.push_back(f);
      rt.stop();
    });
  });
  CHECK(got == std::vector<int>{42, 42, 4});
  REQUIRE(why.size() == 3);
  CHECK(why[0].check(errc::malformed_input));
  CHECK(why[1].check<std::runtime_error>());
  CHECK((why[2].check(errc::broken_promise) || why[2].check(errc::actor_down)));
}

TEST_CASE("CAF's promises and requests turn into deferreds and back", "[ask]") {
  class relay : public floating_actor {
  public:
    relay(caf::actor_config& cfg, caf::actor o) : floating_actor(cfg), oracle_(std::move(o)) {}
    caf::behavior make_behavior() override {
      return {[this](int x) {
                auto rp = make_response_promise<int>();
                respond_with(rp, to_deferred<int>(request(oracle_, caf::infinite, x)));
                return rp;
              },
              [this](throw_atom) {
                auto rp = make_response_promise<int>();
                respond_with(rp,
                             to_deferred<int>(request(oracle_, caf::infinite, throw_atom::value)));
                return rp;
              },
              [this](hold_atom) {
                auto rp = make_response_promise<int>();
                respond_with(rp, to_deferred<int>(request(oracle_, 5ms, hold_atom::value)));
                return rp;
              }};
    }

  private:
    caf::actor oracle_;
  };
  runtime rt{{.loops = 2, .install_signal_handlers = false}};
  const auto o = rt.spawn<oracle>();
  const auto r = rt.spawn<relay>(o);
  int got = 0;
  failure thrown;
  failure late;
  run_as_actor(rt, [&](basic_actor& self) {
    ask<int>(self, r, 10s, 41).add_callback([&](int x) { got = x; });
    ask<int>(self, r, 10s, throw_atom::value).add_errback([&](const failure& f) {
      thrown = f;
      return 0;
    });
    const auto other = rt.spawn<relay>(rt.spawn<oracle>()); // the exception ended the first oracle
    ask<int>(self, other, 10s, hold_atom::value).add_errback([&](const failure& f) {
      late = f;
      rt.stop();
      return 0;
    });
  });
  CHECK(got == 42);
  CHECK(thrown.check<std::runtime_error>());
  CHECK(late.check(errc::timed_out));
}

TEST_CASE("an actor that owes an answer to one who knows it keeps neither for ever", "[ask]") {
  class partner : public floating_actor {
  public:
    partner(caf::actor_config& cfg, std::shared_ptr<int> held)
      : floating_actor(cfg), held_(std::move(held)) {}
    caf::behavior make_behavior() override {
      return {
        [this](const caf::actor& other) {
          other_ = other;
          ask<int>(*this, other, wait_for_ever, hold_atom::value).add_both([](outcome<int>) {});
        },
        [this](hold_atom) {
          owed_.emplace_back(*this);
        }};
    }

  private:
    std::shared_ptr<int> held_;
    caf::actor other_;
    std::vector<owed_response> owed_;
  };
  const auto held = std::make_shared<int>();
  {
    runtime rt{{.loops = 1, .install_signal_handlers = false}};
    const auto a = rt.spawn<partner>(held);
    const auto b = rt.spawn<partner>(held);
    caf::anon_send(a, b);
    rt.reactor().call_later(5ms, [&] { rt.stop(); });
    rt.run();
  }
  CHECK(held.use_count() == 1);
}

namespace {

/// Refuses in each way that is no crash, and crashes.
class refuser : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return handlers(
      *this, &refuser::answer, &refuser::remember,
      [](drop_atom) -> failure { return errc::queue_overflow; },
      [](quit_atom) { return failure{}; },
      [](throw_atom) -> int { throw std::runtime_error("crash"); });
  }

private:
  outcome<int> answer(int x) const {
    if (x < 0)
      return failure{errc::invalid_argument, "negative"};
    return x + 1;
  }
  outcome<void> remember(later_atom, int x) {
    if (x < 0)
      return failure{errc::invalid_argument, "negative"};
    return {};
  }
};

} // namespace

TEST_CASE("a handler that refuses answers, and its actor goes on; one that throws ends it",
          "[ask][handlers]") {
  asking a;
  const auto whom = a.rt.spawn<refuser>();
  CHECK(a.ask_now<int>(whom, 1).value() == 2);
  CHECK(a.ask_now<int>(whom, -1).error().message() == "negative: invalid argument");
  CHECK(a.ask_now<void>(whom, later_atom::value, 1));
  CHECK(a.ask_now<void>(whom, later_atom::value, -1).error().check(errc::invalid_argument));
  CHECK(a.ask_now<void>(whom, drop_atom::value).error().check(errc::queue_overflow));
  CHECK(a.ask_now<void>(whom, quit_atom::value));
  CHECK(a.ask_now<int>(whom, 1).value() == 2);
  testing::logged_errors errors{a.rt};
  CHECK(errors.empty());
  CHECK(a.ask_now<int>(whom, throw_atom::value).error().check<std::runtime_error>());
  CHECK(errors.flush<std::runtime_error>().size() == 1);
  CHECK(a.ask_now<int>(whom, 1).error().check(errc::actor_down));
}
