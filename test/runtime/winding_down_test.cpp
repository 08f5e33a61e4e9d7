// The end of a runtime, where it meets what only begins, and what ends in a long row.
#include <troupe/runtime/runtime.hpp>

#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <caf/event_based_actor.hpp>

#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

/// Tells whether it was asked to stop.
class asked_actor final : public pinned_actor {
public:
  asked_actor(caf::actor_config& cfg, std::atomic<bool>& asked)
    : pinned_actor(cfg), asked_(asked) {}
  caf::behavior make_behavior() override {
    return {[](int) {
    }};
  }

protected:
  void stop_requested() override {
    asked_ = true;
    pinned_actor::stop_requested();
  }

private:
  std::atomic<bool>& asked_;
};

/// One of a row of linked actors, each of which is told of the end of the one before it.
class row_member final : public caf::event_based_actor {
public:
  row_member(caf::actor_config& cfg, caf::actor next, int& begun, int& ended)
    : caf::event_based_actor(cfg), next_(std::move(next)), begun_(begun), ended_(ended) {}
  caf::behavior make_behavior() override {
    ++begun_;
    if (next_)
      link_to(std::exchange(next_, caf::actor{}));
    return {[](int) {
    }};
  }
  void on_exit() override {
    ++ended_;
    caf::event_based_actor::on_exit();
  }

private:
  caf::actor next_;
  int& begun_;
  int& ended_;
};

} // namespace

TEST_CASE("an actor that begins when the others have been asked to stop is asked as well") {
  std::atomic<bool> asked{false};
  std::promise<void> blocked, draining;
  runtime rt{{.loops = 2, .grace = 20s, .install_signal_handlers = false}};
  rt.reactor().add_system_event_trigger(trigger_phase::during, system_event::shutdown,
                                        [&] { draining.set_value(); });
  rt.reactor().call_when_running([&] {
    rt.scheduler().loop(1).post([&] {
      blocked.set_value();
      draining.get_future().wait(); // until all loops have been told that the runtime stops
    });
    blocked.get_future().wait();
    rt.spawn_on<asked_actor>(1, std::ref(asked));
    rt.stop();
  });
  rt.run();
  CHECK(asked);
}

// Whether it comes before the start is up to the system: with many threads to make it mostly does.
TEST_CASE("who stops a runtime before its start has come to loop 0 lets it start up first") {
  std::vector<std::string> got;
  runtime rt{{.loops = 16, .grace = 20s, .install_signal_handlers = false}};
  promise<void> later;
  rt.reactor().add_system_event_trigger(trigger_phase::before, system_event::shutdown, [&] {
    got.emplace_back("before shutdown");
    rt.reactor().call_later(1ms, [&] { later.callback(); });
    return later.get_deferred();
  });
  rt.reactor().call_when_running([&] { got.emplace_back("running"); });
  std::thread other{[&] {
    for (bool stopped = false; !stopped;)
      try {
        rt.stop();
        stopped = true;
      } catch (const reactor_not_running&) { // not yet
        std::this_thread::yield();
      }
  }};
  const auto ended = rt.run();
  other.join();
  CHECK(ended.how == run_end::stopped);
  CHECK(got == std::vector<std::string>{"running", "before shutdown"});
}

TEST_CASE("a long row of linked actors ends in order, the last one as the first") {
  constexpr int length = 3'000;
  int begun = 0, ended = 0;
  std::vector<caf::actor> row;
  {
    runtime rt{{.loops = 1, .install_signal_handlers = false}};
    for (int i = 0; i < length; ++i) {
      auto next = row.empty() ? caf::actor{} : row.back();
      if (i == length - 1) // whom the end of the runtime tells first
        row.emplace_back(rt.spawn<row_member>(std::move(next), std::ref(begun), std::ref(ended)));
      else
        row.emplace_back(
          rt.system().spawn<row_member>(std::move(next), std::ref(begun), std::ref(ended)));
    }
    while (begun < length)
      rt.reactor().iterate();
  }
  CHECK(ended == length);
}
