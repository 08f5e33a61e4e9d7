// Outgoing connections over real sockets.

#include <troupe/net/connect_tcp.hpp>

#include <future>

#include <sys/socket.h>

#include <troupe/net/connect_ssl.hpp>
#include <troupe/net/net_children.hpp>
#include <troupe/net/resolver.hpp>
#include <troupe/net/ssl_endpoint.hpp>
#include <troupe/net/tcp_endpoint.hpp>
#include <troupe/net/unix_endpoint.hpp>
#include <troupe/testing/memory_resolver.hpp>

#include "support/caller.hpp"
#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/echo.hpp"
#include "support/running.hpp"
#include "support/text.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

TEST_CASE("a client connects, talks, and is told of the end", "[client][T01]") {
  const std::size_t loops = GENERATE(1, 4);
  const auto before = open_descriptors();
  {
    events told;
    running r{loops};
    const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host();
    const auto c = connect_tcp(r.rt, "127.0.0.1", port.port(), reports(told));
    CHECK(c.get_state() == connector::state::connecting); // and waits for run()
    CHECK(told.all().empty());
    r.start();
    REQUIRE(told.wait(7));
    CHECK(told.all()
          == std::vector<std::string>{"start", "connecting to " + port.to_string(), "made", "hello",
                                      "lost: the connection was closed cleanly",
                                      "gone: the connection was closed cleanly", "stop"});
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a port where nobody listens refuses, and the text says which", "[client][T04]") {
  events told;
  running r{1};
  const auto port = closed_port();
  connect_tcp(r.rt, "127.0.0.1", port, reports(told));
  r.start();
  REQUIRE(told.wait(4));
  CHECK(client_reporter::last.check(errc::connection_refused));
  CHECK(told.all()[2]
        == "failed: 127.0.0.1:" + std::to_string(port) + ": the connection was refused");
  CHECK(told.all()[3] == "stop");
}

TEST_CASE("connecting again from inside the callbacks works", "[client][T06]") {
  const std::size_t loops = GENERATE(1, 4);
  events told;
  events refused;
  running r{loops};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  int lost = 0;
  connect_tcp(r.rt, "127.0.0.1", port, reports(told, {.on_lost = [&](connector& c) {
                                                 if (++lost < 3)
                                                   c.connect();
                                               }}));
  r.start();
  REQUIRE(told.wait(17));
  CHECK(told.count("made") == 3);
  CHECK(told.count("start") == 1);
  CHECK(told.count("stop") == 1);
  CHECK(told.all().back() == "stop");

  int failed = 0;
  const auto nobody = closed_port();
  r.rt.reactor().call_from_thread([&] {
    connect_tcp(r.rt, "127.0.0.1", nobody, reports(refused, {.on_failed = [&](connector& c) {
                                                     if (++failed < 100)
                                                       c.connect();
                                                   }}));
  });
  REQUIRE(refused.wait(202));
  CHECK(failed == 100);
}

TEST_CASE("an attempt that is stopped fails as cancelled, and nothing follows", "[client][T07]") {
  events told;
  const auto names = std::make_shared<memory_resolver>();
  names->hold();
  std::function<void(connector)> stop_once_asked;
  events done;
  running r{1};
  stop_once_asked = [&](connector c) {
    r.rt.reactor().call_later(
      1ms, [&, c]() mutable { names->waiting() == 1 ? c.stop_connecting() : stop_once_asked(c); });
  };
  connector c = connect_tcp(r.rt, "far.example", 1, reports(told, {.on_started = stop_once_asked}),
                            {.names = names});
  r.start();
  REQUIRE(told.wait(4));
  CHECK(client_reporter::last.check(errc::cancelled));
  CHECK(names->waiting() == 1);
  r.rt.reactor().call_from_thread([&] {
    names->answer(); // too late
    CHECK_THROWS_AS(c.stop_connecting(), std::logic_error);
    CHECK_NOTHROW(c.disconnect());
    done.add("");
  });
  REQUIRE(done.wait(1));
  CHECK(told.all().size() == 4);
}

TEST_CASE("an attempt may be stopped as it begins", "[client][T08]") {
  events told;
  running r{1};
  connect_tcp(r.rt, "127.0.0.1", closed_port(), reports(told, {.on_started = [](connector& c) {
                                                          c.stop_connecting();
                                                        }}));
  r.start();
  REQUIRE(told.wait(4));
  CHECK(client_reporter::last.check(errc::cancelled));
  CHECK(told.all().back() == "stop");
}

TEST_CASE("a peer that does not answer is given up in time", "[client][T05]") {
  // A listen queue that is full answers no more connects.
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
  REQUIRE(::listen(fd, 0) == 0);
  socklen_t size = sizeof at;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
  std::vector<int> fillers;
  for (int i = 0; i < 4; ++i) {
    const int filler = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    static_cast<void>(::connect(filler, reinterpret_cast<const sockaddr*>(&at), sizeof at));
    fillers.push_back(filler);
  }
  const auto before = open_descriptors();
  {
    events told;
    running r{1};
    connect_tcp(r.rt, "127.0.0.1", ntohs(at.sin_port), reports(told), {.timeout = 100ms});
    const auto begun = std::chrono::steady_clock::now();
    r.start();
    REQUIRE(told.wait(4));
    CHECK(std::chrono::steady_clock::now() - begun >= 100ms);
    CHECK(client_reporter::last.check(errc::timed_out));
    CHECK(contains(told.all()[2], "127.0.0.1:" + std::to_string(ntohs(at.sin_port))));
  }
  CHECK(open_descriptors() == before);
  for (const int filler : fillers)
    ::close(filler);
  ::close(fd);
}

TEST_CASE("a negative time is refused where it is given, and nothing begins", "[client]") {
  events told;
  running r{1};
  auto& rt = r.rt;
  const auto refused = [&](const connect_options& o) {
    const tls_client_context tls{{.verify = false}};
    const unix_connect_options u{.timeout = o.timeout};
    CHECK_THROWS_AS(connect_tcp(rt, "127.0.0.1", 1, reports(told), o), std::logic_error);
    CHECK_THROWS_AS(connect_ssl(rt, "127.0.0.1", 1, reports(told), tls, o), std::logic_error);
    CHECK_THROWS_AS((tcp_client_endpoint{rt, "127.0.0.1", 1, o}), std::logic_error);
    CHECK_THROWS_AS((ssl_client_endpoint{rt, "127.0.0.1", 1, tls, o}), std::logic_error);
    CHECK_THROWS_AS(connector_child(rt, "", "127.0.0.1", 1, reports(told), o), std::logic_error);
    CHECK_THROWS_AS(ssl_connector_child(rt, "", "127.0.0.1", 1, reports(told), tls, o),
                    std::logic_error);
    if (o.timeout >= duration::zero())
      return;
    CHECK_THROWS_AS(connect_unix(rt, "/nowhere", reports(told), u), std::logic_error);
    CHECK_THROWS_AS((unix_client_endpoint{rt, "/nowhere", u}), std::logic_error);
    CHECK_THROWS_AS(unix_connector_child(rt, "", "/nowhere", reports(told), u), std::logic_error);
  };
  SECTION("before the runtime runs") {
    refused({.timeout = -1ns});
    refused({.attempt_delay = -1ns});
    r.start();
  }
  SECTION("while it runs") {
    r.start();
    std::promise<void> done;
    rt.reactor().call_from_thread([&] {
      refused({.timeout = -1ns});
      refused({.attempt_delay = -1ns});
      done.set_value();
    });
    done.get_future().wait();
  }
  r.stop();
  CHECK(told.all().empty());
}

TEST_CASE("a factory that builds no protocol fails the connection", "[client][F-Y2]") {
  events told;
  running r{2};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  connect_tcp(r.rt, "127.0.0.1", port, reports(told, {.builds = false}));
  r.start();
  REQUIRE(told.wait(4));
  CHECK(client_reporter::last.check(errc::no_protocol));
}

TEST_CASE("the local end can be chosen", "[client][T03]") {
  class whoami : public protocol {
  public:
    using protocol::protocol;
    void connection_made() override {
      transport().write(transport().get_peer().host());
      transport().lose_connection();
    }
  };
  class listener : public protocol {
  public:
    listener(caf::actor_config& cfg, events& told) : protocol(cfg), told_(told) {}
    void data_received(bytes_view data) override { told_.add(std::string(as_text(data))); }

  private:
    events& told_;
  };
  events told;
  events failed;
  events nonsense;
  running r{2};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<whoami>()).get_host().port();
  connect_tcp(r.rt, "127.0.0.1", port, client_factory::for_protocol<listener>(std::ref(told)),
              {.bind_address = "127.0.0.5"});
  connect_tcp(r.rt, "127.0.0.1", port, reports(failed), {.bind_address = "192.0.2.1"});
  r.start();
  REQUIRE(told.wait(1));
  CHECK(told.all()[0] == "127.0.0.5");
  REQUIRE(failed.wait(4));
  CHECK(client_reporter::last.check(errc::bind_failed));
  r.rt.reactor().call_from_thread(
    [&] { connect_tcp(r.rt, "127.0.0.1", port, reports(nonsense), {.bind_address = "here"}); });
  REQUIRE(nonsense.wait(4));
  CHECK(client_reporter::last.check(errc::bind_failed));
  CHECK(contains(nonsense.all()[2], "here"));
}

