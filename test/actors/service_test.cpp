#include <troupe/actors/service.hpp>

#include <troupe/actors/application.hpp>
#include <troupe/actors/service_child.hpp>
#include <troupe/actors/supervisor.hpp>
#include <troupe/actors/timer_service.hpp>
#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"
#include "support/children.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Tells what is asked of it, and answers when the test says so.
class told_service : public service {
public:
  told_service(story& s, std::string name) : story_(s) { set_name(std::move(name)); }

  void privileged_start_service() override { tell("!"); }
  deferred<void> start_service() override {
    tell("+");
    static_cast<void>(service::start_service());
    return answer(starting);
  }
  deferred<void> stop_service() override {
    tell("-");
    static_cast<void>(service::stop_service());
    return answer(stopping);
  }

  std::shared_ptr<promise<void>> starting, stopping; // unset: at once

private:
  void tell(const char* what) { story_.lines.push_back(what + service_name()); }
  static deferred<void> answer(const std::shared_ptr<promise<void>>& p) {
    return p ? p->get_deferred() : succeed();
  }
  story& story_;
};

struct services {
  story told;
  multi_service all;
  std::shared_ptr<told_service> add(const std::string& name) {
    auto s = std::make_shared<told_service>(told, name);
    all.add_service(s);
    return s;
  }
};

} // namespace

TEST_CASE("services start in order and stop in the opposite order", "[service]") {
  services s;
  s.add("a");
  s.add("b");
  s.add("c");
  s.all.privileged_start_service();
  CHECK(s.told.look() == "!a !b !c");
  success_result_of(s.all.start_service());
  CHECK(s.all.running());
  CHECK(s.told.look() == "+a +b +c");
  success_result_of(s.all.stop_service());
  CHECK_FALSE(s.all.running());
  CHECK(s.told.look() == "-c -b -a");
  success_result_of(s.all.start_service());
  CHECK(s.told.look() == "+a +b +c");
}

TEST_CASE("a service starts when the one before it has started", "[service]") {
  services s;
  const auto a = s.add("a");
  s.add("b");
  a->starting = std::make_shared<promise<void>>();
  auto started = s.all.start_service();
  CHECK(s.told.look() == "+a");
  SECTION("and not before") {
    assert_no_result(started);
    a->starting->callback();
    success_result_of(std::move(started));
    CHECK(s.told.look() == "+b");
  }
  SECTION("and not at all if that fails") {
    a->starting->errback(errc::timed_out);
    failure_result_of(std::move(started), errc::timed_out);
    CHECK(s.told.look().empty());
    success_result_of(s.all.stop_service());
    CHECK(s.told.look() == "-a");
  }
  SECTION("and not after they were told to stop") {
    success_result_of(s.all.stop_service());
    a->starting->callback();
    success_result_of(std::move(started));
    CHECK(s.told.look() == "-a");
  }
}

TEST_CASE("services are told to stop at once, and all waited for", "[service]") {
  services s;
  const auto a = s.add("a");
  const auto b = s.add("b");
  a->stopping = std::make_shared<promise<void>>();
  b->stopping = std::make_shared<promise<void>>();
  success_result_of(s.all.start_service());
  s.told.look();
  auto stopped = s.all.stop_service();
  CHECK(s.told.look() == "-b -a");
  b->stopping->errback(errc::timed_out);
  assert_no_result(stopped);
  a->stopping->callback();
  failure_result_of(std::move(stopped), errc::timed_out);
}

TEST_CASE("a service that joins a running parent starts, and one that leaves stops", "[service]") {
  services s;
  success_result_of(s.all.start_service());
  const auto a = std::make_shared<told_service>(s.told, "a");
  success_result_of(a->set_service_parent(s.all));
  CHECK(a->service_parent() == &s.all);
  CHECK(s.told.look() == "!a +a");
  multi_service other;
  success_result_of(a->set_service_parent(other));
  CHECK(a->service_parent() == &other);
  CHECK(s.told.look() == "-a");
  success_result_of(a->disown_service_parent());
  CHECK(a->service_parent() == nullptr);
  CHECK_THROWS_AS(a->disown_service_parent(), std::logic_error);
  CHECK_THROWS_AS(s.all.remove_service(a), std::logic_error);
}

TEST_CASE("services are found by their name, which is theirs alone", "[service]") {
  services s;
  const auto a = s.add("a");
  s.add("");
  s.add(""); // no name
  CHECK(s.all.get_service_named("a") == a);
  CHECK(s.all.get_service_named("b") == nullptr);
  CHECK_THROWS_AS(s.add("a"), std::logic_error);
  CHECK_THROWS_AS(a->set_name("b"), std::logic_error);
  CHECK(s.all.services().size() == 3);
  a->disown_service_parent();
  a->set_name("b");
  s.add("a");
}

