// Supervised ports and factories over real sockets, and a tree under random kills.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <random>

#include <caf/send.hpp>

#include <troupe/actors/application.hpp>
#include <troupe/actors/root_supervisor.hpp>
#include <troupe/net/net_children.hpp>
#include <troupe/net/tcp_service.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/threads.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using crash_atom = caf::atom_constant<caf::atom("crash")>;

class echo : public protocol {
public:
  using protocol::protocol;
  void data_received(bytes_view data) override { transport().write(data); }
};

/// Crashes when it is told to.
class frail_factory : public factory {
public:
  frail_factory(caf::actor_config& cfg, events* log) : factory(cfg), log_(log) {}
  protocol_ptr build_protocol(const net_address&) override { return make_protocol<echo>(); }
  void start_factory() override { log_->add("start"); }
  caf::behavior make_behavior() override {
    return {[](crash_atom) {
      throw std::runtime_error("the factory crashes");
    }};
  }

private:
  events* log_;
};

void expect_echo(client& c, const std::string& text = "hi") {
  c.send(text);
  CHECK(c.receive(text.size()) == text);
}

void expect_echo(std::uint16_t port) {
  client c{port};
  expect_echo(c);
}

/// Runs `fn` on loop 0 and waits for what comes of it.
template <class F>
auto on_loop(running& server, F fn) {
  return blocking_call_from_thread(server.rt.reactor(), std::move(fn));
}

/// A supervised factory and its port, under the root.
struct served {
  explicit served(std::size_t loops, supervisor_options options, listen_options listen = {})
    : server(loops) {
    options.name = "net";
    options.observer = [this](const supervisor_event& e) {
      log.add(std::string{name(e.kind)} + ":" + e.child);
    };
    auto at = [this](const listening_port& p) {
      number = p.get_host().port();
    };
    root_supervisor(server.rt)
      ->start_child(supervisor::as_child(
        options, {factory_child("factory", f), port_child("port", 0, f, listen, at)}))
      .add_callback([this](const caf::actor& a) {
        net = a;
        log.add("up");
      });
    server.start();
    REQUIRE(log.wait(5)); // start, child_started twice, started, up
  }

  supervisor& sup() {
    return *static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(net));
  }

  caf::actor child(const std::string& id) {
    return on_loop(server, [&] {
      for (const auto& c : sup().which_children())
        if (c.id == id)
          return c.actor;
      return caf::actor{};
    });
  }

  /// Waits until `event` has happened `count` times.
  void wait(const std::string& event, std::size_t count) { REQUIRE(log.wait_for(event, count)); }

  events log;
  factory_ref f = factory::of<frail_factory>(&log);
  running server;
  caf::actor net;
  std::uint16_t number = 0;
};

} // namespace

