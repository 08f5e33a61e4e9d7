// Servers that do not accept us, fall silent, go, or are none.

#include <troupe/nats/nats_connection.hpp>

#include <algorithm>
#include <string>
#include <system_error>
#include <vector>

#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"

#include "scripted_server.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using strings = std::vector<std::string>;

TEST_CASE("a server that does not accept us says why, and is asked again ever less often") {
  scripted t;
  t.script.answers_pings = false;
  auto first = t.nats->when_connected(1);
  t.start();
  t.say("-ERR 'Authorization Violation'");
  const auto why = failure_result_of(std::move(first));
  CHECK(why.check(nats_errc::authorization_violation));
  CHECK(why.message().find("Authorization Violation") != std::string::npos);
  CHECK(t.events.empty());
  t.net.advance(250ms);
  CHECK(t.script.connections == 2);
  t.say("-ERR 'Authorization Violation'");
  t.net.advance(500ms - 1ns);
  CHECK(t.script.connections == 2);
  t.net.advance(1ns);
  CHECK(t.script.connections == 3);
}

TEST_CASE("a server that says nothing, or nonsense, is left") {
  struct row {
    const char* says;
    std::error_code why;
  };
  const row rows[] = {{nullptr, make_error_code(errc::timed_out)},
                      {"HTTP/1.1 400 Bad Request", make_error_code(errc::malformed_input)},
                      {"INFO {", make_error_code(errc::malformed_input)},
                      {"INFO []", make_error_code(errc::malformed_input)},
                      {"INFO {}", make_error_code(errc::timed_out)}};
  for (const auto& r : rows) {
    INFO((r.says != nullptr ? r.says : "nothing"));
    scripted t;
    t.script.greets = false;
    t.script.answers_pings = false;
    auto first = t.nats->when_connected(1);
    t.start();
    if (r.says != nullptr)
      t.say(r.says);
    t.net.advance(2s - 1ns);
    t.net.advance(1ns);
    CHECK(failure_result_of(std::move(first)).check(r.why));
    CHECK(!t.nats->connected());
  }
}

TEST_CASE(
  "a secret is never sent in the clear to a server that should speak TLS, and keys need a nonce") {
  for (int i = 0; i < 2; ++i) {
    scripted t{i == 0 ? nats_options{.servers = {"tls://joe:secret@127.0.0.1:4222"}}
                      : nats_options{.credentials = nkey::create(nkey::kind::user)}};
    auto first = t.nats->when_connected(1);
    t.start();
    const auto why = failure_result_of(std::move(first));
    CHECK((i == 0 ? why.check(errc::tls_failed) : why.check(nats_errc::authorization_violation)));
    CHECK(t.script.heard.empty());
  }
}

TEST_CASE("a server that falls silent is left within the spans that were said") {
  scripted t{{.ping_interval = 500ms, .max_pings_out = 2}};
  t.start();
  for (int i = 0; i < 20; ++i)
    t.net.advance(500ms); // it answers
  CHECK(t.nats->connected());
  CHECK(t.heard("PING") == 21);
  t.script.answers_pings = false;
  t.net.advance(500ms); // the answer to the last PING was heard since
  t.net.advance(500ms);
  t.net.advance(500ms - 1ns);
  CHECK(t.nats->connected());
  t.net.advance(1ns);
  t.net.rt.settle();
  CHECK(!t.nats->connected());
  CHECK(t.latest.check(nats_errc::stale_connection));
}

TEST_CASE("a server that talks and never answers a PING is left, too") {
  scripted t{{.ping_interval = 500ms, .max_pings_out = 2}};
  t.start();
  t.script.answers_pings = false;
  std::size_t spans = 0;
  while (t.nats->connected() && ++spans < 100) {
    t.say("+OK");
    t.net.advance(500ms);
  }
  CHECK(spans < 40);
  CHECK(t.latest.check(nats_errc::stale_connection));
}

TEST_CASE("a server that is about to end is left for another one") {
  scripted t;
  t.listen(4223);
  t.script.info = R"({"connect_urls":["127.0.0.1:4223","127.0.0.1:4222"]})";
  auto sub = t.nats->subscribe("a", [](const nats_message_view&) {});
  t.start();
  CHECK(t.nats->servers() == strings{"127.0.0.1:4222", "127.0.0.1:4223"});
  CHECK(t.nats->server() == "127.0.0.1:4222");
  t.say(R"(INFO {"ldm":true,"connect_urls":["127.0.0.1:4223","127.0.0.1:4222"]})");
  t.net.advance(0s);
  CHECK(t.nats->server() == "127.0.0.1:4223");
  CHECK(t.nats->connected());
  CHECK(t.events
        == strings{"discovered 127.0.0.1:4223", "connected 127.0.0.1:4222",
                   "lame_duck 127.0.0.1:4222", "disconnected 127.0.0.1:4222",
                   "reconnected 127.0.0.1:4223"});
  CHECK(t.heard("SUB a 1") == 2);
}

TEST_CASE("a server that is not there is passed over") {
  scripted t{{.servers = {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:4222"}}};
  t.start();
  t.net.advance(0s);
  t.net.advance(0s);
  CHECK(t.nats->connected());
  CHECK(t.nats->server() == "127.0.0.1:4222");
}

TEST_CASE(
  "a server that sends PINGs and reads no PONG is left before its answers fill the memory") {
  scripted t{{.ping_interval = duration::max(), .max_unsent = 10'000}};
  t.start();
  auto& server = *t.script.peers.back();
  t.net.enter(server, [&] { server.transport().pause_producing(); });
  std::string pings;
  for (int i = 0; i < 100; ++i)
    pings += "PING\r\n";
  std::size_t most = 0;
  for (int i = 0; i < 5000 && t.nats->connected(); ++i) {
    t.net.enter(server, [&] { server.transport().write(pings); });
    t.net.flush();
    most = std::max(most, t.nats->unsent());
  }
  CHECK(most > 9'000);
  CHECK(most < 12'000);
  CHECK(!t.nats->connected());
  CHECK(t.latest.check(errc::queue_overflow));
}

TEST_CASE("a server that reads slowly may send a PING now and then") {
  scripted t{{.ping_interval = duration::max(), .max_unsent = 10'000}};
  t.start();
  auto& server = *t.script.peers.back();
  t.net.enter(server, [&] { server.transport().pause_producing(); });
  t.in_turn([&] {
    while (!t.nats->publish("a", std::string(1000, 'x')))
      continue;
  });
  for (int i = 0; i < 10; ++i)
    t.say("PING");
  CHECK(t.nats->connected());
  t.net.enter(server, [&] { server.transport().resume_producing(); });
  t.net.flush();
  CHECK(t.heard("PONG") == 10);
}
