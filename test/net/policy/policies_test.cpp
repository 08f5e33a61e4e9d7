// What a wrapper passes on, and what the factory of one counts.

#include <troupe/net/limit_connections.hpp>
#include <troupe/net/line_receiver.hpp>
#include <troupe/net/protocol_wrapper.hpp>
#include <troupe/net/timeout_factory.hpp>
#include <troupe/net/wrapping_factory.hpp>
#include <troupe/testing/memory_network.hpp>

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include "support/catch.hpp"
#include "support/memory_adaptor.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using list = std::vector<std::string>;

class echo : public protocol {
public:
  using protocol::protocol;
  void connection_made() override { last = this; }
  void data_received(bytes_view data) override {
    if (as_text(data) == "throw")
      throw std::runtime_error("boom");
    transport().write(data);
  }
  static inline echo* last = nullptr;
};

/// Tells what passes through it.
class spy : public protocol_wrapper {
public:
  spy(list* log, std::string name) : log_(log), name_(std::move(name)) {}
  ~spy() override { tell("destroyed"); }
  void connection_made() override { tell("made"); }
  void data_received(bytes_view data) override {
    tell("data " + std::string{as_text(data)});
    protocol_wrapper::data_received(data);
  }
  using protocol_wrapper::write;
  void write(bytes_view data) override {
    tell("write " + std::string{as_text(data)});
    protocol_wrapper::write(data);
  }
  void connection_lost(const failure& why) override { tell("lost " + why.message()); }
  void ended() override { tell("ended"); }

private:
  void tell(const std::string& what) { log_->push_back(name_ + ' ' + what); }
  list* log_;
  std::string name_;
};

class spying_factory : public wrapping_factory {
public:
  spying_factory(caf::actor_config& cfg, factory_ref inner, list* log, std::string name)
    : wrapping_factory(cfg, std::move(inner)), log_(log), name_(std::move(name)) {}
  std::unique_ptr<protocol_wrapper> make_wrapper() override {
    return std::make_unique<spy>(log_, name_);
  }

private:
  list* log_;
  std::string name_;
};

class telling_factory : public factory {
public:
  telling_factory(caf::actor_config& cfg, list* log, std::string fails = {})
    : factory(cfg), log_(log), fails_(std::move(fails)) {}
  protocol_ptr build_protocol(const net_address&) override {
    if (fails_ == "none")
      return nullptr;
    if (fails_ == "build")
      throw std::runtime_error("in build_protocol");
    if (fails_ == "quits") {
      struct quitter : echo {
        using echo::echo;
        caf::behavior make_behavior() override {
          quit();
          return echo::make_behavior();
        }
      };
      return make_protocol<quitter>();
    }
    return make_protocol<echo>();
  }
  void start_factory() override {
    log_->emplace_back("start");
    if (fails_ == "start")
      throw std::runtime_error("in start_factory");
  }
  void stop_factory() override {
    log_->emplace_back("stop");
    if (fails_ == "stop")
      throw std::runtime_error("in stop_factory");
  }

private:
  list* log_;
  std::string fails_;
};

} // namespace

TEST_CASE("P01: wrappers in a row see everything, the outermost first what comes") {
  list log;
  {
    memory_network net;
    auto f = factory::of<spying_factory>(factory::for_protocol<echo>(), &log, std::string{"near"});
    f = factory::of<spying_factory>(f, &log, std::string{"far"});
    net.listen(7, f);
    auto& c = net.connect<memory_peer>(7);
    net.enter(c, [&] { c.transport().resume_producing(); });
    CHECK(log == list{"far made", "near made"});
    log.clear();
    net.enter(c, [&] { c.transport().write("x"); });
    net.flush();
    CHECK(c.received == "x");
    CHECK(log == list{"far data x", "near data x", "near write x", "far write x"});
    log.clear();
    net.enter(c, [&] { c.transport().lose_connection(); });
    net.flush();
    const auto done = failure{errc::connection_done}.message();
    CHECK(log == list{"far lost " + done, "near lost " + done, "near ended", "far ended"});
    CHECK(f.get()->connections() == 0);
    log.clear();
  }
  CHECK(log == list{"near destroyed", "far destroyed"});
}

TEST_CASE("P01: a wrapped protocol has the addresses of its transport and its own factory") {
  list log;
  memory_network net;
  const auto inner = factory::for_protocol<echo>();
  const auto f = factory::of<spying_factory>(inner, &log, std::string{"spy"});
  net.listen(7, f);
  net.connect<memory_peer>(7);
  auto& p = *echo::last;
  auto& t = p.transport();
  CHECK(t.get_host() == net_address{net_address::kind::ipv4, "127.0.0.1", 7});
  CHECK(t.get_peer().port() == 49152);
  CHECK(&t.underlying() == net.connections()[0].server());
  CHECK(&t != &t.underlying());
  CHECK(p.factory() == inner.actor());
  CHECK(inner.get()->connections() == 1);
  CHECK(f.get()->connections() == 1);
  CHECK(&p.wrapper()->wrapped_protocol() == &p);
}

