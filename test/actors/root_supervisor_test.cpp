#include <troupe/actors/root_supervisor.hpp>

#include <caf/send.hpp>

#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"
#include "support/children.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

runtime_options one_loop(duration grace = 5s) {
  return {.loops = 1, .grace = grace, .install_signal_handlers = false};
}

template <class A, class... Args>
child_spec make(story& told, const std::string& id, Args... args) {
  return {.id = id, .start = start_actor<A>(&told, id, args...)};
}

} // namespace

TEST_CASE("a runtime has one root supervisor", "[supervisor]") {
  manual_runtime rt, other;
  const auto root = root_supervisor(rt);
  CHECK(root.actor() == root_supervisor(rt).actor());
  CHECK(&*root != &*root_supervisor(other));
  CHECK(root->options().name == "root");
  rt.settle();
}

TEST_CASE("the root's children start before run, or while it runs", "[supervisor]") {
  story told;
  runtime rt{one_loop()};
  root_supervisor(rt)->start_child(make<calm_child>(told, "early"));
  rt.reactor().call_when_running([&] {
    root_supervisor(rt)
      ->start_child(make<calm_child>(told, "late"))
      .add_both([&](const outcome<caf::actor>&) { rt.stop(); });
  });
  rt.run();
  CHECK(told.look() == "+early +late -late -early");
}

TEST_CASE("the root stops its tree in order before the rest of the runtime stops", "[supervisor]") {
  story told;
  runtime rt{one_loop()};
  const auto root = root_supervisor(rt);
  root->start_child(make<calm_child>(told, "a"));
  rt.spawn_on<pinned_child>(0, &told, "other");
  root
    ->start_child(
      supervisor::as_child({.name = "inner"}, {make<pinned_child>(told, "b"),
                                               make<slow_child>(told, "c", duration{1ms})}))
    .add_both([&](const outcome<caf::actor>&) { rt.stop(); });
  rt.reactor().add_system_event_trigger(trigger_phase::during, system_event::shutdown,
                                        [&] { told.lines.push_back("during"); });
  rt.run();
  const auto all = told.look();
  CHECK(all.find("-c -b -a during") != std::string::npos);
  CHECK(all.find("during -other") != std::string::npos);
}

TEST_CASE("what refuses to end is killed after the runtime's grace time", "[supervisor]") {
  story told;
  runtime rt{one_loop(2ms)};
  const auto root = root_supervisor(rt);
  root->start_child(make<calm_child>(told, "a"));
  auto mule = make<stubborn_child>(told, "mule");
  mule.shutdown = child_spec::infinity;
  root->start_child(mule).add_callback([&](const caf::actor&) { rt.stop(); });
  rt.run();
  CHECK(told.look() == "+a +mule -mule -a");
}

TEST_CASE("a root that gives up stops the runtime", "[supervisor]") {
  story told;
  runtime rt{one_loop()};
  const auto root = root_supervisor(rt, {.name = "top", .intensity = 0});
  CHECK(root->options().name == "top");
  root->start_child(make<calm_child>(told, "a")).add_callback([](const caf::actor& a) {
    caf::anon_send(a, crash_atom::value);
  });
  const auto ended = rt.run();
  CHECK(told.look() == "+a -a");
  CHECK(ended.how == run_end::gave_up);
  CHECK(ended.exit_code() == 1);
}

TEST_CASE("a root that is told to end just ends", "[supervisor]") {
  story told;
  runtime rt{one_loop()};
  const auto root = root_supervisor(rt);
  root->start_child(make<calm_child>(told, "a")).add_callback([&] {
    root->shut_down().add_callback([&] {
      told.lines.emplace_back("ended");
      rt.reactor().call_later(1ms, [&] { rt.stop(); });
    });
  });
  rt.run();
  CHECK(told.look() == "+a -a ended");
  failure_result_of(root->start_child(make<calm_child>(told, "b")), errc::actor_down);
}

TEST_CASE("a runtime that never ran ends with its root", "[supervisor]") {
  story told;
  {
    runtime rt{one_loop()};
    root_supervisor(rt)
      ->start_child(make<pinned_child>(told, "a"))
      .add_errback([](const failure& why) { CHECK(why.check(errc::actor_down)); });
  }
  CHECK((told.look() == "+a -a" || told.lines.empty()));
}
