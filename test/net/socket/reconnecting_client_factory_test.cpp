#include <troupe/net/reconnecting_client_factory.hpp>

#include <troupe/net/connect_tcp.hpp>
#include <troupe/testing/logged_errors.hpp>
#include <troupe/testing/manual_runtime.hpp>
#include <troupe/testing/memory_resolver.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Tries to reach a host that nobody knows, so that every attempt fails at once, without a socket.
class hopeless : public reconnecting_client_factory {
public:
  using reconnecting_client_factory::reconnecting_client_factory;
  protocol_ptr build_protocol(const net_address&) override { return nullptr; }
  void started_connecting(connector&) override {
    attempts.push_back(std::chrono::duration<double>(event_loop_time()).count());
  }

  std::vector<double> attempts; // when each began, in seconds
  std::function<time_point()> time;

private:
  duration event_loop_time() const { return time().time_since_epoch(); }
};

struct fixture {
  explicit fixture(reconnect_options options)
    : ref(client_factory::of<hopeless>(std::move(options))) {
    auto& f = ref.start(rt.system(), rt.scheduler().loop(0));
    factory = static_cast<hopeless*>(&f);
    factory->time = [this] {
      return rt.now();
    };
    rt.in_turn([&] { c = connect_tcp(rt, "nowhere", 1, ref, {.names = names}); });
    rt.settle(); // the first attempt has failed, unless names are held
  }

  /// Moves time on in small steps until there were `count` attempts, and returns the waits between.
  std::vector<double> waits(std::size_t count) {
    for (int i = 0; i < 400'000 && factory->attempts.size() < count; ++i)
      rt.advance(100ms);
    std::vector<double> result;
    for (std::size_t i = 1; i < factory->attempts.size(); ++i)
      result.push_back(factory->attempts[i] - factory->attempts[i - 1]);
    return result;
  }

  manual_runtime rt;
  std::shared_ptr<memory_resolver> names = std::make_shared<memory_resolver>();
  client_factory_ref ref;
  hopeless* factory = nullptr;
  connector c;
};

} // namespace

TEST_CASE("each wait is longer than the one before, up to a maximum", "[F-Y4]") {
  fixture f{{.max = 60s, .jitter = 0}};
  const auto waits = f.waits(8);
  REQUIRE(waits.size() == 7);
  const double expected[] = {1, 2.718, 7.389, 20.086, 54.598, 60, 60};
  for (std::size_t i = 0; i < waits.size(); ++i) {
    CAPTURE(i);
    CHECK(waits[i] >= expected[i] - 1e-3); // never early
    CHECK(waits[i] <= expected[i] + 0.1);  // by more than a step
  }
}

TEST_CASE("jitter spreads a wait and does not compound", "[F-Y4]") {
  fixture f{{.initial = 100s, .max = 200s, .factor = 1, .jitter = 0.1, .random = [] {
               return 2.0;
             }}};
  for (const double wait : f.waits(6)) {
    CHECK(wait >= 120);
    CHECK(wait <= 120.1);
  }
  fixture far{{.initial = 100s, .max = 110s, .jitter = 1, .random = [] {
                 return 50.0;
               }}};
  for (const double wait : far.waits(4))
    CHECK(wait <= 110.1); // the maximum holds for what is spread, too
  fixture near{{.initial = 100s, .max = 110s, .jitter = 1, .random = [] {
                  return -50.0;
                }}};
  for (const double wait : near.waits(4))
    CHECK(wait >= 50); // and it never hammers
}

TEST_CASE("after as many retries as allowed it gives up", "[F-Y4]") {
  fixture f{{.jitter = 0, .max_retries = 2}};
  logged_errors errors{f.rt};
  f.rt.advance(1h);
  f.rt.advance(1h);
  f.rt.advance(1h);
  CHECK(f.factory->attempts.size() == 3);
  CHECK(f.factory->retries() == 2);
  CHECK(f.factory->get_delayed_calls().empty());
  CHECK(errors.flush("the host is unknown); gives up after 2 retries").size() == 1);
}

TEST_CASE("stop_trying ends the wait", "[F-Y4]") {
  fixture f{{.jitter = 0}};
  f.rt.advance(1s);
  CHECK(f.factory->attempts.size() == 2);
  f.rt.in_turn([&] { f.factory->enter([&] { f.factory->stop_trying(); }); });
  CHECK(f.factory->get_delayed_calls().empty());
  f.rt.advance(1h);
  CHECK(f.factory->attempts.size() == 2);
}

TEST_CASE("stop_trying ends the attempt", "[F-Y4]") {
  fixture f{{.jitter = 0}};
  f.names->hold();
  f.rt.advance(1s);
  CHECK(f.c.get_state() == connector::state::connecting);
  f.rt.in_turn([&] { f.factory->enter([&] { f.factory->stop_trying(); }); });
  CHECK(f.c.get_state() == connector::state::disconnected);
  CHECK(f.factory->get_delayed_calls().empty());
}

TEST_CASE("reset_delay begins with the first wait again", "[F-Y4]") {
  fixture f{{.jitter = 0}};
  f.rt.advance(1s);
  f.rt.advance(3s);
  CHECK(f.factory->attempts.size() == 3);
  f.rt.in_turn([&] { f.factory->reset_delay(); });
  CHECK(f.factory->retries() == 0);
  f.rt.advance(8s); // the wait that was under way
  CHECK(f.factory->attempts.size() == 4);
  f.rt.advance(1s);
  CHECK(f.factory->attempts.size() == 5);
}

TEST_CASE("waits that make no sense are refused", "[F-Y4]") {
  manual_runtime rt;
  CHECK_THROWS_AS(client_factory::of<hopeless>(reconnect_options{.initial = -1s})
                    .start(rt.system(), rt.scheduler().loop(0)),
                  std::invalid_argument);
  CHECK_THROWS_AS(client_factory::of<hopeless>(reconnect_options{.factor = 0.5})
                    .start(rt.system(), rt.scheduler().loop(0)),
                  std::invalid_argument);
}

TEST_CASE("a wait without a maximum grows to for ever, and never comes out negative", "[F-Y4]") {
  fixture f{{.initial = 1s, .max = duration::max(), .factor = 1e300, .jitter = 0}};
  CHECK(f.waits(2).size() == 1);
  f.rt.advance(24h * 365 * 100);
  CHECK(f.factory->attempts.size() == 2);
  CHECK(f.factory->get_delayed_calls().size() == 1);
}
