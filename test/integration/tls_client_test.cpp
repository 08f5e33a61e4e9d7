// The client's end of TLS: whom it trusts, what it says when it does not, and what it remembers.

#include <netinet/in.h>
#include <sys/socket.h>

#include <troupe/net/connect_ssl.hpp>
#include <troupe/net/host_name.hpp>
#include <troupe/net/listen_ssl.hpp>
#include <troupe/net/start_tls.hpp>

#include "support/catch.hpp"
#include "support/echo.hpp"
#include "support/running.hpp"
#include "support/text.hpp"
#include "support/tls.hpp"
#include "tls_kind.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Says hello, tells what comes back, and closes.
class caller : public protocol {
public:
  caller(caf::actor_config& cfg, events* log) : protocol(cfg), log_(log) {}
  void connection_made() override {
    const auto* const tls = transport().tls();
    log_->add("made " + std::string{tls->version_name()} + ' ' + std::string{tls->alpn()}
              + (tls->resumed() ? " again" : " new"));
    CHECK(tls->server_name() != "127.0.0.1");
    const auto server = tls->peer_certificate();
    CHECK((server && server->to_pem().starts_with("-----BEGIN CERTIFICATE-----")));
    transport().write("hello");
  }
  void data_received(bytes_view data) override {
    log_->add(std::string{as_text(data)});
    transport().lose_connection();
  }
  void connection_lost(const failure& why) override { log_->add("lost: " + why.message()); }

private:
  events* log_;
};

int connected_socket(std::uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  return fd;
}

/// Connects a protocol over TLS, as a connector would; `log` hears how that went.
template <class P>
void dial(running& r, std::uint16_t port, const tls_client_context& tls, const std::string& host,
          events& log) {
  const int fd = connected_socket(port);
  r.rt.reactor().call_from_thread([&r, &log, fd, tls, host, port] {
    auto& loop = r.rt.scheduler().loop(0);
    caf::actor_config cfg{&loop};
    const protocol_ptr p{caf::actor_cast<caf::strong_actor_ptr>(
      r.rt.system().spawn_impl<P, caf::hidden + caf::lazy_init>(cfg, &log))};
    const troupe::detail::tls_kind kind{
      tls.settings(), true, false, {}, host, host + ':' + std::to_string(port)};
    kind.open(loop, troupe::detail::unique_fd{fd}, {}, p, [&log](const failure* failed) {
      log.add(failed == nullptr ? "told: open" : "told: " + failed->message());
    });
  });
}

struct world {
  explicit world(tls_server_options o = {})
    : server(2), tls(with_identity(std::move(o))),
      port(listen_ssl(server.rt, 0, factory::for_protocol<echo>(), tls)) {
    server.start();
  }
  tls_server_options with_identity(tls_server_options o) const {
    if (o.identities.empty())
      o.identities.push_back(ca.issue());
    return o;
  }

  /// Dials, and returns what happened, until `count` events are there.
  std::vector<std::string> dialled(const tls_client_context& context, const std::string& host,
                                   std::size_t count) {
    events log;
    dial<caller>(server, port.get_host().port(), context, host, log);
    CHECK(log.wait(count));
    return log.all();
  }

  authority ca;
  events server_log;
  running server;
  tls_server_context tls;
  listening_port port;
};

const std::vector<std::string> good_call{"made TLSv1.3  new", "told: open", "hello",
                                         "lost: " + text_of(errc::connection_done)};

} // namespace

TEST_CASE("a client trusts whom its authority vouches for, by name and by address") {
  world w;
  for (const auto* host : {"localhost", "127.0.0.1", "LOCALHOST", "localhost."})
    CHECK(w.dialled(tls_client_context{{.trusted_file = w.ca.file()}}, host, 4) == good_call);
}

TEST_CASE("a client that is told its server's name asks for that") {
  world w;
  CHECK(w.dialled(tls_client_context{{.trusted_file = w.ca.file(), .server_name = "localhost"}},
                  "elsewhere.example", 4)
        == good_call);
}

TEST_CASE(
  "a server whose name is not ASCII is asked for, and verified, as its certificate has it") {
  if (!ascii_host_name("\u00fc"))
    return; // a build without libidn2
  const authority ca;
  world w{{.identities = {ca.issue({.names = {"xn--bcher-kva.example"}})}}};
  const auto call = [&](const std::string& name, std::size_t count) {
    return w.dialled(tls_client_context{{.trusted_file = ca.file(), .server_name = name}},
                     "127.0.0.1", count);
  };
  CHECK(call("b\u00fccher.example", 4) == good_call);
  CHECK(contains(call("k\u00fcche.example", 1).front(), text_of(errc::certificate_refused)));
  CHECK(contains(call("a\u2100.example", 1).front(), "cannot be the name of a host"));
}

