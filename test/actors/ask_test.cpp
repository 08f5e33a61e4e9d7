#include <troupe/actors/ask.hpp>

#include <thread>

#include <caf/typed_event_based_actor.hpp>

#include <troupe/actors/handlers.hpp>
#include <troupe/actors/respond.hpp>
#include <troupe/runtime/actor_timers.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/threads.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

using hold_atom = caf::atom_constant<caf::atom("hold")>;
using drop_atom = caf::atom_constant<caf::atom("drop")>;
using quit_atom = caf::atom_constant<caf::atom("quit")>;
using throw_atom = caf::atom_constant<caf::atom("throw")>;
using later_atom = caf::atom_constant<caf::atom("later")>;

/// Answers, or fails to, in every way there is.
class oracle : public floating_actor {
public:
  using floating_actor::floating_actor;

  caf::behavior make_behavior() override {
    return {
      [](int x) { return x + 1; },
      [this](hold_atom) { held_.emplace_back(*this); },
      [this](drop_atom) -> caf::result<int> {
        owed_response{*this};
        return caf::delegated<int>{};
      },
      [this](quit_atom) -> caf::result<int> {
        held_.emplace_back(*this);
        quit();
        return caf::delegated<int>{};
      },
      [](throw_atom) -> int { throw std::runtime_error("no idea"); },
      [this](later_atom, int x) {
        promise<int> later;
        auto result = later.get_deferred();
        call_later(1ms, [p = std::make_shared<promise<int>>(std::move(later)), x] {
          if (x < 0)
            p->errback(failure{errc::malformed_input, "negative"});
          else
            p->callback(x * 2);
        });
        return respond_with(*this, std::move(result));
      },
    };
  }

private:
  std::vector<owed_response> held_; // never answered: as many requests as wait when the actor ends
};

/// Runs one piece of code as itself.
template <class Base>
class asker : public Base {
public:
  asker(caf::actor_config& cfg, std::function<void(asker&)> code)
    : Base(cfg), code_(std::move(code)) {}

  caf::behavior make_behavior() override {
    caf::anon_send(caf::actor{this}, 0);
    return {[this](int) {
      code_(*this);
    }};
  }

private:
  std::function<void(asker&)> code_;
};

/// Runs `code` as an actor until it stops the runtime.
template <class Base = floating_actor>
void run_as_actor(runtime& rt, std::function<void(basic_actor&)> code) {
  const auto self = rt.spawn<asker<Base>>([code](asker<Base>& a) { code(a); });
  rt.run();
}

template <class... Args>
failure failure_of(Args... args) {
  runtime rt{{.loops = 1}};
  const auto o = rt.spawn<oracle>();
  failure got;
  run_as_actor(rt, [&](basic_actor& self) {
    ask<int>(self, o, 100ms, args...).add_both([&](outcome<int> x) {
      got = x.error();
      rt.stop();
    });
  });
  return got;
}

} // namespace

TEMPLATE_TEST_CASE("an answer arrives as the asker", "[ask]", floating_actor, pinned_actor) {
  for (const std::size_t loops : {1, 3}) {
    runtime rt{{.loops = loops}};
    const auto o = rt.spawn<oracle>();
    int got = 0;
    run_as_actor<TestType>(rt, [&](basic_actor& self) {
      ask<int>(self, o, 10s, 41).add_callback([&](int x) {
        got = x;
        rt.stop();
      });
    });
    CHECK(got == 42);
  }
}

TEST_CASE("a deferred that a handler returns becomes the response", "[ask]") {
  runtime rt{{.loops = 1}};
  const auto o = rt.spawn<oracle>();
  int got = 0;
  failure why;
  run_as_actor(rt, [&](basic_actor& self) {
    ask<int>(self, o, 10s, later_atom::value, 21).add_callback([&](int x) { got = x; });
    ask<int>(self, o, 10s, later_atom::value, -1).add_errback([&](const failure& f) {
      why = f;
      rt.stop();
      return 0;
    });
  });
  CHECK(got == 42);
  CHECK(why.check(errc::malformed_input));
}

TEST_CASE("an exception of the receiver arrives as a failure", "[ask]") {
  const auto f = failure_of(throw_atom::value);
  CHECK(f.check<std::runtime_error>());
  CHECK(f.message() == "no idea");
}

