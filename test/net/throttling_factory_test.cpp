#include <troupe/net/throttling_factory.hpp>
#include <troupe/testing/memory_network.hpp>

#include "support/catch.hpp"
#include "support/memory_adaptor.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using list = std::vector<std::string>;

class worker : public protocol, public producer {
public:
  using protocol::protocol;
  void connection_made() override { last = this; }
  void data_received(bytes_view data) override { received += as_text(data); }
  void resume_producing() override { log.emplace_back("resume"); }
  void pause_producing() override { log.emplace_back("pause"); }
  void stop_producing() override { log.emplace_back("stop"); }
  std::string received;
  list log;
  static inline worker* last = nullptr;
};

struct world {
  explicit world(const throttle_limits& limits)
    : f(factory::of<throttling_factory>(factory::for_protocol<worker>(), limits)) {
    net.listen(7, f);
  }
  memory_peer& connect() {
    auto& c = net.connect<memory_peer>(7);
    net.enter(c, [&] { c.transport().resume_producing(); });
    net.flush();
    return c;
  }
  void send(memory_peer& c, std::string_view data) {
    net.enter(c, [&] { c.transport().write(data); });
    net.flush();
  }
  template <class F>
  void as(worker& w, F fn) {
    net.enter(w, [&] { fn(w.transport()); });
    net.flush();
  }
  memory_network net;
  factory_ref f;
};

} // namespace

TEST_CASE("P03: a third connection over a limit of two is closed, until one leaves") {
  world w{{.max_connections = 2}};
  auto& first = w.connect();
  CHECK_FALSE(w.connect().ended);
  CHECK(w.connect().ended);
  w.net.enter(first, [&] { first.transport().lose_connection(); });
  w.net.flush();
  CHECK_FALSE(w.connect().ended);
}

TEST_CASE("35 bytes at 10 bytes a second are read, and then nothing until 3.5 seconds", "[F-Y7]") {
  world w{{.read = 10}};
  auto& c = w.connect();
  auto& p = *worker::last;
  w.send(c, std::string(35, 'x'));
  CHECK(p.received.size() == 35);
  w.net.advance(1s - 1ns);
  w.send(c, ""); // nothing
  w.net.advance(1ns);
  w.send(c, "held");
  CHECK(p.received.size() == 35);
  w.net.advance(2500ms - 1ns);
  CHECK(p.received.size() == 35);
  w.net.advance(1ns);
  CHECK(p.received.ends_with("held"));
}

TEST_CASE("at its limit reading is not throttled") {
  world w{{.read = 10}};
  auto& c = w.connect();
  auto& p = *worker::last;
  for (int second = 0; second < 5; ++second) {
    w.send(c, std::string(10, 'x'));
    w.net.advance(1s);
  }
  w.send(c, "y");
  CHECK(p.received.size() == 51);
}

TEST_CASE("all connections share the limit, and new ones too") {
  world w{{.read = 10}};
  auto& first = w.connect();
  auto& a = *worker::last;
  auto& second = w.connect();
  auto& b = *worker::last;
  w.send(first, std::string(8, 'x'));
  w.send(second, std::string(12, 'x'));
  w.net.advance(1s); // 20 of 10: one second
  w.send(first, "y");
  w.send(second, "y");
  auto& third = w.connect();
  auto& c = *worker::last;
  w.send(third, "y");
  CHECK(a.received.size() + b.received.size() + c.received.size() == 20);
  w.net.advance(1s);
  CHECK(a.received.size() + b.received.size() + c.received.size() == 23);
}

TEST_CASE("what a protocol has paused stays paused when the throttle is opened") {
  world w{{.read = 10}};
  auto& c = w.connect();
  auto& p = *worker::last;
  w.send(c, std::string(20, 'x'));
  w.net.advance(1s);
  w.as(p, [](transport& t) {
    t.pause_producing();
    t.resume_producing(); // the throttle still holds
  });
  w.send(c, "y");
  CHECK(p.received.size() == 20);
  w.as(p, [](transport& t) { t.pause_producing(); });
  w.net.advance(1s);
  CHECK(p.received.size() == 20);
  w.as(p, [](transport& t) { t.resume_producing(); });
  CHECK(p.received.size() == 21);
}

TEST_CASE("over the limit of writing a push producer is paused, and resumed in time", "[F-Y7]") {
  world w{{.write = 10}};
  w.connect();
  auto& p = *worker::last;
  w.as(p, [&](transport& t) {
    t.register_producer(p, true);
    t.write(std::string(35, 'x'));
  });
  w.net.advance(1s);
  CHECK(p.log == list{"pause"});
  w.net.advance(2500ms - 1ns);
  CHECK(p.log == list{"pause"});
  w.net.advance(1ns);
  CHECK(p.log == list{"pause", "resume"});
}

TEST_CASE("a producer is resumed only when neither the throttle nor the transport holds it") {
  world w{{.write = 10}};
  auto& c = w.connect();
  w.net.enter(c, [&] { c.transport().pause_producing(); });
  auto& p = *worker::last;
  w.as(p, [&](transport& t) {
    t.register_producer(p, true);
    t.write(std::string(200'000, 'x')); // more than the peer takes
  });
  CHECK(p.log == list{"pause"});
  w.net.advance(1s); // 20,000 seconds of throttling begin
  CHECK(p.log == list{"pause"});
  w.net.enter(c, [&] { c.transport().resume_producing(); });
  w.net.flush();
  CHECK(p.transport().unsent() == 0);
  CHECK(p.log == list{"pause"});
  w.net.advance(20'000s);
  CHECK(p.log == list{"pause", "resume"});
}

TEST_CASE("over the limit of writing a pull producer is not asked until it is time") {
  world w{{.write = 10}};
  w.connect();
  auto& p = *worker::last;
  w.as(p, [&](transport& t) {
    t.register_producer(p, false);
    t.write(std::string(20, 'x'));
  });
  CHECK(p.log == list{"resume", "resume"});
  w.as(p, [](transport& t) { t.write(std::string(20, 'x')); });
  CHECK(p.log.size() == 3);
  w.net.advance(1s); // 40 of 10: three seconds
  w.as(p, [](transport& t) { t.write("y"); });
  CHECK(p.log.size() == 3);
  w.net.advance(3s - 1ns);
  CHECK(p.log.size() == 3);
  w.net.advance(1ns);
  CHECK(p.log.size() == 4);
}

TEST_CASE("a producer that is registered while writing is throttled is paused at once") {
  world w{{.write = 10}};
  w.connect();
  auto& p = *worker::last;
  w.as(p, [&](transport& t) { t.write(std::string(20, 'x')); });
  w.net.advance(1s);
  w.as(p, [&](transport& t) { t.register_producer(p, true); });
  CHECK(p.log == list{"pause"});
  w.net.advance(1s);
  CHECK(p.log == list{"pause", "resume"});
}

TEST_CASE("with its last connection the throttle's timers end") {
  world w{{.read = 10, .write = 10}};
  auto& c = w.connect();
  w.net.enter(c, [&] { c.transport().lose_connection(); });
  w.net.flush();
  w.net.advance(1s);
  CHECK(w.net.rt.scheduler().loop(0).timers().empty());
  auto& again = w.connect(); // and begin with the next
  w.send(again, std::string(20, 'x'));
  w.net.advance(1s);
  w.send(again, "y");
  CHECK(worker::last->received.size() == 20);
}
