#include <stdexcept>
#include <string>
#include <vector>

#include <caf/send.hpp>

#include <troupe/testing/connected_pair.hpp>
#include <troupe/testing/memory_network.hpp>
#include <troupe/testing/protocol_fixture.hpp>
#include <troupe/testing/string_transport.hpp>

#include "support/catch.hpp"

using namespace troupe;
using testing::producer_state;
using testing::string_transport;

namespace {

struct counting_producer : producer {
  void resume_producing() override { ++resumed; }
  void stop_producing() override { ++stopped; }
  int resumed = 0, stopped = 0;
};

class echo : public protocol {
public:
  using protocol::protocol;
  void connection_made() override { transport().write("hello "); }
  void data_received(bytes_view data) override {
    if (as_text(data) == "throw")
      throw std::runtime_error("boom");
    CHECK(event_loop::current() == &loop());
    transport().write(data);
  }
  void connection_lost(const failure& why) override { reasons.push_back(why); }
  std::vector<failure> reasons;
};

} // namespace

TEST_CASE("a string transport remembers what is written, in order") {
  string_transport t;
  t.write("a");
  t.write_sequence({"b", "c"});
  t.write(shared_bytes{std::string_view{"d"}});
  CHECK(t.value() == "abcd");
  t.clear();
  CHECK(t.value().empty());
}

TEST_CASE("a string transport has addresses") {
  string_transport t;
  CHECK(t.get_peer().to_string() == "192.168.1.1:54321");
  CHECK(t.get_host().to_string() == "10.0.0.1:12345");
  t.set_peer({net_address::kind::ipv6, "::1", 7});
  CHECK(t.get_peer().to_string() == "[::1]:7");
}

TEST_CASE("a string transport refuses writes after its end was asked for") {
  string_transport t;
  const bool abort = GENERATE(false, true);
  abort ? t.abort_connection() : t.lose_connection();
  CHECK(t.disconnecting());
  CHECK(t.aborting() == abort);
  CHECK(t.connected());
  t.write("late");
  CHECK(t.value().empty());
  CHECK(t.refused_writes() == 1);
}

TEST_CASE("a string transport shows whether reading is paused") {
  string_transport t;
  CHECK(t.producer_state() == producer_state::producing);
  t.pause_producing();
  CHECK(t.producer_state() == producer_state::paused);
  t.resume_producing();
  CHECK(t.producer_state() == producer_state::producing);
  t.stop_producing();
  t.resume_producing();
  CHECK(t.producer_state() == producer_state::stopped);
}

TEST_CASE("a string transport holds one producer, and stops it when it closes") {
  string_transport t;
  counting_producer p;
  t.register_producer(p, true);
  CHECK(t.registered_producer() == &p);
  CHECK(t.streaming());
  CHECK_THROWS_AS(t.register_producer(p, true), std::logic_error);
  t.lose_connection();
  t.write("last"); // as long as the producer is registered
  CHECK(t.value() == "last");
  t.close();
  CHECK(p.stopped == 1);
  t.register_producer(p, true);
  CHECK(p.stopped == 2);
}

TEST_CASE("a protocol runs on a string transport") {
  testing::protocol_fixture<echo> t;
  t.deliver("world");
  CHECK(t.transport.value() == "hello world");
  t.lose();
  CHECK_FALSE(t->connected());
  REQUIRE(t->reasons.size() == 1);
  CHECK(t->reasons[0].check(errc::connection_done));
  t.deliver("late");
  CHECK(t.transport.value() == "hello world");
}

TEST_CASE("an exception in a protocol ends its string transport") {
  testing::protocol_fixture<echo> t;
  testing::logged_errors errors{t.rt};
  t.deliver("throw");
  CHECK(errors.flush<std::runtime_error>().size() == 1);
  CHECK_FALSE(t.transport.connected());
  REQUIRE(t->reasons.size() == 1);
  CHECK(t->reasons[0].message() == "boom");
}

TEST_CASE("data that comes in pieces is delivered in pieces") {
  testing::protocol_fixture<echo> t;
  t.deliver_in_pieces("abcdefg", 3);
  CHECK(t.transport.writes() == 1 + 3);
  CHECK(t.transport.value() == "hello abcdefg");
}

TEST_CASE("a protocol on a string transport gets messages when the test settles") {
  struct listener : protocol {
    using protocol::protocol;
    caf::behavior make_behavior() override {
      return {[this](const std::string& text) {
        transport().write(text);
      }};
    }
  };
  testing::protocol_fixture<listener> t;
  caf::anon_send(t.actor(), std::string{"by message"});
  CHECK(t.transport.value().empty());
  t.settle();
  CHECK(t.transport.value() == "by message");
}

TEST_CASE("a string transport carries no descriptors, and closes what it is given") {
  string_transport t;
  auto copy = file_descriptor::duplicate(0);
  const int number = copy.get();
  CHECK(t.send_file_descriptor(std::move(copy)) == errc::not_supported);
  CHECK(file_descriptor::duplicate(0).get() == number); // the lowest that is free
}

TEST_CASE("a descriptor has one owner") {
  file_descriptor none;
  CHECK_FALSE(none);
  CHECK(none.get() == -1);
  CHECK_THROWS_AS(file_descriptor::duplicate(-1), std::system_error);
  auto a = file_descriptor::duplicate(0);
  auto b = file_descriptor::duplicate(0);
  const int first = a.get();
  const int second = b.get();
  a = std::move(b); // closes what it had
  CHECK(a.get() == second);
  CHECK_FALSE(b);
  CHECK(file_descriptor::duplicate(0).get() == first);
  const int released = a.release();
  CHECK_FALSE(a);
  file_descriptor{released};
  CHECK_THROWS_AS(file_descriptor::duplicate(released), std::system_error);
}

namespace {

class clocked : public protocol {
public:
  explicit clocked(caf::actor_config& cfg) : protocol(cfg), made_at(event_loop::now()) {}
  const time_point made_at;
};

} // namespace

TEST_CASE("the constructor of a protocol in a fixture sees the time of the test") {
  CHECK(testing::protocol_fixture<clocked> {} -> made_at == time_point{});
  const testing::connected_pair<clocked, clocked> both;
  CHECK(both.client().made_at == time_point{});
  CHECK(both.server().made_at == time_point{});
  testing::memory_network net;
  net.listen(7, factory::for_protocol<clocked>());
  net.advance(std::chrono::seconds(2));
  CHECK(net.connect<clocked>(7).made_at == time_point{std::chrono::seconds(2)});
}
