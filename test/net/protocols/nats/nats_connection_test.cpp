#include <troupe/nats/nats_connection.hpp>

#include <stdexcept>

#include <troupe/runtime/floating_actor.hpp>
#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"

#include "scripted_server.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using strings = std::vector<std::string>;

TEST_CASE("a connection says who it is, and then it is one") {
  scripted t{{.name = "test", .credentials = nats_user{"joe", "se\"cret"}}};
  auto ready = t.nats->when_connected();
  t.start();
  REQUIRE(t.nats->connected());
  success_result_of(std::move(ready));
  REQUIRE(t.script.heard.size() == 2);
  const auto& said = t.script.heard[0];
  CHECK(said.starts_with("CONNECT {"));
  for (const char* part :
       {R"("user":"joe")", R"("pass":"se\"cret")", R"("verbose":false)", R"("name":"test")",
        R"("headers":true)", R"("no_responders":true)", R"("echo":true)"})
    CHECK(said.find(part) != std::string::npos);
  CHECK(t.script.heard[1] == "PING");
  CHECK(t.events == strings{"connected 127.0.0.1:4222"});
  CHECK(t.nats->server_info().server_id == "S");
  CHECK(t.nats->counts().connects == 1);
  t.say("PING");
  CHECK(t.heard("PONG") == 1);
}

TEST_CASE("messages go out and come in") {
  scripted t;
  strings got;
  auto one = t.nats->subscribe("a.*", [&](const nats_message_view& m) {
    got.push_back(std::string{m.subject} + '|' + std::string{m.reply} + '|'
                  + std::string{m.payload});
  });
  t.start();
  CHECK(t.heard("SUB a.* 1") == 1);
  t.in_turn([&] {
    CHECK(!t.nats->publish("b", "hello"));
    CHECK(!t.nats->publish("b", "", {.reply = "r", .headers = {{"A", "1"}}}));
  });
  const auto& h = t.script.heard;
  CHECK(strings(h.end() - 8, h.end())
        == strings{"SUB a.* 1", "PUB b 5", "hello", "HPUB b r 18 18", "NATS/1.0", "A: 1", "", ""});
  t.say("MSG a.x 1 2\r\nhi");
  t.say("MSG a.y 1 r.1 0\r\n");
  t.say("MSG a.x 99 2\r\nno"); // of a subscription that there is not
  CHECK(got == strings{"a.x||hi", "a.y|r.1|"});
  CHECK(one.counts().delivered == 2);
  t.in_turn([&] { one = {}; });
  CHECK(t.heard("UNSUB 1") == 1);
  t.say("MSG a.x 1 2\r\nhi"); // was on its way
  CHECK(got.size() == 2);
  CHECK(t.nats->counts().messages_received == 4);
}

TEST_CASE("what cannot be sent is refused, with the reason") {
  scripted t;
  t.start();
  t.in_turn([&] {
    CHECK(t.nats->publish("", "x") == errc::invalid_argument);
    CHECK(t.nats->publish("a.*", "x") == errc::invalid_argument);
    CHECK(t.nats->publish("a\r\nPUB b 0", "x") == errc::invalid_argument);
    CHECK(t.nats->publish("a", "x", {.reply = "a b"}) == errc::invalid_argument);
    CHECK(t.nats->publish("a", std::string(1023, 'x')) == std::error_code{});
    CHECK(t.nats->publish("a", std::string(1024, 'x')) == std::error_code{});
    CHECK(t.nats->publish("a", std::string(1025, 'x')) == errc::message_too_long);
    CHECK_THROWS_AS(t.nats->subscribe("a..b"), std::invalid_argument);
    CHECK_THROWS_AS(t.nats->subscribe("a", {.queue = "two words"}), std::invalid_argument);
    CHECK(t.nats->respond({.subject = "a"}, "x") == errc::invalid_argument);
  });
  CHECK(t.heard("PUB a 1024") == 1);
  CHECK(t.nats->counts().refused == 1);
  CHECK_THROWS_AS((nats_connection{t.net.rt, {.servers = {}}}), std::invalid_argument);
  CHECK_THROWS_AS((nats_connection{t.net.rt, {.max_pings_out = 0}}), std::invalid_argument);
}

