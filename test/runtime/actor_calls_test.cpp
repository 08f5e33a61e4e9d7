// Delayed calls of actors.

#include <string>
#include <vector>

#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/reactor.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"
#include "support/quiet.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using order = std::vector<std::string>;

namespace {

template <class Base>
class timed : public Base {
public:
  timed(caf::actor_config& cfg, std::function<void(timed&)> code)
    : Base(cfg), code_(std::move(code)) {}
  caf::behavior make_behavior() override {
    code_(*this);
    return {[](int) {
    }};
  }

private:
  std::function<void(timed&)> code_;
};

} // namespace

TEMPLATE_TEST_CASE("an actor's calls run as that actor, and never after its end", "[timers]",
                   floating_actor, pinned_actor) {
  runtime rt{quiet()};
  order got;
  const auto held = std::make_shared<int>();
  const auto actor = rt.spawn<timed<TestType>>([&](timed<TestType>& self) {
    CHECK_THROWS_AS(self.call_later(-1s, [] {}), std::logic_error);
    auto cancelled = self.call_later(1ms, [&] { got.emplace_back("cancelled"); });
    cancelled.cancel();
    self.call_later(3ms, [&] { got.emplace_back("second"); });
    self.call_later(2ms, [&] { got.emplace_back("first"); });
    auto moved = self.call_later(1h, [&] {
      got.emplace_back("third");
      self.quit();
    });
    moved.reset(4ms);
    self.call_later(5ms, [&got, held] { got.emplace_back("too late"); });
  });
  rt.reactor().call_later(30ms, [&] { rt.stop(); });
  rt.run();
  CHECK(got == order{"first", "second", "third"});
  CHECK(held.use_count() == 1);
}

TEMPLATE_TEST_CASE("a call in which the actor quits is its last, though others are due", "[timers]",
                   floating_actor, pinned_actor) {
  testing::manual_runtime rt;
  order got;
  rt.spawn<timed<TestType>>([&](timed<TestType>& self) {
    self.call_later(1s, [&] {
      got.emplace_back("quits");
      self.quit();
    });
    self.call_later(1s, [&] { got.emplace_back("too late"); });
    self.call_later(2s, [&] { got.emplace_back("far too late"); });
  });
  rt.settle();
  rt.advance(3s); // all are due at once
  CHECK(got == order{"quits"});
}

TEMPLATE_TEST_CASE("an exception in an actor's call ends it, and nothing else", "[timers]",
                   floating_actor, pinned_actor) {
  runtime rt{quiet()};
  failure reason;
  const auto actor = rt.spawn<timed<TestType>>([&](timed<TestType>& self) {
    self.call_later(0s, [] { throw std::runtime_error("in a call"); });
    self.call_later(0s, [] { FAIL("the actor has ended"); });
  });
  const auto watch = rt.spawn<timed<floating_actor>>([&](timed<floating_actor>& self) {
    self.monitor(actor);
    self.set_down_handler([&](caf::down_msg& down) {
      reason = failure{down.reason};
      rt.stop();
    });
  });
  rt.run();
  CHECK(reason.message() == "in a call");
}
