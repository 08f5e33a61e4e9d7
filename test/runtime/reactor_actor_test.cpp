#include <troupe/runtime/reactor_actor.hpp>

#include <string>
#include <vector>

#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/reactor.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/catch.hpp"
#include "support/quiet.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

TEST_CASE("the reactor's actor schedules, moves and cancels by message", "[reactor_actor]") {
  runtime rt{quiet()};
  std::vector<int> got;
  std::vector<std::string> answers;
  class receiver : public floating_actor {
  public:
    receiver(caf::actor_config& cfg, runtime& r, std::vector<int>& g, std::vector<std::string>& a)
      : floating_actor(cfg), rt(r), got(g), answers(a) {}
    caf::behavior make_behavior() override {
      const auto reactor = caf::actor_cast<caf::actor>(rt.reactor().actor());
      const auto later = [=, this](caf::timespan delay, int value, auto then) {
        request(reactor, caf::infinite, call_later_atom::value, delay, caf::actor{this},
                caf::make_message(value))
          .then(then, [this](caf::error& e) { answers.push_back(to_string(failure{e})); });
      };
      later(1ms, 1, [](std::uint64_t) {});
      later(20ms, 2, [](std::uint64_t) {});
      later(1h, 3, [=, this](std::uint64_t id) {
        request(reactor, caf::infinite, reset_atom::value, id, caf::timespan{40ms}).then([] {});
      });
      later(10s, 99, [=, this](std::uint64_t id) {
        request(reactor, caf::infinite, cancel_atom::value, id).then([=, this] {
          request(reactor, caf::infinite, active_atom::value, id).then([this](bool active) {
            answers.emplace_back(active ? "active" : "cancelled");
          });
          request(reactor, caf::infinite, cancel_atom::value, id)
            .then([] {},
                  [this](caf::error& e) {
                    answers.emplace_back(failure{e}.check(errc::already_called) ? "again"
                                                                                : "wrong");
                  });
        });
      });
      later(-1ms, 98, [](std::uint64_t) {});
      return {[this](int x) {
        got.push_back(x);
        if (x == 3)
          rt.stop();
      }};
    }
    runtime& rt;
    std::vector<int>& got;
    std::vector<std::string>& answers;
  };
  const auto r = rt.spawn<receiver>(std::ref(rt), std::ref(got), std::ref(answers));
  rt.run();
  CHECK(got == std::vector{1, 2, 3});
  CHECK(answers.size() == 3);
}