TEST_CASE("services nest", "[service]") {
  services s;
  s.add("a");
  const auto inner = std::make_shared<multi_service>();
  inner->add_service(std::make_shared<told_service>(s.told, "b"));
  inner->add_service(std::make_shared<told_service>(s.told, "c"));
  s.all.add_service(inner);
  s.add("d");
  s.all.privileged_start_service();
  success_result_of(s.all.start_service());
  CHECK(s.told.look() == "!a !b !c !d +a +b +c +d");
  success_result_of(s.all.stop_service());
  CHECK(s.told.look() == "-d -c -b -a");
}

TEST_CASE("a timer service calls while it runs", "[service]") {
  manual_clock clock;
  int calls = 0;
  timer_service beat{clock, 2s, [&] {
                       ++calls;
                     }};
  success_result_of(beat.start_service());
  CHECK(calls == 1);
  clock.advance(2s - 1ns);
  CHECK(calls == 1);
  clock.advance(1ns);
  CHECK(calls == 2);
  success_result_of(beat.stop_service());
  clock.advance(10s);
  CHECK(calls == 2);
  success_result_of(beat.start_service());
  CHECK(calls == 3);
  success_result_of(beat.stop_service());
}

TEST_CASE("a timer service waits for its last call, and reports a failing one", "[service]") {
  manual_clock clock;
  SECTION("waits") {
    promise<void> working;
    timer_service work{clock, 1s, [&] {
                         return working.get_deferred();
                       }};
    success_result_of(work.start_service());
    auto stopped = work.stop_service();
    assert_no_result(stopped);
    working.callback();
    success_result_of(std::move(stopped));
  }
  SECTION("reports") {
    unhandled_failures reported;
    int calls = 0;
    timer_service work{clock, 1s, [&] {
                         ++calls;
                         throw std::runtime_error("no");
                       }};
    success_result_of(work.start_service());
    clock.advance(10s);
    CHECK(calls == 1);
    CHECK(reported.flush().size() == 1);
    success_result_of(work.stop_service());
  }
}

TEST_CASE("an application starts and stops its services with the runtime", "[service]") {
  story told;
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  application app{rt, "app"};
  app.add_service(std::make_shared<told_service>(told, "a"));
  app.add_service(std::make_shared<told_service>(told, "b"));
  rt.reactor().call_when_running([&] {
    told.lines.push_back("running");
    rt.reactor().call_later(1ms, [&] { rt.stop(); });
  });
  app.run();
  CHECK(told.look() == "!a !b running +a +b -b -a");
}

TEST_CASE("an application of which a service cannot start gives up", "[service]") {
  story told;
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  application app{rt, "app"};
  app.add_service(std::make_shared<told_service>(told, "a"));
  const auto b = std::make_shared<told_service>(told, "b");
  b->starting = std::make_shared<promise<void>>();
  b->starting->errback(errc::timed_out);
  app.add_service(b);
  const auto ended = app.run();
  CHECK(told.look() == "!a !b +a +b -b -a");
  CHECK(ended.how == run_end::gave_up);
  CHECK(ended.why.check(errc::timed_out));
}

TEST_CASE("a service can be the child of a supervisor", "[service][supervisor]") {
  nursery n;
  std::shared_ptr<told_service> made;
  std::shared_ptr<promise<void>> starting, stopping;
  const auto spec = service_child("s", [&] {
    made = std::make_shared<told_service>(n.told, "s");
    made->starting = starting;
    made->stopping = stopping;
    return made;
  });
  SECTION("and starts and stops with it") {
    stopping = std::make_shared<promise<void>>();
    n.open({}, {n.calm("a"), spec, n.calm("b")});
    CHECK(n.told.look() == "+a !s +s +b");
    n.end(n.handle);
    CHECK(n.told.look() == "-b -s");
    stopping->callback();
    n.rt.settle();
    CHECK(n.told.look() == "-a");
    CHECK(n.ended());
  }
  SECTION("and is made anew after its actor was killed") {
    n.open({}, {spec});
    n.end(n.child("s"), caf::exit_reason::kill);
    CHECK(n.told.look() == "!s +s -s !s +s");
  }
  SECTION("and fails to start as a child does") {
    starting = std::make_shared<promise<void>>();
    starting->errback(errc::timed_out);
    n.open({}, {spec});
    CHECK(n.ended());
    CHECK(n.told.look() == "!s +s -s");
  }
}

TEST_CASE("a timer service that is stopped and started during a call makes one call an interval",
          "[service]") {
  manual_clock clock;
  promise<void> held;
  int calls = 0;
  timer_service beat{clock, 1s, [&]() -> deferred<void> {
                       return ++calls == 1 ? held.get_deferred() : succeed();
                     }};
  success_result_of(beat.start_service());
  auto first = beat.stop_service();
  auto again = beat.stop_service();
  success_result_of(beat.start_service());
  CHECK(calls == 1);
  assert_no_result(first);
  assert_no_result(again);
  held.callback();
  success_result_of(std::move(first));
  success_result_of(std::move(again));
  clock.advance(0s);
  CHECK(calls == 2);
  for (int i = 0; i < 4; ++i)
    clock.advance(1s);
  CHECK(calls == 6);
  success_result_of(beat.stop_service());
  clock.advance(10s);
  CHECK(calls == 6);
}
