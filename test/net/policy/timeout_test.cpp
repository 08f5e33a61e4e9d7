#include <asio/post.hpp>

#include <troupe/net/line_receiver.hpp>
#include <troupe/net/timeout_factory.hpp>
#include <troupe/net/timeout_mixin.hpp>
#include <troupe/testing/connected_pair.hpp>
#include <troupe/testing/memory_network.hpp>
#include <troupe/testing/protocol_fixture.hpp>

#include "support/catch.hpp"
#include "support/memory_adaptor.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

class patient : public timeout_mixin<line_receiver> {
public:
  using timeout_mixin::timeout_mixin;
  void connection_made() override { set_timeout(3s); }
  void line_received(std::string_view) override { reset_timeout(); }
  void connection_lost(const failure& why) override { reasons.push_back(why); }
  std::vector<failure> reasons;
};

class told : public timeout_mixin<> {
public:
  using timeout_mixin::timeout_mixin;
  void timeout_connection() override { ++times; }
  int times = 0;
};

struct quiet : protocol {
  using protocol::protocol;
  void connection_made() override { last = this; }
  void connection_lost(const failure& why) override { reason = why; }
  failure reason;
  static inline quiet* last = nullptr;
};

} // namespace

TEST_CASE("P06: a protocol that does not reset its time-out is closed when it has passed") {
  protocol_fixture<patient> t;
  t.advance(3s - 1ns);
  CHECK_FALSE(t.transport.disconnecting());
  t.advance(1ns);
  CHECK(t.transport.disconnecting());
  CHECK_FALSE(t.transport.aborting());
  t.lose();
  REQUIRE(t->reasons.size() == 1);
  CHECK(t->reasons[0].check(errc::idle_timed_out));
}

TEST_CASE("P06: a reset begins the time anew") {
  protocol_fixture<patient> t;
  t.advance(2500ms);
  t.deliver("line\r\n");
  t.advance(2999ms);
  CHECK_FALSE(t.transport.disconnecting());
  t.advance(1ms);
  CHECK(t.transport.disconnecting());
}

TEST_CASE("P06: setting a time-out tells the one before, and none turns it off") {
  protocol_fixture<told> t;
  t.enter([&] {
    CHECK(t->set_timeout(5s) == std::nullopt);
    CHECK(t->set_timeout(10s) == 5s);
    CHECK(t->set_timeout(std::nullopt) == 10s);
    CHECK(t->set_timeout(1s) == std::nullopt);
    CHECK(t->timeout() == 1s);
    CHECK_THROWS_AS(t->set_timeout(-1s), std::logic_error);
    t->set_timeout(std::nullopt);
    t->reset_timeout();
  });
  t.advance(15s);
  CHECK(t->times == 0);
  t.enter([&] { t->set_timeout(2s); });
  t.advance(2s);
  CHECK(t->times == 1);
  t.enter([&] { t->reset_timeout(); }); // it has passed
  t.advance(15s);
  CHECK(t->times == 1);
}

TEST_CASE("a time-out never comes after the end of its protocol") {
  protocol_fixture<told> t;
  t.enter([&] { t->set_timeout(1s); });
  t.lose();
  t.advance(5s);
  CHECK(t->times == 0);
  CHECK(t.rt.scheduler().loop(0).timers().empty());
}

TEST_CASE("P05: a wrapped connection ends when nothing was read or written for some time") {
  memory_network net;
  net.listen(7, factory::of<timeout_factory>(factory::for_protocol<quiet>(), 3s));
  auto& c = net.connect<memory_peer>(7);
  net.enter(c, [&] { c.transport().resume_producing(); });
  auto& p = *quiet::last;
  const std::string what = GENERATE("nothing", "write", "write shared", "write_sequence", "read");
  net.advance(1500ms);
  net.enter(p, [&] {
    if (what == "write")
      p.transport().write("x");
    else if (what == "write shared")
      p.transport().write(shared_bytes{std::string_view{"x"}});
    else if (what == "write_sequence")
      p.transport().write_sequence({"x", "y"});
  });
  if (what == "read")
    net.enter(c, [&] { c.transport().write("x"); });
  net.flush();
  if (what == "nothing") {
    net.advance(1499ms);
    CHECK_FALSE(c.ended);
    net.advance(1ms);
  } else {
    net.advance(2999ms);
    CHECK_FALSE(c.ended);
    net.advance(1ms);
  }
  CHECK(c.ended);
  CHECK_FALSE(c.broken);
  CHECK(p.reason.check(errc::idle_timed_out));
}

TEST_CASE("P05: the time-out is half an hour unless told otherwise") {
  memory_network net;
  net.listen(7, factory::of<timeout_factory>(factory::for_protocol<quiet>()));
  auto& c = net.connect<memory_peer>(7);
  net.enter(c, [&] { c.transport().resume_producing(); });
  net.advance(1800s - 1ns);
  CHECK_FALSE(c.ended);
  net.advance(1ns);
  CHECK(c.ended);
}

