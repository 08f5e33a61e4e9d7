#include <troupe/runtime/reactor.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <troupe/runtime/runtime.hpp>

#include "support/catch.hpp"
#include "support/few_descriptors.hpp"
#include "support/quiet.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using order = std::vector<std::string>;

TEST_CASE("stop is refused before run, and may be called more than once", "[R01]") {
  runtime rt{quiet()};
  CHECK_THROWS_AS(rt.stop(), reactor_not_running);
  CHECK_THROWS_AS(rt.give_up(failure{errc::timed_out}), reactor_not_running);
  CHECK_FALSE(rt.stop_requested());
  std::vector<bool> looks;
  const auto look = [&] {
    auto& loop = rt.scheduler().loop(0);
    looks.insert(looks.end(), {rt.reactor().running(), rt.stop_requested(), loop.stop_requested(),
                               loop.stopping()});
  };
  rt.reactor().call_when_running([&] {
    look();
    rt.stop();
    rt.stop();
    look();
  });
  rt.reactor().add_system_event_trigger(trigger_phase::before, system_event::shutdown, [&] {
    rt.stop();
    look();
  });
  rt.reactor().add_system_event_trigger(trigger_phase::after, system_event::shutdown, [&] {
    rt.stop();
    look();
  });
  const auto ended = rt.run();
  CHECK(ended.how == run_end::stopped);
  CHECK(ended.exit_code() == 0);
  CHECK_NOTHROW(rt.stop());
  CHECK(rt.stop_requested());
  CHECK(looks
        == std::vector<bool>{true, false, false, false, // running, and nobody stops it
                             true, true, true, false,   // both ask; new things may still begin
                             true, true, true, false,   //
                             false, true, true, true});
}

TEST_CASE("run tells why the program gave up, and who calls it again learns that it was stopped") {
  runtime rt{quiet()};
  rt.reactor().call_when_running([&] {
    rt.stop();
    rt.give_up(failure{errc::actor_down, "the last of them"});
    rt.give_up(failure{errc::timed_out});
  });
  bool refused = false;
  rt.reactor().add_system_event_trigger(trigger_phase::after, system_event::shutdown, [&] {
    try {
      rt.run();
    } catch (const reactor_not_restartable&) {
      refused = true;
    }
  });
  const auto ended = rt.run();
  CHECK(ended.how == run_end::gave_up);
  CHECK(ended.why.message().find("the last of them") != std::string::npos);
  CHECK(ended.exit_code() == 1);
  CHECK(refused);
}

TEST_CASE("a call that is due after run is not made, not even by the end of the runtime") {
  const bool ran = GENERATE(true, false);
  bool made = false;
  const auto held = std::make_shared<int>();
  {
    runtime rt{quiet()};
    rt.reactor().call_later(1ms, [&, held] { made = true; });
    if (ran)
      rt.reactor().call_when_running([&] { rt.stop(); });
    else
      rt.reactor().call_from_thread([&, held] { made = true; });
    if (ran)
      rt.reactor().add_system_event_trigger(trigger_phase::after, system_event::shutdown, [&] {
        rt.reactor().call_from_thread([&, held] { made = true; });
        rt.reactor().call_later(0s, [&, held] { made = true; });
      });
    if (ran)
      rt.run();
    made = false; // on a slow machine it was due before
    for (const auto due = rt.reactor().now() + 2ms; rt.reactor().now() < due;) {
    }
  }
  CHECK_FALSE(made);
  CHECK(held.use_count() == 1);
}

TEST_CASE("a before trigger that never comes is waited for no longer than the grace time") {
  runtime rt{{.loops = 1, .grace = 20ms, .install_signal_handlers = false}};
  promise<void> never;
  order got;
  rt.reactor().add_system_event_trigger(trigger_phase::before, system_event::shutdown,
                                        [&] { return never.get_deferred(); });
  rt.reactor().add_system_event_trigger(trigger_phase::during, system_event::shutdown,
                                        [&] { got.emplace_back("during"); });
  rt.reactor().add_system_event_trigger(trigger_phase::after, system_event::shutdown,
                                        [&] { got.emplace_back("after"); });
  rt.reactor().call_when_running([&] { rt.stop(); });
  rt.run();
  CHECK(got == order{"during", "after"});
  never.callback(); // nobody waits any more
  CHECK(got.size() == 2);
}