TEST_CASE("a client says why it refuses a certificate") {
  const std::string refused = ": " + text_of(errc::certificate_refused);
  const authority stranger{"stranger"};
  SECTION("of an unknown authority") {
    world w;
    CHECK(w.dialled(tls_client_context{{.trusted_file = stranger.file()}}, "localhost", 1)
          == std::vector<std::string>{"told: unable to get local issuer certificate (CN=test)"
                                      + refused});
    CHECK(w.dialled(tls_client_context{}, "localhost", 1).size() == 1); // nor does the system
    CHECK(w.dialled(tls_client_context{{.verify = false}}, "localhost", 4) == good_call);
  }
  SECTION("for another host") {
    world w;
    const tls_client_context trusting{{.trusted_file = w.ca.file()}};
    CHECK(w.dialled(trusting, "chat.example", 1)
          == std::vector<std::string>{
            "told: hostname mismatch: wanted chat.example, and the certificate is for localhost, "
            "127.0.0.1"
            + refused});
    CHECK(w.dialled(trusting, "127.0.0.2", 1)
          == std::vector<std::string>{"told: IP address mismatch: wanted 127.0.0.2, and the "
                                      "certificate is for localhost, 127.0.0.1"
                                      + refused});
  }
  SECTION("that names its host in the subject alone") { // RFC 9525, section 6.1
    const auto ca = std::make_unique<authority>();
    const auto of = [&](const std::string& name, std::vector<std::string> names) {
      world w{{.identities = {ca->issue({.name = name, .names = std::move(names)})}}};
      return w.dialled(tls_client_context{{.trusted_file = ca->file()}}, "localhost", 1).front();
    };
    const std::string wanted = "told: hostname mismatch: wanted localhost, and the certificate ";
    CHECK(of("localhost", {})
          == wanted + "names no host (its subject does not count: CN=localhost)" + refused);
    CHECK(of("localhost", {"IP:127.0.0.1"}) == wanted + "is for 127.0.0.1" + refused);
    CHECK(of("localhost", {"chat.example"}) == wanted + "is for chat.example" + refused);
  }
  SECTION("that is out of date, too early, or its own authority") {
    const auto ca = std::make_unique<authority>();
    const auto with = [&](const authority::wish& wish) {
      world w{{.identities = {ca->issue(wish)}}};
      return w.dialled(tls_client_context{{.trusted_file = ca->file()}}, "localhost", 1).front();
    };
    CHECK(with({.begins = -7200, .ends = -3600})
          == "told: certificate has expired (CN=test)" + refused);
    CHECK(with({.begins = 3600, .ends = 7200})
          == "told: certificate is not yet valid (CN=test)" + refused);
    CHECK(with({.self_signed = true}) == "told: self-signed certificate (CN=test)" + refused);
  }
}

TEST_CASE("a client tells a version and a protocol that the server will not speak") {
  world w{{.alpn = {"chat/1"}, .minimum = tls_version::tls_1_3}};
  const auto dialled = [&](const std::string& alpn, std::size_t count) {
    return w.dialled(tls_client_context{{.trusted_file = w.ca.file(), .alpn = {alpn}}}, "localhost",
                     count);
  };
  CHECK(dialled("chat/1", 4).front() == "made TLSv1.3 chat/1 new");
  CHECK(dialled("smtp", 1).front()
        == "told: the peer sent the alert \"no application protocol\": "
             + text_of(errc::tls_failed));
}

TEST_CASE("a client certificate that the server wants and does not get ends the connection") {
  world w{{.clients = client_certificates::required, .minimum = tls_version::tls_1_2}};
  const auto with = [&](tls_client_options o, std::size_t count) {
    o.trusted_file = w.ca.file();
    return w.dialled(tls_client_context{o}, "localhost", count);
  };
  const authority stranger{"stranger"};
  // Who vouches for clients here is the system, and that for nobody whom tests know.
  const auto nobody = with({}, 3);
  CHECK(nobody.back()
        == "lost: the peer sent the alert \"certificate required\": " + text_of(errc::tls_failed));
  const auto eve = with({.identity = stranger.issue()}, 3);
  CHECK(eve.back().find("unknown CA") != std::string::npos);
}

