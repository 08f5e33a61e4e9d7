#include <troupe/runtime/pinned_actor.hpp>

#include <array>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>

#include <caf/send.hpp>

#include <troupe/runtime/runtime.hpp>
#include <troupe/testing/logged_errors.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

/// Tells its end, and the reason.
class mortal : public pinned_actor {
public:
  mortal(caf::actor_config& cfg, mortal*& self, std::vector<std::string>& told)
    : pinned_actor(cfg), told_(told) {
    self = this;
  }
  caf::behavior make_behavior() override {
    told_.emplace_back("begins");
    return {[this](const std::function<void(mortal&)>& code) {
      code(*this);
    }};
  }
  void on_exit() override {
    told_.push_back(fail_state_ == caf::exit_reason::user_shutdown ? "told to end" : "ends");
    pinned_actor::on_exit();
  }

private:
  std::vector<std::string>& told_;
};

/// Makes another one of its kind when it ends.
class hydra : public pinned_actor {
public:
  hydra(caf::actor_config& cfg, int& heads) : pinned_actor(cfg), heads_(heads) { ++heads_; }
  caf::behavior make_behavior() override {
    return {[](int) {
    }};
  }
  void on_exit() override {
    caf::actor_config cfg{&loop()};
    home_system().spawn_impl<hydra, caf::hidden>(cfg, std::ref(heads_));
    pinned_actor::on_exit();
  }

private:
  int& heads_;
};

using order = std::vector<std::string>;

} // namespace

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::function<void(mortal&)>)

TEST_CASE("an actor that quits outside of its own code has ended then", "[pinned_actor]") {
  testing::manual_runtime rt;
  order told;
  mortal* it = nullptr;
  const auto actor = rt.spawn_on<mortal>(0, std::ref(it), std::ref(told));
  rt.settle();
  rt.in_turn([&] {
    it->quit();
    CHECK(told == order{"begins", "ends"});
    it->quit(); // twice is once
  });
  bool entered = false;
  it->enter([&] { entered = true; });
  CHECK_FALSE(entered);
}

TEST_CASE("an actor that quits in its own code ends when that returns", "[pinned_actor]") {
  testing::manual_runtime rt;
  order told;
  mortal* it = nullptr;
  const auto actor = rt.spawn_on<mortal>(0, std::ref(it), std::ref(told));
  rt.settle();
  SECTION("in a call") {
    it->enter([&] {
      it->quit();
      told.emplace_back("returns");
    });
  }
  SECTION("in a handler") {
    caf::anon_send(actor, std::function<void(mortal&)>{[&](mortal& self) {
                     self.quit();
                     told.emplace_back("returns");
                   }});
    rt.settle();
  }
  CHECK(told == order{"begins", "returns", "ends"});
}

TEST_CASE("an actor that quits before it has begun never begins", "[pinned_actor]") {
  testing::manual_runtime rt;
  order told;
  mortal* it = nullptr;
  const auto actor = static_cast<runtime&>(rt).spawn_on<mortal>(0, std::ref(it), std::ref(told));
  it->quit(caf::exit_reason::user_shutdown);
  rt.settle();
  CHECK(told == order{"told to end"});
}

TEST_CASE("an actor may be told to quit by any thread", "[pinned_actor]") {
  order told;
  mortal* it = nullptr;
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  const auto actor = rt.spawn_on<mortal>(0, std::ref(it), std::ref(told));
  actor->attach_functor([&](const caf::error&) {
    told.emplace_back("heard");
    rt.stop();
  });
  std::thread other;
  rt.reactor().call_later(1ms, [&] { other = std::thread([&] { it->quit(); }); });
  rt.run();
  other.join();
  CHECK(told == order{"begins", "ends", "heard"});
}

TEST_CASE(
  "an actor that a thread tells to quit ends in its loop's thread, also if that does not turn",
  "[pinned_actor]") {
  order told;
  mortal* it = nullptr;
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  const auto actor = rt.spawn_on<mortal>(0, std::ref(it), std::ref(told));
  while (told.empty())
    rt.reactor().iterate();
  std::thread{[&] {
    it->quit();
  }}.join();
  CHECK(told == order{"begins"});
  rt.reactor().iterate();
  CHECK(told == order{"begins", "ends"});
}

