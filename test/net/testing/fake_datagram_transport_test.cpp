#include <stdexcept>
#include <string>
#include <vector>

#include <caf/send.hpp>

#include <troupe/testing/datagram_fixture.hpp>
#include <troupe/testing/fake_datagram_transport.hpp>

#include "support/catch.hpp"

using namespace troupe;
using testing::datagram_fixture;
using testing::fake_datagram_transport;
using testing::logged_errors;

namespace {

const auto peer = net_address::ip("10.0.0.2", 7);
const auto other = net_address::ip("10.0.0.3", 7);

class echo : public datagram_protocol {
public:
  using datagram_protocol::datagram_protocol;
  caf::behavior make_behavior() override {
    return {[this](const std::string& text) {
      if (text == "throw")
        throw std::runtime_error("boom");
      last = transport().write(text, peer);
    }};
  }
  void start_protocol() override { ++started; }
  void stop_protocol() override {
    ++stopped;
    last = transport().write("late", peer);
  }
  void connection_refused() override { ++refused; }
  void datagram_received(bytes_view data, const net_address& from) override {
    CHECK(event_loop::current() == &loop());
    const auto text = as_text(data);
    if (text == "throw")
      throw std::runtime_error("boom");
    if (text == "quit")
      return quit();
    if (text == "stop")
      transport().stop_listening().add_callback([this] { ++told_stopped; });
    last = transport().write(data, from);
  }

  int started = 0, stopped = 0, refused = 0, told_stopped = 0;
  std::error_code last;
};

} // namespace

TEST_CASE("a fake datagram transport remembers what is written, and to whom") {
  fake_datagram_transport t;
  CHECK_FALSE(t.write("a", peer));
  CHECK_FALSE(t.write("", other));
  CHECK(t.written() == std::vector<fake_datagram_transport::datagram>{{"a", peer}, {"", other}});
  t.clear();
  CHECK(t.written().empty());
  CHECK(t.counters().sent == 2);
}

TEST_CASE("U06, U07, U11: a fake datagram transport refuses what a real one does") {
  fake_datagram_transport t;
  CHECK(t.write(std::string(70000, 'x'), peer) == errc::message_too_long);
  CHECK(t.write("x", net_address::ip("localhost", 7)) == errc::invalid_address);
  CHECK(t.write("x", net_address::ip("::1", 7)) == errc::invalid_address);
  CHECK(t.write("x", net_address::ip("10.0.0.2", 0)) == errc::invalid_address);
  CHECK(t.write("x", net_address::ip("<broadcast>", 7)) == std::errc::permission_denied);
  CHECK_FALSE(t.set_broadcast_allowed(true));
  CHECK_FALSE(t.write("x", net_address::ip("<broadcast>", 7)));
  t.fail_writes(errc::queue_overflow);
  CHECK(t.write("x", peer) == errc::queue_overflow);
  t.close();
  CHECK(t.write("x", peer) == errc::not_listening);
  CHECK(t.counters().refused == 7);
}

TEST_CASE("a fake datagram transport can be connected, once") {
  fake_datagram_transport t;
  CHECK_THROWS_AS(t.write("x"), std::logic_error);
  CHECK(t.connect(net_address::ip("localhost", 7)) == errc::invalid_address);
  CHECK_FALSE(t.connect(peer));
  CHECK(t.get_peer() == peer);
  CHECK_THROWS_AS(t.connect(peer), std::logic_error);
  CHECK_THROWS_AS(t.write("x", other), std::logic_error);
  CHECK_FALSE(t.write("x"));
  CHECK_FALSE(t.write("y", peer));
  CHECK(t.written().size() == 2);
}

TEST_CASE("U14: a fake datagram transport knows its groups") {
  fake_datagram_transport t;
  std::vector<bool> results;
  const auto note = [&](chained<void> d) {
    std::move(d).add_callbacks([&] { results.push_back(true); },
                               [&](const failure& f) {
                                 CHECK(f.check(errc::multicast_failed));
                                 results.push_back(false);
                               });
  };
  note(t.join_group("228.0.0.5"));
  note(t.join_group("228.0.0.5"));
  note(t.join_group("228.0.0.5", "eth0"));
  note(t.join_group("127.0.0.1"));
  note(t.leave_group("228.0.0.6"));
  note(t.leave_group("228.0.0.5", "eth0"));
  CHECK(results == std::vector<bool>{true, false, true, false, false, true});
  CHECK(t.groups() == std::vector<fake_datagram_transport::membership>{{"228.0.0.5", ""}});
  CHECK(t.set_ttl(256) == errc::invalid_argument);
}