TEST_CASE("a response that is dropped arrives as a broken promise", "[ask]") {
  CHECK(failure_of(drop_atom::value).check(errc::broken_promise));
}

TEST_CASE("a receiver that ends with a request unanswered fails it", "[ask]") {
  const auto f = failure_of(quit_atom::value);
  CHECK((f.check(errc::broken_promise) || f.check(errc::actor_down)));
}

TEST_CASE("a receiver that has ended fails the question", "[ask]") {
  runtime rt{{.loops = 1}};
  const auto o = rt.spawn<oracle>();
  caf::anon_send_exit(o, caf::exit_reason::kill);
  failure got;
  run_as_actor(rt, [&](basic_actor& self) {
    ask<int>(self, o, 10s, 1).add_both([&](outcome<int> x) {
      got = x.error();
      rt.stop();
    });
  });
  CHECK(got.check(errc::actor_down));
}

TEST_CASE("nobody to ask fails the question at once", "[ask]") {
  CHECK_NOTHROW([] {
    runtime rt{{.loops = 1}};
    failure got;
    run_as_actor(rt, [&](basic_actor& self) {
      ask<int>(self, caf::actor{}, 10s, 1).add_both([&](outcome<int> x) { got = x.error(); });
      rt.stop();
    });
    if (!got.check(errc::actor_down))
      throw std::runtime_error("it did not fail");
  }());
}

TEST_CASE("an answer that does not come in time fails the question", "[ask]") {
  CHECK(failure_of(hold_atom::value).check(errc::timed_out));
}

TEST_CASE("an answer of the wrong type fails the question", "[ask]") {
  runtime rt{{.loops = 1}};
  const auto o = rt.spawn<oracle>();
  failure got;
  run_as_actor(rt, [&](basic_actor& self) {
    ask<std::string>(self, o, 10s, 1).add_both([&](outcome<std::string> x) {
      got = x.error();
      rt.stop();
    });
  });
  CHECK(got.check(caf::make_error(caf::sec::unexpected_response)));
}

TEST_CASE("a cancelled question drops its answer", "[ask]") {
  runtime rt{{.loops = 1}};
  const auto o = rt.spawn<oracle>();
  std::vector<failure> got;
  run_as_actor(rt, [&](basic_actor& self) {
    auto d = ask<int>(self, o, 10s, 1);
    d.add_both([&](outcome<int> x) {
      got.push_back(x.error());
      return 0;
    });
    d.cancel();
    ask<int>(self, o, 10s, 2).add_callback([&](int) { rt.stop(); });
  });
  REQUIRE(got.size() == 1);
  CHECK(got[0].check(errc::cancelled));
}

TEST_CASE("callbacks of an asker that ended never run", "[ask]") {
  runtime rt{{.loops = 1}};
  const auto o = rt.spawn<oracle>();
  bool ran = false;
  auto destroyed = std::make_shared<int>();
  const std::weak_ptr<int> watch = destroyed;
  run_as_actor(rt, [&](basic_actor& self) {
    ask<int>(self, o, 10s, 1).add_both([&ran, held = std::move(destroyed)](outcome<int>) {
      ran = true;
    });
    self.quit();
    rt.reactor().call_later(20ms, [&] { rt.stop(); });
  });
  CHECK_FALSE(ran);
  CHECK(watch.expired());
}

TEST_CASE("a hundred thousand questions in flight leave nothing behind", "[ask]") {
  constexpr int count = 100'000;
  runtime rt{{.loops = 1}};
  const auto o = rt.spawn<oracle>();
  int answers = 0;
  long sum = 0;
  std::size_t timers = 1;
  run_as_actor(rt, [&](basic_actor& self) {
    for (int i = 0; i < count; ++i)
      ask<int>(self, o, 30s, i).add_callback([&](int x) {
        sum += x;
        if (++answers == count)
          rt.reactor().call_from_thread([&] {
            timers = rt.reactor().get_delayed_calls().size();
            rt.stop();
          });
      });
  });
  CHECK(answers == count);
  CHECK(sum == long{count} * (count + 1) / 2);
  CHECK(timers == 0);
}