TEST_CASE("P02: a wrapped protocol logs under its name and those of its wrappers") {
  list log;
  memory_network net;
  net.listen(7, factory::of<timeout_factory>(factory::of<spying_factory>(
                  factory::for_protocol<echo>(), &log, std::string{"s"})));
  net.connect<memory_peer>(7);
  const auto& p = *echo::last;
  const auto& own = p.log_prefix();
  CHECK(own.find("echo") != std::string::npos);
  const auto& whole = p.wrapper()->outermost()->log_prefix();
  CHECK(whole.starts_with(own + " ("));
  CHECK(whole.find("spy)") != std::string::npos);
  CHECK(whole.ends_with("timeout_protocol)"));
}

namespace {

struct failing : protocol_wrapper {
  explicit failing(std::string w) : where_(std::move(w)) {}
  void connection_made() override { at("made"); }
  void data_received(bytes_view) override { at("data"); }
  void connection_lost(const failure& why) override {
    reason = why.message();
    at("lost");
  }
  void at(const char* here) const {
    if (where_ == here)
      throw std::runtime_error(std::string{"in "} + here);
  }
  static inline std::string reason;
  std::string where_;
};

struct failing_factory : wrapping_factory {
  failing_factory(caf::actor_config& cfg, factory_ref inner, std::string w)
    : wrapping_factory(cfg, std::move(inner)), where(std::move(w)) {}
  std::unique_ptr<protocol_wrapper> make_wrapper() override {
    return std::make_unique<failing>(where);
  }
  std::string where;
};

} // namespace

TEST_CASE("an exception of a wrapper ends the connection with it") {
  const std::string where = GENERATE("made", "data", "lost");
  memory_network net;
  logged_errors errors{net.rt};
  const auto f = factory::of<failing_factory>(factory::for_protocol<echo>(), where);
  net.listen(7, f);
  auto& c = net.connect<memory_peer>(7);
  net.enter(c, [&] {
    c.transport().resume_producing();
    c.transport().write("x");
  });
  net.flush();
  if (where == "lost") {
    CHECK_FALSE(c.ended);
    net.enter(c, [&] { c.transport().lose_connection(); });
    net.flush();
  }
  CHECK(c.ended);
  CHECK(failing::reason
        == (where == "lost" ? failure{errc::connection_done}.message() : "in " + where));
  CHECK(f.get()->connections() == 0);
  CHECK(errors.flush("in " + where).size() == 1);
}

TEST_CASE("an inner factory starts and stops with the one around it") {
  list log;
  memory_network net;
  const auto f = factory::of<timeout_factory>(factory::of<telling_factory>(&log));
  net.listen(7, f);
  net.listen(8, f);
  CHECK(log == list{"start"});
  net.stop_listening(7);
  CHECK(log == list{"start"});
  net.stop_listening(8);
  CHECK(log == list{"start", "stop"});
}

TEST_CASE("what an inner factory throws at its start or stop reaches who asked for it") {
  list log;
  memory_network net;
  CHECK_THROWS_WITH(net.listen(7, factory::of<timeout_factory>(
                                    factory::of<telling_factory>(&log, std::string{"start"}))),
                    "in start_factory");
  net.listen(8,
             factory::of<timeout_factory>(factory::of<telling_factory>(&log, std::string{"stop"})));
  CHECK_THROWS_WITH(net.stop_listening(8), "in stop_factory");
}

TEST_CASE("a connection for which the inner factory has no protocol is closed, and not counted") {
  const std::string how = GENERATE("none", "build", "quits");
  list log;
  memory_network net;
  logged_errors errors{net.rt};
  const auto inner = factory::of<telling_factory>(&log, how);
  const auto f =
    factory::of<limit_connections_by_peer_factory>(factory::of<timeout_factory>(inner), 1u);
  net.listen(7, f);
  for (int i = 0; i < 3; ++i) { // more than the limit of the peer
    auto& c = net.connect<memory_peer>(7);
    net.enter(c, [&] { c.transport().resume_producing(); });
    net.flush();
    CHECK(c.ended);
  }
  CHECK(f.get()->connections() == 0);
  CHECK(inner.get()->connections() == 0);
  CHECK(errors.flush("in build_protocol").size() == (how == "build" ? 3 : 0));
}

TEST_CASE("a connection waits while the inner factory has no room") {
  memory_network net;
  const auto inner = factory::for_protocol<echo>();
  const auto f = factory::of<timeout_factory>(inner);
  net.listen(7, f);
  inner.get()->set_max_connections(1);
  auto& first = net.connect<memory_peer>(7);
  auto& second = net.connect<memory_peer>(7);
  net.enter(second, [&] {
    second.transport().resume_producing();
    second.transport().write("early");
  });
  net.flush();
  CHECK(second.received.empty());
  CHECK_FALSE(second.ended);
  net.enter(first, [&] { first.transport().lose_connection(); });
  net.flush();
  CHECK(second.received == "early");
}

