// Ports and factories: listening, limits, and how both start and stop.

#include <atomic>
#include <future>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/ringbuffer_sink.h>

#include <troupe/net/line_receiver.hpp>
#include <troupe/net/wrapping_factory.hpp>

#include "acceptor.hpp"
#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/few_descriptors.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

class echo : public protocol {
public:
  using protocol::protocol;
  void data_received(bytes_view data) override { transport().write(data); }
};

/// Tells what is asked of it; its answers are set from outside.
class told : public factory {
public:
  told(caf::actor_config& cfg, events* log, std::function<protocol_ptr(told&)> build = {},
       std::function<void()> stop = {})
    : factory(cfg), log_(log), build_(std::move(build)), stop_(std::move(stop)) {}
  using factory::make_protocol;
  protocol_ptr build_protocol(const net_address&) override {
    log_->add("build");
    return build_ ? build_(*this) : make_protocol<echo>();
  }
  void start_factory() override { log_->add("start"); }
  void stop_factory() override {
    log_->add("stop");
    if (stop_)
      stop_();
  }

private:
  events* log_;
  std::function<protocol_ptr(told&)> build_;
  std::function<void()> stop_;
};

void expect_echo(std::uint16_t port) {
  client c{port};
  c.send("hi");
  CHECK(c.receive(2) == "hi");
}

