// What becomes of connections that a port accepts, or cannot accept.

#include <atomic>
#include <optional>
#include <stdexcept>
#include <thread>

#include <troupe/net/line_receiver.hpp>
#include <troupe/runtime/defer_later.hpp>

#include "acceptor.hpp"
#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/echo.hpp"
#include "support/few_descriptors.hpp"
#include "support/log_watch.hpp"
#include "support/on_loop.hpp"
#include "support/running.hpp"
#include "support/told_factory.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

TEST_CASE("a factory that builds nothing, or throws, closes that connection at once",
          "[T10][T11]") {
  const bool throws = GENERATE(false, true);
  events log;
  const auto before = open_descriptors();
  {
    running server{2};
    int count = 0;
    const auto port =
      listen_tcp(server.rt, 0,
                 factory::of<told_factory>(
                   &log, std::function<protocol_ptr(told_factory&)>{[&](told_factory& f) {
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
                    factory::of<told_factory>(
                      &log, std::function<protocol_ptr(told_factory&)>{[&](told_factory& f) {
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
  const auto f = factory::of<told_factory>(&log);
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
  const auto f = factory::of<told_factory>(&log);
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
    listen_tcp(server.rt, 0, factory::of<told_factory>(&log), {.pause_without_descriptors = 5ms});
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
class failing_kind final : public troupe::detail::tcp_kind {
public:
  explicit failing_kind(int times) : tcp_kind(false, false, {}), times_(times) {}
  void open(event_loop& where, troupe::detail::unique_fd fd,
            const troupe::detail::connection_ends& ends, const protocol_ptr& p,
            opened told) const override {
    if (times_-- > 0)
      throw std::bad_alloc{};
    tcp_kind::open(where, std::move(fd), ends, p, std::move(told));
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
    port = troupe::detail::acceptor::make_port(
             server.rt.system(), server.rt.scheduler().loop(0), troupe::detail::tcp_listener(0, {}),
             f, std::make_shared<const failing_kind>(4), listen_options{})
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
  running server{1};
  const log_watch logged{server};
  const auto port =
    listen_tcp(server.rt, 0, factory::for_protocol<echo>(), {.pause_without_descriptors = 5ms});
  server.start();
  const auto number = port.get_host().port();
  expect_echo(number);
  std::optional<few_descriptors> few{1}; // which goes to the client itself
  client late{number};
  late.send("1");
  on_loop(server, [&] { return defer_later(server.rt.reactor(), 100ms); }); // many attempts
  few.reset();
  CHECK(late.receive(1) == "1");
  server.stop();
  const auto told = logged.lines("accept");
  REQUIRE(told.size() == 2);
  CHECK(told[0]
        == "error tcp 127.0.0.1:" + std::to_string(number)
             + ": cannot accept a connection, trying again every 5 ms: Too many open files\n");
  CHECK(told[1].starts_with("info tcp 127.0.0.1:" + std::to_string(number)
                            + ": accepts connections again, after "));
}

TEST_CASE("an exception's line names the protocol, its peer and the callback") {
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
  const log_watch logged{server};
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
  const auto told = logged.lines("unhandled");
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
}