TEST_CASE("a request has one answer, or a failure that says why") {
  scripted t;
  t.start();
  deferred<nats_message> asked = t.net.rt.in_turn([&] { return t.nats->request("help", "?"); });
  t.net.flush();
  REQUIRE(t.inbox_sid() == "1");
  t.answer("yes");
  CHECK(success_result_of(std::move(asked)).payload == "yes");
  t.answer("twice");
  CHECK(t.nats->counts().late_answers == 1);

  auto nobody = t.net.rt.in_turn([&] { return t.nats->request("nobody", "?"); });
  t.net.flush();
  t.say("HMSG " + t.reply_subject() + " 1 16 16\r\nNATS/1.0 503\r\n\r\n");
  CHECK(failure_result_of(std::move(nobody)).check(nats_errc::no_responders));

  auto slow = t.net.rt.in_turn([&] { return t.nats->request("slow", "?", {.timeout = 3s}); });
  t.net.advance(3s - 1ns);
  CHECK(!slow.ready());
  t.net.advance(1ns);
  CHECK(failure_result_of(std::move(slow)).check(errc::timed_out));

  auto cancelled = t.net.rt.in_turn([&] { return t.nats->request("c", "?"); });
  t.in_turn([&] { cancelled.cancel(); });
  CHECK(failure_result_of(std::move(cancelled)).check(errc::cancelled));
  CHECK(t.nats->pending_requests() == 0);

  auto lost = t.net.rt.in_turn([&] { return t.nats->request("lost", "?"); });
  t.net.flush();
  t.hang_up();
  CHECK(failure_result_of(std::move(lost)).check(errc::connection_lost));

  auto bad = t.net.rt.in_turn([&] { return t.nats->request("a b", "?"); });
  CHECK(failure_result_of(std::move(bad)).check(errc::invalid_argument));
}

TEST_CASE("after a loss all subscriptions are made again, and what was kept is sent behind them") {
  scripted t;
  int got = 0;
  auto sub = t.nats->subscribe("a", [&](const nats_message_view&) { ++got; });
  auto group = t.nats->subscribe("b", {.queue = "g", .max_messages = 3},
                                 [&](const nats_message_view&) { ++got; });
  t.start();
  t.say("MSG b 2 1\r\nx");
  t.hang_up();
  CHECK(!t.nats->connected());
  deferred<nats_message> asked = t.net.rt.in_turn([&] {
    CHECK(!t.nats->publish("one", "1"));
    CHECK(!t.nats->publish("two", "2"));
    auto in_vain = t.nats->request("vain", "?", {.timeout = 100ms});
    in_vain.add_errback([](const failure& why) {
      CHECK(why.check(errc::timed_out));
      return nats_message{};
    });
    return t.nats->request("help", "?");
  });
  CHECK(t.nats->unsent() > 0);
  t.script.heard.clear();
  t.net.advance(250ms - 1ns);
  CHECK(t.script.connections == 1);
  t.net.advance(1ns);
  REQUIRE(t.nats->connected());
  CHECK(t.heard("SUB a 1") == 1);
  CHECK(t.heard("SUB b g 2") == 1);
  CHECK(t.heard("UNSUB 2 2") == 1); // one of three has come
  const auto at = [&](std::string_view line) {
    return std::find(t.script.heard.begin(), t.script.heard.end(), line);
  };
  CHECK(at("SUB a 1") < at("PUB one 1"));
  CHECK(at("PUB one 1") < at("PUB two 1"));
  CHECK(at("PUB two 1") < t.script.heard.end());
  CHECK(std::none_of(t.script.heard.begin(), t.script.heard.end(),
                     [](const std::string& l) { return l.starts_with("PUB vain"); }));
  t.answer("yes");
  CHECK(success_result_of(std::move(asked)).payload == "yes");
  t.say("MSG a 1 1\r\nx");
  CHECK(got == 2);
  CHECK(t.events
        == strings{"connected 127.0.0.1:4222", "disconnected 127.0.0.1:4222",
                   "reconnected 127.0.0.1:4222"});
}

TEST_CASE("what is kept without a connection has a limit") {
  scripted t{{.reconnect_buffer = 1000}};
  std::size_t kept = 0;
  while (!t.nats->publish("a", std::string(100, 'x')))
    REQUIRE(++kept < 10);
  CHECK(kept > 3);
  CHECK(t.nats->publish("a", std::string(100, 'x')) == errc::queue_overflow);
  CHECK(t.nats->unsent() <= 1000);
  t.start();
  CHECK(t.heard("PUB a 100") == kept);
  CHECK(t.nats->unsent() == 0);

  scripted none{{.reconnect_buffer = 0}};
  CHECK(none.nats->publish("a", "x") == errc::not_connected);
}

