// Policies over real sockets and several loops: counts, limits and throttles span all of them.

#include <future>

#include <troupe/net/limit_connections.hpp>
#include <troupe/net/throttling_factory.hpp>
#include <troupe/net/timeout_factory.hpp>
#include <troupe/net/traffic_logging_factory.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/echo.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

class told_echo : public echo {
public:
  told_echo(caf::actor_config& cfg, events* log) : echo(cfg), log_(log) {}
  void connection_lost(const failure& why) override { log_->add("lost: " + why.message()); }

private:
  events* log_;
};

struct served {
  template <class Wrap>
  explicit served(Wrap wrap)
    : server(3), port(listen_tcp(server.rt, 0, wrap(factory::for_protocol<told_echo>(&log)))) {
    server.start();
  }
  [[nodiscard]] client connect() const { return client{port.get_host().port()}; }
  events log;
  running server;
  listening_port port;
};

} // namespace

TEST_CASE("an echo server behind all policies serves its clients on all loops") {
  const auto before = open_descriptors();
  {
    served s{[](factory_ref f) {
      f = factory::of<timeout_factory>(f, 60s);
      f = factory::of<traffic_logging_factory>(f);
      f = factory::of<throttling_factory>(f, throttle_limits{.read = 1u << 30, .write = 1u << 30});
      f = factory::of<limit_connections_by_peer_factory>(f, 20u);
      return factory::of<limit_total_connections_factory>(f, 20u);
    }};
    std::string data;
    for (std::size_t i = 0; i < load_size(1'000'000); ++i)
      data += static_cast<char>(i * 31 + (i >> 8));
    for (int round = 0; round < 3; ++round) {
      std::vector<client> all;
      for (int i = 0; i < 12; ++i)
        all.push_back(s.connect());
      for (auto& c : all)
        expect_echo(c);
      std::thread sender([&] { all[0].send(data); });
      CHECK(all[0].receive(data.size()) == data);
      sender.join();
      for (auto& c : all)
        c.close();
      REQUIRE(s.log.wait(static_cast<std::size_t>(12 * (round + 1))));
    }
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("the place of a connection that ended on any loop is free for the next of its peer") {
  served s{[](const factory_ref& f) {
    return factory::of<limit_connections_by_peer_factory>(f, 3u);
  }};
  std::size_t ended = 0;
  for (int round = 0; round < 5; ++round) {
    std::vector<client> all;
    for (int i = 0; i < 3; ++i) {
      all.push_back(s.connect());
      expect_echo(all.back());
    }
    CHECK(s.connect().rest().empty()); // the fourth
    for (auto& c : all)
      c.close();
    ended += 3;
    // The place is given back just after connection_lost, still within the same turn: ask until
    // the loops have gone on.
    REQUIRE(s.log.wait(ended));
    for (std::size_t i = 0; i < s.server.rt.loops(); ++i) {
      std::promise<void> turned;
      s.server.rt.scheduler().loop(i).post([&] { turned.set_value(); });
      turned.get_future().wait();
    }
  }
}

TEST_CASE("an idle connection is closed in time, one that talks is not") {
  served s{[](const factory_ref& f) {
    return factory::of<timeout_factory>(f, 3s);
  }};
  auto idle = s.connect();
  auto busy = s.connect();
  const auto until = std::chrono::steady_clock::now() + 30s;
  bool closed = false;
  while (!closed && std::chrono::steady_clock::now() < until) {
    expect_echo(busy);
    if (s.log.count("lost: " + failure{errc::idle_timed_out}.message()) == 1)
      closed = idle.rest().empty();
  }
  CHECK(closed);
  expect_echo(busy);
}

TEST_CASE("a throttle holds the connections of all loops") {
  served s{[](const factory_ref& f) {
    return factory::of<throttling_factory>(f, throttle_limits{.read = 50'000});
  }};
  std::vector<client> all;
  for (int i = 0; i < 6; ++i)
    all.push_back(s.connect());
  const auto now = [] {
    return std::chrono::steady_clock::now();
  };
  const auto start = now();
  for (auto& c : all) { // 150,000 at once: two seconds are due; or less, if the machine is slow
    c.send(std::string(25'000, 'x'));
    CHECK(c.receive(25'000).size() == 25'000);
  }
  // From the first look on nobody gets an answer for a while.
  bool held = false;
  while (!held && now() - start < 10s) {
    const auto asked = now();
    for (auto& c : all)
      expect_echo(c);
    held = now() - asked > 300ms;
  }
  CHECK(held);
}
