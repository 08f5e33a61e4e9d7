// UNIX and TLS ports, and outgoing connections, as children of a supervisor, over real sockets.

#include <atomic>
#include <filesystem>
#include <future>
#include <optional>

#include <caf/send.hpp>

#include <troupe/net/connect_tcp.hpp>
#include <troupe/net/listen_ssl.hpp>
#include <troupe/net/listen_udp.hpp>
#include <troupe/net/reconnecting_client_factory.hpp>

#include "support/supervised.hpp"
#include "support/tls.hpp"
#include "support/udp_peer.hpp"

#include <sys/socket.h>
#include <sys/un.h>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

client unix_client(const std::string& path) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  path.copy(to.sun_path, sizeof to.sun_path - 1);
  client made{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (::connect(made.fd(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
    throw std::runtime_error("no connection to " + path);
  return made;
}

void expect_echo(tls_client& c, const std::string& text = "hi") {
  c.send(text);
  CHECK(c.receive(text.size()) == text);
}
using troupe::testing::expect_echo;

/// A supervisor with some children under the root; its decisions are events.
class under_root {
public:
  under_root(running& server, events& log, std::vector<child_spec> children,
             supervisor_options options = {.intensity = 100, .backoff = {.initial = 20ms}}) {
    options.name = "net";
    options.observer = [&log](const supervisor_event& e) {
      log.add(std::string{name(e.kind)} + ":" + e.child);
    };
    root_supervisor(server.rt)
      ->start_child(supervisor::as_child(options, std::move(children), restart_type::temporary))
      .add_both([this, &log](outcome<caf::actor> a) {
        if (a)
          actor_ = *a;
        log.add(a ? "up" : "down: " + a.error().message());
      });
  }

  supervisor& get() const {
    return *static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(actor_));
  }

  caf::actor child(running& server, const std::string& id) const {
    return on_loop(server, [&] {
      for (const auto& c : get().which_children())
        if (c.id == id)
          return c.actor;
      return caf::actor{};
    });
  }

private:
  caf::actor actor_;
};

void terminate(running& server, const under_root& sup, const std::string& id) {
  on_loop(server, [&] { return deferred<void>(sup.get().terminate_child(id)); });
}

void restart(running& server, const under_root& sup, const std::string& id) {
  on_loop(server, [&] { return deferred<caf::actor>(sup.get().restart_child(id)); });
}

} // namespace

// -- ports --------------------------------------------------------------------------------------

TEST_CASE("a UNIX port's acceptor that crashes is restarted, and its file stays in place") {
  const auto before = open_descriptors();
  {
    const directory folder;
    const auto path = folder / "socket";
    events log;
    running server{GENERATE(1, 3)};
    const auto f = factory::of<frail_factory>(&log);
    const under_root sup{
      server, log, {factory_child("factory", f), unix_port_child("port", path, f)}};
    server.start();
    REQUIRE(log.wait_for("up"));
    auto established = unix_client(path);
    expect_echo(established);
    caf::anon_send_exit(sup.child(server, "port"), caf::exit_reason::unhandled_exception);
    REQUIRE(log.wait_for("child_ended:port"));
    auto waiting = unix_client(path); // nobody accepts it yet
    waiting.send("hi");
    expect_echo(established, "still here");
    REQUIRE(log.wait_for("child_started:port", 2));
    CHECK(waiting.receive(2) == "hi");

    terminate(server, sup, "port");
    CHECK(!std::filesystem::exists(path));
    CHECK(!std::filesystem::exists(path + ".lock"));
    expect_echo(established);
    restart(server, sup, "port");
    auto later = unix_client(path);
    expect_echo(later);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a port that waits for its restart closes its socket when it is stopped for good") {
  const auto before = open_descriptors();
  {
    events log;
    std::atomic<std::uint16_t> number{0};
    running server{1};
    const auto f = factory::of<frail_factory>(&log);
    const auto spec = port_child("port", 0, f, {}, [&](const listening_port& p) {
      number = p.get_host().port();
    }); // a copy, which outlives the supervisor
    const bool gives_up = GENERATE(false, true);
    const under_root sup{
      server,
      log,
      {factory_child("factory", f), spec},
      {.intensity = gives_up ? std::size_t{0} : std::size_t{9}, .backoff = {.initial = 1h}}};
    server.start();
    REQUIRE(log.wait_for("up"));
    client established{number};
    expect_echo(established);
    caf::anon_send_exit(sup.child(server, "port"), caf::exit_reason::unhandled_exception);
    REQUIRE(log.wait_for("child_ended:port"));
    if (gives_up) {
      established.close(); // the factory waits for it
      REQUIRE(log.wait_for("stopped:"));
      CHECK_THROWS(client{number});
    } else {
      client waiting{number}; // in the listen queue
      terminate(server, sup, "port");
      CHECK_THROWS(client{number});
      expect_echo(established);
      restart(server, sup, "port");
      expect_echo(number);
    }
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a supervised port that was stopped and started by hand keeps its queue in a crash") {
  const auto before = open_descriptors();
  {
    const directory folder;
    const auto path = folder / "socket";
    events log;
    listening_port port;
    running server{1};
    const auto f = factory::of<frail_factory>(&log);
    const under_root sup{
      server,
      log,
      {factory_child("factory", f),
       unix_port_child("port", path, f, {}, [&](const listening_port& p) { port = p; })},
      {.intensity = 9, .backoff = {.initial = 1h}}};
    server.start();
    REQUIRE(log.wait_for("up"));
    on_loop(server, [&] { return deferred<void>(port.stop_listening()); });
    CHECK(!std::filesystem::exists(path));
    on_loop(server, [&] { port.start_listening(); });
    auto established = unix_client(path);
    expect_echo(established);
    caf::anon_send_exit(sup.child(server, "port"), caf::exit_reason::unhandled_exception);
    REQUIRE(log.wait_for("child_ended:port"));
    CHECK(std::filesystem::exists(path));
    CHECK_NOTHROW(unix_client(path));
    terminate(server, sup, "port");
    CHECK(!std::filesystem::exists(path));
    port = {};
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a TLS port's acceptor that crashes is restarted, and no session is lost") {
  const auto before = open_descriptors();
  {
    const authority ca;
    events log;
    std::atomic<std::uint16_t> number{0};
    running server{GENERATE(1, 3)};
    const auto f = factory::of<frail_factory>(&log);
    const under_root sup{
      server,
      log,
      {factory_child("factory", f),
       ssl_port_child("port", 0, f, tls_server_context{{.identities = {ca.issue()}}}, {},
                      [&](const listening_port& p) { number = p.get_host().port(); })}};
    server.start();
    REQUIRE(log.wait_for("up"));
    const auto first = number.load();
    tls_client established{first};
    REQUIRE(established.error().empty());
    expect_echo(established);
    caf::anon_send_exit(sup.child(server, "port"), caf::exit_reason::unhandled_exception);
    REQUIRE(log.wait_for("child_ended:port"));
    client waiting{first}; // in the listen queue
    expect_echo(established, "still here");
    REQUIRE(log.wait_for("child_started:port", 2));
    tls_client served{std::move(waiting), {}};
    REQUIRE(served.error().empty());
    expect_echo(served);
    CHECK(number == first);
    terminate(server, sup, "port");
    CHECK_THROWS(client{first});
    expect_echo(established);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a UNIX port whose path is in use fails to start") {
  const directory folder;
  const auto path = folder / "socket";
  events log;
  running server{1};
  const auto taken = listen_unix(server.rt, path, factory::for_protocol<echo>());
  const under_root sup{server, log, {unix_port_child("port", path, factory::for_protocol<echo>())}};
  server.start();
  REQUIRE(log.wait_for("child_start_failed:port"));
  CHECK(log.wait(2));
  CHECK(log.count("up") == 0);
}

namespace {

/// Tells each peer the loop on which it is served.
class where_am_i : public protocol {
public:
  using protocol::protocol;
  void connection_made() override { transport().write(std::to_string(loop().index())); }
};

} // namespace

TEST_CASE("ports and factories run on the loop of their supervisor") {
  const auto before = open_descriptors();
  {
    events log;
    std::atomic<std::uint16_t> number{0};
    running server{3};
    const std::size_t asked_for = GENERATE(0, 1);
    const auto f = factory::for_protocol<where_am_i>();
    const std::vector<child_spec> children{
      factory_child("factory", f),
      port_child("port", 0, f, {.placement = placement::same_loop, .loop = asked_for},
                 [&](const listening_port& p) { number = p.get_host().port(); })};
    supervisor_options options{.observer = [&log](const supervisor_event& e) {
      log.add(std::string{name(e.kind)} + ":" + e.child);
    }};
    root_supervisor(server.rt)->start_child(
      {.id = "loop 1",
       .start = [&rt = server.rt, options,
                 children](supervisor&) { return rt.spawn_on<supervisor>(1, options, children); },
       .type = child_type::supervisor});
    server.start();
    REQUIRE(log.wait_for("started:"));
    CHECK(client{number}.receive(1) == "1");
    caf::anon_send_exit(f.actor(), caf::exit_reason::kill);
    REQUIRE(log.wait_for("child_started:factory", 2));
    CHECK(client{number}.receive(1) == "1");
    on_loop(server,
            [&] { return deferred<void>(root_supervisor(server.rt)->terminate_child("loop 1")); });
    CHECK(log.count("child_stopped:port") == 1);
    CHECK_THROWS(client{number});
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a port that is to run on another loop than its supervisor or factory fails to start") {
  events log;
  running server{2};
  const bool other_factory = GENERATE(false, true);
  const auto f = factory::for_protocol<echo>();
  if (other_factory)
    listen_tcp(server.rt, 0, f, {.loop = 1});
  const under_root sup{
    server, log, {port_child("port", 0, f, {.loop = other_factory ? std::size_t{0} : 1})}};
  server.start();
  REQUIRE(log.wait_for("child_start_failed:port"));
  CHECK(log.wait(2));
  CHECK(log.count("up") == 0);
}

namespace {

class frail_datagrams : public datagram_protocol {
public:
  using datagram_protocol::datagram_protocol;
  void datagram_received(bytes_view data, const net_address& from) override {
    transport().write(data, from);
  }
  caf::behavior make_behavior() override {
    return {[](crash_atom) {
      throw std::runtime_error("the protocol crashes");
    }};
  }
};

} // namespace

TEST_CASE("a port of datagrams is supervised by a start function that listens") {
  const auto before = open_descriptors();
  {
    events log;
    std::atomic<std::uint16_t> number{0};
    running server{GENERATE(1, 2)};
    auto& rt = server.rt;
    const child_spec spec{.id = "time", .start = [&rt, &number](supervisor& s) {
                            const auto port =
                              listen_udp(rt, number, datagram_protocol::of<frail_datagrams>(),
                                         {.loop = s.loop().index()});
                            number = port.get_host().port(); // the same after a crash
                            return port.actor();
                          }};
    const under_root sup{server, log, {spec}};
    server.start();
    REQUIRE(log.wait_for("up"));
    const std::uint16_t first = number;
    udp_peer peer;
    peer.send(first, "hi");
    CHECK(peer.receive() == "hi");
    caf::anon_send(sup.child(server, "time"), crash_atom::value);
    REQUIRE(log.wait_for("child_started:time", 2));
    CHECK(number == first);
    peer.send(first, "again");
    CHECK(peer.receive() == "again");
    terminate(server, sup, "time");
    CHECK_NOTHROW(udp_peer{"127.0.0.1", first}); // which is free
    restart(server, sup, "time");
    peer.send(first, "later");
    CHECK(peer.receive() == "later");
  }
  CHECK(open_descriptors() == before);
}

// -- connectors ---------------------------------------------------------------------------------

namespace {

/// Says hello, and tells what it hears; what it is told to say it sends.
class talker : public protocol {
public:
  talker(caf::actor_config& cfg, events* log) : protocol(cfg), log_(log) {}
  void connection_made() override { transport().write("hello"); }
  void data_received(bytes_view data) override { log_->add("heard " + std::string{as_text(data)}); }
  void connection_lost(const failure& why) override { log_->add("lost: " + why.message()); }

private:
  events* log_;
};

/// Keeps an eye on the latest connection, for the test to end it.
class talkers : public client_factory {
public:
  talkers(caf::actor_config& cfg, events* log, std::atomic<bool>* builds)
    : client_factory(cfg), log_(log), builds_(builds) {}
  protocol_ptr build_protocol(const net_address&) override {
    return *builds_ ? make_protocol<talker>(log_) : protocol_ptr{};
  }
  void client_connection_failed(connector&, const failure& why) override {
    log_->add("failed: " + why.message());
  }
  void client_connection_lost(connector& c, const failure&) override {
    try {
      c.connect(); // is its supervisor's work
    } catch (const std::logic_error&) {
      log_->add("may not connect");
    }
  }
  caf::behavior make_behavior() override {
    return {[](crash_atom) {
      throw std::runtime_error("the factory crashes");
    }};
  }

private:
  events* log_;
  std::atomic<bool>* builds_;
};

/// The other side: a port whose connections this test holds.
class answering {
public:
  explicit answering(running& server, std::uint16_t number = 0)
    : server_(server),
      port(listen_tcp(server.rt, number, factory::for_protocol<held>(&ends, &mutex, &all))) {}

  ~answering() { server_.stop(); } // its connections tell this object of their end
  answering(const answering&) = delete;
  answering& operator=(const answering&) = delete;

  struct held : protocol {
    held(caf::actor_config& cfg, events* e, std::mutex* m, std::vector<caf::actor>* a)
      : protocol(cfg), ends_(e), mutex_(m), all_(a) {}
    void connection_made() override {
      const std::lock_guard hold{*mutex_};
      all_->push_back(caf::actor{this});
      ends_->add("made");
    }
    void data_received(bytes_view data) override { transport().write(data); }
    void connection_lost(const failure& why) override { ends_->add("lost: " + why.message()); }
    caf::behavior make_behavior() override {
      return {[this](leave_atom) { transport().lose_connection(); },
              [this](crash_atom) {
                transport().abort_connection();
              }};
    }
    using leave_atom = caf::atom_constant<caf::atom("leave")>;

  private:
    events* ends_;
    std::mutex* mutex_;
    std::vector<caf::actor>* all_;
  };

  template <class What>
  void tell_latest(What what) {
    const std::lock_guard hold{mutex};
    caf::anon_send(all.back(), what);
  }

private:
  running& server_;

public:
  events ends;
  std::mutex mutex;
  std::vector<caf::actor> all;
  listening_port port;
};

using leave_atom = answering::held::leave_atom;

std::string text_of(errc code) {
  return failure{code}.message();
}

} // namespace

TEST_CASE("a supervised connection that is lost is made again, whatever kind of socket it has") {
  const auto kind = GENERATE(as<std::string>{}, "tcp", "unix", "tls");
  const auto before = open_descriptors();
  {
    const directory folder;
    const auto path = folder / "socket";
    const authority ca;
    events log;
    std::atomic<bool> builds{true};
    running server{GENERATE(1, 3)};
    auto& rt = server.rt;
    const auto f = client_factory::of<talkers>(&log, &builds);
    const auto made = [&](const connector& c) {
      log.add(c.get_state() == connector::state::connected ? "connected" : "not connected");
    };
    const auto peers = factory::for_protocol<echo>();
    const auto spec = [&] {
      if (kind == "unix") {
        listen_unix(rt, path, peers);
        return unix_connector_child(rt, "link", path, f, {}, made);
      }
      if (kind == "tls") {
        const auto port =
          listen_ssl(rt, 0, peers, tls_server_context{{.identities = {ca.issue()}}});
        return ssl_connector_child(rt, "link", "localhost", port.get_host().port(), f,
                                   tls_client_context{{.trusted_file = ca.file()}}, {}, made);
      }
      const auto port = listen_tcp(rt, 0, peers);
      return connector_child(rt, "link", "127.0.0.1", port.get_host().port(), f, {}, made);
    }();
    const under_root sup{server, log, {spec}};
    server.start();
    REQUIRE(log.wait_for("up"));
    REQUIRE(log.wait_for("heard hello"));
    CHECK(log.wait_for("connected"));
    // The peer goes.
    on_loop(server, [&] { return deferred<void>(peers.get()->drain()); });
    REQUIRE(log.wait_for("child_ended:link"));
    REQUIRE(log.wait_for("heard hello", 2));
    CHECK(log.wait_for("may not connect"));
    CHECK(log.wait_for("connected", 2));
    // The connector crashes: its connection goes with it, and there is a new one.
    caf::anon_send_exit(sup.child(server, "link"), caf::exit_reason::kill);
    REQUIRE(log.wait_for("lost: " + text_of(errc::connection_aborted)));
    REQUIRE(log.wait_for("heard hello", 3));
    CHECK(log.wait_for("connected", 3));
    CHECK(log.count("not connected") == 0);
    terminate(server, sup, "link");
    CHECK(log.wait_for("child_stopped:link"));
    CHECK(on_loop(server, [&] { return f.get()->connections(); }) == 0);
    CHECK(log.count("lost: " + text_of(errc::connection_done)) == 2);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a transient connection is made again after a crash, and not after a regular end") {
  events log;
  std::atomic<bool> builds{true};
  running server{2};
  answering other{server};
  const auto f = client_factory::of<talkers>(&log, &builds);
  const under_root sup{
    server,
    log,
    {connector_child(server.rt, "link", "127.0.0.1", other.port.get_host().port(), f, {}, {},
                     restart_type::transient)}};
  server.start();
  REQUIRE(log.wait_for("up"));
  REQUIRE(log.wait_for("heard hello"));
  other.tell_latest(crash_atom::value);
  REQUIRE(log.wait_for("child_started:link", 2));
  REQUIRE(log.wait_for("heard hello", 2));
  other.tell_latest(leave_atom::value);
  REQUIRE(log.wait_for("child_ended:link", 2));
  CHECK(log.wait_for("lost: " + text_of(errc::connection_done)));
  CHECK(!sup.child(server, "link"));
  restart(server, sup, "link");
  REQUIRE(log.wait_for("heard hello", 3));
  CHECK(log.count("child_restarting:link") == 1);
  const std::lock_guard hold{other.mutex};
  other.all.clear();
}

TEST_CASE("attempts that fail count as restarts, until the supervisor gives up") {
  events log;
  std::atomic<bool> builds{true};
  running server{1};
  const auto f = client_factory::of<talkers>(&log, &builds);
  auto other = std::make_unique<answering>(server);
  const auto number = other->port.get_host().port();
  const under_root sup{server,
                       log,
                       {connector_child(server.rt, "link", "127.0.0.1", number, f)},
                       {.intensity = 3, .period = 1h, .backoff = {.initial = 1ms}}};
  server.start();
  REQUIRE(log.wait_for("up"));
  REQUIRE(log.wait_for("heard hello"));
  on_loop(server, [&] { return deferred<void>(other->port.stop_listening()); });
  other->tell_latest(crash_atom::value);
  REQUIRE(log.wait_for("intensity_reached:link"));
  CHECK(log.count("child_start_failed:link") == 3);
  CHECK(log.count("child_restarting:link") == 3);
  const std::lock_guard hold{other->mutex};
  other->all.clear();
}

TEST_CASE("a supervisor that is told to end gives up a connection that is being made") {
  events log;
  std::atomic<bool> builds{true};
  running server{2};
  // Listens, and never accepts: the handshake of TLS does not go on.
  const int silent = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::listen(silent, 5) == 0);
  const client closes_it{silent};
  sockaddr_storage at{};
  socklen_t size = sizeof at;
  ::getsockname(silent, reinterpret_cast<sockaddr*>(&at), &size);
  const auto number = ntohs(reinterpret_cast<sockaddr_in&>(at).sin_port);
  const auto f = client_factory::of<talkers>(&log, &builds);
  const auto spec = ssl_connector_child(server.rt, "link", "127.0.0.1", number, f,
                                        tls_client_context{{.verify = false}});
  const under_root sup{server, log, {}};
  server.start();
  REQUIRE(log.wait_for("up"));
  on_loop(server, [&] {
    sup.get().start_child(spec).add_both(
      [&](outcome<caf::actor> a) { log.add(a ? "started" : "not started"); });
  });
  on_loop(server,
          [&] { return deferred<void>(root_supervisor(server.rt)->terminate_child("net")); });
  CHECK(log.wait_for("not started"));
  CHECK(log.wait_for("failed: " + text_of(errc::cancelled)));
  CHECK(log.count("started") == 0);
}

TEST_CASE("a client factory that crashes is made anew for the next connection") {
  events log;
  std::atomic<bool> builds{true};
  running server{2};
  answering other{server};
  const auto f = client_factory::of<talkers>(&log, &builds);
  const bool supervised = GENERATE(false, true);
  std::vector<child_spec> children{
    connector_child(server.rt, "link", "127.0.0.1", other.port.get_host().port(), f),
    connector_child(server.rt, "second", "127.0.0.1", other.port.get_host().port(), f)};
  if (supervised)
    children.insert(children.begin(), factory_child("factory", f));
  const under_root sup{server, log, std::move(children)};
  server.start();
  REQUIRE(log.wait_for("up"));
  REQUIRE(log.wait_for("heard hello", 2));
  const auto actor = on_loop(server, [&] { return f.actor(); });
  caf::anon_send(actor, crash_atom::value);
  if (supervised) {
    REQUIRE(log.wait_for("child_started:factory", 2));
  }
  other.tell_latest(crash_atom::value);
  REQUIRE(log.wait_for("heard hello", 3));
  other.tell_latest(leave_atom::value);
  REQUIRE(log.wait_for("heard hello", 4));
  CHECK(on_loop(server, [&] { return f.actor(); }) != actor);
  CHECK(on_loop(server, [&] { return f.get()->connections(); }) == 2);
  on_loop(server,
          [&] { return deferred<void>(root_supervisor(server.rt)->terminate_child("net")); });
  CHECK(on_loop(server, [&] { return f.get()->connections(); }) == 0);
  const std::lock_guard hold{other.mutex};
  other.all.clear();
}

TEST_CASE("a factory that connects again by itself cannot be supervised") {
  events log;
  running server{1};
  answering other{server};
  const under_root sup{
    server,
    log,
    {connector_child(server.rt, "link", "127.0.0.1", other.port.get_host().port(),
                     reconnecting_client_factory::for_protocol<talker>({}, &log))}};
  server.start();
  REQUIRE(log.wait_for("child_start_failed:link"));
  CHECK(other.ends.all().empty());
}

TEST_CASE("a factory that builds no protocol fails the start of its connection") {
  events log;
  std::atomic<bool> builds{false};
  running server{1};
  answering other{server};
  const under_root sup{
    server,
    log,
    {connector_child(server.rt, "link", "127.0.0.1", other.port.get_host().port(),
                     client_factory::of<talkers>(&log, &builds))}};
  server.start();
  REQUIRE(log.wait_for("child_start_failed:link"));
  CHECK(log.wait_for("failed: " + text_of(errc::no_protocol)));
}
