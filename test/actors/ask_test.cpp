#include <troupe/actors/ask.hpp>

#include <thread>

#include <caf/typed_event_based_actor.hpp>

#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/threads.hpp>

#include "support/catch.hpp"
#include "support/oracle.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

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

TEST_CASE("a composition of actors answers, also if nobody holds it any more", "[ask]") {
  runtime rt{{.loops = 1}};
  const auto o = rt.spawn<oracle>();
  int got = 0;
  run_as_actor(rt, [&](basic_actor& self) {
    ask<int>(self, o * o, 10s, 40).add_callback([&](int x) {
      got = x;
      rt.stop();
    });
  });
  CHECK(got == 42);
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