TEST_CASE("an acceptor that crashes is restarted, and no connection is lost") {
  const auto before = open_descriptors();
  {
    served s{GENERATE(1, 3), {.backoff = {.initial = 20ms}}};
    client established{s.number};
    expect_echo(established);
    caf::anon_send_exit(s.child("port"), caf::exit_reason::unhandled_exception);
    s.wait("child_ended:port", 1);
    client waiting{s.number}; // in the listen queue, for nobody accepts now
    waiting.send("hi");
    expect_echo(established, "still here");
    s.wait("child_started:port", 2);
    CHECK(waiting.receive(2) == "hi");
    expect_echo(s.number);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a factory that crashes is restarted, and its connections go on") {
  served s{GENERATE(1, 3), {.backoff = {.initial = 20ms}}};
  on_loop(s.server, [&] { s.f.get()->set_max_connections(2); });
  client established{s.number};
  expect_echo(established);
  caf::anon_send(s.f.actor(), crash_atom::value);
  s.wait("child_ended:factory", 1);
  client waiting{s.number};
  waiting.send("hi");
  expect_echo(established, "still here");
  s.wait("child_started:factory", 2);
  CHECK(waiting.receive(2) == "hi");
  CHECK(s.log.count("start") == 2);
  // Those of the old one count: there are two, and a third has to wait.
  CHECK(on_loop(s.server, [&] { return s.f.get()->connections(); }) == 2);
  client third{s.number};
  third.send("3");
  established.close();
  CHECK(third.receive(1) == "3");
  // And the new one can close them all.
  on_loop(s.server, [&] { return deferred<void>(s.f.get()->drain()); });
  CHECK(waiting.rest().empty());
  CHECK(third.rest().empty());
}

TEST_CASE("a factory that was made anew very often still counts its first connection") {
  running server{2};
  const auto f = factory::for_protocol<echo>();
  const auto port = listen_tcp(server.rt, 0, f);
  server.start();
  client established{port.get_host().port()};
  expect_echo(established);
  auto& loop = server.rt.scheduler().loop(0);
  const auto renew = [&] {
    const auto start = [&] {
      REQUIRE(f.start_supervised(server.rt.system(), loop));
    };
    start();
    for (std::size_t i = 0; i < load_size(100'000); ++i) {
      f.get()->enter([] { throw std::runtime_error("the factory crashes"); });
      start();
    }
  };
  on_loop(server, renew);
  CHECK(on_loop(server, [&] { return f.get()->connections(); }) == 1);
  expect_echo(established);
  on_loop(server, [&] { return deferred<void>(f.get()->drain()); });
  CHECK(established.rest().empty());
  expect_echo(port.get_host().port());
}

TEST_CASE("a terminated port refuses connections, and listens at its address again later") {
  served s{1, {}};
  client established{s.number};
  expect_echo(established);
  on_loop(s.server, [&] { return deferred<void>(s.sup().terminate_child("port")); });
  CHECK_THROWS(client{s.number});
  expect_echo(established);
  on_loop(s.server, [&] { return deferred<caf::actor>(s.sup().restart_child("port")); });
  expect_echo(s.number);
}

TEST_CASE("a port that starts while its factory is down waits for it") {
  served s{1, {}};
  on_loop(s.server, [&] { return deferred<void>(s.sup().terminate_child("factory")); });
  on_loop(s.server, [&] { return deferred<void>(s.sup().terminate_child("port")); });
  on_loop(s.server, [&] { return deferred<caf::actor>(s.sup().restart_child("port")); });
  client waiting{s.number};
  waiting.send("hi");
  on_loop(s.server, [&] { return deferred<caf::actor>(s.sup().restart_child("factory")); });
  CHECK(waiting.receive(2) == "hi");
  CHECK(s.log.count("start") == 2);
}

TEST_CASE("a port stops before its factory, which closes its connections") {
  served s{2, {}};
  client established{s.number};
  expect_echo(established);
  on_loop(s.server,
          [&] { return deferred<void>(root_supervisor(s.server.rt)->terminate_child("net")); });
  CHECK(established.rest().empty());
  CHECK_THROWS(client{s.number});
  const auto all = s.log.all();
  CHECK(std::find(all.begin(), all.end(), "child_stopped:port")
        < std::find(all.begin(), all.end(), "child_stopped:factory"));
}

TEST_CASE("a port that cannot be had fails to start, and is tried again") {
  running server{1};
  const auto taken = listen_tcp(server.rt, 0, factory::for_protocol<echo>());
  const auto number = taken.get_host().port();
  std::promise<failure> failed;
  root_supervisor(server.rt)
    ->start_child(port_child("port", number, factory::for_protocol<echo>()))
    .add_errback([&](const failure& why) {
      failed.set_value(why);
      return caf::actor{};
    });
  server.start();
  CHECK(failed.get_future().get().check<cannot_listen_error>());
}

TEST_CASE("a TCP service listens while its application runs") {
  const auto before = open_descriptors();
  {
    runtime rt{{.loops = 1, .install_signal_handlers = false}};
    application app{rt, "app"};
    const auto web = std::make_shared<tcp_service>(rt, 0, factory::for_protocol<echo>());
    app.add_service(web);
    std::thread user;
    rt.reactor().call_when_running([&] {
      rt.reactor().call_later(1ms, [&] {
        user = std::thread([&, number = web->port().get_host().port()] {
          expect_echo(number);
          blocking_call_from_thread(rt.reactor(), [&] { return web->stop_service(); });
          CHECK_THROWS(client{number});
          blocking_call_from_thread(rt.reactor(), [&] { return web->start_service(); });
          expect_echo(number);
          rt.reactor().call_from_thread([&] { rt.stop(); });
        });
      });
    });
    app.run();
    user.join();
  }
  CHECK(open_descriptors() == before);
}

// -- the soak -----------------------------------------------------------------------------------

namespace {

std::atomic<long> leaves_alive{0};

template <class Base>
class leaf : public Base {
public:
  explicit leaf(caf::actor_config& cfg) : Base(cfg) { ++leaves_alive; }
  ~leaf() override { --leaves_alive; }
  caf::behavior make_behavior() override {
    return {[](caf::unit_t) {
    }};
  }
};

/// Takes some time to end, so that stopping it and killing it meet.
class slow_leaf : public leaf<floating_actor> {
public:
  explicit slow_leaf(caf::actor_config& cfg) : leaf(cfg) {
    set_exit_handler(
      [this](caf::exit_msg& m) { call_later(1ms, [this, why = m.reason] { quit(why); }); });
  }
};

child_spec floating(std::string id) {
  return {.id = std::move(id), .start = start_actor<leaf<floating_actor>>()};
}
child_spec pinned(std::string id) {
  return {.id = std::move(id), .start = start_actor<leaf<pinned_actor>>()};
}
child_spec slow(std::string id) {
  return {.id = std::move(id), .start = start_actor<slow_leaf>()};
}
/// On any loop, whichever is next.
child_spec elsewhere(std::string id) {
  return {.id = std::move(id), .start = [](supervisor& s) {
            caf::actor_config cfg{&loop_scheduler::of(s.system()).next_loop()};
            return caf::actor_cast<caf::actor>(
              s.system().spawn_impl<leaf<pinned_actor>, caf::hidden>(cfg));
          }};
}

supervisor_options patient(std::string name, restart_strategy strategy) {
  supervisor_options options;
  options.name = std::move(name);
  options.strategy = strategy;
  options.intensity = 1'000'000'000;
  return options;
}

struct census {
  struct target {
    caf::actor actor;
    bool only_kill; // an orderly end would close the connections
  };
  std::vector<target> all; // whoever may be ended
  std::size_t leaves = 0;
  std::size_t missing = 0;
};

// Everything but the pool, whose children nobody would start again, can be killed.
void count(supervisor& sup, census& result) {
  for (const auto& c : sup.which_children()) {
    if (!c.actor) {
      ++result.missing;
      continue;
    }
    if (c.id != "pool")
      result.all.push_back({c.actor, c.id == "tree" || c.id == "net"});
    if (c.type == child_type::supervisor)
      count(*static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(c.actor)), result);
    else if (c.id != "factory" && c.id != "port")
      ++result.leaves;
  }
}

long number_from(const char* variable, long otherwise) {
  const auto* const text = std::getenv(variable);
  return text != nullptr ? std::strtol(text, nullptr, 10) : otherwise;
}

} // namespace

// TROUPE_SOAK_SECONDS=60 makes it the long one; TROUPE_SOAK_SEED repeats the choices of a run.
TEST_CASE("a tree under random kills heals, and leaks nothing") {
  const auto seed = static_cast<unsigned>(
    number_from("TROUPE_SOAK_SEED", static_cast<long>(std::random_device{}() >> 1)));
  const auto time = std::chrono::seconds(number_from("TROUPE_SOAK_SECONDS", 3));
  std::printf("supervision soak: %ld s, TROUPE_SOAK_SEED=%u\n", static_cast<long>(time.count()),
              seed);
  std::mt19937 random{seed};
  const auto before = open_descriptors();
  constexpr std::size_t pool_size = 20;
  constexpr std::size_t expected = 4 + 3 + 3 + pool_size;
  events log;
  {
    running server{4};
    auto& rt = server.rt;
    const auto f = factory::of<frail_factory>(&log);
    std::atomic<std::uint16_t> number{0};
    const auto at = [&](const listening_port& p) {
      number = p.get_host().port();
    };
    const auto tree = supervisor::as_child(
      patient("tree", restart_strategy::one_for_one),
      {floating("a"), pinned("b"), elsewhere("c"), slow("d"),
       supervisor::as_child(patient("all", restart_strategy::one_for_all),
                            {floating("a"), elsewhere("b"), slow("c")}),
       supervisor::as_child(patient("rest", restart_strategy::rest_for_one),
                            {pinned("a"), elsewhere("b"), floating("c")}),
       supervisor::as_child(patient("net", restart_strategy::one_for_one),
                            {factory_child("factory", f), port_child("port", 0, f, {}, at)})});
    const auto root = root_supervisor(rt, patient("root", restart_strategy::one_for_one));
    root->start_child(tree);
    root->start_child(supervisor::as_child(patient("pool", restart_strategy::dynamic), {}))
      .add_callback([&](const caf::actor& a) {
        for (std::size_t i = 0; i < pool_size; ++i)
          static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(a))
            ->start_child(floating({}));
        log.add("up");
      });
    server.start();
    REQUIRE(log.wait_for("up"));
    const auto look = [&] {
      return on_loop(server, [&] {
        census result;
        count(*root, result);
        return result;
      });
    };
    const auto healed = [&] {
      const auto end = std::chrono::steady_clock::now() + 30s;
      for (;;) {
        const auto now = look();
        if (now.missing == 0 && now.leaves == expected
            && leaves_alive == static_cast<long>(expected))
          return true;
        if (std::chrono::steady_clock::now() > end) {
          std::printf("missing %zu, leaves %zu, alive %ld\n", now.missing, now.leaves,
                      leaves_alive.load());
          return false;
        }
        std::this_thread::yield();
      }
    };
    REQUIRE(healed());

    std::vector<client> users;
    for (int i = 0; i < 5; ++i)
      users.emplace_back(number);
    std::size_t kills = 0;
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
      auto now = look();
      for (auto n = now.all.empty() ? 0 : random() % 4; n > 0; --n, ++kills) {
        const auto& [actor, only_kill] = now.all[random() % now.all.size()];
        caf::anon_send_exit(actor, random() % 2 == 0 || only_kill
                                     ? caf::exit_reason::kill
                                     : caf::exit_reason::unhandled_exception);
      }
      now.all.clear(); // a handle keeps even a dead one in memory
      expect_echo(users[random() % users.size()], "here"); // established connections stay
      if (random() % 16 == 0)
        expect_echo(number); // and new ones find their way
      if (random() % 64 == 0)
        REQUIRE(healed());
    }
    CHECK(healed());
    for (auto& u : users)
      expect_echo(u);
    std::printf("supervision soak: %zu kills\n", kills);
    CHECK(kills > 10);
  }
  CHECK(leaves_alive == 0);
  CHECK(open_descriptors() == before);
}