TEST_CASE(
  "SIGTERM is watched before anything runs, and in startup's during phase the reactor runs") {
  runtime rt{{.loops = 1}};
  std::vector<bool> running, watched;
  struct sigaction before {};
  ::sigaction(SIGTERM, nullptr, &before);
  for (const auto phase : {trigger_phase::before, trigger_phase::during, trigger_phase::after})
    rt.reactor().add_system_event_trigger(phase, system_event::startup, [&] {
      struct sigaction now {};
      ::sigaction(SIGTERM, nullptr, &now);
      running.push_back(rt.reactor().running());
      watched.push_back(now.sa_handler != before.sa_handler);
    });
  rt.reactor().call_when_running([&] { rt.stop(); });
  rt.run();
  CHECK(running == std::vector<bool>{false, true, true});
  CHECK(watched == std::vector<bool>{true, true, true});
}

TEST_CASE("a signal stops a runtime whose start waits, while another of its loops serves already") {
  auto* const before =
    std::signal(SIGTERM, SIG_IGN); // so that this process outlives one that is not watched
  runtime rt{{.loops = 2}};
  promise<void> never;
  rt.reactor().add_system_event_trigger(trigger_phase::before, system_event::startup, [&] {
    rt.scheduler().loop(1).post([] { ::raise(SIGTERM); });
    return never.get_deferred();
  });
  bool started = false;
  rt.reactor().call_when_running([&] { started = true; });
  rt.reactor().call_later(20s, [&] { rt.stop(); });
  const auto ended = rt.run();
  CHECK(std::signal(SIGTERM, before) == SIG_IGN);
  CHECK(ended.how == run_end::signalled);
  CHECK_FALSE(started);
  never.callback();
}

TEST_CASE("a handler of SIGTERM that the program had is in place again after run") {
  auto* const before = std::signal(SIGTERM, SIG_IGN);
  runtime rt{{.loops = 1}};
  rt.reactor().call_when_running([] { ::raise(SIGTERM); });
  const auto ended = rt.run();
  CHECK(std::signal(SIGTERM, before) == SIG_IGN);
  CHECK(ended.how == run_end::signalled);
  CHECK(ended.signal == SIGTERM);
  CHECK(ended.exit_code() == 0);
}

TEST_CASE(
  "run throws if signals cannot be watched, before anything has run, and may be called again") {
  runtime rt{{.loops = 2, .grace = 1s}};
  order told;
  rt.reactor().call_when_running([&] {
    told.push_back("running");
    rt.stop();
  });
  rt.reactor().add_system_event_trigger(trigger_phase::before, system_event::startup,
                                        [&] { told.push_back("starting"); });
  std::error_code why;
  try {
    const testing::few_descriptors few;
    rt.run();
  } catch (const std::system_error& e) {
    why = e.code();
  }
  CHECK(why.value() == EMFILE); // in a category of Asio's
  CHECK_FALSE(rt.reactor().running());
  CHECK(told.empty());
  rt.run();
  CHECK(told == order{"starting", "running"});
}

TEST_CASE("run is refused while it runs and after a stop, and allowed after a crash", "[R02]") {
  runtime rt{quiet()};
  bool again = false;
  rt.reactor().call_when_running([&] {
    CHECK_THROWS_AS(rt.run(), reactor_already_running);
    CHECK_THROWS_AS(rt.reactor().iterate(), reactor_already_running);
    rt.reactor().crash();
  });
  rt.reactor().add_system_event_trigger(trigger_phase::before, system_event::shutdown,
                                        [&] { CHECK(again); });
  CHECK(rt.run().how == run_end::crashed);
  CHECK_FALSE(rt.reactor().running());
  rt.reactor().call_when_running([&] {
    again = true;
    CHECK(rt.reactor().running());
    rt.stop();
  });
  rt.run();
  CHECK(again);
  CHECK_THROWS_AS(rt.run(), reactor_not_restartable);
}

