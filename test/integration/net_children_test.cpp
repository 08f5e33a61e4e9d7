// UNIX and TLS ports, and ports of datagrams, as children of a supervisor, over real sockets.

#include <atomic>
#include <filesystem>

#include <caf/send.hpp>
#include <sys/socket.h>
#include <sys/un.h>

#include <troupe/net/listen_ssl.hpp>
#include <troupe/net/listen_udp.hpp>

#include "support/supervised.hpp"
#include "support/tls.hpp"
#include "support/udp_peer.hpp"
#include "support/under_root.hpp"

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

} // namespace

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