/// Runs `fn` on loop 0 and waits for it.
template <class F>
void on_loop(running& server, F fn) {
  std::promise<void> done;
  server.rt.reactor().call_from_thread([&] {
    fn();
    done.set_value();
  });
  done.get_future().get();
}

} // namespace

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
  const auto f = factory::of<told>(&log);
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
  auto port = listen_tcp(server.rt, 0, factory::of<told>(&log));
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
  auto port = listen_tcp(server.rt, 0, factory::of<told>(&log));
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
  running server{1};
  server.start();
  events log;
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
  auto port = listen_tcp(
    server.rt, 0,
    factory::of<told>(&log, std::function<protocol_ptr(told&)>{}, std::function<void()>{[] {
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

TEST_CASE("a factory that builds nothing, or throws, closes that connection at once",
          "[T10][T11]") {
  const bool throws = GENERATE(false, true);
  events log;
  const auto before = open_descriptors();
  {
    running server{2};
    int count = 0;
    const auto port = listen_tcp(
      server.rt, 0, factory::of<told>(&log, std::function<protocol_ptr(told&)>{[&](told& f) {
        if (count++ % 2 == 1)
          return f.make_protocol<echo>();
        if (throws)
          throw std::runtime_error("no protocol");
        return protocol_ptr{};
      }}));
    server.start();
    for (int i = 0; i < 5; ++i) {
      CHECK(client{port.get_host().port()}.rest().empty());
      expect_echo(port.get_host().port());
    }
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a port stopped inside build_protocol still serves that connection", "[T22]") {
  events log;
  running server{1};
  listening_port port;
  port = listen_tcp(server.rt, 0,
                    factory::of<told>(&log, std::function<protocol_ptr(told&)>{[&](told& f) {
                      port.stop_listening();
                      return f.make_protocol<echo>();
                    }}));
  server.start();
  const auto number = port.get_host().port();
  expect_echo(number);
  CHECK_THROWS(client{number});
}

TEST_CASE("connections above the maximum wait until there is room") {
  const std::size_t loops = GENERATE(1, 3);
  events log;
  running server{loops};
  const auto f = factory::of<told>(&log);
  const auto port = listen_tcp(server.rt, 0, f);
  f.get()->set_max_connections(2);
  server.start();
  client a{port.get_host().port()}, b{port.get_host().port()};
  a.send("a");
  b.send("b");
  CHECK(a.receive(1) == "a");
  CHECK(b.receive(1) == "b");
  client c{port.get_host().port()}; // the system has it, we do not
  c.send("c");
  on_loop(server, [&] { CHECK(f.get()->connections() == 2); });
  CHECK(log.count("build") == 2);
  a.close();
  CHECK(c.receive(1) == "c");
  CHECK(log.count("build") == 3);
}

TEST_CASE("a drained factory closes its connections and takes new ones") {
  events log;
  running server{3};
  const auto f = factory::of<told>(&log);
  const auto port = listen_tcp(server.rt, 0, f);
  server.start();
  std::vector<client> all;
  for (int i = 0; i < 10; ++i) {
    all.emplace_back(port.get_host().port());
    all.back().send("x");
    CHECK(all.back().receive(1) == "x");
  }
  on_loop(server, [&] { f.get()->drain().add_callback([&] { log.add("drained"); }); });
  for (auto& c : all)
    CHECK(c.rest().empty());
  while (log.count("drained") == 0)
    REQUIRE(log.wait(12));
  expect_echo(port.get_host().port());
}

TEST_CASE("without descriptors a port waits, and goes on when there are some", "[T21]") {
  events log;
  running server{1};
  const auto port =
    listen_tcp(server.rt, 0, factory::of<told>(&log), {.pause_without_descriptors = 5ms});
  server.start();
  expect_echo(port.get_host().port());
  client waiting{port.get_host().port()}; // accepted, or not: see below
  waiting.send("1");
  CHECK(waiting.receive(1) == "1");
  std::optional<few_descriptors> few{1}; // which goes to the client itself
  client late{port.get_host().port()};
  late.send("2");
  waiting.send("3"); // established ones are served all the same
  CHECK(waiting.receive(1) == "3");
  few.reset();
  CHECK(late.receive(1) == "2");
}

namespace {

/// Has no memory so many times, in what the library calls.
class short_of_memory : public factory {
public:
  enum class where { build, when_room };
  short_of_memory(caf::actor_config& cfg, where at, int times, std::size_t limit)
    : factory(cfg), at_(at), times_(times) {
    set_max_connections(limit);
  }
  protocol_ptr build_protocol(const net_address&) override { return make_protocol<echo>(); }
  protocol_ptr build(const net_address& peer, event_loop& loop) override {
    fail(where::build);
    return factory::build(peer, loop);
  }
  void when_room(task fn) override {
    fail(where::when_room);
    factory::when_room(std::move(fn));
  }

private:
  void fail(where here) {
    if (here == at_ && times_-- > 0)
      throw std::bad_alloc{};
  }
  const where at_;
  int times_;
};

/// Makes no transport so many times.
class failing_kind final : public detail::tcp_kind {
public:
  explicit failing_kind(int times) : tcp_kind(false, false, {}), times_(times) {}
  void open(event_loop& where, detail::unique_fd fd, const detail::socket_address& peer,
            const protocol_ptr& p, opened told) const override {
    if (times_-- > 0)
      throw std::bad_alloc{};
    tcp_kind::open(where, std::move(fd), peer, p, std::move(told));
  }

private:
  mutable std::atomic<int> times_;
};

} // namespace

TEST_CASE("a connection for which there is no memory is closed, and the port lives", "[port]") {
  running server{2};
  std::uint16_t port = 0;
  factory_ref f = factory::for_protocol<echo>();
  SECTION("when its protocol is built") {
    f = factory::of<short_of_memory>(short_of_memory::where::build, 4, 10u);
    port = listen_tcp(server.rt, 0, f).get_host().port();
  }
  SECTION("when its transport is made") {
    port = detail::acceptor::make_port(server.rt.system(), server.rt.scheduler().loop(0),
                                       detail::tcp_listener(0, {}), f,
                                       std::make_shared<const failing_kind>(4), listen_options{})
             .get_host()
             .port();
  }
  server.start();
  for (int i = 0; i < 4; ++i)
    CHECK(client{port}.rest().empty());
  for (int i = 0; i < 4; ++i) // on both loops
    expect_echo(port);
}

TEST_CASE("a port that cannot even wait for room tries again", "[port]") {
  running server{1};
  const auto f = factory::of<short_of_memory>(short_of_memory::where::when_room, 3, 1u);
  const auto port =
    listen_tcp(server.rt, 0, f, {.pause_without_descriptors = 1ms}).get_host().port();
  server.start();
  {
    client first{port};
    first.send("1");
    CHECK(first.receive(1) == "1");
  }
  for (int i = 0; i < 4; ++i)
    expect_echo(port);
}

TEST_CASE("a port without descriptors logs one line when that begins, and one when it ends") {
  const auto sink = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(100);
  sink->set_pattern("%l %v");
  running server{1};
  server.rt.logger().sinks().push_back(sink);
  const auto port =
    listen_tcp(server.rt, 0, factory::for_protocol<echo>(), {.pause_without_descriptors = 5ms});
  server.start();
  const auto number = port.get_host().port();
  expect_echo(number);
  std::optional<few_descriptors> few{1}; // which goes to the client itself
  client late{number};
  late.send("1");
  std::this_thread::sleep_for(100ms); // many attempts
  few.reset();
  CHECK(late.receive(1) == "1");
  server.stop();
  std::vector<std::string> told;
  for (auto& line : sink->last_formatted())
    if (line.find("accept") != std::string::npos)
      told.push_back(std::move(line));
  REQUIRE(told.size() == 2);
  CHECK(told[0]
        == "error tcp 127.0.0.1:" + std::to_string(number)
             + ": cannot accept a connection, trying again every 5 ms: Too many open files\n");
  CHECK(told[1].starts_with("info tcp 127.0.0.1:" + std::to_string(number)
                            + ": accepts connections again, after "));
  std::erase(server.rt.logger().sinks(), sink);
}

TEST_CASE("an exception's line names the protocol, its peer and the callback") {
  const auto sink = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(100);
  sink->set_pattern("%l %v");
  class failing : public line_receiver {
  public:
    using line_receiver::line_receiver;
    void connection_made() override { send_line(transport().get_peer().to_string()); }
    void line_received(std::string_view line) override {
      if (line == "later")
        call_later(0s, [] { throw std::runtime_error("boom"); });
      else
        throw std::domain_error(std::string{line});
    }
    void connection_lost(const failure&) override { throw 1; }
    std::string log_prefix() const override { return "failing"; }
  };
  running server{1};
  server.rt.logger().sinks().push_back(sink);
  const auto port = listen_tcp(server.rt, 0, factory::for_protocol<failing>());
  server.start();
  std::vector<std::string> peers;
  for (const auto* line : {"no way\r\n", "later\r\n"}) {
    client c{port.get_host().port()};
    peers.push_back(c.line());
    peers.back().resize(peers.back().size() - 2);
    c.send(line);
    CHECK(c.rest().empty());
  }
  server.stop();
  std::vector<std::string> told;
  for (auto& line : sink->last_formatted())
    if (line.find("unhandled") != std::string::npos)
      told.push_back(std::move(line));
  CHECK(told
        == std::vector<std::string>{
          "error [failing " + peers[0]
            + "] unhandled exception in line_received: std::domain_error: no way\n",
          "error [failing " + peers[0]
            + "] unhandled exception in connection_lost: int: no description\n",
          "error [failing " + peers[1]
            + "] unhandled exception in a delayed call: std::runtime_error: boom\n",
          "error [failing " + peers[1]
            + "] unhandled exception in connection_lost: int: no description\n"});
  std::erase(server.rt.logger().sinks(), sink);
}
