// TLS over real sockets: what it is made of, what arrives, and how connections end.

#include <openssl/err.h>

#include "support/catch.hpp"
#include "support/tls_served.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

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

// -- contexts ---------------------------------------------------------------------------------------

TEST_CASE("a context says which file is at fault, and why") {
  const authority ca, other{"other"};
  const auto good = ca.issue({.name = "good"});
  const auto with = [](tls_identity i) {
    return setup_error([&] { tls_server_context{{.identities = {i}}}; });
  };
  CHECK(with(good) == "nothing");
  CHECK(with({ca.folder / "none.pem", good.key_file}) == ": No such file or directory");
  CHECK(with({good.certificate_file, ca.folder / "none.key"}) == ": No such file or directory");
  CHECK(with({ca.folder / "", good.key_file}) == ": Is a directory");
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
  CHECK(setup_error([&] { tls_client_context{{.trusted_file = ca.folder / "none"}}; })
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

// -- data and how it ends ---------------------------------------------------------------------------

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

// -- half-closed ones -------------------------------------------------------------------------------

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
