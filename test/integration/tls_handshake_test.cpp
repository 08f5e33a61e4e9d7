// Handshakes with a TLS server over real sockets: who is let in, and what becomes of the others.

#include <openssl/err.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ringbuffer_sink.h>

#include "support/catch.hpp"
#include "support/echo.hpp"
#include "support/tls_served.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

// -- who is let in ----------------------------------------------------------------------------------

TEST_CASE("a client certificate is asked for, and looked at, as the rules say") {
  const authority strangers{"strangers"};
  const auto how = GENERATE(client_certificates::none, client_certificates::optional,
                            client_certificates::required);
  authority friends{"friends"};
  served s{2, {.clients = how, .trusted_file = friends.file()}};
  auto rules = s.trusting();
  const auto talk = [&] {
    tls_client c{s.number(), rules};
    if (!c.error().empty())
      return c.error();
    try {
      c.send("about");
      std::string line;
      while (!line.ends_with("\r\n"))
        line += c.receive(1);
      return line;
    } catch (const std::runtime_error&) {
      return c.error();
    }
  };
  rules.most = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const std::string version = rules.most == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3";
  CAPTURE(static_cast<int>(how), version);
  const auto nobody = talk();
  rules.identity = friends.issue({.name = "bob", .names = {"bob.example"}});
  const auto bob = talk();
  rules.identity = strangers.issue({.name = "eve", .names = {"bob.example"}});
  const auto eve = talk();
  const auto open = version + "  localhost new nobody\r\n";
  if (how == client_certificates::none) {
    CHECK(nobody == open);
    CHECK(bob == open);
    CHECK(eve == open);
    return;
  }
  CHECK(bob == version + "  localhost new CN=bob bob.example\r\n");
  CHECK(eve.find("unknown ca") != std::string::npos);
  if (how == client_certificates::optional)
    CHECK(nobody == open);
  else
    CHECK((nobody.find("certificate required") != std::string::npos
           || nobody.find("handshake failure") != std::string::npos));
}

TEST_CASE("the best protocol that both speak is chosen, and strangers are turned away") {
  served s{1, {.alpn = {"h2", "chat/1"}}};
  auto rules = s.trusting();
  const auto chosen = [&](const std::string& alpn) {
    rules.alpn = alpn;
    tls_client c{s.number(), rules};
    if (!c.error().empty())
      return c.error();
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(c.ssl(), &name, &size);
    return std::string{reinterpret_cast<const char*>(name), size};
  };
  CHECK(chosen("\x06"
               "chat/1"
               "\x02h2")
        == "h2");
  CHECK(chosen("\x06"
               "chat/1")
        == "chat/1");
  CHECK(chosen("").empty());
  CHECK(chosen("\x04smtp").find("no application protocol") != std::string::npos);
}

TEST_CASE("clients that name a host get its certificate, and all others the first") {
  authority ca;
  const auto identity = [&](const std::string& name, std::vector<std::string> names) {
    return ca.issue({.name = name, .names = std::move(names)});
  };
  served s{2,
           {.identities = {identity("first", {"first.example"}),
                           identity("second", {"second.example", "also.example"}),
                           identity("wild", {"*.wild.example"}),
                           ca.issue({.name = "rsa", .names = {"second.example"}, .rsa = true})}}};
  const auto got = [&](const std::string& name, const std::string& ciphers = {}) {
    tls_client c{s.number(),
                 {.trusted = ca.file(), .name = name, .most = TLS1_2_VERSION, .ciphers = ciphers}};
    if (!c.error().empty())
      return c.error();
    char text[100] = {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(c.ssl())),
                              NID_commonName, text, sizeof text);
    return std::string{text};
  };
  CHECK(got("first.example") == "first");
  CHECK(got("second.example", "ECDHE-ECDSA-AES128-GCM-SHA256") == "second");
  CHECK(got("second.example", "ECDHE-RSA-AES128-GCM-SHA256") == "rsa");
  CHECK(got("also.example") == "second");
  CHECK(got("a.wild.example") == "wild");
  CHECK(got("other.example").find("certificate verify failed") != std::string::npos); // the first
  CHECK(got("") == "first");
}