TEST_CASE("code that is no actor's may ask too, and gets the answer on loop 0", "[ask]") {
  runtime rt{{.loops = 2, .install_signal_handlers = false}};
  const auto o = rt.spawn<oracle>();
  int early = 0;
  int later = 0;
  ask<int>(rt, o, 10s, 1).add_callback([&](int x) { early = x; }); // before run()
  rt.reactor().call_when_running([&] {
    ask<int>(rt, o, 10s, 41).add_callback([&](int x) {
      CHECK(event_loop::current() == &rt.scheduler().loop(0));
      later = x;
      rt.stop();
    });
  });
  rt.run();
  CHECK(early == 2);
  CHECK(later == 42);
  failure after;
  ask<int>(rt, o, 10s, 1).add_errback([&](const failure& f) {
    after = f;
    return 0;
  });
  CHECK(after.check(errc::runtime_stopped));
}

TEST_CASE("a plain thread may wait for an answer", "[ask]") {
  runtime rt{{.loops = 2, .install_signal_handlers = false}};
  const auto o = rt.spawn<oracle>();
  int got = 0;
  std::string what;
  std::thread plain{[&] {
    auto wait_for = [&](auto... args) {
      return blocking_call_from_thread(rt.reactor(), [&] { return ask<int>(rt, o, 10s, args...); });
    };
    got = wait_for(41);
    try {
      wait_for(throw_atom::value);
    } catch (const std::runtime_error& e) {
      what = e.what();
    }
    rt.stop();
  }};
  rt.run();
  plain.join();
  CHECK(got == 42);
  CHECK(what == "no idea");
}

TEST_CASE("a plain thread does not wait for an answer that the stop makes impossible", "[ask]") {
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  const auto o = rt.spawn<oracle>();
  std::atomic<bool> ended = false;
  std::optional<std::thread> plain;
  {
    rt.reactor().call_when_running([&] {
      plain.emplace([&] {
        CHECK_THROWS(blocking_call_from_thread(rt.reactor(), [&] {
          rt.reactor().call_later(5ms, [&] { rt.stop(); });
          return ask<int>(rt, o, wait_for_ever, hold_atom::value);
        }));
        ended = true;
      });
    });
    rt.run();
  }
  plain->join();
  CHECK(ended);
}

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

/// A runtime that the test turns; its code asks.
struct asking {
  template <class T, class Handle, class... Args>
  outcome<T> ask_now(const Handle& whom, Args... args) {
    outcome<T> got = failure{errc::none, {}};
    bool over = false;
    rt.in_turn([&] {
      ask<T>(rt, whom, 1s, args...).add_both([&](outcome<T> o) {
        over = true;
        got = std::move(o);
      });
    });
    rt.settle();
    CHECK(over);
    return got;
  }
  testing::manual_runtime rt;
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

TEST_CASE("a question to a name goes to whoever has it, and fails at once if nobody has",
          "[ask][names]") {
  asking a;
  const auto oracle_name = a.rt.names().get("oracle");
  const auto nobody = a.ask_now<int>(oracle_name, 1);
  CHECK(nobody.error().check(errc::actor_down));
  CHECK(nobody.error().context() == "nobody has the name oracle");
  REQUIRE(a.rt.names().put("oracle", a.rt.spawn<oracle>()));
  CHECK(a.ask_now<int>(oracle_name, 1).value() == 2);
}

TEST_CASE("a question that is not answered names the line of the call", "[ask]") {
  asking a;
  const auto whom = a.rt.spawn<oracle>();
  failure why;
  std::string line;
  a.rt.in_turn([&] {
    line = std::to_string(__LINE__ + 1);
    ask<int>(a.rt, whom, 5s, hold_atom::value).add_errback([&](const failure& f) -> outcome<int> {
      why = f;
      return 0;
    });
  });
  a.rt.advance(5s - 1ns);
  a.rt.settle();
  CHECK_FALSE(why);
  a.rt.advance(1ns);
  a.rt.settle();
  CHECK(why.check(errc::timed_out));
  CHECK(why.context() == "ask, after 5 s, asked for at ask_test.cpp:" + line);
}

TEST_CASE("a typed handle is asked what it takes", "[ask]") {
  using adder = caf::typed_actor<caf::replies_to<int, int>::with<int>,
                                 caf::replies_to<later_atom, std::string>::with<void>>;
  asking a;
  adder whom = a.rt.spawn([](adder::pointer) -> adder::behavior_type {
    return {[](int x, int y) { return x + y; },
            [](later_atom, const std::string&) {
            }};
  });
  CHECK(a.ask_now<int>(whom, 1, 2).value() == 3);
  CHECK(a.ask_now<void>(whom, later_atom::value, "text"));
}
