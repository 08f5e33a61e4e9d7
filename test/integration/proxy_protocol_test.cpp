// Ports whose connections come from proxies, which say whose they are.

#include <optional>
#include <stdexcept>

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <troupe/net/connection_counters.hpp>
#include <troupe/net/endpoint_string.hpp>
#include <troupe/net/limit_connections.hpp>
#include <troupe/net/listen_ssl.hpp>
#include <troupe/net/listen_unix.hpp>
#include <troupe/net/proxy_header.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/directory.hpp"
#include "support/log_watch.hpp"
#include "support/on_loop.hpp"
#include "support/running.hpp"
#include "support/tls.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Says first between whom the connection is, and then echoes.
class teller : public protocol {
public:
  using protocol::protocol;
  void connection_made() override {
    transport().write(transport().get_peer().to_string() + " > "
                      + transport().get_host().to_string()
                      + (transport().get_peer_credentials() ? " known" : "") + "\r\n");
  }
  void data_received(bytes_view data) override { transport().write(data); }
};

class telling_factory : public factory {
public:
  telling_factory(caf::actor_config& cfg, events* log) : factory(cfg), log_(log) {}
  protocol_ptr build_protocol(const net_address& peer) override {
    log_->add(peer.to_string());
    return make_protocol<teller>();
  }

private:
  events* log_;
};

/// A server behind proxies.
struct proxied {
  explicit proxied(proxy_protocol_options o = {.proxies = {"127.0.0.0/8"}}, std::size_t loops = 2,
                   std::optional<std::size_t> limit = {})
    : server(loops), f(factory::of<telling_factory>(&built)),
      port(listen_tcp(server.rt, 0, f, {.proxy_protocol = std::move(o)})) {
    if (limit)
      f.get()->set_max_connections(*limit);
    server.start();
  }
  [[nodiscard]] client connect() const { return client{port.get_host().port()}; }
  [[nodiscard]] std::string own_address() const { return port.get_host().to_string(); }
  std::uint64_t refused() { return count_connections(server.rt)[name()].refused; }
  std::string name() {
    return on_loop(server, [this] { return f.get()->log_prefix(); });
  }

  events built;
  running server;
  factory_ref f;
  listening_port port;
};

std::string header_of(const std::string& client, std::uint16_t port = 4711) {
  return proxy_header_v1({net_address::ip(client, port), net_address::ip("198.51.100.2", 443)});
}

/// A client of the UNIX socket at `path`.
client connected(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  path.copy(at.sun_path, path.size());
  REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
  return client{fd};
}

const std::string told = "192.0.2.1:4711 > 198.51.100.2:443\r\n";

} // namespace

// -- whose it is ------------------------------------------------------------------------------------

TEST_CASE("the factory and the protocol have the address that the proxy tells, of both versions") {
  proxied s;
  const bool binary = GENERATE(false, true);
  const proxy_header header{net_address::ip("192.0.2.1", 4711),
                            net_address::ip("198.51.100.2", 443)};
  const auto text = binary ? proxy_header_v2(header, true) : proxy_header_v1(header);
  for (const std::string with : {"", "hello"}) {
    auto c = s.connect();
    c.send(text + with);
    CHECK(c.line() == told);
    CHECK(c.receive(with.size()) == with);
    c.send("more");
    CHECK(c.receive(4) == "more");
  }
  CHECK(s.built.all() == std::vector<std::string>{"192.0.2.1:4711", "192.0.2.1:4711"});
}