TEST_CASE("old versions are not spoken, and new ones may be demanded") {
  served s{1};
  CHECK(tls_client(s.number(), {.least = TLS1_VERSION, .most = TLS1_1_VERSION})
          .error()
          .find("protocol version")
        != std::string::npos);
  served modern{1, {.minimum = tls_version::tls_1_3}};
  CHECK(tls_client(modern.number(), {.most = TLS1_2_VERSION}).error().find("protocol version")
        != std::string::npos);
  CHECK(tls_client(modern.number()).error().empty());
}

TEST_CASE("a client comes back with its session, unless the server gives none") {
  const bool tickets = GENERATE(true, false);
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  served s{2, {.session_tickets = tickets}};
  auto rules = s.trusting();
  rules.most = version;
  tls_client first{s.number(), rules};
  first.send("x");
  first.receive(1);
  SSL_SESSION* const session = SSL_get1_session(first.ssl());
  rules.session = session;
  tls_client second{s.number(), rules};
  second.send("about");
  const std::string expected = tickets ? "again" : "new";
  std::string line;
  while (!line.ends_with("\r\n"))
    line += second.receive(1);
  CHECK(line.find(expected) != std::string::npos);
  SSL_SESSION_free(session);
}

TEST_CASE("a client cannot renegotiate") {
  served s{1};
  auto rules = s.trusting();
  rules.most = TLS1_2_VERSION;
  tls_client c{s.number(), rules};
  c.send("x");
  CHECK(c.receive(1) == "x");
  SSL_renegotiate(c.ssl());
  CHECK(SSL_do_handshake(c.ssl()) != 1);
  ERR_clear_error();
}

// -- handshakes that come to nothing ----------------------------------------------------------------

TEST_CASE("one who is silent is dropped when the time for the handshake is over") {
  served s{1, {.handshake_timeout = 1s}}; // long enough for the good one
  client silent{s.number()};
  client slow{s.number()};
  slow.send(std::string{"\x16\x03\x01", 3});
  CHECK(silent.rest().empty());
  CHECK(slow.rest().empty());
  tls_client good{s.number(), s.trusting()};
  good.send("x");
  CHECK(good.receive(1) == "x");
  CHECK(s.log.all() == std::vector<std::string>{"made"});
}

