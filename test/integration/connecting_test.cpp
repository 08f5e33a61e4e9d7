// A decision to end an attempt, at every point of its way between two loops.

#include <troupe/net/connect_tcp.hpp>

#include <atomic>
#include <future>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <troupe/net/client_service.hpp>
#include <troupe/net/reconnecting_client_factory.hpp>
#include <troupe/net/resolver.hpp>
#include <troupe/net/tcp_endpoint.hpp>

#include "support/catch.hpp"
#include "support/on_loop.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

/// A socket that listens. The system makes its connections; nobody need accept them.
class bare_port {
public:
  bare_port() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at;
    if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0
        || ::listen(fd_.get(), 100) != 0
        || ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&at), &length) != 0)
      throw std::runtime_error("bare_port");
    port = ntohs(at.sin_port);
  }

  /// Tells whether all connections that were made to it have been ended by the other side.
  bool all_ended() {
    pollfd waiting{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    while (::poll(&waiting, 1, 0) == 1) {
      const file_descriptor c{::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
      pollfd over{.fd = c.get(), .events = POLLIN, .revents = 0};
      char byte = 0;
      if (::poll(&over, 1, 30'000) != 1 || ::recv(c.get(), &byte, 1, 0) > 0)
        return false;
    }
    return true;
  }

  /// Accepts one, keeps it, and returns the port from which it came.
  std::uint16_t next_client() {
    sockaddr_in from{};
    socklen_t length = sizeof from;
    kept_.emplace_back(
      ::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&from), &length, SOCK_CLOEXEC));
    return ntohs(from.sin_port);
  }

  std::uint16_t port = 0;

private:
  file_descriptor fd_;
  std::vector<file_descriptor> kept_;
};

/// Where the decision is taken.
enum class point {
  called,   // right behind the call that connects
  started,  // in started_connecting
  building, // in build_protocol
  queued,   // the socket waits for the protocol's loop
  opening,  // in connection_made
  opened,   // behind it, before loop 0 knows
  made,     // when loop 0 knows
  later,
};

struct scene {
  scene(point at, bool other) : when(at) {
    if (other)
      static_cast<void>(r.rt.scheduler().next_loop());
  }

  event_loop& first() { return r.rt.scheduler().loop(0); }

  /// Decides on loop 0 while the calling code goes no further.
  void decide_meanwhile() {
    if (first().is_current())
      return decide();
    std::promise<void> decided;
    first().post([&] {
      decide();
      decided.set_value();
    });
    decided.get_future().wait();
  }

  /// Decides on loop 0, and holds up `where` till then.
  void decide_before(event_loop& where) {
    const auto decided = std::make_shared<std::promise<void>>();
    if (&where != &first())
      where.post([decided] { decided->get_future().wait(); });
    first().post([this, decided] {
      decide();
      decided->set_value();
    });
  }

  const point when;
  bare_port peer;
  events told;
  std::function<void()> decide;
  std::atomic<int> open{0}; // connections, as their protocols see it
  running r{2};
};

class caller : public protocol {
public:
  caller(caf::actor_config& cfg, scene* s) : protocol(cfg), s_(s) {}
  void connection_made() override {
    ++s_->open;
    if (s_->when == point::opening)
      s_->decide_meanwhile();
    else if (s_->when == point::opened)
      s_->first().post([s = s_] { s->decide(); });
  }
  void connection_lost(const failure&) override { --s_->open; }

private:
  scene* s_;
};

class reporter : public reconnecting_client_factory {
public:
  reporter(caf::actor_config& cfg, scene* s) : reconnecting_client_factory(cfg), s_(s) {}

  void started_connecting(connector& c) override {
    ++attempts;
    attempt = c;
    if (s_->when == point::started)
      s_->decide();
  }
  protocol_ptr build_protocol(const net_address&) override {
    if (s_->when == point::building)
      s_->decide();
    else if (s_->when == point::queued)
      s_->decide_before(connection_loop());
    return make_protocol<caller>(s_);
  }
  void client_connection_made(connector&, const protocol_ptr&) override {
    s_->told.add("made");
    if (s_->when == point::made)
      s_->decide();
    else if (s_->when == point::later)
      s_->first().post([s = s_] { s->decide(); });
  }
  void client_connection_failed(connector& c, const failure& why) override {
    end("failed: " + why.message(), c);
    if (stopped)
      reconnecting_client_factory::client_connection_failed(c, why);
  }
  void client_connection_lost(connector& c, const failure& why) override {
    end("lost: " + why.message(), c);
    if (stopped)
      reconnecting_client_factory::client_connection_lost(c, why);
  }

  void on_exit() override {
    attempt = {}; // it has this factory
    reconnecting_client_factory::on_exit();
  }

  connector attempt;
  int attempts = 0;
  bool stopped = false;

private:
  void end(std::string text, connector& c) {
    if (c.get_state() != connector::state::disconnected)
      text += ", not disconnected";
    if (s_->open != 0)
      text += ", with a connection";
    s_->told.add(std::move(text));
  }

  scene* s_;
};

} // namespace

