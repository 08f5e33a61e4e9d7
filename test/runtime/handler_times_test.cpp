#include <troupe/runtime/handler_times.hpp>

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/prometheus.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/testing/manual_clock.hpp>

#include "support/catch.hpp"

namespace troupe::detail {
extern std::atomic<unsigned> runtimes_that_time; // what every message that wakes an actor looks at
}

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// A runtime whose time moves when its actors say so.
struct measured {
  manual_clock time;
  runtime rt{options()};

  runtime_options options() {
    runtime_options o;
    o.loops = 1;
    o.install_signal_handlers = false;
    o.time_source = &time;
    return o;
  }
  void turn() {
    for (int i = 0; i < 50; ++i)
      rt.reactor().iterate();
  }
  std::optional<handler_time> of(const std::string& kind) {
    for (auto& one : handler_times(rt))
      if (one.kind.find(kind) != std::string::npos)
        return one;
    return std::nullopt;
  }
};

/// Takes as long for a message as that says.
template <class Base>
class worker : public Base {
public:
  worker(caf::actor_config& cfg, measured* m) : Base(cfg), time_(m->time) {}
  caf::behavior make_behavior() override {
    return {[this](int ms) {
      time_.advance(std::chrono::milliseconds{ms});
    }};
  }

private:
  manual_clock& time_;
};

class pinned_worker : public worker<pinned_actor> {
  using worker::worker;
};
class floating_worker : public worker<floating_actor> {
  using worker::worker;
};
class caf_worker : public worker<caf::event_based_actor> {
  using worker::worker;
};

} // namespace

TEST_CASE("messages and the time that they took are told by class", "[handler_times]") {
  measured m;
  CHECK(handler_times(m.rt).empty());
  time_handlers(m.rt);
  const auto send = [&](const auto& to, std::initializer_list<int> all) {
    for (const int ms : all)
      caf::anon_send(to, ms);
    m.turn();
  };
  const auto a = m.rt.spawn<floating_worker>(&m);
  const auto b = m.rt.spawn<floating_worker>(&m);
  const auto c = m.rt.spawn<pinned_worker>(&m);
  const auto d = m.rt.spawn<caf_worker>(&m);
  m.turn();
  time_handlers(m.rt); // begins anew
  send(a, {1, 2});
  send(b, {5});
  send(a, {1});
  send(c, {20});
  send(d, {3, 4});
  const auto floating = m.of("floating_worker");
  REQUIRE(floating);
  CHECK(floating->messages == 4);
  CHECK(floating->turns == 3);
  CHECK(floating->busy == 9ms);
  CHECK(floating->longest_turn == 5ms);
  CHECK(m.of("pinned_worker")->busy == 20ms);
  CHECK(m.of("caf_worker")->messages == 2);
  CHECK(m.of("caf_worker")->busy == 7ms);
  CHECK(handler_times(m.rt).front().kind.find("pinned_worker") != std::string::npos);
}

TEST_CASE("the longest wait is until an actor with nothing to do comes to its mailbox",
          "[handler_times]") {
  measured m;
  time_handlers(m.rt);
  const auto a = m.rt.spawn<floating_worker>(&m);
  const auto b = m.rt.spawn<pinned_worker>(&m);
  m.turn();
  caf::anon_send(a, 7);
  m.time.advance(2s);
  m.turn();
  CHECK(m.of("floating_worker")->longest_wait == 2s);
  caf::anon_send(b, 1);
  m.time.advance(1s);
  caf::anon_send(b, 1); // it waits already
  m.time.advance(1s);
  m.turn();
  CHECK(m.of("pinned_worker")->longest_wait == 2s);
  caf::anon_send(b, 1);
  m.time.advance(1s);
  m.turn();
  CHECK(m.of("pinned_worker")->longest_wait == 2s);
}

TEST_CASE("nothing is measured where it is off", "[handler_times]") {
  measured m;
  measured other;
  time_handlers(m.rt);
  time_handlers(m.rt); // twice is once
  const auto a = m.rt.spawn<floating_worker>(&m);
  const auto b = other.rt.spawn<floating_worker>(&other);
  caf::anon_send(b, 1);
  other.turn();
  CHECK(handler_times(other.rt).empty());
  CHECK(prometheus_text(other.rt).find("troupe_handler_") == std::string::npos);
  caf::anon_send(a, 1);
  m.turn();
  CHECK(m.of("floating_worker")->messages == 1);
  time_handlers(m.rt, false);
  CHECK(handler_times(m.rt).empty());
  caf::anon_send(a, 1);
  m.turn();
  CHECK(handler_times(m.rt).empty());
  time_handlers(m.rt);
  caf::anon_send(a, 1);
  m.turn();
  CHECK(m.of("floating_worker")->messages == 1);
}

TEST_CASE("what was measured is on the page of metrics", "[handler_times]") {
  measured m;
  time_handlers(m.rt);
  const auto a = m.rt.spawn<floating_worker>(&m);
  m.turn();
  time_handlers(m.rt);
  caf::anon_send(a, 250);
  caf::anon_send(a, 250);
  m.turn();
  const auto page = prometheus_text(m.rt);
  CHECK(page.find("floating_worker\"} 2\n") != std::string::npos);
  CHECK(page.find("# TYPE troupe_handler_seconds_total counter\n") != std::string::npos);
  CHECK(page.find("floating_worker\"} 0.5\n") != std::string::npos);
}

TEST_CASE("turned on and off by several threads at once, a runtime is counted once, or not") {
  const auto before = troupe::detail::runtimes_that_time.load();
  {
    measured m;
    std::vector<std::thread> all;
    for (int t = 0; t < 4; ++t)
      all.emplace_back([&, t] {
        for (int i = 0; i < 500; ++i)
          time_handlers(m.rt, (i + t) % 2 == 0);
      });
    for (auto& t : all)
      t.join();
    time_handlers(m.rt);
    CHECK(troupe::detail::runtimes_that_time.load() == before + 1);
    time_handlers(m.rt, false);
    CHECK(troupe::detail::runtimes_that_time.load() == before);
    time_handlers(m.rt);
  }
  CHECK(troupe::detail::runtimes_that_time.load() == before); // it has ended with it on
}