TEST_CASE("garbage, plain text and early ends are no connections") {
  const std::string garbage = GENERATE(as<std::string>{}, "GET / HTTP/1.0\r\n\r\n",
                                       "\x16\x03\x01\x02zzzzzzzzzzzzzzzzzzzzzzzzzz", "");
  const auto before = open_descriptors();
  {
    served s{2};
    client c{s.number()};
    c.send(garbage);
    c.shut_write();
    c.rest();
    client gone{s.number()};
    gone.reset();
    tls_client good{s.number(), s.trusting()};
    good.send("x");
    CHECK(good.receive(1) == "x");
    CHECK(s.log.all() == std::vector<std::string>{"made"});
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("peers cannot fill the log with errors") {
  const auto sink = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(100);
  sink->set_pattern("%l %v");
  runtime_options options{.loops = 1, .install_signal_handlers = false};
  options.logger = std::make_shared<spdlog::logger>("test", sink);
  options.logger->set_level(spdlog::level::debug);
  const auto ca = std::make_unique<authority>();
  events log;
  {
    runtime rt{options};
    const tls_server_context tls{{.identities = {ca->issue()},
                                  .clients = client_certificates::required,
                                  .trusted_file = ca->file(),
                                  .handshake_timeout = 50ms}};
    const auto port = listen_ssl(rt, 0, factory::for_protocol<puppet>(&log), tls);
    const auto number = port.get_host().port();
    std::thread thread{[&] {
      rt.run();
    }};
    client plain{number};
    plain.send("GET / HTTP/1.0\r\n\r\n");
    plain.rest();
    client early{number};
    early.shut_write();
    early.rest();
    client silent{number};
    silent.rest();
    const authority strangers{"strangers"};
    tls_client nobody{number}, eve{number, {.identity = strangers.issue()}};
    nobody.rest();
    eve.rest();
    rt.reactor().call_from_thread([&] { rt.stop(); });
    thread.join();
  }
  std::size_t told = 0;
  for (const auto& line : sink->last_formatted()) {
    CAPTURE(line);
    told += line.starts_with("debug cannot serve ssl 127.0.0.1:") ? 1 : 0;
    CHECK_FALSE(line.starts_with("error"));
  }
  CHECK(told == 5);
}

TEST_CASE("a handshake counts as a connection of its factory") {
  authority ca;
  events log;
  running server{1};
  const tls_server_context tls{
    {.identities = {ca.issue()}, .handshake_timeout = 1s}}; // long enough for the third
  const auto f = factory::for_protocol<puppet>(&log);
  const auto port = listen_ssl(server.rt, 0, f, tls);
  f.get()->set_max_connections(1);
  server.start();
  client silent{port.get_host().port()};
  client second{port.get_host().port()}; // waits in the system's queue
  CHECK(silent.rest().empty());          // the time is over
  CHECK(second.rest().empty());
  tls_client third{port.get_host().port(), {}};
  CHECK(third.error().empty());
}

TEST_CASE("draining a factory ends handshakes that are under way") {
  authority ca;
  events log;
  running server{2};
  const tls_server_context tls{{.identities = {ca.issue()}}};
  const auto f = factory::for_protocol<puppet>(&log);
  const auto port = listen_ssl(server.rt, 0, f, tls);
  server.start();
  client silent{port.get_host().port()};
  tls_client good{port.get_host().port()};
  good.send("x");
  CHECK(good.receive(1) == "x"); // so the silent one has been accepted too
  server.rt.reactor().call_from_thread(
    [&] { f.get()->drain().add_callback([&] { log.add("drained"); }); });
  CHECK(silent.rest().empty());
  CHECK(good.rest().empty());
  CHECK(good.clean());
  REQUIRE(log.wait(3));
  CHECK(log.all().back() == "drained");
}

TEST_CASE("stopping the runtime ends handshakes that are under way") {
  const std::size_t loops = GENERATE(1, 4);
  authority ca;
  events log;
  const auto before = open_descriptors();
  {
    running server{loops};
    const tls_server_context tls{{.identities = {ca.issue()}}};
    const auto port = listen_ssl(server.rt, 0, factory::for_protocol<puppet>(&log), tls);
    server.start();
    std::vector<client> silent;
    for (int i = 0; i < 20; ++i)
      silent.emplace_back(port.get_host().port());
    tls_client good{port.get_host().port()};
    good.send("x");
    CHECK(good.receive(1) == "x");
    server.stop();
    CHECK(good.rest().empty());
    CHECK(good.clean());
    for (auto& c : silent)
      c.rest();
  }
  CHECK(log.all() == std::vector<std::string>{"made", "lost: " + text_of(errc::runtime_stopped)});
  CHECK(open_descriptors() == before);
}

TEST_CASE("many clients at once, of all kinds, leave nothing behind") {
  const std::size_t loops = GENERATE(1, 4);
  authority ca;
  const auto before = open_descriptors();
  {
    running server{loops};
    const tls_server_context tls{{.identities = {ca.issue()}}};
    const auto port =
      listen_ssl(server.rt, 0, factory::for_protocol<echo>(), tls, {.backlog = 500});
    server.start();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (std::size_t i = 0; i < load_size(100); ++i) {
          if (i % 4 == 3) {
            client c{port.get_host().port()};
            c.send("not TLS");
            if (i % 8 == 3)
              c.reset();
            continue;
          }
          tls_client c{port.get_host().port()};
          const auto text = std::to_string(t) + ' ' + std::to_string(i) + std::string(i * 300, '.');
          c.send(text);
          if (i % 5 == 4)
            c.socket().reset();
          else if (c.receive(text.size()) != text)
            throw std::runtime_error("a wrong echo");
        }
      });
    for (auto& t : threads)
      t.join();
  }
  CHECK(open_descriptors() == before);
}