TEST_CASE("draining a factory around another closes its connections") {
  memory_network net;
  const auto inner = factory::for_protocol<echo>();
  const auto f = factory::of<timeout_factory>(inner);
  net.listen(7, f);
  net.listen(8, inner);
  auto& wrapped = net.connect<memory_peer>(7);
  auto& bare = net.connect<memory_peer>(8);
  for (auto* c : {&wrapped, &bare})
    net.enter(*c, [&] { c->transport().resume_producing(); });
  bool drained = false;
  net.rt.in_turn([&] { f.get()->drain().add_callback([&] { drained = true; }); });
  net.flush();
  CHECK(drained);
  CHECK(wrapped.ended);
  CHECK_FALSE(bare.ended);
}

// -- limits -------------------------------------------------------------------------------------

namespace {

struct busy : protocol {
  using protocol::protocol;
  void connection_made() override {
    transport().write("busy\r\n");
    transport().lose_connection();
  }
};

memory_peer& reading(memory_network& net, std::uint16_t port) {
  auto& c = net.connect<memory_peer>(port);
  net.enter(c, [&] { c.transport().resume_producing(); });
  net.flush();
  return c;
}

void hang_up(memory_network& net, memory_peer& c) {
  net.enter(c, [&] { c.transport().lose_connection(); });
  net.flush();
}

} // namespace

TEST_CASE("P07: what is more than the limit in total is closed, until one leaves") {
  memory_network net;
  const auto f = factory::of<limit_total_connections_factory>(factory::for_protocol<echo>(), 1u);
  net.listen(7, f);
  auto& first = reading(net, 7);
  CHECK(reading(net, 7).ended);
  CHECK(f.get()->connections() == 1);
  CHECK_FALSE(first.ended);
  hang_up(net, first);
  CHECK(f.get()->connections() == 0);
  CHECK_FALSE(reading(net, 7).ended);
}

TEST_CASE("P07: another factory may serve what is more than the limit, and counts") {
  memory_network net;
  list log;
  struct held : protocol {
    using protocol::protocol;
  };
  const bool polite = GENERATE(true, false);
  const auto overflow = polite ? factory::for_protocol<busy>() : factory::for_protocol<held>();
  const auto f =
    factory::of<limit_total_connections_factory>(factory::for_protocol<echo>(), 1u, overflow);
  net.listen(7, f);
  reading(net, 7);
  auto& second = reading(net, 7);
  if (polite) {
    CHECK(second.received == "busy\r\n");
    CHECK(second.ended);
  } else {
    CHECK(f.get()->connections() == 2);
    hang_up(net, second);
  }
  CHECK(f.get()->connections() == 1);
  net.stop_listening(7);
}

TEST_CASE("each peer has its own limit of connections") {
  memory_network net;
  const auto f = factory::of<limit_connections_by_peer_factory>(factory::for_protocol<echo>(), 2u);
  net.listen(7, f);
  net.set_client_host("10.0.0.1");
  auto& first = reading(net, 7);
  CHECK_FALSE(reading(net, 7).ended);
  CHECK(reading(net, 7).ended);
  net.set_client_host("10.0.0.2");
  CHECK_FALSE(reading(net, 7).ended);
  net.set_client_host("10.0.0.1");
  hang_up(net, first);
  CHECK_FALSE(reading(net, 7).ended);
  CHECK(reading(net, 7).ended);
}

TEST_CASE("the limit by peer is five unless told otherwise") {
  memory_network net;
  net.listen(7, factory::of<limit_connections_by_peer_factory>(factory::for_protocol<echo>()));
  for (int i = 0; i < 5; ++i)
    CHECK_FALSE(reading(net, 7).ended);
  CHECK(reading(net, 7).ended);
}

TEST_CASE("of those who are too many so many are told at once, and others wait") {
  memory_network net;
  const auto f = factory::of<limit_total_connections_factory>(factory::for_protocol<echo>(), 1u,
                                                              factory::for_protocol<echo>(), 2u);
  net.listen(7, f);
  std::vector<memory_peer*> peers;
  for (int i = 0; i < 5; ++i)
    peers.push_back(&net.connect<memory_peer>(7));
  net.flush();
  CHECK(f.get()->connections() == 3);
  net.enter(*peers[1], [&] { peers[1]->transport().lose_connection(); });
  net.flush();
  CHECK(f.get()->connections() == 3); // the fourth
  for (const auto i : {0, 2})
    net.enter(*peers[static_cast<std::size_t>(i)],
              [&] { peers[static_cast<std::size_t>(i)]->transport().lose_connection(); });
  net.flush();
  CHECK(f.get()->connections() == 2);
}