TEST_CASE("stop ends an actor that quit by CAF's means outside of its own code", "[pinned_actor]") {
  order told;
  mortal* it = nullptr;
  runtime rt{{.loops = 1, .grace = 10s, .install_signal_handlers = false}};
  const auto actor = rt.spawn_on<mortal>(0, std::ref(it), std::ref(told));
  rt.reactor().call_later(1ms, [&] {
    static_cast<caf::scheduled_actor*>(it)->quit(caf::exit_reason::kill);
    rt.stop();
  });
  rt.run();
  CHECK(told == order{"begins", "ends"});
}

TEST_CASE("a runtime ends though its actors make others as they end", "[pinned_actor]") {
  int heads = 0;
  {
    runtime rt{{.loops = 1, .grace = 1ms, .install_signal_handlers = false}};
    rt.spawn_on<hydra>(0, std::ref(heads));
    rt.reactor().call_later(1ms, [&] { rt.stop(); });
    rt.run();
  }
  CHECK(heads > 1);
}

TEST_CASE("what still lives ends with the runtime, in the thread that destroys it",
          "[pinned_actor]") {
  const bool begun = GENERATE(true, false);
  order told;
  mortal* it = nullptr;
  std::thread::id ended_by;
  {
    runtime rt{{.loops = 2, .install_signal_handlers = false}};
    const auto actor = rt.spawn_on<mortal>(1, std::ref(it), std::ref(told));
    actor->attach_functor([&](const caf::error&) { ended_by = std::this_thread::get_id(); });
    caf::anon_send(actor, std::function<void(mortal&)>{[&](mortal&) {
                     told.emplace_back("handles");
                     rt.reactor().call_from_thread([&] { rt.reactor().crash(); });
                   }});
    if (begun) {
      rt.run();
      caf::anon_send(actor, std::function<void(mortal&)>{[&](mortal&) {
                       told.emplace_back("handles what came too late");
                     }});
    }
  }
  CHECK(told == (begun ? order{"begins", "handles", "told to end"} : order{"told to end"}));
  CHECK(ended_by == std::this_thread::get_id());
}

TEST_CASE("a handle of an actor that has ended may be sent to when the runtime is gone",
          "[pinned_actor]") {
  order told;
  mortal* it = nullptr;
  caf::actor actor;
  {
    runtime rt{{.loops = 1, .install_signal_handlers = false}};
    actor = rt.spawn_on<mortal>(0, std::ref(it), std::ref(told));
    rt.reactor().call_when_running([&] { rt.stop(); });
    rt.run();
  }
  caf::anon_send(actor, 1);
  CHECK(told.back() == "told to end");
}

TEST_CASE("an actor that has ended has no delayed calls, whoever asks it for one",
          "[pinned_actor]") {
  /// Asks for a call behind its end.
  class late : public pinned_actor {
  public:
    late(caf::actor_config& cfg, std::vector<delayed_call>& calls, std::shared_ptr<int> held)
      : pinned_actor(cfg), calls_(calls), held_(std::move(held)) {}
    caf::behavior make_behavior() override {
      call_later(1ms, [this] { quit(); });
      return {[](int) {
      }};
    }
    void on_exit() override {
      pinned_actor::on_exit();
      calls_.push_back(call_later(1ms, [held = held_] { ++*held; }));
      held_.reset();
    }

  private:
    std::vector<delayed_call>& calls_;
    std::shared_ptr<int> held_;
  };
  testing::manual_runtime rt;
  std::vector<delayed_call> calls;
  const auto held = std::make_shared<int>(0);
  caf::actor_config cfg{&rt.scheduler().loop(0)};
  rt.system().spawn_impl<late, caf::hidden>(cfg, std::ref(calls), held);
  rt.settle(); // it begins
  rt.advance(2ms);
  REQUIRE(calls.size() == 1);
  CHECK_FALSE(calls[0].active());
  CHECK_THROWS_AS(calls[0].cancel(), already_cancelled);
  CHECK(held.use_count() == 1);
  rt.advance(1s);
  CHECK(*held == 0);
}

