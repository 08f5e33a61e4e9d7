#include <troupe/runtime/options.hpp>

#include <functional>
#include <string>

#include <troupe/runtime/runtime.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

class idle : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](int) {
    }};
  }
};

} // namespace

TEST_CASE("options that make no sense are refused by name", "[options]") {
  struct bad {
    std::string name;
    std::function<void(runtime_options&)> set;
  };
  const auto bad_one = GENERATE(bad{"loops",
                                    [](auto& o) {
                                      o.loops = 3000;
                                    }},
                                bad{"messages_per_actor",
                                    [](auto& o) {
                                      o.messages_per_actor = 0;
                                    }},
                                bad{"actors_per_turn",
                                    [](auto& o) {
                                      o.actors_per_turn = 0;
                                    }},
                                bad{"events_per_turn",
                                    [](auto& o) {
                                      o.events_per_turn = 0;
                                    }},
                                bad{"max_pool_threads",
                                    [](auto& o) {
                                      o.max_pool_threads = 0;
                                    }},
                                bad{"poll_before_sleep",
                                    [](auto& o) {
                                      o.poll_before_sleep = -1ns;
                                    }},
                                bad{"timer_slack",
                                    [](auto& o) {
                                      o.timer_slack = -1ns;
                                    }},
                                bad{"grace", [](auto& o) {
                                      o.grace = -1s;
                                    }});
  runtime_options options{.loops = 1};
  bad_one.set(options);
  std::string text;
  try {
    const runtime rt{options};
  } catch (const std::invalid_argument& e) {
    text = e.what();
  }
  CHECK(text.find(bad_one.name) != std::string::npos);
}

TEST_CASE("who asks for a loop that there is not learns how many there are", "[options]") {
  runtime rt{{.loops = 2}};
  std::string text;
  try {
    rt.spawn_on<idle>(9);
  } catch (const std::out_of_range& e) {
    text = e.what();
  }
  CHECK(text == "spawn_on: there is no loop 9; this runtime has 2");
  CHECK_THROWS_AS(rt.scheduler().loop(2), std::out_of_range);
}