TEST_CASE("what was kept and does not suit the server is dropped and told") {
  scripted t;
  t.script.info = R"({"max_payload":10})";
  CHECK(!t.nats->publish("long", std::string(11, 'x')));
  CHECK(!t.nats->publish("headed", "x", {.headers = {{"A", "1"}}}));
  CHECK(!t.nats->publish("fine", "x"));
  t.start();
  CHECK(t.heard("PUB fine 1") == 1);
  CHECK(t.heard("PUB long 11") == 0);
  CHECK(t.events == strings{"dropped", "connected 127.0.0.1:4222"});
  CHECK(t.nats->publish("headed", "x", {.headers = {{"A", "1"}}})
        == nats_errc::headers_not_supported);
}

TEST_CASE("a connection may be stopped as it tells that what was kept does not suit the server") {
  scripted t;
  t.script.info = R"({"max_payload":10})";
  t.in_turn([&] {
    t.nats->request("long", std::string(11, 'x')).add_both([&](const outcome<nats_message>& how) {
      CHECK(how.error().check(errc::message_too_long));
      (void)t.nats->stop_service();
    });
  });
  CHECK(!t.nats->publish("behind", "x"));
  t.start();
  CHECK(!t.nats->connected());
  CHECK(t.heard("PUB behind 1") == 0);
  CHECK(t.events == strings{"disconnected 127.0.0.1:4222", "dropped"});
}

