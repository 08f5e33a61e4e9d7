// Outgoing connections over real sockets.

#include <troupe/net/connect_tcp.hpp>

#include <algorithm>
#include <future>

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/socket.h>

#include <troupe/net/client_service.hpp>
#include <troupe/net/connect_ssl.hpp>
#include <troupe/net/line_receiver.hpp>
#include <troupe/net/net_children.hpp>
#include <troupe/net/reconnecting_client_factory.hpp>
#include <troupe/net/resolver.hpp>
#include <troupe/net/ssl_endpoint.hpp>
#include <troupe/net/tcp_endpoint.hpp>
#include <troupe/net/unix_endpoint.hpp>
#include <troupe/testing/memory_resolver.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
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

/// Says something, and tells what comes back and how it ends.
class caller : public protocol {
public:
  caller(caf::actor_config& cfg, events& told, std::string text)
    : protocol(cfg), told_(told), text_(std::move(text)) {}
  void connection_made() override {
    told_.add("made");
    transport().write(text_);
  }
  void data_received(bytes_view data) override {
    got_ += as_text(data);
    if (got_.size() == text_.size()) {
      told_.add(got_);
      transport().lose_connection();
    }
  }
  void connection_lost(const failure& why) override { told_.add("lost: " + why.message()); }

private:
  events& told_;
  std::string text_;
  std::string got_;
};

/// Tells what a client factory is told; what else it does is up to the test.
class reporter : public client_factory {
public:
  using action = std::function<void(connector&)>;
  struct actions {
    action on_started = {};
    action on_failed = {};
    action on_lost = {};
    bool builds = true;
  };

  reporter(caf::actor_config& cfg, events& told, actions what)
    : client_factory(cfg), told_(told), actions_(std::move(what)) {}

  void start_factory() override { told_.add("start"); }
  void stop_factory() override { told_.add("stop"); }
  protocol_ptr build_protocol(const net_address&) override {
    if (!actions_.builds)
      return nullptr;
    return make_protocol<caller>(std::ref(told_), "hello");
  }
  void started_connecting(connector& c) override {
    told_.add("connecting to " + c.get_destination().to_string());
    if (c.get_state() != connector::state::connecting) // Catch2's checks are for one thread
      told_.add("not connecting");
    if (actions_.on_started)
      actions_.on_started(c);
  }
  void client_connection_failed(connector& c, const failure& why) override {
    told_.add("failed: " + why.message());
    if (c.get_state() != connector::state::disconnected)
      told_.add("not disconnected");
    last = why;
    if (actions_.on_failed)
      actions_.on_failed(c);
  }
  void client_connection_lost(connector& c, const failure& why) override {
    told_.add("gone: " + why.message());
    if (actions_.on_lost)
      actions_.on_lost(c);
  }

  static inline failure last;

private:
  events& told_;
  actions actions_;
};

client_factory_ref reports(events& told, reporter::actions what = {}) {
  return client_factory::of<reporter>(std::ref(told), std::move(what));
}

/// A port at which nobody listens.
std::uint16_t closed_port() {
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  auto port = listen_tcp(rt, 0, factory::for_protocol<echo>());
  const auto number = port.get_host().port();
  port.stop_listening();
  return number;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Tells each line of a log.
class telling_sink final : public spdlog::sinks::base_sink<std::mutex> {
public:
  explicit telling_sink(std::shared_ptr<events> told) : told_(std::move(told)) {}

private:
  void sink_it_(const spdlog::details::log_msg& m) override {
    const auto name = spdlog::level::to_string_view(m.level);
    told_->add(std::string(name.data(), name.size()) + ' '
               + std::string(m.payload.data(), m.payload.size()));
  }
  void flush_() override {}

  const std::shared_ptr<events> told_;
};

/// A runtime whose log is events: "warning client of x ...".
struct logging {
  explicit logging(spdlog::level::level_enum level = spdlog::level::info) : rt(options(level)) {}
  ~logging() { stop(); }

  void start() {
    thread_ = std::thread([this] { rt.run(); });
  }
  void stop() {
    if (!thread_.joinable())
      return;
    rt.reactor().call_from_thread([this] { rt.stop(); });
    thread_.join();
  }
  std::size_t find(const std::string& part) {
    const auto all = lines->all();
    return static_cast<std::size_t>(
      std::ranges::count_if(all, [&](const auto& line) { return contains(line, part); }));
  }
  bool wait_for(const std::string& part) {
    for (std::size_t seen = 0;;) {
      for (const auto all = lines->all(); seen < all.size(); ++seen)
        if (contains(all[seen], part))
          return true;
      if (!lines->wait(seen + 1))
        return false;
    }
  }

  std::shared_ptr<events> lines = std::make_shared<events>();
  runtime rt;

private:
  runtime_options options(spdlog::level::level_enum level) const {
    runtime_options o{.loops = 2, .install_signal_handlers = false};
    o.logger = std::make_shared<spdlog::logger>("test", std::make_shared<telling_sink>(lines));
    o.logger->set_level(level);
    return o;
  }

  std::thread thread_;
};

} // namespace

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
  CHECK(reporter::last.check(errc::connection_refused));
  CHECK(told.all()[2]
        == "failed: 127.0.0.1:" + std::to_string(port) + ": the connection was refused");
  CHECK(told.all()[3] == "stop");
}