TEST_CASE("U01: a protocol runs on a fake datagram transport, and again after its stop") {
  datagram_fixture<echo> t;
  t.deliver("hello", peer);
  CHECK(t.transport.written().at(0).data == "hello");
  CHECK(t.transport.written().at(0).to == peer);
  t.stop();
  CHECK(t->stopped == 1);
  CHECK(t->last == errc::not_listening);
  t.deliver("unheard", peer);
  t.start();
  t.deliver("again", peer);
  CHECK(t->started == 2);
  CHECK(t.transport.written().size() == 2);
}

TEST_CASE("U05: an exception in datagram_received does not end the protocol") {
  datagram_fixture<echo> t;
  logged_errors errors{t.rt};
  t.deliver("throw", peer);
  CHECK(errors.flush<std::runtime_error>().size() == 1);
  t.deliver("hello", peer);
  CHECK(t.transport.written().size() == 1);
  CHECK(t->stopped == 0);
}

TEST_CASE("an exception in a message handler ends the protocol, and closes the port") {
  datagram_fixture<echo> t;
  logged_errors errors{t.rt};
  caf::anon_send(t.actor(), std::string("by message"));
  caf::anon_send(t.actor(), std::string("throw"));
  caf::anon_send(t.actor(), std::string("too late"));
  t.settle();
  CHECK(t.transport.written().size() == 1);
  CHECK(t->stopped == 1);
  CHECK_FALSE(t.transport.listening());
  CHECK(errors.flush<std::runtime_error>().size() == 1);
}

TEST_CASE("a protocol that quits is stopped, once") {
  datagram_fixture<echo> t;
  t.deliver("quit", peer);
  CHECK(t->stopped == 1);
  t.deliver("unheard", peer);
  t.stop();
  CHECK(t->stopped == 1);
}

TEST_CASE("U09: a refusal is told, and the port stays open") {
  datagram_fixture<echo> t;
  t.refuse();
  CHECK(t->refused == 1);
  t.deliver("hello", peer);
  CHECK(t.transport.written().size() == 1);
}

TEST_CASE("U10: stop_listening fires when the protocol is stopped, and refuses writes at once") {
  datagram_fixture<echo> t;
  t.deliver("stop", peer);
  CHECK(t.transport.stopping());
  CHECK(t->last == errc::not_listening);
  CHECK(t->told_stopped == 0);
  CHECK(t->stopped == 0);
  t.stop();
  CHECK(t->stopped == 1);
  CHECK(t->told_stopped == 1);
}

TEST_CASE("a fake datagram transport stands for a UNIX port if its own address is a path") {
  const auto path = net_address::path("/run/peer");
  datagram_fixture<echo> t;
  t.stop();
  t.transport.set_host(net_address::path("/run/port"));
  t.start();
  t.deliver("hello", path);
  CHECK(t.transport.written() == std::vector<fake_datagram_transport::datagram>{{"hello", path}});
  t.deliver("from nobody", net_address::path(""));
  CHECK(t->last == errc::invalid_address);
  auto& u = t.transport;
  CHECK(u.write("x", peer) == errc::invalid_address);
  CHECK(u.write("x", net_address::path(std::string(200, 'x'))) == errc::invalid_address);
  CHECK_FALSE(u.write("x", net_address::path("@name")));
  CHECK_FALSE(u.write(std::string(70000, 'x'), path));
  CHECK(u.write(std::string(300'000, 'x'), path) == errc::message_too_long);
  CHECK(u.set_broadcast_allowed(true) == errc::not_supported);
  t.enter([&] { CHECK_THROWS_AS(t->multicast(), std::logic_error); });
  CHECK_FALSE(u.connect(path));
  CHECK_FALSE(u.write("y"));
  CHECK(u.written().back().to == path);
}
