// The client beside a real nats-server, started as a supervised child. Without that program the tests are skipped.

#include <troupe/nats/nats_connection.hpp>
#include <troupe/nats/nats_server_child.hpp>

#include <csignal>
#include <fstream>

#include <troupe/nats/nkey.hpp>
#include <troupe/net/listen_ssl.hpp>
#include <troupe/runtime/detail/base64.hpp>

#include "support/directory.hpp"
#include "support/tls.hpp"

#include "scripted_server.hpp"
#include "served_nats.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

TEST_CASE("publish, subscribe, queue groups, headers and requests beside a real server") {
  if (!nats_server_installed())
    return;
  served_nats s;
  joined_nats a{s};
  joined_nats b{s};
  a.connect();
  b.connect();
  CHECK(on_loop(s.run, [&] { return a->server_info().version; }).starts_with("2."));

  struct result {
    int plain = 0, one = 0, two = 0;
    std::string headed;
    nats_subscription subs[5];
  } got;
  on_loop(s.run, [&] {
    got.subs[0] = b->subscribe("x.>", [&](const nats_message_view&) { ++got.plain; });
    got.subs[1] = b->subscribe("q", {.queue = "g"}, [&](const nats_message_view&) { ++got.one; });
    got.subs[2] = b->subscribe("q", {.queue = "g"}, [&](const nats_message_view&) { ++got.two; });
    got.subs[3] = b->subscribe("h", [&](const nats_message_view& m) {
      got.headed =
        std::string{m.headers().value().get("Key").value_or("none")} + '=' + std::string{m.payload};
    });
    got.subs[4] = b->subscribe("double", [&](const nats_message_view& m) {
      CHECK(!b->respond(m, std::string{m.payload} + std::string{m.payload}, {{"A", "1"}}));
    });
    return b->flush();
  });
  on_loop(s.run, [&] {
    for (int i = 0; i < 1000; ++i) {
      CHECK(!a->publish("x.y.z", "hello"));
      CHECK(!a->publish("q", "work"));
    }
    CHECK(!a->publish("h", "v", {.headers = {{"Key", "value"}}}));
    return a->flush();
  });
  on_loop(s.run, [&] { return b->flush(); });
  CHECK(got.plain == 1000);
  CHECK(got.one + got.two == 1000);
  CHECK(got.one > 100);
  CHECK(got.two > 100);
  CHECK(got.headed == "value=v");

  const auto answer = on_loop(s.run, [&] { return a->request("double", "ab"); });
  CHECK(answer.payload == "abab");
  CHECK(answer.headers().value().get("A") == "1");
  const auto begun = std::chrono::steady_clock::now();
  const auto nobody = [&] {
    try {
      on_loop(s.run, [&] { return a->request("nobody.there", "x", {.timeout = 30s}); });
    } catch (const std::system_error& e) {
      return e.code();
    }
    return std::error_code{};
  }();
  CHECK(nobody == nats_errc::no_responders);
  CHECK(std::chrono::steady_clock::now() - begun < 5s);

  // Exactly as much as the server takes.
  std::size_t size = 0;
  on_loop(s.run, [&] {
    got.subs[0] = b->subscribe("big", [&](const nats_message_view& m) { size = m.payload.size(); });
    return b->flush();
  });
  on_loop(s.run, [&] {
    CHECK(!a->publish("big", std::string(1024 * 1024, 'x')));
    CHECK(a->publish("big", std::string(1024 * 1024 + 1, 'x')) == errc::message_too_long);
    return a->flush();
  });
  on_loop(s.run, [&] { return b->flush(); });
  CHECK(size == 1024 * 1024);

  // Drained, nothing of what was sent is lost.
  on_loop(s.run, [&] {
    for (int i = 0; i < 1000; ++i)
      (void)a->publish("x.last", "hello");
    return a->drain();
  });
  on_loop(s.run, [&] { return b->drain(); });
  CHECK(s.starts.all().size() == 1);
  on_loop(s.run, [&] { got = {}; });
}

TEST_CASE("a server that is killed is started again at its place, and clients find it") {
  if (!nats_server_installed())
    return;
  served_nats s;
  joined_nats a{s};
  a.connect();
  auto got = std::make_shared<events>();
  auto sub = std::make_shared<nats_subscription>();
  on_loop(s.run, [&, got] {
    *sub =
      a->subscribe("a", [got](const nats_message_view& m) { got->add(std::string{m.payload}); });
    return a->flush();
  });
  const auto before = s.address();
  for (std::size_t round = 1; round <= 3; ++round) {
    ::kill(s.address().pid, SIGKILL);
    REQUIRE(a.events.wait_for("disconnected", round));
    on_loop(s.run, [&] { CHECK(!a->publish("a", "kept")); });
    REQUIRE(s.starts.wait(round + 1));
    REQUIRE(a.events.wait_for("reconnected", round));
    REQUIRE(got->wait_for("kept", round)); // it waited for the server, behind the subscription
  }
  CHECK(s.address().url == before.url);
  CHECK(s.address().pid != before.pid);
  on_loop(s.run, [&] { *sub = {}; });
}