TEST_CASE("a connection whose peer does not read is aborted when the time has passed twice") {
  memory_network net;
  net.listen(7, factory::of<timeout_factory>(factory::for_protocol<quiet>(), 3s));
  net.connect<memory_peer>(7); // which does not read
  auto& p = *quiet::last;
  net.enter(p, [&] { p.transport().write(std::string(1'000'000, 'x')); });
  net.advance(3s);
  REQUIRE(p.connected());
  CHECK(p.transport().disconnecting());
  net.enter(p, [&] { p.transport().write("refused, and so no sign of life"); });
  net.advance(3s - 1ns);
  CHECK(p.connected());
  net.advance(1ns);
  CHECK_FALSE(p.connected());
  CHECK(p.reason.check(errc::idle_timed_out));
}

TEST_CASE("a connection whose peer reads slowly is left to close in its own time") {
  memory_network net;
  net.listen(7, factory::of<timeout_factory>(factory::for_protocol<quiet>(), 3s));
  auto& c = net.connect<memory_peer>(7);
  auto& p = *quiet::last;
  net.enter(p, [&] {
    p.transport().write(std::string(500'000, 'x'));
    p.transport().lose_connection();
  });
  int waits = 0;
  for (; !c.ended && waits < 100; ++waits) {
    net.enter(c, [&] { c.transport().resume_producing(); });
    net.pump();
    net.pump();
    net.enter(c, [&] { c.transport().pause_producing(); });
    net.rt.advance(3s);
  }
  CHECK(waits > 3);
  CHECK(c.received.size() == 500'000);
  CHECK(p.reason.check(errc::connection_done));
}

namespace {

/// Holds reading when it is told to, as a throttle does.
class holder : public protocol_wrapper {
public:
  holder() { last = this; }
  void hold(bool on) {
    on ? inner().pause_producing() : inner().resume_producing();
    protocol_wrapper::reading_held(on);
  }
  static inline holder* last = nullptr;
};

class holding : public wrapping_factory {
public:
  using wrapping_factory::wrapping_factory;
  std::unique_ptr<protocol_wrapper> make_wrapper() override { return std::make_unique<holder>(); }
};

struct timed {
  timed() {
    net.listen(
      7, factory::of<holding>(factory::of<timeout_factory>(factory::for_protocol<quiet>(), 10s)));
    peer = &net.connect<memory_peer>(7);
    server = quiet::last;
  }
  template <class F>
  void as_server(F fn) {
    net.enter(*server, fn);
    net.flush();
  }
  memory_network net;
  memory_peer* peer;
  quiet* server;
};

} // namespace

TEST_CASE("a peer whose input a policy holds is not closed as silent") {
  timed t;
  t.net.advance(9s);
  t.as_server([&] { holder::last->hold(true); });
  for (int i = 0; i < 10; ++i)
    t.net.advance(10s);
  CHECK(t.server->connected());
  t.as_server([&] { holder::last->hold(false); });
  t.net.advance(10s - 1ns);
  CHECK(t.server->connected());
  t.net.advance(1ns);
  CHECK_FALSE(t.server->connected());
}

TEST_CASE("a peer that its protocol does not read from is not closed as silent") {
  timed t;
  t.as_server([&] { t.server->transport().pause_producing(); });
  for (int i = 0; i < 10; ++i)
    t.net.advance(10s);
  CHECK(t.server->connected());
  t.as_server([&] { t.server->transport().resume_producing(); });
  t.net.advance(10s);
  CHECK_FALSE(t.server->connected());
}

TEST_CASE("a peer that takes nothing of what it is sent is closed, though its input is held") {
  timed t;
  t.as_server([&] {
    t.server->transport().pause_producing();
    t.server->transport().write(std::string(200'000, 'x')); // more than the peer takes
  });
  for (int i = 0; i < 4; ++i)
    t.net.advance(10s);
  CHECK_FALSE(t.server->connected());
  CHECK(t.server->reason.check(errc::idle_timed_out));
}

TEST_CASE("a peer is not called silent before all that came during a pause is handed out") {
  protocol_fixture<told> t;
  t->set_timeout(1s);
  SECTION("it spoke: what it said comes behind that of many others") {
    for (int i = 0; i < 300; ++i) // more than a loop takes in one turn
      asio::post(t.rt.scheduler().loop(0).io(), [&, i] {
        if (i == 299)
          t->reset_timeout();
      });
    t.advance(2s);
    CHECK(t->times == 0);
    t.advance(999ms);
    CHECK(t->times == 0);
    t.advance(1ms);
    CHECK(t->times == 1);
  }
  SECTION("it said nothing") {
    for (int i = 0; i < 300; ++i)
      asio::post(t.rt.scheduler().loop(0).io(), [] {});
    t.advance(2s);
    CHECK(t->times == 1);
  }
}
