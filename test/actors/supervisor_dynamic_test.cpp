#include <troupe/actors/supervisor.hpp>

#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"
#include "support/children.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

supervisor_options dynamic_options() {
  supervisor_options options;
  options.strategy = restart_strategy::dynamic;
  options.intensity = 99;
  return options;
}

} // namespace

TEST_CASE("dynamic children need no names, and come and go", "[supervisor]") {
  nursery n;
  auto& sup = n.open(dynamic_options());
  auto nameless = n.calm("x");
  nameless.id.clear();
  const auto a = n.wait(sup.start_child(nameless));
  const auto b = n.wait(sup.start_child(nameless));
  CHECK(a != b);
  n.rt.settle();
  CHECK(sup.count_children().active == 2);
  auto ended = sup.terminate_child(a);
  n.rt.settle();
  success_result_of(std::move(ended));
  CHECK(sup.which_children().size() == 1);
  CHECK(sup.which_children()[0].actor == b);
  failure_result_of(sup.terminate_child(a), errc::no_such_child);
  failure_result_of(sup.terminate_child("x"), errc::not_supported);
  failure_result_of(sup.restart_child("x"), errc::no_such_child);
  failure_result_of(sup.delete_child("x"), errc::no_such_child);
}

TEST_CASE("a dynamic child is restarted as its spec says, and forgotten otherwise",
          "[supervisor]") {
  nursery n;
  auto& sup = n.open(dynamic_options());
  n.wait(sup.start_child(n.calm("p")));
  n.wait(sup.start_child(n.calm("t", restart_type::transient)));
  n.wait(sup.start_child(n.calm("once", restart_type::temporary)));
  n.rt.settle();
  n.crash("p");
  n.crash("t");
  n.crash("once");
  CHECK(sup.count_children().active == 2);
  n.leave("p");
  n.leave("t");
  CHECK(sup.count_children().specs == 1);
  CHECK(sup.which_children()[0].id == "p");
}

TEST_CASE("dynamic children are all stopped at once", "[supervisor]") {
  nursery n;
  auto& sup = n.open(dynamic_options());
  for (const auto time : {3s, 1s, 2s})
    n.wait(sup.start_child(
      {.id = {},
       .start = start_actor<slow_child>(&n.told, std::to_string(time.count()), duration{time})}));
  n.rt.settle();
  n.told.look();
  n.end(n.handle);
  n.rt.advance(1s);
  n.rt.settle();
  CHECK(n.told.look() == "-1");
  n.rt.advance(1s);
  n.rt.settle();
  CHECK(n.told.look() == "-2");
  CHECK_FALSE(n.ended());
  n.rt.advance(1s);
  n.rt.settle();
  CHECK(n.told.look() == "-3");
  CHECK(n.ended());
}

TEST_CASE("there may be as many children as was said", "[supervisor]") {
  nursery n;
  auto options = dynamic_options();
  options.max_children = 2;
  auto& sup = n.open(options);
  n.wait(sup.start_child(n.calm("a", restart_type::temporary)));
  n.wait(sup.start_child(n.calm("b")));
  failure_result_of(sup.start_child(n.calm("c")), errc::child_limit_reached);
  n.rt.settle();
  n.leave("a");
  n.wait(sup.start_child(n.calm("c")));
}

TEST_CASE("a hundred thousand children that end together use neither stack nor time",
          "[supervisor]") {
  constexpr int count = 100'000;
  nursery n;
  auto options = dynamic_options();
  options.intensity = 2 * count;
  auto& sup = n.open(options);
  for (int i = 0; i < count; ++i)
    success_result_of(sup.start_child({.id = {}, .start = [](supervisor& s) {
                                         return s.spawn([](caf::event_based_actor*) {
                                           return caf::behavior{[](caf::unit_t) {
                                           }};
                                         });
                                       }}));
  CHECK(sup.count_children().active == count);
  for (const auto& c : sup.which_children())
    caf::anon_send_exit(c.actor, caf::exit_reason::kill);
  n.events.clear();
  n.rt.settle(10'000);
  CHECK(sup.count_children().active == count); // all of them new
  CHECK(n.events.size() == 3 * count);
  n.end(n.handle);
  n.rt.settle(10'000);
  CHECK(n.ended());
}

TEST_CASE("a negative time is refused where it is given", "[supervisor]") {
  nursery n;
  const auto refused = [&](auto change) {
    auto options = dynamic_options();
    change(options);
    CHECK_THROWS_AS(n.open(options), std::invalid_argument);
  };
  refused([](supervisor_options& o) { o.period = -1ms; });
  refused([](supervisor_options& o) { o.backoff.initial = -1ms; });
  refused([](supervisor_options& o) { o.backoff.max = -1ms; });
  refused([](supervisor_options& o) { o.unresponsive_after = -1ms; });
  auto& sup = n.open(dynamic_options());
  auto child = n.calm("x");
  child.shutdown = -1ms;
  failure_result_of(sup.start_child(child), errc::invalid_argument);
}