TEST_CASE("an attempt that is ended while another loop opens its connection leaves none",
          "[connecting]") {
  enum class how { disconnect, stop_connecting, stop_trying };
  const auto when = GENERATE(point::called, point::started, point::building, point::queued,
                             point::opening, point::opened, point::made, point::later);
  const auto by = GENERATE(how::disconnect, how::stop_connecting, how::stop_trying);
  const bool other = GENERATE(false, true);
  scene s{when, other};
  const auto f = client_factory::of<reporter>(&s);
  const auto made = [&]() -> reporter& {
    return static_cast<reporter&>(*f.get());
  };
  bool late = false; // there is a connection by then, as far as loop 0 knows
  s.decide = [&] {
    auto& c = made().attempt;
    late = c.get_state() == connector::state::connected;
    if (by == how::stop_trying) {
      made().stopped = true;
      made().stop_trying();
    }
    if (by == how::disconnect || late) // to stop trying leaves a connection
      c.disconnect();
    else if (by == how::stop_connecting)
      c.stop_connecting();
    s.told.add("decided");
  };
  s.r.start();
  on_loop(s.r, [&] {
    connect_tcp(s.r.rt, "127.0.0.1", s.peer.port, f, {.loop = any_loop});
    if (when == point::called)
      s.decide();
  });
  REQUIRE(s.told.wait_for("decided"));
  REQUIRE(s.told.wait(late ? 3 : 2));
  CHECK(s.peer.all_ended());
  s.r.stop();
  CHECK(s.open == 0);
  CHECK(made().attempts == 1);
  if (late) {
    CHECK(s.told.count("made") == 1);
    CHECK(s.told.count("lost: the connection was closed cleanly") == 1);
  } else {
    CHECK(s.told.count("made") == 0);
    CHECK(s.told.count("failed: " + failure{errc::cancelled}.message()) == 1);
  }
  CHECK(s.told.all().size() == (late ? 3 : 2));
}

TEST_CASE("a client service that has stopped has no connection, wherever it was", "[connecting]") {
  const auto when = GENERATE(point::called, point::building, point::queued, point::opening,
                             point::opened, point::later);
  const bool other = GENERATE(false, true);
  scene s{when, other};
  const auto f = client_factory::of<reporter>(&s);
  std::optional<client_service> service;
  s.decide = [&] {
    service->stop_service().add_callback(
      [&] { s.told.add(s.open == 0 ? "stopped" : "stopped, with a connection"); });
  };
  s.r.start();
  on_loop(s.r, [&] {
    service.emplace(s.r.rt,
                    std::make_shared<tcp_client_endpoint>(s.r.rt, "127.0.0.1", s.peer.port,
                                                          connect_options{.loop = any_loop}),
                    f);
    static_cast<void>(service->start_service());
    if (when == point::called)
      s.decide();
    else if (when == point::later)
      service->when_connected().add_callback([&](const connected_protocol&) { s.decide(); });
  });
  REQUIRE(s.told.wait(1));
  CHECK(s.told.all() == std::vector<std::string>{"stopped"});
  CHECK(s.peer.all_ended());
  on_loop(s.r, [&] { service.reset(); });
}

TEST_CASE("a connector that was stopped and started again before run() connects once",
          "[connecting]") {
  scene s{point::later, false};
  s.decide = [&] {
    s.told.add("decided");
  };
  const auto f = client_factory::of<reporter>(&s);
  auto c = connect_tcp(s.r.rt, "127.0.0.1", s.peer.port, f);
  c.disconnect();
  c.connect();
  s.r.start();
  REQUIRE(s.told.wait_for("decided"));
  CHECK(on_loop(s.r, [&] { return static_cast<reporter&>(*f.get()).attempts; }) == 1);
  on_loop(s.r, [&] { c.disconnect(); });
  REQUIRE(s.told.wait_for("lost: the connection was closed cleanly"));
}

TEST_CASE("what a resolver throws ends the attempt, and not the hope of an answer",
          "[connecting]") {
  struct broken : resolver {
    deferred<std::vector<net_address>> resolve(const std::string&, std::uint16_t) override {
      throw std::runtime_error("no memory");
    }
  };
  scene s{point::later, false};
  const auto f = client_factory::of<reporter>(&s);
  s.r.start();
  on_loop(s.r, [&] {
    connect_tcp(s.r.rt, "a-name", 1, f,
                {.timeout = duration::max(), .names = std::make_shared<broken>()});
  });
  REQUIRE(s.told.wait(1));
  CHECK(s.told.all().front().find("no memory") != std::string::npos);
}

TEST_CASE("a local port that has a connection to there already cannot be bound", "[connecting]") {
  scene s{point::later, false};
  s.decide = [&] {
    s.told.add("decided");
  };
  const auto f = client_factory::of<reporter>(&s);
  s.r.start();
  std::uint16_t taken = 0;
  on_loop(s.r, [&] {
    connect_tcp(s.r.rt, "127.0.0.1", s.peer.port, client_factory::of<reporter>(&s),
                {.bind_address = "127.0.0.1"});
  });
  REQUIRE(s.told.wait_for("decided"));
  taken = s.peer.next_client();
  on_loop(s.r, [&] {
    connect_tcp(s.r.rt, "127.0.0.1", s.peer.port, f,
                {.bind_address = "127.0.0.1", .bind_port = taken});
  });
  REQUIRE(s.told.wait(3));
  CHECK(s.told.all().back().find("already") != std::string::npos);
  CHECK(s.told.all().back().find(failure{errc::bind_failed}.message()) != std::string::npos);
}