TEST_CASE("very many subscriptions are there again soon after a loss, each once") {
  if (!nats_server_installed())
    return;
  const std::size_t count = load_size(50'000);
  served_nats s;
  joined_nats a{s};
  joined_nats b{s};
  a.connect();
  b.connect();
  std::vector<nats_subscription> subs;
  std::size_t got = 0;
  on_loop(s.run, [&] {
    for (std::size_t i = 0; i < count; ++i)
      subs.push_back(
        a->subscribe("s." + std::to_string(i), [&](const nats_message_view&) { ++got; }));
    return a->flush();
  });
  ::kill(s.address().pid, SIGKILL);
  REQUIRE(a.events.wait_for("reconnected"));
  REQUIRE(b.events.wait_for("reconnected"));
  on_loop(s.run, [&] { return a->flush(); });
  on_loop(s.run, [&] {
    for (std::size_t i = 0; i < count; ++i)
      CHECK(!b->publish("s." + std::to_string(i), "x"));
    return b->flush();
  });
  on_loop(s.run, [&] { return a->flush(); });
  CHECK(got == count);
  on_loop(s.run, [&] { subs.clear(); });
}

TEST_CASE("a million messages in one turn: what does not fit is refused and counted, and the "
          "connection lives") {
  if (!nats_server_installed())
    return;
  served_nats s;
  joined_nats a{s};
  a.connect();
  std::uint64_t got = 0;
  auto sub = std::make_shared<nats_subscription>();
  const auto sent = on_loop(s.run, [&] {
    *sub = a->subscribe("flood", [&](const nats_message_view&) { ++got; });
    std::uint64_t taken = 0;
    for (std::size_t i = 0; i < load_size(1'000'000); ++i)
      taken += !a->publish("flood", "hello");
    CHECK(a->unsent() <= nats_options{}.max_unsent + 100);
    CHECK(a->counts().refused == load_size(1'000'000) - taken);
    return a->flush().add_callback([taken] { return taken; });
  });
  CHECK(sent > load_size(100'000));
  CHECK(got == sent);
  CHECK(a.events.count("disconnected") == 0);
  on_loop(s.run, [&] { *sub = {}; });
}

TEST_CASE("a server that is stopped is noticed by its silence, and killed by its keeper") {
  if (!nats_server_installed())
    return;
  served_nats s;
  joined_nats a{s, {.ping_interval = 100ms}};
  a.connect();
  ::kill(s.address().pid, SIGSTOP);
  REQUIRE(a.events.wait_for("disconnected"));
  REQUIRE(s.starts.wait(2));
  REQUIRE(a.events.wait_for("reconnected"));
}

TEST_CASE("users, tokens and keys") {
  if (!nats_server_installed())
    return;
  const auto key = nkey::create(nkey::kind::user);
  served_nats s{{.users = {{.name = "joe",
                            .password = "se\"cr\\et",
                            .publish = {"ok.>"},
                            .subscribe = {"_INBOX.>", "ok.>"}},
                           {.nkey = key.public_key()}}}};
  {
    joined_nats nobody{s};
    CHECK(nobody.refusal().check(nats_errc::authorization_violation));
    joined_nats wrong{s, {.credentials = nats_user{"joe", "wrong"}}};
    CHECK(wrong.refusal().check(nats_errc::authorization_violation));
    joined_nats stranger{s, {.credentials = nkey::create(nkey::kind::user)}};
    CHECK(stranger.refusal().check(nats_errc::authorization_violation));
  }
  joined_nats by_key{s, {.credentials = key}};
  by_key.connect();
  joined_nats joe{s, {.credentials = nats_user{"joe", "se\"cr\\et"}}};
  joe.connect();
  on_loop(s.run, [&] {
    CHECK(!joe->publish("secret", "x"));
    return joe->flush();
  });
  CHECK(joe.events.wait_for("error"));
  const auto refused = on_loop(s.run, [&] {
    auto sub = std::make_shared<nats_subscription>(joe->subscribe("secret.>"));
    return sub->next().add_both([sub](const outcome<nats_message>& m) { return m.error().code(); });
  });
  CHECK(refused == nats_errc::permissions_violation);
  on_loop(s.run, [&] { CHECK(joe->connected()); });

  served_nats with_token{{.token = "tok"}};
  joined_nats ok{with_token, {.credentials = nats_token{"tok"}}};
  ok.connect();
  joined_nats not_ok{with_token, {.credentials = nats_token{"kot"}}};
  CHECK(not_ok.refusal().check(nats_errc::authorization_violation));
}

TEST_CASE("a JWT from a file of credentials") {
  if (!nats_server_installed())
    return;
  const auto jwt = [](const nkey& by, const std::string& claims) {
    const auto text = troupe::detail::to_base64_url(R"({"typ":"JWT","alg":"ed25519-nkey"})") + '.'
                      + troupe::detail::to_base64_url(claims);
    return text + '.' + troupe::detail::to_base64_url(by.sign(text));
  };
  const auto claims = [](const nkey& issuer, const nkey& subject, const std::string& nats) {
    return R"({"jti":"X","iat":1700000000,"iss":")" + issuer.public_key()
           + R"(","name":"n","sub":")" + subject.public_key() + R"(","nats":)" + nats + '}';
  };
  const auto op = nkey::create(nkey::kind::op);
  const auto account = nkey::create(nkey::kind::account);
  const auto user = nkey::create(nkey::kind::user);
  const std::string open =
    R"({"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,"wildcards":true,"conn":-1,"leaf":-1})";
  const auto account_jwt =
    jwt(op, claims(op, account, R"({"limits":)" + open + R"(,"type":"account","version":2})"));
  served_nats s{
    {.more = "operator: " + jwt(op, claims(op, op, R"({"type":"operator","version":2})"))
             + "\nresolver: MEMORY\nresolver_preload: { " + account.public_key() + ": "
             + account_jwt + " }\n"}};
  const directory folder;
  std::ofstream{folder / "user.creds"}
    << "-----BEGIN NATS USER JWT-----\n"
    << jwt(account,
           claims(
             account, user,
             R"({"pub":{},"sub":{},"subs":-1,"data":-1,"payload":-1,"type":"user","version":2})"))
    << "\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n"
    << user.seed() << "\n------END USER NKEY SEED------\n";
  joined_nats a{s, {.credentials = nats_creds_file{folder / "user.creds"}}};
  CHECK(!a.refusal());
  joined_nats none{s, {.credentials = nats_creds_file{folder / "missing"}}};
  CHECK(none.refusal().message().find("missing: No such file") != std::string::npos);
  joined_nats nobody{s};
  CHECK(nobody.refusal().check(nats_errc::authorization_violation));
}

