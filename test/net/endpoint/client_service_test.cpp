#include <troupe/net/client_service.hpp>

#include <caf/exit_reason.hpp>
#include <spdlog/logger.h>

#include <troupe/testing/deferred.hpp>
#include <troupe/testing/manual_clock.hpp>
#include <troupe/testing/string_transport.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

class nothing : public protocol {
public:
  using protocol::protocol;
};

/// Connects to nowhere: the test says what comes of each attempt.
class fake_endpoint final : public client_endpoint {
public:
  explicit fake_endpoint(runtime& rt) : rt_(rt) {}

  deferred<connected_protocol> connect(const factory_ref&) override {
    attempts.emplace_back([this](promise<connected_protocol>&) { ++cancelled; });
    return attempts.back().get_deferred();
  }

  void succeed_last() {
    transports.push_back(std::make_unique<string_transport>());
    protocols.push_back(rt_.spawn_on<nothing>(0));
    auto& p = target(protocols.size() - 1);
    p.enter([&] { p.make_connection(*transports.back()); });
    attempts.back().callback(
      connected_protocol{caf::actor_cast<caf::strong_actor_ptr>(protocols.back())});
  }

  void fail_last(failure why = errc::connection_refused) { attempts.back().errback(why); }

  void lose(std::size_t i, const failure& why = errc::connection_done) {
    transports[i]->close();
    target(i).end_connection(why);
  }

  protocol& target(std::size_t i) const {
    return *static_cast<protocol*>(caf::actor_cast<caf::abstract_actor*>(protocols[i]));
  }

  std::vector<promise<connected_protocol>> attempts;
  std::vector<std::unique_ptr<string_transport>> transports;
  std::vector<caf::actor> protocols;
  int cancelled = 0;

private:
  runtime& rt_;
};

runtime_options quiet() {
  runtime_options o;
  o.loops = 1;
  o.install_signal_handlers = false;
  o.logger = std::make_shared<spdlog::logger>("test");
  return o;
}

struct fixture {
  explicit fixture(client_service_options o = {}) : service(make(std::move(o))) {}
  ~fixture() {
    service.reset();
    in_turn([this] {
      for (std::size_t i = 0; i < to->protocols.size(); ++i)
        if (to->target(i).connected())
          to->lose(i);
    });
    settle();
  }

  // Runs `fn` inside a turn of the loop, and then what it has set off.
  template <class F>
  void in_turn(F fn) {
    rt.reactor().call_from_thread([&] { fn(); });
    settle();
  }
  void settle() {
    for (int i = 0; i < 8; ++i)
      rt.reactor().iterate();
  }
  void start() {
    in_turn([this] { success_result_of(service->start_service()); });
  }
  void advance(duration by) {
    in_turn([this, by] { clock.advance(by); });
  }
  std::size_t attempts() const { return to->attempts.size(); }

  runtime rt{quiet()};
  manual_clock clock;
  std::shared_ptr<fake_endpoint> to = std::make_shared<fake_endpoint>(rt);
  std::shared_ptr<client_service> service;

private:
  std::shared_ptr<client_service> make(client_service_options o) {
    o.clock = &clock;
    o.retry = backoff_policy({.jitter = [] {
      return duration(0);
    }});
    return std::make_shared<client_service>(rt, to, factory::for_protocol<nothing>(), std::move(o));
  }
};

} // namespace

TEST_CASE("P15: a policy backs off from one second to sixty", "[client_service][P15]") {
  const auto wait = backoff_policy({.jitter = [] {
    return duration(0);
  }});
  const double expected[] = {1, 1.5, 2.25, 3.375, 5.0625};
  for (std::size_t i = 0; i < 5; ++i)
    CHECK(std::chrono::duration<double>(wait(i)).count() == Approx(expected[i]));
  CHECK(std::chrono::duration<double>(wait(10)).count() == Approx(57.665).epsilon(0.001));
  CHECK(wait(11) == 60s);
  CHECK(wait(1000000) == 60s);
  const auto usual = backoff_policy();
  for (int i = 0; i < 100; ++i) {
    CHECK(usual(0) >= 1s);
    CHECK(usual(0) < 2s);
  }
}