TEST_CASE("a client with a certificate is let in") {
  const auto friends = std::make_unique<authority>("friends");
  world w{{.clients = client_certificates::required, .trusted_file = friends->file()}};
  const tls_client_context bob{
    {.trusted_file = w.ca.file(), .identity = friends->issue({.name = "bob"})}};
  CHECK(w.dialled(bob, "localhost", 4) == good_call);
}

TEST_CASE("a client context remembers sessions by destination, unless told not to") {
  const bool resume = GENERATE(true, false);
  world w, other;
  const tls_client_context context{{.trusted_file = w.ca.file(), .resume_sessions = resume}};
  CHECK(w.dialled(context, "localhost", 4) == good_call);
  const auto second = w.dialled(context, "localhost", 4);
  CHECK(second.front() == (resume ? "made TLSv1.3  again" : "made TLSv1.3  new"));
  // Another name of the same server, and another server, are other destinations.
  CHECK(w.dialled(context, "127.0.0.1", 4).front() == "made TLSv1.3  new");
  CHECK(other.dialled(tls_client_context{{.trusted_file = other.ca.file()}}, "localhost", 4).front()
        == "made TLSv1.3  new");
}

TEST_CASE("a server that is none, or gone, or silent, fails the client's handshake") {
  const authority ca;
  events log;
  const auto before = open_descriptors();
  {
    running server{1};
    struct plain : protocol {
      using protocol::protocol;
      void connection_made() override { transport().write("220 this is no TLS\r\n"); }
    };
    struct closing : protocol {
      using protocol::protocol;
      void connection_made() override { transport().lose_connection(); }
    };
    struct silent : protocol {
      using protocol::protocol;
    };
    const auto a = listen_tcp(server.rt, 0, factory::for_protocol<plain>());
    const auto b = listen_tcp(server.rt, 0, factory::for_protocol<closing>());
    const auto c = listen_tcp(server.rt, 0, factory::for_protocol<silent>());
    server.start();
    const tls_client_context tls{{.trusted_file = ca.file()}};
    const tls_client_context soon{{.trusted_file = ca.file(), .handshake_timeout = 50ms}};
    dial<caller>(server, a.get_host().port(), tls, "localhost", log);
    REQUIRE(log.wait(1));
    CHECK(log.all().back()
          == "told: wrong version number (does that port speak TLS?): "
               + text_of(errc::tls_failed));
    dial<caller>(server, b.get_host().port(), tls, "localhost", log);
    REQUIRE(log.wait(2));
    CHECK(log.all().back().starts_with("told: "));
    dial<caller>(server, c.get_host().port(), soon, "localhost", log);
    REQUIRE(log.wait(3));
    CHECK(log.all().back() == "told: the TLS handshake: " + text_of(errc::timed_out));
    dial<caller>(server, c.get_host().port(), tls_client_context{}, "", log);
    REQUIRE(log.wait(4));
    CHECK(log.all().back().find("cannot be the name of a host") != std::string::npos);
  }
  CHECK(open_descriptors() == before);
}

namespace {

/// Asks for TLS on a plain connection, and says hello once it has it.
class asking : public line_receiver, public handshake_listener {
public:
  asking(caf::actor_config& cfg, events* log) : line_receiver(cfg), log_(log) {}
  void connection_made() override { send_line("STARTTLS"); }
  void line_received(std::string_view line) override {
    if (transport().tls() == nullptr)
      return start_tls(*this, *context, "localhost");
    log_->add(std::string{line});
    transport().lose_connection();
  }
  void handshake_completed() override {
    log_->add("secure");
    send_line("hello");
  }
  void connection_lost(const failure& why) override { log_->add("lost: " + why.message()); }

  static inline const tls_client_context* context = nullptr;

private:
  events* log_;
};

/// Gives TLS to who asks for it, or says that it will and does not.
class giving : public line_receiver {
public:
  giving(caf::actor_config& cfg, tls_server_context tls)
    : line_receiver(cfg), tls_(std::move(tls)) {}
  void line_received(std::string_view line) override {
    if (line != "STARTTLS")
      return send_line(line);
    send_line("go ahead");
    start_tls(*this, tls_);
  }

private:
  tls_server_context tls_;
};

} // namespace

