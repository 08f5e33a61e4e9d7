// Connections that go on with TLS.

#include <troupe/net/start_tls.hpp>

#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/timeout_factory.hpp>

#include "support/catch.hpp"
#include "support/tls_served.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Speaks lines, and TLS once that is asked for.
class upgrading : public line_receiver, public handshake_listener {
public:
  upgrading(caf::actor_config& cfg, events* log, tls_server_context tls)
    : line_receiver(cfg), log_(log), tls_(std::move(tls)) {}
  void line_received(std::string_view line) override {
    if (line != "STARTTLS")
      return send_line((transport().tls() != nullptr ? "sealed " : "plain ") + std::string{line});
    send_line("go ahead");
    start_tls(*this, tls_);
    send_line("after");
    CHECK(transport().tls() == nullptr);
    CHECK_THROWS_AS(start_tls(*this, tls_), std::logic_error);
  }
  void handshake_completed() override { log_->add("secure"); }
  void connection_lost(const failure& why) override { log_->add("lost: " + why.message()); }

private:
  events* log_;
  tls_server_context tls_;
};

struct upgrading_server {
  explicit upgrading_server(duration handshake_timeout = 1min)
    : server(2), tls({.identities = {ca.issue()}, .handshake_timeout = handshake_timeout}),
      port(listen_tcp(server.rt, 0, factory::for_protocol<upgrading>(&log, tls))) {
    server.start();
  }
  authority ca;
  events log;
  running server;
  tls_server_context tls;
  listening_port port;
};

std::string line_of(tls_client& c) {
  std::string line;
  while (!line.ends_with("\r\n"))
    line += c.receive(1);
  return line;
}

} // namespace

TEST_CASE("a plain connection goes on with TLS") {
  upgrading_server s;
  client plain{s.port.get_host().port()};
  plain.send("hello\r\nSTARTTLS\r\n");
  CHECK(plain.line() == "plain hello\r\n");
  CHECK(plain.line() == "go ahead\r\n");
  tls_client c{std::move(plain), {.trusted = s.ca.file(), .name = "localhost"}};
  REQUIRE(c.error().empty());
  CHECK(line_of(c) == "after\r\n");
  c.send("hello\r\n");
  CHECK(line_of(c) == "sealed hello\r\n");
  c.shut_write();
  CHECK(c.rest().empty());
  CHECK(c.clean());
  REQUIRE(s.log.wait(2));
  CHECK(s.log.all()
        == std::vector<std::string>{"secure", "lost: " + text_of(errc::connection_done)});
}

TEST_CASE("plain text that was put behind STARTTLS is never taken for sealed") {
  upgrading_server s;
  client c{s.port.get_host().port()};
  c.send("STARTTLS\r\ninjected\r\n");
  CHECK(c.line() == "go ahead\r\n");
  CHECK(c.rest().find("injected") == std::string::npos);
  REQUIRE(s.log.wait(1));
  CHECK(s.log.all().front().find(text_of(errc::tls_failed)) != std::string::npos);
}

TEST_CASE("a handshake that comes with STARTTLS in one piece is not lost") {
  upgrading_server s;
  const tls_client_context trusting{{.trusted_file = s.ca.file()}};
  std::vector<std::byte> sink;
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  SSL* const ssl = SSL_new(context);
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, in, out);
  SSL_connect(ssl);
  const auto flight = [&] {
    char* data = nullptr;
    const auto size = BIO_get_mem_data(out, &data);
    std::string text{data, static_cast<std::size_t>(size)};
    BIO_reset(out);
    return text;
  };
  client c{s.port.get_host().port()};
  c.send("STARTTLS\r\n" + flight());
  CHECK(c.line() == "go ahead\r\n");
  while (SSL_connect(ssl) != 1) {
    const auto byte = c.receive(1);
    BIO_write(in, byte.data(), 1);
  }
  c.send(flight());
  REQUIRE(s.log.wait(1));
  CHECK(s.log.all().front() == "secure");
  SSL_free(ssl);
  SSL_CTX_free(context);
}

TEST_CASE("one who asks for TLS and then is silent is dropped") {
  upgrading_server s{200ms};
  client c{s.port.get_host().port()};
  c.send("STARTTLS\r\n");
  CHECK(c.line() == "go ahead\r\n");
  CHECK(c.rest().empty());
  REQUIRE(s.log.wait(1));
  CHECK(s.log.all().front() == "lost: the TLS handshake: " + text_of(errc::timed_out));
}

TEST_CASE("a policy stands between a protocol and TLS as it does without") {
  authority ca;
  events log;
  running server{2};
  const tls_server_context tls{{.identities = {ca.issue()}}};
  const auto direct = listen_ssl(
    server.rt, 0, factory::of<timeout_factory>(factory::for_protocol<puppet>(&log), 10s), tls);
  const auto later = listen_tcp(
    server.rt, 0, factory::of<timeout_factory>(factory::for_protocol<upgrading>(&log, tls), 10s));
  server.start();
  tls_client c{direct.get_host().port(), {.trusted = ca.file(), .name = "localhost"}};
  c.send("about");
  CHECK(line_of(c) == "TLSv1.3  localhost new nobody\r\n");
  client plain{later.get_host().port()};
  plain.send("STARTTLS\r\n");
  CHECK(plain.line() == "go ahead\r\n");
  tls_client upgraded{std::move(plain), {.trusted = ca.file(), .name = "localhost"}};
  CHECK(line_of(upgraded) == "after\r\n");
  upgraded.send("hello\r\n");
  CHECK(line_of(upgraded) == "sealed hello\r\n");
}