TEST_CASE("connecting again from inside the callbacks works", "[client][T06]") {
  const std::size_t loops = GENERATE(1, 4);
  events told;
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

  events refused;
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
  running r{1};
  const auto names = std::make_shared<memory_resolver>();
  names->hold();
  const auto stop_soon = [&](connector& c) {
    r.rt.reactor().call_later(1ms, [c]() mutable { c.stop_connecting(); });
  };
  connector c =
    connect_tcp(r.rt, "far.example", 1, reports(told, {.on_started = stop_soon}), {.names = names});
  r.start();
  REQUIRE(told.wait(4));
  CHECK(reporter::last.check(errc::cancelled));
  CHECK(names->waiting() == 1);
  events done;
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
  CHECK(reporter::last.check(errc::cancelled));
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
    CHECK(reporter::last.check(errc::timed_out));
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
  CHECK(reporter::last.check(errc::no_protocol));
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
  running r{2};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<whoami>()).get_host().port();
  connect_tcp(r.rt, "127.0.0.1", port, client_factory::for_protocol<listener>(std::ref(told)),
              {.bind_address = "127.0.0.5"});
  connect_tcp(r.rt, "127.0.0.1", port, reports(failed), {.bind_address = "192.0.2.1"});
  r.start();
  REQUIRE(told.wait(1));
  CHECK(told.all()[0] == "127.0.0.5");
  REQUIRE(failed.wait(4));
  CHECK(reporter::last.check(errc::bind_failed));
  events nonsense;
  r.rt.reactor().call_from_thread(
    [&] { connect_tcp(r.rt, "127.0.0.1", port, reports(nonsense), {.bind_address = "here"}); });
  REQUIRE(nonsense.wait(4));
  CHECK(reporter::last.check(errc::bind_failed));
  CHECK(contains(nonsense.all()[2], "here"));
}

TEST_CASE("a name is looked up, and its addresses are tried until one answers", "[client][E07]") {
  events told;
  running r{2};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  const auto names = std::make_shared<memory_resolver>();
  names->add("somewhere", {"127.0.0.2", "::1", "127.0.0.1"}); // the first two refuse
  connect_tcp(r.rt, "somewhere", port, reports(told), {.names = names});
  r.start();
  REQUIRE(told.wait(7));
  CHECK(told.all()[1] == "connecting to somewhere:" + std::to_string(port));
  CHECK(told.count("made") == 1);
}

TEST_CASE("a host none of whose addresses answers fails with what each said", "[client][E07]") {
  events told;
  running r{1};
  const auto port = closed_port();
  const auto names = std::make_shared<memory_resolver>();
  names->add("dead", {"127.0.0.2", "127.0.0.3"});
  connect_tcp(r.rt, "dead", port, reports(told), {.names = names});
  r.start();
  REQUIRE(told.wait(4));
  CHECK(reporter::last.check(errc::connection_refused));
  const auto text = told.all()[2];
  CHECK(contains(text, "dead:" + std::to_string(port)));
  CHECK(contains(text, "127.0.0.2:"));
  CHECK(contains(text, "127.0.0.3:"));
}

TEST_CASE("hosts that are unknown, and names that are none, are told by name", "[client][T09]") {
  running r{1};
  r.start();
  const auto names = std::make_shared<memory_resolver>();
  const std::vector<std::string> hosts{"nowhere.example", "", std::string("a\0b", 3)};
  for (const auto& host : hosts) {
    events told;
    r.rt.reactor().call_from_thread(
      [&] { connect_tcp(r.rt, host, 1, reports(told), {.names = names}); });
    REQUIRE(told.wait(4));
    CHECK(reporter::last.check(errc::unknown_host));
    CHECK(contains(told.all()[2], host));
  }
}

TEST_CASE("the system's resolver knows localhost, and does its work in threads of its own",
          "[client][F-R11]") {
  events told;
  running r{1};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  connect_tcp(r.rt, "localhost", port, reports(told));
  r.start();
  REQUIRE(told.wait(7));
  CHECK(told.count("made") == 1);
  CHECK(r.rt.reactor().get_thread_pool().workers() == 0);
}

