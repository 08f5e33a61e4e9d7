// TLS over real sockets: who is let in, what arrives, and how connections end.

#include <openssl/err.h>

#include <troupe/net/listen_ssl.hpp>
#include <troupe/net/start_tls.hpp>
#include <troupe/net/timeout_factory.hpp>

#include "support/catch.hpp"
#include "support/running.hpp"
#include "support/tls.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Does what its input says, and tells what happens to it.
class puppet : public protocol {
public:
  puppet(caf::actor_config& cfg, events* log) : protocol(cfg), log_(log) {}

  void connection_made() override { log_->add("made"); }

  void data_received(bytes_view data) override {
    const auto text = std::string{as_text(data)};
    if (text == "lose") {
      transport().write("bye");
      transport().lose_connection();
      transport().write("too late");
      log_->add("refused " + std::to_string(transport().refused_writes()));
    } else if (text == "abort") {
      transport().write("never sent");
      transport().abort_connection();
    } else if (text == "throw") {
      throw std::runtime_error("in data_received");
    } else if (text == "quit") {
      transport().write("so long");
      quit();
    } else if (text == "big") {
      transport().write(std::string(20u << 20, 'x'));
      transport().lose_connection();
    } else if (text == "pieces") {
      transport().write_sequence({"one ", "two ", "three"});
      transport().write(shared_bytes{std::string(100'000, 's')});
      transport().write(std::string(20'000, 'm'));
      transport().write("end");
      transport().lose_connection();
    } else if (text == "about") {
      const auto* const tls = transport().tls();
      const auto peer = tls->peer_certificate();
      transport().write(std::string{tls->version_name()} + ' ' + std::string{tls->alpn()} + ' '
                        + std::string{tls->server_name()} + ' ' + (tls->resumed() ? "again" : "new")
                        + ' ' + (peer ? peer->subject + ' ' + peer->names.front() : "nobody")
                        + "\r\n");
    } else {
      transport().write(data);
    }
  }

  void connection_lost(const failure& why) override { log_->add("lost: " + why.message()); }

private:
  events* log_;
};

class echo : public protocol {
public:
  using protocol::protocol;
  void data_received(bytes_view data) override { transport().write(data); }
};

struct served {
  explicit served(std::size_t loops, tls_server_options o = {}, listen_options options = {})
    : server(loops), tls(with_identity(std::move(o))),
      port(listen_ssl(server.rt, 0, factory::for_protocol<puppet>(&log), tls, options)) {
    server.start();
  }
  [[nodiscard]] std::uint16_t number() const { return port.get_host().port(); }
  [[nodiscard]] tls_client::rules trusting() const {
    return {.trusted = ca.file(), .name = "localhost"};
  }
  tls_server_options with_identity(tls_server_options o) const {
    if (o.identities.empty())
      o.identities.push_back(ca.issue());
    return o;
  }

  authority ca;
  events log;
  running server;
  tls_server_context tls;
  listening_port port;
};

std::string text_of(errc code) {
  return failure{code}.message();
}

std::string setup_error(const std::function<void()>& f) {
  try {
    f();
  } catch (const tls_setup_error& e) {
    CHECK(std::string{e.what()}.starts_with(e.file()));
    return std::string{e.what()}.substr(e.file().size());
  }
  return "nothing";
}

} // namespace

// -- contexts -----------------------------------------------------------------------------------

TEST_CASE("a context says which file is at fault, and why") {
  const authority ca, other{"other"};
  const auto good = ca.issue({.name = "good"});
  const auto with = [](tls_identity i) {
    return setup_error([&] { tls_server_context{{.identities = {i}}}; });
  };
  CHECK(with(good) == "nothing");
  CHECK(with({ca.folder.file("none.pem"), good.key_file}) == ": No such file or directory");
  CHECK(with({good.certificate_file, ca.folder.file("none.key")}) == ": No such file or directory");
  CHECK(with({ca.folder.file(""), good.key_file}) == ": Is a directory");
  CHECK(with({good.key_file, good.key_file}) == ": it holds no certificate");
  CHECK(with({good.certificate_file, good.certificate_file}) == ": it holds no private key");
  CHECK(with({good.certificate_file, other.issue().key_file})
        == ": the key does not match the certificate in " + good.certificate_file);
  auto locked = ca.issue({.name = "locked", .password = "secret"});
  CHECK(with(locked) == "nothing");
  locked.password = "wrong";
  CHECK(with(locked) == ": wrong password");
  locked.password = "";
  CHECK(with(locked) == ": the key is encrypted, and no password was given");
  CHECK(setup_error([&] { tls_client_context{{.trusted_file = ca.folder.file("none")}}; })
        == ": No such file or directory");
  CHECK(setup_error([&] { tls_client_context{{.trusted_file = good.key_file}}; })
        == ": it holds no certificate, or a damaged one");
  CHECK_THROWS_AS(tls_server_context{{}}, std::logic_error);
  CHECK_THROWS_AS((tls_client_context{{.alpn = {""}}}), std::logic_error);
}

TEST_CASE("a context warns of certificates that are not valid now") {
  const authority ca;
  const tls_server_context tls{{.identities = {
                                  ca.issue({.name = "a", .begins = -7200, .ends = -3600}),
                                  ca.issue({.name = "b", .begins = 3600, .ends = 7200}),
                                  ca.issue({.name = "c"}),
                                }}};
  REQUIRE(tls.warnings().size() == 2);
  CHECK(tls.warnings()[0].find("a.pem: the certificate expired on ") != std::string::npos);
  CHECK(tls.warnings()[1].find("b.pem: the certificate is not valid before ") != std::string::npos);
}

// -- data and how it ends -----------------------------------------------------------------------

TEST_CASE("bytes come back sealed, in both versions") {
  served s{2};
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    auto rules = s.trusting();
    rules.least = rules.most = version;
    tls_client c{s.number(), rules};
    REQUIRE(c.error().empty());
    c.send("hello");
    CHECK(c.receive(5) == "hello");
    c.send("about");
    CHECK(c.receive(1) == "T");
    CHECK(c.receive(5) == (version == TLS1_2_VERSION ? "LSv1." : "LSv1."));
    CHECK(c.receive(1) == (version == TLS1_2_VERSION ? "2" : "3"));
  }
}

TEST_CASE("what was written before lose_connection is sent, and the end is a clean one", "[S1]") {
  served s{1};
  tls_client c{s.number(), s.trusting()};
  c.send("lose");
  CHECK(c.rest() == "bye");
  CHECK(c.clean());
  REQUIRE(s.log.wait(3));
  CHECK(
    s.log.all()
    == std::vector<std::string>{"made", "refused 1", "lost: " + text_of(errc::connection_done)});
}

TEST_CASE("twenty megabytes arrive before the end") {
  served s{1};
  tls_client c{s.number(), s.trusting()};
  c.send("big");
  CHECK(c.rest() == std::string(20u << 20, 'x'));
  CHECK(c.clean());
}

TEST_CASE("pieces, shared and large ones keep their order when sealed") {
  served s{1};
  tls_client c{s.number(), s.trusting()};
  c.send("pieces");
  CHECK(c.rest() == "one two three" + std::string(100'000, 's') + std::string(20'000, 'm') + "end");
  CHECK(c.clean());
}

TEST_CASE("a clean end by the peer is told apart from one that was cut off") {
  served s{1};
  {
    tls_client c{s.number(), s.trusting()};
    c.send("x");
    CHECK(c.receive(1) == "x");
    c.shut_write();
    CHECK(c.rest().empty());
    CHECK(c.clean()); // it answers in kind
  }
  REQUIRE(s.log.wait(2));
  CHECK(s.log.all().back() == "lost: " + text_of(errc::connection_done));
  {
    tls_client c{s.number(), s.trusting()};
    c.send("x");
    CHECK(c.receive(1) == "x");
    c.socket().shut_write();
    CHECK(c.rest().empty());
    CHECK_FALSE(c.clean());
  }
  REQUIRE(s.log.wait(4));
  CHECK(s.log.all().back() == "lost: " + text_of(errc::tls_truncated));
}

TEST_CASE("a peer that ends its side first gets its answer, sealed and clean") {
  served s{1};
  tls_client c{s.number(), s.trusting()};
  c.send("hello");
  c.shut_write();
  CHECK(c.rest() == "hello");
  CHECK(c.clean());
}

TEST_CASE("an abort, an exception and a quit end a sealed connection as they do a plain one") {
  const auto [input, reason, left] = GENERATE(table<std::string, std::string, std::string>({
    {"abort", failure{errc::connection_aborted}.message(), ""},
    {"throw", "in data_received", ""},
    {"quit", failure{errc::connection_done}.message(), "so long"},
  }));
  served s{2};
  tls_client other{s.number(), s.trusting()};
  tls_client c{s.number(), s.trusting()};
  c.send(input);
  CHECK(c.rest() == left);
  CHECK(c.clean() == (input != "abort"));
  REQUIRE(s.log.wait(3));
  CHECK(s.log.count("lost: " + reason) == 1);
  other.send("still here");
  CHECK(other.receive(10) == "still here");
}

TEST_CASE("a record that was changed on the way ends the connection") {
  served s{1};
  tls_client c{s.number(), s.trusting()};
  c.send("x");
  CHECK(c.receive(1) == "x");
  c.socket().send(std::string{"\x17\x03\x03\x00\x20", 5} + std::string(32, 'z'));
  CHECK(c.rest().empty());
  REQUIRE(s.log.wait(2));
  CHECK(s.log.all().back().find(text_of(errc::connection_lost)) != std::string::npos);
}

namespace {

/// Sends back what it gets, with small limits, and pauses now and then.
class slow_echo : public protocol, public producer {
public:
  using protocol::protocol;
  void connection_made() override {
    transport().set_output_limits({.high = 3000, .low = 1000});
    transport().register_producer(*this, true);
  }
  void data_received(bytes_view data) override {
    transport().write(data);
    if (++reads_ % 3 == 0 && !waiting_) {
      transport().pause_producing();
      if (reads_ % 2 == 0) // at once
        return transport().resume_producing();
      waiting_ = true;
      call_later(100us, [this] {
        waiting_ = false;
        if (!full_)
          transport().resume_producing();
      });
    }
  }
  void pause_producing() override {
    full_ = true;
    transport().pause_producing();
  }
  void resume_producing() override {
    full_ = false;
    if (!waiting_)
      transport().resume_producing();
  }
  void stop_producing() override { transport().unregister_producer(); }

private:
  int reads_ = 0;
  bool waiting_ = false;
  bool full_ = false;
};

std::string some_bytes(std::size_t count) {
  std::string data;
  for (std::size_t i = 0; i < count; ++i)
    data += static_cast<char>(i * 31 + (i >> 8));
  return data;
}

} // namespace

TEST_CASE("a megabyte goes both ways through small watermarks and pauses") {
  const std::size_t loops = GENERATE(1, 4);
  authority ca;
  const auto before = open_descriptors();
  {
    running server{loops};
    const tls_server_context tls{{.identities = {ca.issue()}}};
    const auto port =
      listen_ssl(server.rt, 0, factory::for_protocol<slow_echo>(), tls, {.no_delay = true});
    server.start();
    std::vector<std::thread> clients;
    std::atomic<int> good{0};
    for (int i = 0; i < 4; ++i)
      clients.emplace_back([&, i] {
        tls_client c{port.get_host().port()};
        c.socket().set_receive_buffer(150'000); // less than the segments of loopback would crawl
        const auto data = some_bytes(1'000'000);
        const std::size_t each = i == 0 ? 1 : i == 1 ? 777 : i == 2 ? 16384 : 100'000;
        // What is on its way stays below what the two sockets take, so one thread can do both.
        std::string back;
        std::size_t sent = 0;
        const auto total = i == 0 ? std::size_t{5000} : data.size();
        while (back.size() < total) {
          while (sent < total && sent - back.size() < 100'000) {
            const auto n = std::min(each, total - sent);
            c.send(std::string_view{data}.substr(sent, n));
            sent += n;
          }
          back += c.receive(std::min<std::size_t>(sent - back.size(), 5000));
        }
        good += back == data.substr(0, total);
      });
    for (auto& c : clients)
      c.join();
    CHECK(good == 4);
  }
  CHECK(open_descriptors() == before);
}

// -- who is let in ------------------------------------------------------------------------------

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

// -- handshakes that come to nothing ------------------------------------------------------------

TEST_CASE("one who is silent is dropped when the time for the handshake is over") {
  served s{1, {.handshake_timeout = 50ms}};
  client silent{s.number()};
  CHECK(silent.rest().empty());
  client slow{s.number()};
  slow.send(std::string{"\x16\x03\x01", 3});
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

TEST_CASE("a handshake counts as a connection of its factory") {
  authority ca;
  events log;
  running server{1};
  const tls_server_context tls{{.identities = {ca.issue()}, .handshake_timeout = 100ms}};
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

// -- half-closed ones ---------------------------------------------------------------------------

namespace {

class half : public protocol, public half_closeable {
public:
  half(caf::actor_config& cfg, events* log) : protocol(cfg), log_(log) {}
  void data_received(bytes_view data) override {
    log_->add(std::string{as_text(data)});
    if (as_text(data) == "shut") {
      transport().write("last");
      transport().lose_write_connection();
    }
  }
  void read_connection_lost() override {
    log_->add("read lost");
    transport().write("answer");
    transport().lose_write_connection();
  }
  void write_connection_lost() override { log_->add("write lost"); }
  void connection_lost(const failure& why) override { log_->add("lost: " + why.message()); }

private:
  events* log_;
};

} // namespace

TEST_CASE("one direction of a sealed connection can end before the other") {
  authority ca;
  events log;
  running server{1};
  const tls_server_context tls{{.identities = {ca.issue()}}};
  const auto port = listen_ssl(server.rt, 0, factory::for_protocol<half>(&log), tls);
  server.start();
  {
    tls_client c{port.get_host().port()};
    c.send("shut");
    CHECK(c.rest() == "last");
    CHECK(c.clean());
    c.send("more"); // it still reads
    REQUIRE(log.wait(3));
    c.shut_write();
    REQUIRE(log.wait(5));
  }
  CHECK(log.all()
        == std::vector<std::string>{"shut", "write lost", "more", "read lost",
                                    "lost: " + text_of(errc::connection_done)});
  tls_client c{port.get_host().port()};
  c.shut_write();
  CHECK(c.rest() == "answer");
  CHECK(c.clean());
}

// -- start_tls ----------------------------------------------------------------------------------

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
  upgrading_server()
    : server(2), tls({.identities = {ca.issue()}, .handshake_timeout = 200ms}),
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
  upgrading_server s;
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