TEST_CASE("a client service starts and stops with its parent", "[client_service]") {
  fixture t;
  multi_service parent;
  success_result_of(parent.add_service(t.service));
  CHECK(t.attempts() == 0);
  t.in_turn([&] { success_result_of(parent.start_service()); });
  CHECK(t.service->running());
  REQUIRE(t.attempts() == 1);
  t.in_turn([&] { t.to->succeed_last(); });
  int stopped = 0;
  t.in_turn([&] { parent.stop_service().add_callback([&] { ++stopped; }); });
  CHECK(!t.service->running());
  CHECK(stopped == 0); // the connection is still there
  t.in_turn([&] { t.to->lose(0); });
  CHECK(stopped == 1);
  CHECK(t.attempts() == 1);
}

TEST_CASE("a service connects, and who waits gets the connection", "[client_service]") {
  fixture t;
  auto early = t.service->when_connected();
  CHECK(!t.service->running());
  t.start();
  CHECK(t.service->running());
  CHECK(t.attempts() == 1);
  assert_no_result(early);
  t.in_turn([&] { t.to->succeed_last(); });
  CHECK(success_result_of(std::move(early)).actor() == t.to->protocols[0]);
  CHECK(success_result_of(t.service->when_connected()).actor() == t.to->protocols[0]);
}

TEST_CASE("P13: a service that runs is not started twice", "[client_service][P13]") {
  fixture t;
  t.start();
  t.start();
  CHECK(t.attempts() == 1);
}

TEST_CASE("a lost connection is made again after a wait that grows", "[client_service]") {
  fixture t;
  t.start();
  for (int round = 0; round < 2; ++round) { // a success begins again
    t.in_turn([&] { t.to->succeed_last(); });
    t.in_turn([&] { t.to->lose(t.to->protocols.size() - 1); });
    for (const auto wait : {1500ms, 2250ms, 3375ms}) {
      const auto before = t.attempts();
      t.advance(wait - 1ms);
      CHECK(t.attempts() == before);
      t.advance(1ms);
      CHECK(t.attempts() == before + 1);
      if (wait != 3375ms)
        t.in_turn([&] { t.to->fail_last(); });
    }
  }
}

TEST_CASE("P13: who waits gives up after as many failures as were said", "[client_service][P13]") {
  fixture t;
  auto one = t.service->when_connected(1);
  auto two = t.service->when_connected(2);
  auto all = t.service->when_connected();
  CHECK_THROWS_AS((void)t.service->when_connected(0), std::logic_error);
  t.start();
  t.in_turn([&] { t.to->fail_last(); });
  failure_result_of(std::move(one), errc::connection_refused);
  assert_no_result(two);
  t.advance(1500ms);
  t.in_turn([&] { t.to->fail_last(errc::timed_out); });
  failure_result_of(std::move(two), errc::timed_out);
  assert_no_result(all);
  t.in_turn([&] { success_result_of(t.service->stop_service()); });
  failure_result_of(std::move(all), errc::cancelled);
  CHECK(t.clock.get_delayed_calls().empty());
  failure_result_of(t.service->when_connected(), errc::cancelled);
}

TEST_CASE("a service that is stopped while it connects cancels the attempt", "[client_service]") {
  fixture t;
  auto waits = t.service->when_connected();
  t.start();
  t.in_turn([&] { success_result_of(t.service->stop_service()); });
  CHECK(t.to->cancelled == 1);
  CHECK(!t.service->running());
  failure_result_of(std::move(waits), errc::cancelled);
  t.advance(100s);
  CHECK(t.attempts() == 1);
}

TEST_CASE("a stop is done when the connection has ended", "[client_service]") {
  fixture t;
  t.start();
  t.in_turn([&] { t.to->succeed_last(); });
  auto first = t.service->stop_service();
  auto second = t.service->stop_service();
  t.settle();
  CHECK(t.to->transports[0]->disconnecting());
  assert_no_result(first);
  t.in_turn([&] { t.to->lose(0); });
  success_result_of(std::move(first));
  success_result_of(std::move(second));
  success_result_of(t.service->stop_service());
  t.advance(100s);
  CHECK(t.attempts() == 1);
  t.start(); // it can be started again
  CHECK(t.attempts() == 2);
}