TEST_CASE("restart limits hold under kills from another thread") {
  const auto intensity = static_cast<std::size_t>(GENERATE(0, 1, 5));
  std::promise<failure> given_up;
  running server{4};
  auto fragile = supervisor::as_child({.name = "fragile", .intensity = intensity, .period = 1h},
                                      {elsewhere("a"), floating("b")}, restart_type::temporary);
  supervisor_options options;
  options.observer = [&](const supervisor_event& e) {
    if (e.kind == supervisor_event_kind::child_ended)
      given_up.set_value(e.reason);
  };
  events log;
  caf::actor under_test;
  auto& rt = server.rt;
  root_supervisor(rt, options)->start_child(fragile).add_callback([&](const caf::actor& a) {
    under_test = a;
    log.add("up");
  });
  server.start();
  REQUIRE(log.wait(1));
  auto& sup = *static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(under_test));
  auto ended = given_up.get_future();
  std::size_t kills = 0;
  for (caf::actor killed; ended.wait_for(0s) != std::future_status::ready;) {
    const auto all = on_loop(server, [&] { return sup.which_children(); });
    if (all.empty() || !all[0].actor || all[0].actor == killed) {
      std::this_thread::yield();
      continue;
    }
    killed = all[0].actor;
    caf::anon_send_exit(killed, caf::exit_reason::kill);
    ++kills;
  }
  CHECK(kills == intensity + 1);
  CHECK(ended.get().check(errc::restart_intensity_reached));
}
