// Outgoing connections as children of a supervisor, over real sockets.

#include <atomic>

#include <caf/send.hpp>
#include <sys/socket.h>

#include <troupe/net/connect_tcp.hpp>
#include <troupe/net/listen_ssl.hpp>
#include <troupe/net/reconnecting_client_factory.hpp>

#include "support/log_watch.hpp"
#include "support/supervised.hpp"
#include "support/text.hpp"
#include "support/tls.hpp"
#include "support/under_root.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

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
  const log_watch logged{server};
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
  CHECK(logged.count("could not be started") == 3);
  CHECK(logged.count("could not connect") == 0); // it is told once
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