TEST_CASE("what a server does not take is bounded, and refused beyond") {
  scripted t{{.ping_interval = duration::max(), .max_unsent = 100'000}};
  t.script.info = R"({"max_payload":1048576})";
  t.start();
  t.net.enter(*t.script.peers.back(),
              [&] { t.script.peers.back()->transport().pause_producing(); });
  std::size_t refused = 0;
  for (int i = 0; i < 1000; ++i)
    t.in_turn(
      [&] { refused += t.nats->publish("a", std::string(1000, 'x')) == errc::queue_overflow; });
  CHECK(refused > 500);
  CHECK(t.nats->unsent() <= 100'000 + 1100);
  CHECK(t.nats->connected());
  t.net.enter(*t.script.peers.back(),
              [&] { t.script.peers.back()->transport().resume_producing(); });
  t.net.flush();
  CHECK(t.nats->unsent() == 0);
  CHECK(t.heard("PUB a 1000") == 1000 - refused);
}

TEST_CASE("garbage in the middle costs the connection, and nothing else") {
  scripted t;
  int got = 0;
  auto sub = t.nats->subscribe("a", [&](const nats_message_view&) { ++got; });
  t.start();
  t.say("MSG a 1 1\r\nx\r\nMSG a 1 99999999999\r\nMSG a 1 1\r\nx");
  CHECK(got == 1);
  CHECK(!t.nats->connected());
  CHECK(t.latest.check(errc::message_too_long));
  t.net.advance(250ms);
  CHECK(t.nats->connected());
  CHECK(t.heard("SUB a 1") == 2);
}

TEST_CASE(
  "each of two subscriptions to what may not be heard is refused, until the next connection") {
  scripted t;
  auto one = t.nats->subscribe("secret");
  auto other = t.nats->subscribe("secret");
  t.start();
  auto first = one.next();
  auto second = other.next();
  t.say(R"(-ERR 'Permissions Violation for Subscription to "secret"')");
  t.say(R"(-ERR 'Permissions Violation for Subscription to "secret"')");
  CHECK(failure_result_of(std::move(first)).check(nats_errc::permissions_violation));
  CHECK(failure_result_of(std::move(second)).check(nats_errc::permissions_violation));
  t.hang_up();
  t.net.advance(1s);
  REQUIRE(t.nats->connected());
  auto later = one.next();
  t.say("MSG secret 1 1\r\nx");
  CHECK(success_result_of(std::move(later)).payload == "x");
}

TEST_CASE("complaints are told; one about a subscription reaches who waits for it") {
  scripted t;
  auto sub = t.nats->subscribe("secret.>");
  t.start();
  auto next = t.net.rt.in_turn([&] { return sub.next(); });
  t.say("-ERR 'Permissions Violation for Subscription to \"secret.>\"'");
  CHECK(failure_result_of(std::move(next)).check(nats_errc::permissions_violation));
  CHECK(t.nats->connected());
  CHECK(t.events.back().starts_with("error Permissions Violation"));
  t.say("-ERR 'Parser Error'");
  CHECK(!t.nats->connected());
  CHECK(t.latest.check(nats_errc::server_error));
  CHECK(t.latest.message().find("Parser Error") != std::string::npos);
}

TEST_CASE(
  "messages wait for next() up to the limits; what is beyond is dropped, counted and told once") {
  scripted t;
  auto sub = t.nats->subscribe("a", {.max_pending_messages = 3, .max_pending_bytes = 12});
  t.start();
  const auto say = [&](const std::string& payload) {
    t.say("MSG a 1 " + std::to_string(payload.size()) + "\r\n" + payload);
  };
  auto waits = t.net.rt.in_turn([&] { return sub.next(); });
  say("0");
  CHECK(success_result_of(std::move(waits)).payload == "0");
  for (const char* p : {"1", "2", "3", "4", "5"})
    say(p);
  CHECK(sub.counts().pending_messages == 3);
  CHECK(sub.counts().dropped == 2);
  CHECK(std::count(t.events.begin(), t.events.end(), "slow_consumer a") == 1);
  const auto take = [&] {
    return success_result_of(t.net.rt.in_turn([&] { return sub.next(); })).payload;
  };
  CHECK(take() == "1");
  CHECK(take() == "2");
  CHECK(take() == "3");
  CHECK(sub.counts().pending_bytes == 0);
  say(std::string(11, 'x')); // with its subject just as much as may wait
  say("y");
  CHECK(sub.counts().dropped == 3);
  CHECK(std::count(t.events.begin(), t.events.end(), "slow_consumer a") == 2);
  CHECK(take().size() == 11);
  auto last = t.net.rt.in_turn([&] { return sub.next(); });
  t.in_turn([&] { sub.unsubscribe(); });
  CHECK(failure_result_of(std::move(last)).check(errc::cancelled));
}

TEST_CASE("a subscription ends after its messages, and drains") {
  scripted t;
  auto two = t.nats->subscribe("a", {.max_messages = 2});
  auto drained = t.nats->subscribe("b");
  t.start();
  CHECK(t.heard("UNSUB 1 2") == 1);
  t.say("MSG a 1 1\r\n1\r\nMSG a 1 1\r\n2\r\nMSG a 1 1\r\n3");
  CHECK(!two.active());
  CHECK(success_result_of(t.net.rt.in_turn([&] { return two.next(); })).payload == "1");
  CHECK(success_result_of(t.net.rt.in_turn([&] { return two.next(); })).payload == "2");
  CHECK(
    failure_result_of(t.net.rt.in_turn([&] { return two.next(); })).check(errc::connection_done));

  t.script.answers_pings = false;
  auto done = t.net.rt.in_turn([&] { return drained.drain(); });
  t.net.flush();
  CHECK(t.heard("UNSUB 2") == 1);
  t.say("MSG b 2 1\r\nx"); // was on its way
  CHECK(!done.ready());
  t.say("PONG");
  success_result_of(std::move(done));
  CHECK(success_result_of(t.net.rt.in_turn([&] { return drained.next(); })).payload == "x");
  CHECK(!drained.active());
}

namespace {

class holder : public floating_actor {
public:
  holder(caf::actor_config& cfg, std::vector<nats_message>* into)
    : floating_actor(cfg), into_(into) {}
  caf::behavior make_behavior() override {
    return {[this](const nats_message& m) {
      into_->push_back(m);
    }};
  }

private:
  std::vector<nats_message>* into_;
};

} // namespace

TEST_CASE("an actor gets messages, and only as many as it lets go of") {
  scripted t;
  std::vector<nats_message> held;
  auto actor = t.net.rt.spawn<holder>(&held);
  auto sub = t.nats->subscribe("a", actor, {.max_pending_messages = 2});
  t.start();
  for (int i = 0; i < 4; ++i)
    t.say("MSG a 1 1\r\n" + std::to_string(i));
  REQUIRE(held.size() == 2);
  CHECK(held[1].payload == "1");
  CHECK(sub.counts().pending_messages == 2);
  CHECK(sub.counts().dropped == 2);
  held.clear();
  CHECK(sub.counts().pending_messages == 0);
  t.say("MSG a 1 1\r\n9");
  REQUIRE(held.size() == 1);
  CHECK(held[0].payload == "9");
  CHECK_THROWS_AS(sub.next(), std::logic_error);
  caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  actor = nullptr;
  t.net.rt.settle();
  t.net.flush();
  CHECK(!sub.active());
  CHECK(t.heard("UNSUB 1") == 1);
}

TEST_CASE("what a function throws is logged, and harms no other") {
  scripted t;
  logged_errors errors{t.net.rt};
  int got = 0;
  auto bad =
    t.nats->subscribe("a", [](const nats_message_view&) { throw std::out_of_range("boom"); });
  auto good = t.nats->subscribe("b", [&](const nats_message_view&) { ++got; });
  t.start();
  t.say("MSG a 1 1\r\nx\r\nMSG b 2 1\r\nx");
  CHECK(errors.flush<std::out_of_range>().size() == 1);
  CHECK(got == 1);
  CHECK(t.nats->connected());
}

TEST_CASE("a function may end its subscription, stop the connection, and destroy it") {
  for (int what = 0; what < 3; ++what) {
    scripted t;
    int got = 0;
    nats_subscription sub;
    sub = t.nats->subscribe("a", [&](const nats_message_view&) {
      ++got;
      if (what == 0)
        sub.unsubscribe();
      else if (what == 1)
        (void)t.nats->stop_service();
      else
        t.nats.reset();
    });
    auto other = t.nats->subscribe("b", [&](const nats_message_view&) { ++got; });
    t.start();
    t.say("MSG a 1 1\r\nx\r\nMSG a 1 1\r\nx\r\nMSG b 2 1\r\nx");
    CHECK(got == (what == 0 ? 2 : 1));
    CHECK(sub.active() == (what == 1));
  }
}

TEST_CASE("flush tells when the server has had all") {
  scripted t;
  t.script.answers_pings = false;
  auto before = t.net.rt.in_turn([&] { return t.nats->flush(30s); }); // waits for a connection
  t.start();
  t.say("PONG");
  CHECK(t.nats->connected());
  CHECK(!before.ready());
  t.say("PONG");
  success_result_of(std::move(before));
  auto late = t.net.rt.in_turn([&] { return t.nats->flush(1s); });
  t.net.advance(1s);
  CHECK(failure_result_of(std::move(late)).check(errc::timed_out));
  t.say("PONG"); // that one's
  auto lost = t.net.rt.in_turn([&] { return t.nats->flush(); });
  t.hang_up();
  CHECK(failure_result_of(std::move(lost)).check(errc::connection_lost));
}

TEST_CASE("draining lets come what is on its way, and then stops") {
  scripted t;
  int got = 0;
  auto sub = t.nats->subscribe("a", [&](const nats_message_view& m) {
    ++got;
    CHECK(!t.nats->respond(m, "answer"));
  });
  t.start();
  auto asked = t.net.rt.in_turn([&] { return t.nats->request("help", "?"); });
  t.net.flush();
  t.script.answers_pings = false;
  auto done = t.net.rt.in_turn([&] { return t.nats->drain(); });
  t.net.flush();
  CHECK(t.heard("UNSUB 1") == 1);
  t.say("MSG a 1 r.1 1\r\nx");
  CHECK(got == 1);
  CHECK(t.heard("PUB r.1 6") == 1);
  t.say("PONG");
  CHECK(!done.ready()); // a request waits
  CHECK_THROWS_AS(t.nats->subscribe("b"), std::logic_error);
  t.answer("yes");
  CHECK(success_result_of(std::move(asked)).payload == "yes");
  t.say("PONG");
  t.net.flush();
  success_result_of(std::move(done));
  CHECK(!t.nats->connected());
  CHECK(t.nats->publish("a", "x") == errc::not_connected);
}

TEST_CASE("stopped, it fails what waits, and can be started again") {
  scripted t;
  auto sub = t.nats->subscribe("a", [](const nats_message_view&) {});
  t.start();
  auto asked = t.net.rt.in_turn([&] { return t.nats->request("help", "?"); });
  auto stopped = t.net.rt.in_turn([&] { return t.nats->stop_service(); });
  CHECK(failure_result_of(std::move(asked)).check(errc::cancelled));
  t.net.flush();
  success_result_of(std::move(stopped));
  CHECK(t.script.peers.empty());
  t.net.advance(1h);
  CHECK(t.script.connections == 1);
  t.start();
  CHECK(t.nats->connected());
  CHECK(t.heard("SUB a 1") == 2);
}