TEST_CASE("P14: started while it stops, it connects when the old connection has ended",
          "[client_service][P14]") {
  fixture t;
  t.start();
  t.in_turn([&] { t.to->succeed_last(); });
  auto stopped = t.service->stop_service();
  t.start();
  CHECK(t.service->running());
  auto next = t.service->when_connected();
  CHECK(t.attempts() == 1);
  t.in_turn([&] { t.to->lose(0); });
  success_result_of(std::move(stopped));
  CHECK(t.attempts() == 2);
  t.in_turn([&] { t.to->succeed_last(); });
  CHECK(success_result_of(std::move(next)).actor() == t.to->protocols[1]);
}

TEST_CASE("P14: a connection is prepared before anybody gets it", "[client_service][P14]") {
  std::vector<promise<void>> prepared;
  client_service_options o;
  o.prepare_connection = [&](const connected_protocol&) {
    prepared.emplace_back();
    return prepared.back().get_deferred();
  };
  fixture t{o};
  t.start();
  auto patient = t.service->when_connected();
  auto hasty = t.service->when_connected(1);
  t.in_turn([&] { t.to->succeed_last(); });
  REQUIRE(prepared.size() == 1);
  assert_no_result(patient);

  SECTION("and then they do") {
    t.in_turn([&] { prepared[0].callback(); });
    success_result_of(std::move(patient));
    success_result_of(std::move(hasty));
  }
  SECTION("if that fails, so has the attempt") {
    t.in_turn([&] { prepared[0].errback(errc::malformed_input); });
    failure_result_of(std::move(hasty), errc::malformed_input);
    CHECK(t.to->transports[0]->disconnecting());
    t.in_turn([&] { t.to->lose(0); });
    t.advance(1500ms);
    CHECK(t.attempts() == 2);
    std::move(patient).add_errback([] {});
  }
  SECTION("a connection that ends meanwhile is a failed attempt") {
    t.in_turn([&] { t.to->lose(0); });
    failure_result_of(std::move(hasty), errc::connection_lost);
    t.advance(1500ms);
    CHECK(t.attempts() == 2);
    std::move(patient).add_errback([] {});
  }
  SECTION("a stop waits for the end of the connection") {
    auto stopped = t.service->stop_service();
    t.settle();
    CHECK(prepared[0].called()); // it was cancelled
    assert_no_result(stopped);
    CHECK(t.to->transports[0]->disconnecting());
    t.in_turn([&] { t.to->lose(0); });
    success_result_of(std::move(stopped));
    failure_result_of(std::move(patient), errc::cancelled);
    failure_result_of(std::move(hasty), errc::cancelled);
  }
}

TEST_CASE("the end of a service is a stop", "[client_service]") {
  fixture t;
  auto waits = t.service->when_connected();
  SECTION("while it connects") {
    t.start();
    t.in_turn([&] { t.service.reset(); });
    CHECK(t.to->cancelled == 1);
  }
  SECTION("while it waits") {
    t.start();
    t.in_turn([&] { t.to->fail_last(); });
    t.in_turn([&] { t.service.reset(); });
    CHECK(t.clock.get_delayed_calls().empty());
  }
  SECTION("before it began") {
    t.service.reset();
  }
  failure_result_of(std::move(waits), errc::cancelled);
}

TEST_CASE("a callback may stop the service", "[client_service]") {
  fixture t;
  bool stopped = false;
  t.service->when_connected(1).add_errback(
    [&](const failure&) { t.service->stop_service().add_callback([&] { stopped = true; }); });
  t.start();
  t.in_turn([&] { t.to->fail_last(); });
  CHECK(stopped);
  CHECK(t.clock.get_delayed_calls().empty());
}

TEST_CASE("a policy of nothing, or without a maximum, is neither of the other, nor negative",
          "[client_service]") {
  const auto none = backoff_policy({.initial = 0s, .max = 60s, .jitter = [] {
                                      return duration(10ms);
                                    }});
  CHECK(none(1) == 10ms);
  CHECK(none(1760) == 10ms); // factor^1760 is no number
  const auto endless =
    backoff_policy({.initial = 1s, .max = duration::max(), .factor = 2, .jitter = [] {
                      return duration(1s);
                    }});
  CHECK(endless(3) == 9s);
  CHECK(endless(100) == duration::max());
}
