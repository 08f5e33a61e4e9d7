#include <stdexcept>
#include <string>
#include <vector>

#include <caf/send.hpp>

#include <troupe/runtime/floating_actor.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::manual_runtime;

namespace {

class sleeper : public pinned_actor {
public:
  sleeper(caf::actor_config& cfg, std::vector<std::string>* log) : pinned_actor(cfg), log_(log) {}
  caf::behavior make_behavior() override {
    call_later(2s, [this] { log_->push_back("pinned"); });
    delayed_send(this, 3s, 3);
    return {[this](int) {
      log_->push_back("message");
    }};
  }

private:
  std::vector<std::string>* log_;
};

class floater : public floating_actor {
public:
  floater(caf::actor_config& cfg, std::vector<std::string>* log) : floating_actor(cfg), log_(log) {}
  caf::behavior make_behavior() override {
    call_later(2s, [this] { log_->push_back("floating"); });
    return {[](int) {
    }};
  }

private:
  std::vector<std::string>* log_;
};

} // namespace

TEST_CASE("time stands still in a manual runtime until it is moved") {
  std::vector<std::string> log;
  manual_runtime rt;
  rt.in_turn([&] { rt.reactor().call_later(2s, [&] { log.emplace_back("reactor"); }); });
  rt.spawn<sleeper>(&log);
  rt.spawn<floater>(&log);
  rt.settle();
  rt.advance(2s - 1ns);
  CHECK(log.empty());
  CHECK(rt.reactor().now() == time_point{2s - 1ns});
  rt.advance(1ns);
  rt.settle();
  CHECK(log == std::vector<std::string>{"reactor", "pinned", "floating"});
  rt.advance(1s);
  rt.settle();
  CHECK(log.back() == "message");
}

TEST_CASE("calls that become due while time is moved are made by the same move") {
  manual_runtime rt;
  int left = 3;
  std::function<void()> again = [&] {
    if (--left > 0)
      rt.reactor().call_later(0s, [&] { again(); });
  };
  rt.reactor().call_later(1s, [&] { again(); });
  rt.advance(1s);
  CHECK(left == 0);
  std::function<void()> for_ever = [&] {
    rt.reactor().call_later(0s, [&] { for_ever(); });
  };
  for_ever();
  CHECK_THROWS_AS(rt.advance(1s), std::runtime_error);
}

TEST_CASE("what leaves a function that is run in a turn reaches the test") {
  manual_runtime rt;
  CHECK_THROWS_AS(rt.in_turn([] { throw std::runtime_error("boom"); }), std::runtime_error);
}