TEST_CASE("disconnect ends a connection that is open", "[client][T10]") {
  class quiet : public protocol {
  public:
    quiet(caf::actor_config& cfg, events& told) : protocol(cfg), told_(told) {}
    void connection_made() override { told_.add("made"); }
    void connection_lost(const failure& why) override { told_.add("lost: " + why.message()); }

  private:
    events& told_;
  };
  events told;
  events waited;
  running r{2};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  auto c =
    connect_tcp(r.rt, "127.0.0.1", port, client_factory::for_protocol<quiet>(std::ref(told)));
  r.start();
  REQUIRE(told.wait(1));
  const std::function<void()> disconnect = [&] {
    if (c.get_state() != connector::state::connected) {
      r.rt.reactor().call_later(1ms, disconnect);
      return;
    }
    CHECK_THROWS_AS(c.connect(), std::logic_error);
    c.disconnect();
  };
  r.rt.reactor().call_from_thread(disconnect);
  REQUIRE(told.wait(2));
  CHECK(told.all()[1] == "lost: the connection was closed cleanly");
}

TEST_CASE("stopping the runtime ends attempts and connections, and none begins again", "[client]") {
  const std::size_t loops = GENERATE(1, 4);
  const auto before = open_descriptors();
  {
    events told;
    running r{loops};
    const auto names = std::make_shared<memory_resolver>();
    names->hold();
    const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
    const auto again = [](connector& c) {
      c.connect();
    };
    connect_tcp(r.rt, "held", port, reports(told, {.on_failed = again, .on_lost = again}),
                {.names = names});
    events talks;
    for (int i = 0; i < 20; ++i)
      connect_tcp(r.rt, "127.0.0.1", port, reports(talks, {.on_failed = again, .on_lost = again}));
    r.start();
    REQUIRE(talks.wait(200));
    r.stop();
    CHECK(told.count("stop") == 1);
    CHECK(talks.count("stop") == 20);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("thousands of connections made and ended leave nothing behind", "[client]") {
  const auto count = load_size(3000);
  const auto before = open_descriptors();
  {
    events told;
    running r{2};
    const auto port =
      listen_tcp(r.rt, 0, factory::for_protocol<echo>(), {.backlog = 1000}).get_host().port();
    std::size_t lost = 0;
    for (int i = 0; i < 50; ++i)
      connect_tcp(r.rt, "127.0.0.1", port, reports(told, {.on_lost = [&](connector& c) {
                                                     if (++lost <= count)
                                                       c.connect();
                                                   }}));
    r.start();
    REQUIRE(told.wait(count * 5));
  }
  CHECK(open_descriptors() == before);
}
