// Endpoints over real sockets.

#include <troupe/net/endpoint_string.hpp>

#include <future>

#include <fcntl.h>
#include <sys/socket.h>

#include <troupe/net/adopt_stream_port.hpp>
#include <troupe/net/client_service.hpp>
#include <troupe/net/stdio_endpoint.hpp>
#include <troupe/net/tcp_endpoint.hpp>
#include <troupe/net/unix_endpoint.hpp>

#include "listening_socket.hpp"
#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/directory.hpp"
#include "support/echo.hpp"
#include "support/on_loop.hpp"
#include "support/running.hpp"
#include "support/tls.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

class teller : public protocol {
public:
  teller(caf::actor_config& cfg, events& told) : protocol(cfg), told_(told) {}
  void connection_made() override { told_.add("made"); }
  void data_received(bytes_view data) override { told_.add(std::string(as_text(data))); }
  void connection_lost(const failure& why) override { told_.add("lost: " + why.message()); }

private:
  events& told_;
};

/// A factory that tells what happens to it.
class telling : public client_factory {
public:
  telling(caf::actor_config& cfg, events& told, bool builds = true)
    : client_factory(cfg), told_(told), builds_(builds) {}
  void start_factory() override { told_.add("start"); }
  void stop_factory() override { told_.add("stop with " + std::to_string(connections())); }
  protocol_ptr build_protocol(const net_address&) override {
    return builds_ ? make_protocol<teller>(std::ref(told_)) : nullptr;
  }
  void client_connection_failed(connector&, const failure&) override { told_.add("wrong"); }
  void client_connection_lost(connector&, const failure&) override { told_.add("wrong"); }

private:
  events& told_;
  bool builds_;
};

/// Waits until `event` has been told `count` times; false after twenty seconds without.
bool wait_for(events& told, const std::string& event, std::size_t count) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  for (;;) {
    const auto seen = told.all().size(); // before counting, so that none is missed
    if (told.count(event) >= count)
      return true;
    if (std::chrono::steady_clock::now() > deadline)
      return false;
    told.wait(seen + 1);
  }
}

std::string at_port(std::uint16_t port) {
  return "tcp:127.0.0.1:" + std::to_string(port);
}

} // namespace