TEST_CASE("a header that comes byte by byte is read, and what follows it is the protocol's") {
  proxied s;
  const bool binary = GENERATE(false, true);
  const proxy_header header{net_address::ip("2001:db8::1", 1), net_address::ip("2001:db8::2", 2)};
  auto c = s.connect();
  const int on = 1;
  ::setsockopt(c.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  for (const char byte : (binary ? proxy_header_v2(header) : proxy_header_v1(header)) + "hi") {
    c.send({&byte, 1});
    on_loop(s.server, [] {});
  }
  CHECK(c.line() == "[2001:db8::1]:1 > [2001:db8::2]:2\r\n");
  CHECK(c.receive(2) == "hi");
}

TEST_CASE("a server that speaks first waits for the header") {
  proxied s;
  auto c = s.connect();
  c.send("PROXY TCP4 192.0.2.1 198.51.100.2 ");
  for (int turn = 0; turn < 5; ++turn)
    on_loop(s.server, [] {});
  CHECK(s.built.all().empty());
  c.send("4711 443\r\n");
  CHECK(c.line() == told);
}

TEST_CASE("what a proxy sends for itself, or knows nothing of, has the ends that it has") {
  proxied s;
  for (const auto& header :
       {std::string{"PROXY UNKNOWN\r\n"}, proxy_header_v2({}),
        proxy_header_v2({net_address::ip("192.0.2.1", 1), net_address::path("/a")})}) {
    auto c = s.connect();
    c.send(header);
    const auto line = c.line();
    CHECK(line.starts_with("127.0.0.1:"));
    CHECK(line.ends_with(" > " + s.own_address() + "\r\n"));
  }
}

TEST_CASE("each connection is counted under its client's address, and logged under that") {
  running server{2};
  const log_watch logged{server};
  events built;
  const auto f =
    factory::of<limit_connections_by_peer_factory>(factory::of<telling_factory>(&built), 1u);
  const auto port = listen_tcp(server.rt, 0, f, {.proxy_protocol = {.proxies = {"127.0.0.1"}}});
  server.rt.logger().set_level(spdlog::level::debug);
  server.start();
  client a{port.get_host().port()}, b{port.get_host().port()}, again{port.get_host().port()};
  a.send(header_of("192.0.2.1"));
  CHECK(a.line() == told);
  b.send(header_of("192.0.2.2"));
  CHECK(b.line() == "192.0.2.2:4711 > 198.51.100.2:443\r\n");
  again.send(header_of("192.0.2.1"));
  CHECK(again.rest().empty());
  a.shut_write();
  CHECK(a.rest().empty());
  server.stop();
  CHECK(logged.count("connection with 192.0.2.1:4711 ended") == 1);
}

TEST_CASE("TLS comes behind the header, also in the same segment") {
  authority ca;
  running server{2};
  events built;
  const tls_server_context tls{{.identities = {ca.issue()}}};
  const auto port = listen_ssl(server.rt, 0, factory::of<telling_factory>(&built), tls,
                               {.proxy_protocol = {.proxies = {"127.0.0.1"}}});
  server.start();
  const bool together = GENERATE(false, true);
  client c{port.get_host().port()};
  const auto header = header_of("192.0.2.1");
  REQUIRE(::send(c.fd(), header.data(), header.size(), together ? MSG_MORE : 0)
          == static_cast<ssize_t>(header.size()));
  tls_client secure{std::move(c), {.trusted = ca.file(), .name = "localhost"}};
  REQUIRE(secure.error().empty());
  CHECK(secure.receive(told.size()) == told);
}

TEST_CASE("a proxy at a UNIX socket tells the client, whose credentials nobody knows") {
  directory folder;
  running server{1};
  events built;
  const auto path = folder / "door";
  const auto port = listen_unix(server.rt, path, factory::of<telling_factory>(&built),
                                {.proxy_protocol = {.proxies = {"unix"}}});
  server.start();
  auto tcp = connected(path);
  tcp.send(header_of("192.0.2.1"));
  CHECK(tcp.line() == told);
  auto of_path = connected(path);
  of_path.send(proxy_header_v2({net_address::path("/run/a"), net_address::path("@b")}));
  CHECK(of_path.line() == "/run/a > @b\r\n");
  auto local = connected(path);
  local.send(proxy_header_v2({}));
  CHECK(local.line() == " > " + path + " known\r\n");
}

TEST_CASE("an endpoint string names the proxies") {
  directory folder;
  const auto path = folder / "door";
  auto description = GENERATE(
    as<std::string>{}, "tcp:0:proxies=10.0.0.0/8,127.0.0.1", "haproxy:tcp:0:proxies=127.0.0.1",
    "tcp:0:proxies=192.0.2.1:others=direct", "haproxy:unix:PATH:proxies=unix");
  if (const auto at = description.find("PATH"); at != std::string::npos)
    description.replace(at, 4, path);
  CAPTURE(description);
  running server{1};
  events built;
  listening_port port;
  server_from_string(server.rt, description)
    ->listen(factory::of<telling_factory>(&built))
    .add_callback([&](listening_port p) { port = std::move(p); });
  server.start();
  auto c = port.get_host().type() == net_address::kind::unix_socket
             ? connected(path)
             : client{port.get_host().port()};
  c.send(header_of("192.0.2.1"));
  if (description.ends_with("direct"))
    CHECK(c.line().starts_with("127.0.0.1:"));
  else
    CHECK(c.line() == told);
}

// -- who is refused ---------------------------------------------------------------------------------

TEST_CASE("who is no named proxy is refused before it says anything, and that is logged once") {
  proxied s{{.proxies = {"192.0.2.0/24", "127.0.0.2"}}};
  const log_watch logged{s.server};
  for (int i = 0; i < 3; ++i)
    CHECK(s.connect().rest().empty());
  CHECK(s.built.all().empty());
  CHECK(s.refused() == 3);
  CHECK(logged.count("it is none of the named proxies") == 1);
}

TEST_CASE("who is no named proxy may be taken as it is, and its header is not one") {
  proxied s{{.proxies = {"192.0.2.0/24"}, .others = unnamed_peers::direct}};
  auto c = s.connect();
  CHECK(c.line().starts_with("127.0.0.1:"));
  const auto header = header_of("192.0.2.1");
  c.send(header);
  CHECK(c.receive(header.size()) == header);
}

TEST_CASE("a proxy without a good header is refused, and that is logged") {
  proxied s;
  const log_watch logged{s.server};
  const auto bad = GENERATE(as<std::string>{}, "GET / HTTP/1.1\r\n\r\n", "PROXY TCP4 1.2.3.4\r\n",
                            std::string("\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0", 16));
  auto c = s.connect();
  c.send(bad);
  CHECK(c.rest().empty());
  CHECK(s.built.all().empty());
  CHECK(s.refused() == 1);
  CHECK(logged.count("warning tcp " + s.own_address() + ": a connection from the proxy 127.0.0.1:")
        == 1);
}

TEST_CASE(
  "one that ends before its header is whole is refused, and one that only looked is no news") {
  proxied s;
  const log_watch logged{s.server};
  {
    auto c = s.connect();
    c.send("PROXY TCP4");
    c.shut_write();
    CHECK(c.rest().empty());
  }
  CHECK(logged.count("the header of the PROXY protocol is cut off") == 1);
  {
    auto c = s.connect();
    c.shut_write();
    CHECK(c.rest().empty());
  }
  CHECK(s.refused() == 2);
  CHECK(logged.count("warning") == 1);
}

TEST_CASE("a header that does not come in time is not waited for") {
  proxied s{{.proxies = {"127.0.0.1"}, .timeout = 500ms}}; // long enough for the good one
  const log_watch logged{s.server};
  const auto begun = std::chrono::steady_clock::now();
  auto silent = s.connect();
  auto slow = s.connect();
  slow.send("PROXY ");
  CHECK(silent.rest().empty());
  CHECK(slow.rest().empty());
  CHECK(std::chrono::steady_clock::now() - begun >= 500ms);
  CHECK(s.refused() == 2);
  CHECK(logged.count("the header of the PROXY protocol") == 1);
  auto good = s.connect();
  good.send(header_of("192.0.2.1"));
  CHECK(good.line() == told);
}

// -- limits -----------------------------------------------------------------------------------------

TEST_CASE("one whose header comes when there is no room waits until there is") {
  proxied s{{.proxies = {"127.0.0.1"}}, 2, 1};
  auto a = s.connect(), b = s.connect(), c = s.connect();
  for (int turn = 0; turn < 5; ++turn) // all three are at the door
    on_loop(s.server, [] {});
  for (auto* const one : {&a, &b, &c}) {
    one->send(header_of("192.0.2.1"));
    on_loop(s.server, [] {});
  }
  CHECK(a.line() == told);
  CHECK(s.built.all().size() == 1);
  a.close();
  CHECK(b.line() == told);
  CHECK(s.built.all().size() == 2);
  b.close();
  CHECK(c.line() == told);
  auto d = s.connect();
  d.send(header_of("192.0.2.1"));
  c.close();
  CHECK(d.line() == told);
}

TEST_CASE("only so many headers are waited for, and others then have their turn") {
  proxied s{{.proxies = {"127.0.0.1"}, .max_waiting = 2}};
  auto a = s.connect(), b = s.connect();
  a.send("PROXY");
  b.send("PROXY");
  auto c = s.connect();
  c.send(header_of("192.0.2.1"));
  for (int turn = 0; turn < 5; ++turn)
    on_loop(s.server, [] {});
  CHECK(s.built.all().empty());
  a.send(header_of("192.0.2.9").substr(5));
  CHECK(a.line().starts_with("192.0.2.9"));
  CHECK(c.line() == told);
  b.close();
  for (int i = 0; i < 5; ++i) {
    auto more = s.connect();
    more.send(header_of("192.0.2.1"));
    CHECK(more.line() == told);
  }
}

// -- the end ----------------------------------------------------------------------------------------

TEST_CASE("a port that stops closes those that wait at its door, and opens again") {
  const auto before = open_descriptors();
  {
    proxied s{{.proxies = {"127.0.0.1"}, .timeout = 1min}};
    auto waiting = s.connect();
    waiting.send("PRO");
    for (int turn = 0; turn < 5; ++turn)
      on_loop(s.server, [] {});
    on_loop(s.server, [&] { s.port.stop_listening(); });
    CHECK(waiting.rest().empty());
    on_loop(s.server, [&] { s.port.start_listening(); });
    auto c = s.connect();
    c.send(header_of("192.0.2.1"));
    CHECK(c.line() == told);
    auto left = s.connect(); // for the end of the runtime
    left.send("PRO");
    on_loop(s.server, [] {});
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("rules that make no sense are misuse") {
  running server{1};
  const auto f = factory::for_protocol<teller>();
  const auto listen = [&](const proxy_protocol_options& o) {
    listen_tcp(server.rt, 0, f, {.proxy_protocol = o});
  };
  CHECK_THROWS_AS(listen({.proxies = {"proxy.example"}}), std::invalid_argument);
  CHECK_THROWS_AS(listen({.proxies = {"10.0.0.0/33"}}), std::invalid_argument);
  CHECK_THROWS_AS(listen({.proxies = {"::1"}, .timeout = 0s}), std::invalid_argument);
  CHECK_THROWS_AS(listen({.proxies = {"::1"}, .max_length = 15}), std::invalid_argument);
  CHECK_THROWS_AS(listen({.proxies = {"::1"}, .max_length = 65552}), std::invalid_argument);
  CHECK_THROWS_AS(listen({.proxies = {"::1"}, .max_waiting = 0}), std::invalid_argument);
}