TEST_CASE("TLS with certificates at both ends") {
  if (!nats_server_installed())
    return;
  const authority ca;
  const authority foreign{"foreign"};
  const auto server = ca.issue({.name = "server"});
  const auto client = ca.issue({.name = "client"});
  served_nats s{{.tls = nats_server_tls{server.certificate_file, server.key_file, ca.file()}}};
  const auto with = [&](const std::string& trusted, tls_identity who) {
    return nats_options{
      .tls = tls_client_context{{.trusted_file = trusted, .identity = std::move(who)}}};
  };
  joined_nats ok{s, with(ca.file(), client)};
  ok.connect();
  joined_nats distrusts{s, with(foreign.file(), client)};
  CHECK(distrusts.refusal().check(errc::certificate_refused));
  joined_nats unknown{s, with(ca.file(), {})};
  CHECK(unknown.refusal());
  joined_nats other{s, with(ca.file(), foreign.issue())};
  CHECK(other.refusal());

  served_nats plain;
  joined_nats wants{plain, with(ca.file(), client)};
  CHECK(wants.refusal().check(errc::tls_failed));
}

TEST_CASE("a server that does not start is told with its reason") {
  if (!nats_server_installed())
    return;
  running run{1};
  run.start();
  const auto why = [&](nats_server_options o) {
    return on_loop(run, [&] {
      return root_supervisor(run.rt)
        ->start_child(nats_server_child(run.rt, "nats", std::move(o)))
        .add_both([](const outcome<caf::actor>& a) { return a.error().message(); });
    });
  };
  CHECK(why({.program = "/no/such/nats-server"}).find("no/such") != std::string::npos);
  CHECK(why({.more = "nonsense {"}).size() > 10);
  CHECK(why({.program = "sleep", .start_timeout = 50ms}).size() > 3);
  run.stop();
}

TEST_CASE("TLS before the first word, where both ends are told so") {
  const authority ca;
  server_script script; // outlives the server that writes into it
  running run{1};
  const auto port = listen_ssl(run.rt, 0, factory::for_protocol<scripted_server>(&script),
                               tls_server_context{{.identities = {ca.issue()}}});
  run.start();
  std::unique_ptr<nats_connection> nats;
  on_loop(run, [&] {
    nats = std::make_unique<nats_connection>(
      run.rt, nats_options{.servers = {"tls://localhost:" + std::to_string(port.get_host().port())},
                           .tls = tls_client_context{{.trusted_file = ca.file()}},
                           .tls_first = true,
                           .connect_timeout = 20s});
    (void)nats->start_service();
    return nats->when_connected(1);
  });
  on_loop(run, [&] {
    CHECK(script.heard.at(0).find(R"("tls_required":true)") != std::string::npos);
    nats.reset();
  });
}