TEST_CASE("call_when_running runs after startup in order, and at once while running", "[R03]") {
  runtime rt{quiet()};
  order got;
  for (const auto* name : {"1", "2", "3"})
    CHECK(rt.reactor().call_when_running([&got, name] { got.emplace_back(name); }));
  rt.reactor().call_when_running([&] {
    CHECK_FALSE(rt.reactor().call_when_running([&] { got.emplace_back("now"); }));
    got.emplace_back("after");
    CHECK_THROWS_AS(rt.reactor().call_when_running([] { throw std::runtime_error("mine"); }),
                    std::runtime_error);
    rt.stop();
  });
  rt.run();
  CHECK(got == order{"1", "2", "3", "now", "after"});
  CHECK_THROWS_AS(rt.reactor().call_when_running(task{}), std::logic_error);
}

TEST_CASE("the phases of startup and shutdown come in order, whatever fails", "[R05][R07]") {
  runtime rt{quiet()};
  order got;
  const auto add = [&](trigger_phase phase, system_event event, const std::string& name) {
    rt.reactor().add_system_event_trigger(phase, event, [&got, &rt, name] {
      got.push_back(name + (rt.reactor().running() ? " running" : ""));
      throw std::runtime_error("logged, and nothing else");
    });
  };
  add(trigger_phase::after, system_event::shutdown, "after shutdown");
  add(trigger_phase::during, system_event::shutdown, "during shutdown");
  add(trigger_phase::before, system_event::shutdown, "before shutdown");
  add(trigger_phase::after, system_event::startup, "after startup");
  add(trigger_phase::during, system_event::startup, "during startup");
  add(trigger_phase::before, system_event::startup, "before startup");
  rt.reactor().call_when_running([&] {
    rt.stop();
    got.emplace_back("stopped");
  });
  rt.run();
  CHECK(got
        == order{"before startup", "during startup running", "after startup running", "stopped",
                 "before shutdown running", "during shutdown", "after shutdown"});
}

TEST_CASE("a deferred of a before trigger is waited for while timers run", "[R06]") {
  runtime rt{quiet()};
  order got;
  rt.reactor().add_system_event_trigger(trigger_phase::before, system_event::shutdown, [&] {
    auto p = std::make_shared<promise<void>>();
    rt.reactor().call_later(2ms, [&got, p] {
      got.emplace_back("timer");
      p->errback(failure{errc::cancelled}); // waited for all the same
    });
    return p->get_deferred();
  });
  rt.reactor().add_system_event_trigger(trigger_phase::during, system_event::shutdown,
                                        [&] { got.emplace_back("during"); });
  rt.reactor().call_when_running([&] { rt.stop(); });
  rt.run();
  CHECK(got == order{"timer", "during"});
}

TEST_CASE("a before startup trigger may wait for a timer, and stop", "[R10]") {
  runtime rt{quiet()};
  order got;
  rt.reactor().add_system_event_trigger(trigger_phase::before, system_event::startup, [&] {
    got.emplace_back("trigger");
    auto p = std::make_shared<promise<void>>();
    rt.reactor().call_later(0s, [p] { p->callback(); });
    return p->get_deferred().add_callback([&] {
      got.emplace_back("callback");
      rt.stop();
    });
  });
  rt.run();
  CHECK(got == order{"trigger", "callback"});
}

TEST_CASE("triggers can be removed until they run", "[R09]") {
  runtime rt{quiet()};
  order got;
  auto& r = rt.reactor();
  const auto never = r.add_system_event_trigger(trigger_phase::before, system_event::shutdown,
                                                [&] { got.emplace_back("never"); });
  trigger_id later;
  r.add_system_event_trigger(trigger_phase::before, system_event::shutdown, [&] {
    got.emplace_back("before");
    r.remove_system_event_trigger(later);
  });
  later = r.add_system_event_trigger(trigger_phase::during, system_event::shutdown,
                                     [&] { got.emplace_back("removed"); });
  r.remove_system_event_trigger(never);
  CHECK_THROWS_AS(r.remove_system_event_trigger(never), std::invalid_argument);
  CHECK_THROWS_AS(r.remove_system_event_trigger(trigger_id{}), std::invalid_argument);
  r.call_when_running([&] { rt.stop(); });
  rt.run();
  CHECK(got == order{"before"});
}

TEST_CASE("iterate makes one turn", "[R11]") {
  runtime rt{quiet()};
  int made = 0;
  rt.reactor().call_later(0s, [&] {
    ++made;
    rt.reactor().call_later(0s, [&] { ++made; });
  });
  rt.reactor().iterate();
  CHECK(made == 1);
  rt.reactor().iterate();
  CHECK(made == 2);
  rt.reactor().call_later(5ms, [&] { ++made; });
  rt.reactor().iterate(10s); // waits until there is something to do
  while (made < 3)
    rt.reactor().iterate(10s);
}

