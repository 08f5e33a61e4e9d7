// Ports and factories: how both start and stop.

#include <sstream>
#include <stdexcept>

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <troupe/net/wrapping_factory.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/echo.hpp"
#include "support/on_loop.hpp"
#include "support/running.hpp"
#include "support/told_factory.hpp"

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("a taken port is refused with its name and the reason", "[T02]") {
  runtime rt{{.loops = 1}};
  const auto port = listen_tcp(rt, 0, factory::for_protocol<echo>());
  const auto number = port.get_host().port();
  try {
    listen_tcp(rt, number, factory::for_protocol<echo>());
    FAIL("it was not refused");
  } catch (const cannot_listen_error& e) {
    CHECK(e.where().host() == "127.0.0.1");
    CHECK(e.where().port() == number);
    CHECK(e.code() == std::errc::address_in_use);
    CHECK(std::string{e.what()}
          == "Couldn't listen on 127.0.0.1:" + std::to_string(number) + ": Address already in use");
  }
  CHECK_THROWS_AS(listen_tcp(rt, 0, factory::for_protocol<echo>(), {.interface = "not an address"}),
                  cannot_listen_error);
}

TEST_CASE("a factory starts with its first port and stops with its last", "[T03]") {
  events log;
  running server{2};
  const auto f = factory::of<told_factory>(&log);
  auto a = listen_tcp(server.rt, 0, f);
  auto b = listen_tcp(server.rt, 0, f);
  server.start();
  expect_echo(a.get_host().port());
  expect_echo(b.get_host().port());
  on_loop(server, [&] { a.stop_listening().add_callback([&] { log.add("a closed"); }); });
  CHECK_THROWS(client{a.get_host().port()});
  expect_echo(b.get_host().port());
  on_loop(server, [&] { b.stop_listening().add_callback([&] { log.add("b closed"); }); });
  on_loop(server, [&] { b.stop_listening().add_callback([&] { log.add("again"); }); });
  server.stop();
  CHECK(log.all()
        == std::vector<std::string>{"start", "build", "build", "a closed", "build", "stop",
                                    "b closed", "again"});
}

TEST_CASE("a port can be started again at its address, and connections survive its stop", "[T01]") {
  events log;
  running server{1};
  auto port = listen_tcp(server.rt, 0, factory::of<told_factory>(&log));
  server.start();
  const auto number = port.get_host().port();
  client c{number};
  c.send("1");
  CHECK(c.receive(1) == "1");
  on_loop(server, [&] { port.stop_listening(); });
  c.send("2");
  CHECK(c.receive(1) == "2");
  on_loop(server, [&] {
    port.start_listening();
    CHECK_THROWS_AS(port.start_listening(), std::logic_error);
  });
  expect_echo(number);
  CHECK(log.count("start") == 2);
}

TEST_CASE("a port logs its kind, its start and its stop, once each", "[T27]") {
  std::ostringstream text;
  const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text);
  sink->set_pattern("%v");
  runtime_options options{.loops = 1, .install_signal_handlers = false};
  options.logger = std::make_shared<spdlog::logger>("test", sink);
  std::string at;
  {
    runtime rt{options};
    auto port = listen_tcp(rt, 0, factory::for_protocol<echo>());
    at = port.get_host().to_string();
    rt.reactor().call_when_running([&] {
      port.stop_listening();
      port.start_listening();
      rt.stop();
    });
    rt.run();
  }
  const auto name = text.str().substr(0, text.str().find(" starting on"));
  CHECK(name.starts_with("factory of "));
  const auto round = name + " starting on tcp " + at + '\n' + name + " stopped on tcp " + at + '\n';
  CHECK(text.str() == round + round);
}

TEST_CASE("a port that is stopped and started before its loop turns listens") {
  events log;
  running server{1};
  auto port = listen_tcp(server.rt, 0, factory::of<told_factory>(&log));
  server.rt.reactor().call_when_running([&] {
    port.stop_listening();
    port.start_listening();
  });
  server.start();
  REQUIRE(log.wait(3));
  expect_echo(port.get_host().port());
  server.stop();
  CHECK(log.all() == std::vector<std::string>{"start", "stop", "start", "build", "stop"});
}

namespace {

/// Does not start as often as it is told.
class reluctant : public factory {
public:
  reluctant(caf::actor_config& cfg, int* refusals) : factory(cfg), refusals_(refusals) {}
  void start_factory() override {
    if ((*refusals_)-- > 0)
      throw std::runtime_error("no database");
  }
  protocol_ptr build_protocol(const net_address&) override { return make_protocol<echo>(); }

private:
  int* refusals_;
};

} // namespace

TEST_CASE("listening fails with what start_factory throws, and nothing listens", "[T03]") {
  const bool running_already = GENERATE(false, true);
  const auto before = open_descriptors();
  {
    int refusals = 2;
    running server{2};
    listening_port port;
    const auto f = factory::of<reluctant>(&refusals);
    const auto wrapped = factory::of<wrapping_factory>(f);
    const auto listen = [&] {
      const auto open = open_descriptors();
      CHECK_THROWS_WITH(listen_tcp(server.rt, 0, f), "no database");
      CHECK_THROWS_WITH(listen_tcp(server.rt, 0, wrapped), "no database"); // through another one
      CHECK(open_descriptors() == open);
      port = listen_tcp(server.rt, 0, f); // it lives, and can be tried again
    };
    if (running_already)
      server.start();
    running_already ? on_loop(server, listen) : listen();
    if (!running_already)
      server.start();
    expect_echo(port.get_host().port());
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a port that is started again fails as its factory does, and can be tried again") {
  int refusals = 0;
  running server{1};
  auto port = listen_tcp(server.rt, 0, factory::of<reluctant>(&refusals));
  server.start();
  expect_echo(port.get_host().port());
  on_loop(server, [&] {
    port.stop_listening();
    refusals = 1;
    CHECK_THROWS_WITH(port.start_listening(), "no database");
  });
  CHECK_THROWS(client{port.get_host().port()});
  on_loop(server, [&] { port.start_listening(); });
  expect_echo(port.get_host().port());
}

TEST_CASE("nothing listens any more once the runtime has stopped, and whoever tries is told") {
  events log;
  running server{1};
  server.start();
  on_loop(server, [&] {
    server.rt.reactor().add_system_event_trigger(trigger_phase::after, system_event::shutdown, [&] {
      try {
        listen_tcp(server.rt, 0, factory::for_protocol<echo>());
      } catch (const cannot_listen_error& e) {
        log.add(e.code() == errc::runtime_stopped ? "told" : e.what());
      }
    });
  });
  server.stop();
  CHECK(log.all() == std::vector<std::string>{"told"});
}

TEST_CASE("an exception in stop_factory fails the deferred, and the port is closed", "[T23]") {
  events log;
  running server{1};
  auto port =
    listen_tcp(server.rt, 0,
               factory::of<told_factory>(&log, std::function<protocol_ptr(told_factory&)>{},
                                         std::function<void()>{[] {
                                           throw std::runtime_error("cannot stop");
                                         }}));
  server.start();
  expect_echo(port.get_host().port());
  on_loop(server, [&] {
    port.stop_listening().add_errback([&](const failure& f) { log.add(f.message()); });
  });
  CHECK(log.count("cannot stop") == 1);
  CHECK_THROWS(client{port.get_host().port()});
  on_loop(server, [&] { port.start_listening(); });
  expect_echo(port.get_host().port());
}