TEST_CASE("a client goes on with TLS, and knows whom with") {
  const authority ca, stranger{"stranger"};
  events log;
  running server{2};
  const tls_server_context tls{{.identities = {ca.issue()}}};
  const auto port = listen_tcp(server.rt, 0, factory::for_protocol<giving>(tls));
  server.start();
  const auto ask = [&](const tls_client_context& context) {
    asking::context = &context;
    const int fd = connected_socket(port.get_host().port());
    server.rt.reactor().call_from_thread([&, fd] {
      auto& loop = server.rt.scheduler().loop(0);
      caf::actor_config cfg{&loop};
      const protocol_ptr p{caf::actor_cast<caf::strong_actor_ptr>(
        server.rt.system().spawn_impl<asking, caf::hidden + caf::lazy_init>(cfg, &log))};
      troupe::detail::tcp_kind{true, false, {}}.open(loop, troupe::detail::unique_fd{fd}, {}, p,
                                                     [](const failure*) {});
    });
  };
  const tls_client_context trusting{{.trusted_file = ca.file()}};
  ask(trusting);
  REQUIRE(log.wait(3));
  CHECK(log.all()
        == std::vector<std::string>{"secure", "hello", "lost: " + text_of(errc::connection_done)});
  const tls_client_context distrusting{{.trusted_file = stranger.file()}};
  ask(distrusting);
  REQUIRE(log.wait(4));
  CHECK(log.all().back().find(text_of(errc::certificate_refused)) != std::string::npos);
}

namespace {

/// Tells what a client factory is told.
class reporter : public client_factory {
public:
  reporter(caf::actor_config& cfg, events* log) : client_factory(cfg), log_(log) {}
  protocol_ptr build_protocol(const net_address&) override { return make_protocol<caller>(log_); }
  void client_connection_failed(connector&, const failure& why) override {
    log_->add("failed: " + why.message());
  }
  void client_connection_lost(connector&, const failure& why) override {
    log_->add("gone: " + why.message());
  }
  void stop_factory() override { log_->add("stop"); }

private:
  events* log_;
};

} // namespace

TEST_CASE("connect_ssl connects, verifies and tells how it went") {
  const std::size_t loops = GENERATE(1, 4);
  const authority ca, stranger{"stranger"};
  const auto before = open_descriptors();
  {
    events log;
    running server{loops};
    const tls_server_context tls{{.identities = {ca.issue()}}};
    const auto port = listen_ssl(server.rt, 0, factory::for_protocol<echo>(), tls);
    const auto call = [&](const tls_client_context& context, const std::string& host) {
      connect_ssl(server.rt, host, port.get_host().port(), client_factory::of<reporter>(&log),
                  context);
    };
    call(tls_client_context{{.trusted_file = ca.file()}}, "localhost"); // before it runs
    server.start();
    REQUIRE(log.wait(5));
    CHECK(log.all()
          == std::vector<std::string>{"made TLSv1.3  new", "hello",
                                      "lost: " + text_of(errc::connection_done),
                                      "gone: " + text_of(errc::connection_done), "stop"});
    server.rt.reactor().call_from_thread(
      [&] { call(tls_client_context{{.trusted_file = stranger.file()}}, "127.0.0.1"); });
    REQUIRE(log.wait(7));
    CHECK(log.all()[5]
          == "failed: unable to get local issuer certificate (CN=test): "
               + text_of(errc::certificate_refused));
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a handshake counts in the time for connecting, and can be stopped") {
  struct silent : protocol {
    using protocol::protocol;
  };
  events log;
  running server{2};
  const auto port = listen_tcp(server.rt, 0, factory::for_protocol<silent>());
  connector c;
  connect_ssl(server.rt, "127.0.0.1", port.get_host().port(), client_factory::of<reporter>(&log),
              tls_client_context{}, {.timeout = 50ms});
  server.start();
  REQUIRE(log.wait(2));
  CHECK(log.all().front().starts_with("failed: connecting to 127.0.0.1:"));
  CHECK(log.all().front().ends_with(text_of(errc::timed_out)));
  server.rt.reactor().call_from_thread([&] {
    c = connect_ssl(server.rt, "127.0.0.1", port.get_host().port(),
                    client_factory::of<reporter>(&log), tls_client_context{});
    c.stop_connecting();
  });
  REQUIRE(log.wait(4));
  CHECK(log.all()[2] == "failed: " + text_of(errc::cancelled));
}