TEST_CASE("calls made by a turn's calls wait for the next turn", "[R13][H14]") {
  runtime rt{quiet()};
  order got;
  auto& r = rt.reactor();
  r.call_later(0s, [&] {
    got.emplace_back("t0");
    r.call_later(0s, [&] { got.emplace_back("n0"); });
  });
  r.call_later(0s, [&] { got.emplace_back("t1"); });
  r.call_from_thread([&] {
    got.emplace_back("f");
    r.call_from_thread([&] { got.emplace_back("nf"); });
  });
  r.iterate();
  CHECK(got == order{"t0", "t1", "f"});
  r.iterate();
  CHECK(got == order{"t0", "t1", "f", "n0", "nf"});
}

TEST_CASE("call_later refuses nonsense", "[K10]") {
  runtime rt{quiet()};
  CHECK_THROWS_AS(rt.reactor().call_later(-1s, [] {}), std::logic_error);
  CHECK_THROWS_AS(rt.reactor().call_later(1s, task{}), std::logic_error);
  CHECK_THROWS_AS(rt.reactor().call_from_thread(task{}), std::logic_error);
}

TEST_CASE("timers of the reactor come in the order of their times and never early", "[K11]") {
  runtime rt{quiet()};
  std::vector<time_point> made; // when they were due
  delayed_call cancelled;
  for (const int tens : {35, 20, 30, 29, 25, 26}) {
    const auto due = std::make_shared<time_point>();
    auto call = rt.reactor().call_later(tens * 100us, [&, due] {
      CHECK(rt.reactor().now() >= *due);
      made.push_back(*due);
      if (made.size() == 5)
        rt.stop();
    });
    *due = call.get_time();
    if (tens == 29)
      cancelled = call;
  }
  const auto never = cancelled.get_time();
  cancelled.cancel();
  CHECK(rt.reactor().get_delayed_calls().size() == 5);
  rt.run();
  CHECK(made.size() == 5);
  CHECK(std::is_sorted(made.begin(), made.end()));
  CHECK(std::find(made.begin(), made.end(), never) == made.end());
}

TEST_CASE("exceptions stay where they happen", "[K13]") {
  runtime rt{quiet()};
  order got;
  rt.reactor().call_later(0s, [] { throw std::runtime_error("timer"); });
  rt.reactor().call_from_thread([] { throw 42; });
  rt.reactor().call_later(0s, [&] { got.emplace_back("timer"); });
  rt.reactor().call_from_thread([&] {
    got.emplace_back("call");
    rt.stop();
  });
  rt.run();
  CHECK(got == order{"timer", "call"});
}

TEST_CASE("calls from threads keep their order, before and while it runs", "[H01][R15]") {
  runtime rt{quiet()};
  constexpr int count = 100'000;
  std::vector<int> got;
  rt.reactor().call_from_thread([&] { got.push_back(-1); });
  std::thread caller([&] {
    for (int i = 0; i < count; ++i)
      rt.reactor().call_from_thread([&got, i] { got.push_back(i); });
    rt.reactor().call_from_thread([&] { rt.stop(); });
  });
  rt.run();
  caller.join();
  REQUIRE(got.size() == count + 1);
  for (int i = 0; i < count; ++i)
    REQUIRE(got[static_cast<std::size_t>(i) + 1] == i);
}

TEST_CASE("calls that are never reached are destroyed with the runtime") {
  const auto held = std::make_shared<int>();
  {
    runtime rt{quiet()};
    rt.reactor().call_from_thread([held] {});
    rt.reactor().call_later(1h, [held] {});
    rt.reactor().call_when_running([held] {});
  }
  CHECK(held.use_count() == 1);
}

TEST_CASE("SIGTERM stops the runtime", "[R14]") {
  auto* const before = std::signal(SIGTERM, SIG_DFL); // Catch2 has it
  runtime rt{{.loops = 2}};
  rt.reactor().call_when_running([] { ::raise(SIGTERM); });
  rt.run();
  CHECK_FALSE(rt.reactor().running());
  CHECK(std::signal(SIGTERM, before) == SIG_DFL); // given back
}
