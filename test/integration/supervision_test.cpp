// Supervised ports and factories over real sockets.

#include <algorithm>
#include <future>
#include <thread>

#include <caf/send.hpp>

#include <troupe/actors/application.hpp>
#include <troupe/net/tcp_service.hpp>

#include "support/supervised.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

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
  std::promise<failure> failed;
  running server{1};
  const auto taken = listen_tcp(server.rt, 0, factory::for_protocol<echo>());
  const auto number = taken.get_host().port();
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
