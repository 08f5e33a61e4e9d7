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

class watch : public pinned_actor {
public:
  explicit watch(caf::actor_config& cfg) : pinned_actor(cfg), made_at(event_loop::now()) {}
  caf::behavior make_behavior() override { return {}; }
  const time_point made_at;
};

class floating_watch : public floating_actor {
public:
  floating_watch(caf::actor_config& cfg, time_point* made_at) : floating_actor(cfg) {
    *made_at = event_loop::now();
  }
  caf::behavior make_behavior() override { return {}; }
};

/// Takes a second to end when the runtime stops.
class slow_to_end : public pinned_actor {
public:
  slow_to_end(caf::actor_config& cfg, std::vector<std::string>* log)
    : pinned_actor(cfg), log_(log) {}
  caf::behavior make_behavior() override {
    return {[](int) {
    }};
  }
  void on_exit() override {
    log_->emplace_back("ended");
    pinned_actor::on_exit();
  }

protected:
  void stop_requested() override {
    log_->emplace_back("asked");
    call_later(1s, [this] { quit(); });
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

TEST_CASE("what a function returns that is run in a turn reaches the test") {
  manual_runtime rt;
  CHECK(rt.in_turn([] { return std::string{"result"}; }) == "result");
  CHECK(rt.in_turn([&] { return rt.in_turn([] { return event_loop::current(); }); })
        == &rt.scheduler().loop(0));
}

TEST_CASE("the constructor of an actor sees the time of a manual runtime") {
  manual_runtime rt;
  rt.advance(3s);
  const auto a = rt.spawn_on<watch>(0);
  CHECK(static_cast<watch*>(caf::actor_cast<caf::abstract_actor*>(a))->made_at == time_point{3s});
  time_point made_at{};
  rt.spawn<floating_watch>(&made_at);
  CHECK(made_at == time_point{3s});
}

TEST_CASE("time moves to the next call, and no further") {
  manual_runtime rt;
  std::vector<std::string> log;
  CHECK(rt.advance_to_next() == std::nullopt);
  rt.reactor().call_later(2s, [&] { log.emplace_back("first"); });
  rt.reactor().call_later(2s, [&] { log.emplace_back("with it"); });
  rt.reactor().call_later(1h, [&] { log.emplace_back("second"); });
  CHECK(rt.advance_to_next() == 2s);
  CHECK(log == std::vector<std::string>{"first", "with it"});
  CHECK(rt.advance_to_next() == 1h - 2s);
  CHECK(log.size() == 3);
  CHECK(rt.advance_to_next() == std::nullopt);
  CHECK(rt.now() == time_point{1h});
}

TEST_CASE("a test sees how actors take their time when the runtime stops") {
  std::vector<std::string> log;
  manual_runtime rt;
  rt.spawn_on<slow_to_end>(0, &log);
  rt.reactor().add_system_event_trigger(trigger_phase::before, system_event::shutdown,
                                        [&] { log.emplace_back("before"); });
  rt.reactor().add_system_event_trigger(trigger_phase::after, system_event::shutdown,
                                        [&] { log.emplace_back("after"); });
  rt.settle();
  CHECK_FALSE(rt.stopped());
  rt.stop();
  CHECK(log == std::vector<std::string>{"before", "asked"});
  rt.advance(1s - 1ns);
  CHECK(log.size() == 2);
  CHECK_FALSE(rt.stopped());
  rt.advance(1ns);
  rt.settle();
  CHECK(log == std::vector<std::string>{"before", "asked", "ended", "after"});
  CHECK(rt.stopped());
}

TEST_CASE("what code under test does not end is ended when the grace time is over") {
  std::vector<std::string> log;
  manual_runtime rt;
  class never : public slow_to_end {
  public:
    using slow_to_end::slow_to_end;

  protected:
    void stop_requested() override {}
  };
  rt.spawn_on<never>(0, &log);
  rt.settle();
  rt.reactor().call_later(1s, [&] { rt.runtime::stop(); }); // as code under test does
  rt.advance(1s);
  rt.settle();
  rt.advance(rt.scheduler().options().grace);
  rt.settle();
  CHECK(log == std::vector<std::string>{"ended"});
  CHECK(rt.stopped());
}

TEST_CASE("a manual runtime that ends while it stops ends what is left") {
  std::vector<std::string> log;
  {
    manual_runtime rt;
    rt.spawn_on<slow_to_end>(0, &log);
    rt.settle();
    rt.stop();
  }
  CHECK(log == std::vector<std::string>{"asked", "ended"});
}