TEST_CASE("a lookup that nobody waits for any more harms nothing", "[client][F-R11]") {
  events told;
  running r{1};
  r.rt.reactor().call_when_running([&] {
    const auto names = system_resolver::of(r.rt);
    for (int i = 0; i < 20; ++i) {
      auto d = names->resolve("localhost", 1);
      d.add_errback([&](const failure& f) -> outcome<std::vector<net_address>> {
        told.add(f.check(errc::cancelled) ? "cancelled" : f.message());
        return std::vector<net_address>{};
      });
      d.cancel();
    }
    told.add("workers " + std::to_string(names->workers()));
  });
  r.start();
  REQUIRE(told.wait(21));
  CHECK(told.count("cancelled") == 20);
  const auto all = told.all();
  const auto workers = std::find_if(
    all.begin(), all.end(), [](const std::string& line) { return line.starts_with("workers "); });
  REQUIRE(workers != all.end());
  CHECK(std::stoul(workers->substr(8)) <= system_resolver::max_threads);
} // and the end does not wait for the threads

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
  running r{2};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  auto c =
    connect_tcp(r.rt, "127.0.0.1", port, client_factory::for_protocol<quiet>(std::ref(told)));
  r.start();
  REQUIRE(told.wait(1));
  events waited;
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

TEST_CASE("a connection that could not be made is one warning with the reason", "[client][log]") {
  logging r;
  const auto at = "127.0.0.1:" + std::to_string(closed_port());
  connect_tcp(r.rt, "127.0.0.1", static_cast<std::uint16_t>(std::stoi(at.substr(10))),
              client_factory::for_protocol<echo>());
  r.start();
  REQUIRE(r.wait_for("warning client of "));
  r.stop();
  CHECK(r.find(" could not connect to " + at + " (the connection was refused)") == 1);
  CHECK(r.find("starting client") == 0); // that says nothing
}

TEST_CASE("a client whose factory does not start is told why", "[client][log]") {
  struct broken : client_factory {
    using client_factory::client_factory;
    void start_factory() override { throw std::runtime_error("no database"); }
    protocol_ptr build_protocol(const net_address&) override { return nullptr; }
  };
  logging r;
  SECTION("by the log") {
    connect_tcp(r.rt, "127.0.0.1", 1, client_factory::of<broken>());
    r.start();
    CHECK(r.wait_for("could not connect to 127.0.0.1:1 (no database)"));
  }
  SECTION("by the deferred of an endpoint") {
    events told;
    tcp_client_endpoint to{r.rt, "127.0.0.1", 1};
    to.connect(client_factory::of<broken>())
      .add_callback([&](const connected_protocol&) { told.add("connected"); })
      .add_errback([&](const failure& why) { told.add(why.message()); });
    r.start();
    REQUIRE(told.wait(1));
    CHECK(told.all().front() == "no database");
    r.stop();
  }
}

TEST_CASE("whoever connects again says why, and counts what repeats", "[client][log]") {
  logging r;
  const auto nobody = closed_port();
  const auto at = "127.0.0.1:" + std::to_string(nobody);
  SECTION("a reconnecting factory") {
    connect_tcp(r.rt, "127.0.0.1", nobody,
                reconnecting_client_factory::for_protocol<echo>(
                  {.initial = 1ms, .max = 1ms, .max_retries = 9}));
    r.start();
    REQUIRE(r.wait_for("gives up after 9 retries"));
    r.stop();
    CHECK(r.find("warning client of ") == 4); // the first, second, fourth and eighth
    CHECK(r.find(at + " (the connection was refused); again in 0.0 s") == 1);
    CHECK(r.find(at + " (the connection was refused), 8 times by now; again in") == 1);
  }
  SECTION("a client service") {
    std::optional<client_service> service;
    service.emplace(r.rt, std::make_shared<tcp_client_endpoint>(r.rt, "127.0.0.1", nobody),
                    factory::for_protocol<echo>(), client_service_options{.retry = [](std::size_t) {
                      return 1ms;
                    }});
    (void)service->start_service();
    r.start();
    REQUIRE(r.wait_for("4 times by now"));
    CHECK(r.find(at + ": the connection was refused; again in 0.0 s") == 1);
    std::promise<void> stopped;
    r.rt.reactor().call_from_thread([&] {
      service.reset();
      stopped.set_value();
    });
    stopped.get_future().wait();
  }
}

TEST_CASE("at debug level each connection tells its peer, its bytes and its end", "[client][log]") {
  logging r{spdlog::level::debug};
  events told;
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  connect_tcp(r.rt, "127.0.0.1", port,
              client_factory::for_protocol<caller>(std::ref(told), std::string(1000, 'x')));
  r.start();
  REQUIRE(told.wait(3));
  const auto at = "127.0.0.1:" + std::to_string(port);
  CHECK(r.wait_for("caller] connected with " + at));
  CHECK(
    r.wait_for("caller] connection with " + at
               + " ended, 1000 bytes received, 1000 written: the connection was closed cleanly"));
  CHECK(r.wait_for("echo] connection with "));
}