TEST_CASE("an actor's delayed call is whatever can be called, and not what is empty",
          "[pinned_actor]") {
  mortal* it = nullptr;
  std::vector<std::string> told;
  testing::manual_runtime rt;
  const auto held = rt.spawn_on<mortal>(0, std::ref(it), std::ref(told));
  rt.settle();
  auto& actor = *it;
  static int plain = 0;
  plain = 0;
  int with_state = 0;
  int large = 0;
  rt.in_turn([&] {
    actor.call_later(1ms, [] { ++plain; });
    actor.call_later(
      1ms, +[] { ++plain; });
    actor.call_later(1ms, std::function<void()>{[] {
                       ++plain;
                     }});
    actor.call_later(1ms, task{[] {
                       ++plain;
                     }});
    actor.call_later(1ms, [] { return ++plain; }); // whose result nobody wants
    actor.call_later(
      1ms, [&with_state, n = std::make_unique<int>(1)]() mutable { with_state += (*n)++; });
    actor.call_later(1ms, [&large, many = std::array<int, 100>{1, 2, 3}] { large = many[2]; });
    CHECK_THROWS_AS(actor.call_later(1ms, std::function<void()>{}), std::logic_error);
    CHECK_THROWS_AS(actor.call_later(1ms, task{}), std::logic_error);
    void (*const nothing)() = nullptr;
    CHECK_THROWS_AS(actor.call_later(1ms, nothing), std::logic_error);
    CHECK_THROWS_AS(actor.call_later(-1ms, [] {}), std::logic_error);
    CHECK(actor.get_delayed_calls().size() == 7);
  });
  rt.advance(1ms);
  CHECK(plain == 5);
  CHECK(with_state == 1);
  CHECK(large == 3);
}

TEST_CASE("what an actor's end calls may enter the actor, however it came to end") {
  class last final : public pinned_actor {
  public:
    last(caf::actor_config& cfg, std::vector<std::string>& told) : pinned_actor(cfg), told_(told) {}
    caf::behavior make_behavior() override {
      return {[this](int) { quit(); },
              [](bool) {
                throw std::runtime_error("oops");
              }};
    }
    void on_exit() override {
      told_.emplace_back("ends");
      enter([this] { told_.emplace_back("entered"); });
      pinned_actor::on_exit();
    }

  private:
    std::vector<std::string>& told_;
  };
  std::vector<std::string> told;
  testing::manual_runtime rt;
  const auto make = [&]() -> last& {
    told.clear();
    caf::actor_config cfg{&rt.scheduler().loop(0)};
    const auto made = rt.system().spawn_impl<last, caf::hidden>(cfg, std::ref(told));
    rt.settle();
    return *static_cast<last*>(caf::actor_cast<caf::abstract_actor*>(made));
  };
  const std::vector<std::string> once{"ends", "entered"};
  last* it = &make();
  rt.in_turn([&] { it->quit(); });
  CHECK(told == once);
  it = &make();
  rt.in_turn([&] { it->enter([&] { it->quit(); }); });
  CHECK(told == once);
  it = &make();
  caf::anon_send(caf::actor_cast<caf::actor>(it->ctrl()), 1);
  rt.settle();
  CHECK(told == once);
  it = &make();
  rt.in_turn([&] { // by CAF's means, and entered before its turn comes
    it->caf::scheduled_actor::quit();
    it->enter([&] { told.emplace_back("too late"); });
  });
  CHECK(told == once);
  it = &make();
  caf::anon_send_exit(caf::actor_cast<caf::actor>(it->ctrl()), caf::exit_reason::user_shutdown);
  rt.settle();
  CHECK(told == once);
  it = &make();
  caf::anon_send(caf::actor_cast<caf::actor>(it->ctrl()), true);
  rt.settle();
  CHECK(told == once);
  CHECK(testing::logged_errors{rt}.flush("oops").size() == 1);
}
