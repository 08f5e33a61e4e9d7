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
  CHECK(p.log == list{"resume"}); // a second's worth was written, and more
  w.net.advance(1s);              // 20 of 10: one second
  CHECK(p.log == list{"resume"});
  w.net.advance(1s - 1ns);
  CHECK(p.log == list{"resume"});
  w.net.advance(1ns);
  CHECK(p.log == list{"resume", "resume"});
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

TEST_CASE("what one peer takes beyond its part it pays for, and nobody else does") {
  world w{{.read = 10}};
  auto& loud = w.connect();
  auto& a = *worker::last;
  w.net.set_client_host("127.0.0.2");
  auto& other = w.connect();
  auto& b = *worker::last;
  w.send(loud, std::string(1000, 'x'));
  w.send(loud, "y");
  w.send(other, "hello");
  CHECK(b.received == "hello");
  w.net.advance(1s);
  w.send(other, "again");
  CHECK(b.received == "helloagain");
  for (int second = 1; second < 60; ++second)
    w.net.advance(1s);
  CHECK(a.received.size() == 1000);
  w.send(other, "still");
  CHECK(b.received.size() == 15);
  w.net.advance(100s); // 1001 bytes, and what the other took: a hundred seconds and one or two
  CHECK(a.received.size() == 1001);
}

TEST_CASE("to connect anew does not pay what a peer owes, and others owe nothing") {
  world w{{.read = 10}};
  auto& first = w.connect();
  w.send(first, std::string(100, 'x'));
  w.as(*worker::last, [](transport& t) { t.lose_connection(); });
  auto& second = w.connect();
  auto& a = *worker::last;
  w.send(second, "held");
  w.net.set_client_host("127.0.0.2");
  auto& other = w.connect();
  auto& b = *worker::last;
  w.send(other, "heard");
  CHECK(b.received == "heard");
  w.net.advance(9s);
  CHECK(a.received.empty());
  w.net.advance(3s);
  CHECK(a.received == "held");
}

TEST_CASE("a debt is paid while nobody is connected") {
  world w{{.read = 10}};
  auto& first = w.connect();
  w.send(first, std::string(100, 'x'));
  w.as(*worker::last, [](transport& t) { t.lose_connection(); });
  w.net.advance(1s);
  w.net.advance(10s);
  CHECK(w.net.rt.scheduler().loop(0).timers().empty());
  auto& second = w.connect();
  w.send(second, "heard");
  CHECK(worker::last->received == "heard");
}

TEST_CASE("who takes a second's worth at once waits for the next look") {
  world w{{.read = 10}};
  auto& c = w.connect();
  auto& p = *worker::last;
  w.send(c, std::string(10, 'x'));
  w.send(c, "held");
  CHECK(p.received.size() == 10);
  w.net.advance(1s);
  CHECK(p.received.size() == 14);
}

TEST_CASE("what those who take little leave is shared by those who take much") {
  world w{{.read = 100}};
  auto& small = w.connect();
  w.net.set_client_host("127.0.0.2");
  auto& large = w.connect();
  auto& b = *worker::last;
  w.net.set_client_host("127.0.0.3");
  auto& larger = w.connect();
  auto& c = *worker::last;
  w.send(small, std::string(20, 'x'));
  w.send(large, std::string(80, 'x'));  // 40 too many: one second of its part
  w.send(larger, std::string(90, 'x')); // 50 too many: one second and a quarter
  w.net.advance(1s);
  w.send(large, "y");
  w.send(larger, "y");
  w.net.advance(900ms);
  CHECK(b.received.size() == 80);
  CHECK(c.received.size() == 90);
  w.net.advance(100ms);
  CHECK(b.received.size() == 81);
  CHECK(c.received.size() == 91); // the small one took nothing meanwhile
}