TEST_CASE("a string connects to what a string listens at", "[endpoints][E01]") {
  const std::size_t loops = GENERATE(1, 4);
  const std::string kind = GENERATE("tcp", "tcp6", "unix");
  const auto before = open_descriptors();
  {
    directory d;
    events told;
    running r{loops};
    const auto path = "unix:" + quote_string_argument(d / "a:b=c");
    const auto listen = kind == "unix" ? path : kind + ":0";
    listening_port port;
    server_from_string(r.rt, listen)
      ->listen(factory::for_protocol<echo>())
      .add_callback([&](listening_port p) { port = std::move(p); });
    const auto where = kind == "unix" ? path
                                      : kind + (kind == "tcp" ? ":127.0.0.1:" : ":\\:\\:1:")
                                          + std::to_string(port.get_host().port());
    auto to = client_from_string(r.rt, where);
    to->connect(factory::of<telling>(std::ref(told)))
      .add_callback([&](const connected_protocol& p) {
        told.add("connected");
        p.enter<teller>([](teller& t) { t.transport().write("hello"); });
        p.enter<echo>([&](echo&) { told.add("wrong"); });
      });
    r.start();
    REQUIRE(told.wait(4));
    CHECK(told.count("made") == 1);
    CHECK(told.count("hello") == 1);
    r.stop();
    REQUIRE(told.wait(6));
    CHECK(told.count("wrong") == 0);
    CHECK(told.count("start") == 1);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("the factory is started before, and stopped after the connection", "[endpoints][E06]") {
  events told;
  running r{2};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  tcp_client_endpoint to{r.rt, "127.0.0.1", port};
  to.connect(factory::of<telling>(std::ref(told))).add_callback([](const connected_protocol& p) {
    p.lose_connection();
  });
  r.start();
  REQUIRE(told.wait(4));
  CHECK(told.all()
        == std::vector<std::string>{"start", "made", "lost: the connection was closed cleanly",
                                    "stop with 0"});
}

TEST_CASE("E05: failures come as failures of the deferred", "[endpoints][E05]") {
  events told;
  running r{1};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();

  failure why;
  tcp_server_endpoint{r.rt, port}
    .listen(factory::for_protocol<echo>())
    .add_callback([](const listening_port&) {})
    .add_errback([&](const failure& f) { why = f; });
  CHECK(why.check<cannot_listen_error>());

  const auto tell = [&](const failure& f) {
    told.add("failed: " + f.message());
  };
  const auto ignore = [&](const connected_protocol&) {
    told.add("wrong");
  };
  unix_client_endpoint nowhere{r.rt, "/nonexistent/socket"};
  nowhere.connect(factory::of<telling>(std::ref(told))).add_callback(ignore).add_errback(tell);
  r.start();
  REQUIRE(told.wait(3));
  CHECK(told.count("wrong") == 0);
  CHECK(told.count("start") == 1);
  CHECK(told.count("stop with 0") == 1);

  SECTION("E06: a factory that builds nothing is no_protocol") {
    tcp_client_endpoint to{r.rt, "127.0.0.1", port};
    r.rt.reactor().call_from_thread([&] {
      to.connect(factory::of<telling>(std::ref(told), false))
        .add_callback(ignore)
        .add_errback([&](const failure& f) {
          told.add(f.check(errc::no_protocol) ? "no protocol" : "wrong");
        });
    });
    REQUIRE(told.wait(6));
    CHECK(told.count("no protocol") == 1);
    CHECK(told.count("wrong") == 0);
  }
  r.stop();
}

TEST_CASE("E05: cancelling stops the attempt and leaves nothing behind", "[endpoints][E05]") {
  const auto before = open_descriptors();
  {
    events told;
    running r{2};
    const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
    tcp_client_endpoint to{r.rt, "127.0.0.1", port};
    auto cancel = [&] {
      auto d = to.connect(factory::of<telling>(std::ref(told)));
      d.add_errback([&](const failure& f) -> outcome<connected_protocol> {
        told.add(f.check(errc::cancelled) ? "cancelled" : "wrong: " + f.message());
        return f;
      });
      d.cancel();
      std::move(d).add_callback([](const connected_protocol&) {}).add_errback([] {});
    };
    SECTION("before the runtime runs") {
      cancel();
      CHECK(told.all() == std::vector<std::string>{"cancelled"});
      r.start();
    }
    SECTION("while it runs") {
      r.start();
      on_loop(r, [&] { cancel(); });
      CHECK(told.count("cancelled") == 1);
      CHECK(told.count("stop with 0") == 1);
    }
    r.stop();
    CHECK(told.count("made") == 0);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("cancelling at any moment never leaves a connection open", "[endpoints][E05]") {
  const auto before = open_descriptors();
  {
    events told;
    running r{4};
    const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
    tcp_client_endpoint to{r.rt, "127.0.0.1", port};
    r.start();
    const auto count = load_size(300);
    std::size_t done = 0;
    std::promise<void> all;
    r.rt.reactor().call_from_thread([&] {
      for (std::size_t i = 0; i < count; ++i) {
        auto d = std::make_shared<std::optional<deferred<void>>>();
        d->emplace(to.connect(factory::of<telling>(std::ref(told)))
                     .add_callback([](const connected_protocol& p) { p.lose_connection(); })
                     .add_both([&](const outcome<void>& o) {
                       if (!o && !o.error().check(errc::cancelled))
                         told.add("wrong: " + o.error().message());
                       if (++done == count)
                         all.set_value();
                     }));
        r.rt.reactor().call_later(std::chrono::microseconds(i * 37 % 5000),
                                  [d] { (*d)->cancel(); });
      }
    });
    REQUIRE(all.get_future().wait_for(20s) == std::future_status::ready);
    // Each factory hears of its end; so no connection is left.
    REQUIRE(wait_for(told, "stop with 0", count));
    CHECK(told.count("stop with 0") == count);
    CHECK(told.count("made") == told.count("lost: the connection was closed cleanly"));
    r.stop();
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a single protocol connects without a factory of its own", "[endpoints]") {
  events told;
  running r{2};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  auto to = client_from_string(r.rt, at_port(port));
  connect_protocol<teller>(*to, std::ref(told)).add_callback([](const connected_protocol& p) {
    p.enter([](protocol& t) { t.transport().write("hello"); });
  });
  r.start();
  REQUIRE(told.wait(2));
  CHECK(told.all() == std::vector<std::string>{"made", "hello"});
}

TEST_CASE("an attempt that the end of the runtime meets fails", "[endpoints]") {
  events told;
  running r{1};
  auto to = client_from_string(r.rt, "tcp:192.0.2.1:9"); // a network for documents
  to->connect(factory::of<telling>(std::ref(told)))
    .add_callback([&](const connected_protocol&) { told.add("wrong"); })
    .add_errback([&](const failure&) { told.add("failed"); });
  r.start();
  REQUIRE(told.wait(1));
  r.stop();
  REQUIRE(told.wait(3));
  CHECK(told.count("failed") == 1);
}

TEST_CASE("a service connects again when its server is back", "[endpoints][P14]") {
  events told;
  std::promise<void> stopped;
  running r{2};
  auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>());
  client_service_options o;
  o.retry = [](std::size_t) {
    return 10ms;
  };
  client_service service{r.rt, client_from_string(r.rt, at_port(port.get_host().port())),
                         factory::of<telling>(std::ref(told)), o};
  (void)service.start_service();
  service.when_connected().add_callback([](const connected_protocol& p) { p.lose_connection(); });
  r.start();
  REQUIRE(told.wait(5)); // start, made, lost, stop, start
  REQUIRE(wait_for(told, "made", 2));
  r.rt.reactor().call_from_thread(
    [&] { service.stop_service().add_callback([&] { stopped.set_value(); }); });
  REQUIRE(stopped.get_future().wait_for(10s) == std::future_status::ready);
  r.stop();
}

TEST_CASE("a port adopts a socket that listens, and leaves it open", "[endpoints]") {
  const std::string kind = GENERATE("tcp", "unix");
  const auto before = open_descriptors();
  {
    directory d;
    const auto socket = kind == "tcp" ? troupe::detail::tcp_listener(0, {})(nullptr)
                                      : troupe::detail::unix_listener(d / "s", {})(nullptr);
    const auto where =
      kind == "tcp" ? at_port(socket.host.port()) : "unix:" + quote_string_argument(d / "s");
    events told;
    running r{2};
    listening_port port;
    server_from_string(r.rt, "fd:" + std::to_string(socket.fd.get()))
      ->listen(factory::for_protocol<echo>())
      .add_callback([&](listening_port p) { port = std::move(p); });
    CHECK(port.get_host() == socket.host);
    auto to = client_from_string(r.rt, where);
    const auto greet = [&] {
      connect_protocol<teller>(*to, std::ref(told)).add_callback([](const connected_protocol& p) {
        p.enter([](protocol& t) { t.transport().write("hello"); });
      });
    };
    r.start();
    on_loop(r, greet);
    REQUIRE(told.wait_for("hello"));
    on_loop(r, [&] {
      port.stop_listening();
      greet(); // it waits in the queue of the socket
    });
    REQUIRE(told.wait_for("made", 2));
    on_loop(r, [&] { port.start_listening(); });
    REQUIRE(told.wait_for("hello", 2));
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("what does not listen is not adopted", "[endpoints]") {
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  const auto reason = [&](int fd) {
    try {
      (void)adopt_stream_port(rt, fd, factory::for_protocol<echo>());
    } catch (const cannot_listen_error& e) {
      return std::string{e.what()};
    }
    return std::string{};
  };
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  const troupe::detail::unique_fd one{pair[0]};
  const troupe::detail::unique_fd other{pair[1]};
  const troupe::detail::unique_fd file{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  const auto on = [](int fd) {
    return "Couldn't listen on descriptor " + std::to_string(fd) + ": ";
  };
  CHECK(reason(pair[0]) == on(pair[0]) + "it is no stream socket that listens: Invalid argument");
  CHECK(reason(file.get()) == on(file.get()) + "Socket operation on non-socket");
  CHECK(reason(9999) == on(9999) + "Bad file descriptor");
}

TEST_CASE("standard input and output are the one connection of a port", "[endpoints]") {
  const std::size_t loops = GENERATE(1, 3);
  const auto before = open_descriptors();
  {
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    const troupe::detail::unique_fd own{pair[0]};
    client peer{pair[1]};
    events told;
    running r{loops};
    listening_port port;
    stdio_endpoint{r.rt, {.input = pair[0], .output = pair[0]}}
      .listen(factory::of<telling>(std::ref(told)))
      .add_callback([&](listening_port p) { port = std::move(p); });
    CHECK(port.get_host().to_string() == "standard input and output");
    r.start();
    peer.send("hello");
    REQUIRE(told.wait(3));
    CHECK(told.all() == std::vector<std::string>{"start", "made", "hello"});
    on_loop(r, [&] {
      port.stop_listening();
      CHECK_THROWS_AS(port.start_listening(), std::logic_error);
    });
    REQUIRE(told.wait(4));
    CHECK(told.all().back() == "stop with 1");
    peer.send("and more");
    REQUIRE(told.wait(5));
    peer.shut_write();
    REQUIRE(told.wait(6));
    CHECK(told.all().back() == "lost: the connection was closed cleanly");
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("closed standard input is a failure to listen", "[endpoints]") {
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  failure why;
  stdio_endpoint{rt, {.input = 9999}}
    .listen(factory::for_protocol<echo>())
    .add_callback([](const listening_port&) {})
    .add_errback([&](const failure& f) { why = f; });
  CHECK(why.check<cannot_listen_error>());
  CHECK(why.message() == "Couldn't listen on standard input: Bad file descriptor");
}

TEST_CASE("strings speak TLS, and verify", "[endpoints]") {
  events told;
  authority ca;
  const auto mine = ca.issue();
  running r{2};
  listening_port port;
  server_from_string(r.rt, "ssl:0:" + quote_string_argument(mine.key_file)
                             + ":certKey=" + quote_string_argument(mine.certificate_file))
    ->listen(factory::for_protocol<echo>())
    .add_callback([&](listening_port p) { port = std::move(p); });
  const auto at = "tls" + at_port(port.get_host().port()).substr(3);
  const bool trusted = GENERATE(true, false);
  auto to = client_from_string(
    r.rt, trusted ? at + ":caCertsFile=" + quote_string_argument(ca.file()) : at);
  connect_protocol<teller>(*to, std::ref(told))
    .add_callback([](const connected_protocol& p) {
      p.enter([](protocol& t) { t.transport().write("hello"); });
    })
    .add_errback([&](const failure& f) {
      told.add(f.check(errc::certificate_refused) ? "refused" : "wrong: " + f.message());
    });
  r.start();
  REQUIRE(told.wait(trusted ? 2 : 1));
  CHECK(
    told.all()
    == (trusted ? std::vector<std::string>{"made", "hello"} : std::vector<std::string>{"refused"}));
  CHECK_THROWS_AS((void)server_from_string(r.rt, "ssl:0:/nonexistent.pem"), tls_setup_error);
}
