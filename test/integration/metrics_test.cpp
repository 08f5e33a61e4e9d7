// What loops count, and the page on which they tell it.

#include <troupe/net/metrics_page.hpp>
#include <troupe/runtime/prometheus.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

class echo : public protocol {
public:
  using protocol::protocol;
  void data_received(bytes_view data) override { transport().write(data); }
};

class counting_actor : public pinned_actor {
public:
  counting_actor(caf::actor_config& cfg, events* log) : pinned_actor(cfg), log_(log) {}
  caf::behavior make_behavior() override {
    return {[this](int) {
      log_->add("told");
    }};
  }

private:
  events* log_;
};

/// Runs `fn` in a turn of the loop, and waits for it.
void on_loop(running& r, std::size_t loop, const std::function<void()>& fn) {
  events done;
  r.rt.scheduler().loop(loop).post([&] {
    fn();
    done.add("done");
  });
  REQUIRE(done.wait(1));
}

struct page_server {
  page_server() : port(listen_tcp(server.rt, 0, metrics_page(server.rt))) { server.start(); }

  std::string ask(const std::string& request) {
    client c{port.get_host().port()};
    c.send(request);
    return c.rest();
  }

  running server{1};
  listening_port port;
};

} // namespace

TEST_CASE("bytes, turns and actors of a loop are counted", "[counters]") {
  running server{1};
  const auto port = listen_tcp(server.rt, 0, factory::for_protocol<echo>());
  server.start();
  const auto before = server.rt.counters().at(0);
  client c{port.get_host().port()};
  c.send(std::string(1000, 'x'));
  CHECK(c.receive(1000) == std::string(1000, 'x'));
  loop_counters open;
  on_loop(server, 0, [&] { open = server.rt.counters().at(0); });
  CHECK(open.bytes_received - before.bytes_received == 1000);
  CHECK(open.bytes_sent - before.bytes_sent == 1000);
  CHECK(open.turns > before.turns);
  CHECK(open.io_events > before.io_events);
  CHECK(open.actors == before.actors + 1);
  c.send("more");
  CHECK(c.receive(4) == "more");
  c.shut_write();
  CHECK(c.rest().empty());
  // The peer learns of the end before the actor is gone: both in one turn, so the next one sees it.
  on_loop(server, 0, [&] { open = server.rt.counters().at(0); });
  CHECK(open.actors == before.actors);
  CHECK(open.bytes_received - before.bytes_received == 1004);
}

TEST_CASE("messages between loops are counted by both", "[counters]") {
  running r{3};
  events log;
  const auto on_two = r.rt.spawn_on<counting_actor>(2, &log);
  r.start();
  on_loop(r, 1, [] {}); // from a foreign thread: counted as a job, not as a message
  const auto before = r.rt.counters();
  on_loop(r, 1, [&] {
    for (int i = 0; i < 10; ++i)
      caf::anon_send(on_two, i);
    r.rt.scheduler().loop(0).post([&] { log.add("posted"); });
  });
  REQUIRE(log.wait(11));
  const auto after = r.rt.counters();
  CHECK(after[1].messages_sent - before[1].messages_sent == 11);
  CHECK(after[2].messages_received - before[2].messages_received == 10);
  CHECK(after[0].messages_received - before[0].messages_received == 1);
  CHECK(after[2].messages_sent == before[2].messages_sent);
  CHECK(after[1].jobs_from_outside > before[1].jobs_from_outside);
}

TEST_CASE("a loop tells how long it was busy, and its longest turn", "[counters]") {
  running r{1};
  r.start();
  on_loop(r, 0, [] {
    const auto end = std::chrono::steady_clock::now() + 20ms;
    while (std::chrono::steady_clock::now() < end)
      ;
  });
  on_loop(r, 0, [] {}); // that turn is over
  auto c = r.rt.counters().at(0);
  for (const auto end = std::chrono::steady_clock::now() + 10s;
       c.sleeps == 0 && std::chrono::steady_clock::now() < end; c = r.rt.counters().at(0))
    std::this_thread::yield(); // it has nothing to do, and will
  CHECK(c.busy >= 20ms);
  CHECK(c.longest_turn >= 20ms);
  CHECK(c.longest_turn <= c.busy);
  CHECK(c.sleeps > 0);
  r.stop();
  const auto stopped = r.rt.counters().at(0).busy;
  CHECK(r.rt.counters().at(0).busy == stopped); // it stands still with the loop
}

TEST_CASE("the page has each counter of each loop, with its type", "[metrics]") {
  running r{2};
  const auto text = prometheus_text(r.rt);
  for (const auto* name :
       {"turns_total", "sleeps_total", "io_events_total", "delayed_calls_total",
        "actors_resumed_total", "actors_stolen_total", "messages_sent_total",
        "messages_received_total", "jobs_from_outside_total", "bytes_received_total",
        "bytes_sent_total", "unhandled_messages_total", "dead_letters_total",
        "writes_dropped_total", "publications_dropped_total", "busy_seconds_total",
        "longest_turn_seconds", "actors"}) {
    CAPTURE(name);
    const auto full = "troupe_loop_" + std::string{name};
    CHECK(text.find("# HELP " + full + ' ') != std::string::npos);
    CHECK(text.find("# TYPE " + full + ' ') != std::string::npos);
    CHECK(text.find('\n' + full + "{loop=\"0\"} ") != std::string::npos);
    CHECK(text.find('\n' + full + "{loop=\"1\"} ") != std::string::npos);
  }
  CHECK(text.find("\ntroupe_pool_threads 0\n") != std::string::npos);
  CHECK(text.ends_with('\n'));
}

TEST_CASE("GET /metrics is answered, and the connection closed", "[metrics]") {
  page_server s;
  on_loop(s.server, 0, [] {}); // it runs
  const auto actors = s.server.rt.counters().at(0).actors;
  const auto answer = s.ask("GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(answer.find("Content-Type: text/plain; version=0.0.4") != std::string::npos);
  const auto head = answer.find("\r\n\r\n");
  REQUIRE(head != std::string::npos);
  const auto body = answer.substr(head + 4);
  CHECK(answer.find("Content-Length: " + std::to_string(body.size()) + "\r\n") < head);
  CHECK(body.starts_with("# HELP troupe_loop_turns_total"));
  CHECK(body.find("troupe_loop_actors{loop=\"0\"} " + std::to_string(actors + 1) + '\n')
        != std::string::npos); // with the one that answers
}

TEST_CASE("lines without a CR, a query, and HEAD are understood", "[metrics]") {
  page_server s;
  CHECK(s.ask("\nGET /metrics HTTP/1.0\n\n").starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(s.ask("GET /metrics?a=b HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
  const auto head = s.ask("HEAD /metrics HTTP/1.1\r\n\r\n");
  CHECK(head.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(head.ends_with("\r\n\r\n"));
  CHECK(head.find("Content-Length: 0\r\n") == std::string::npos);
}

TEST_CASE("what the page does not have is refused with the reason", "[metrics]") {
  page_server s;
  CHECK(s.ask("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
  CHECK(s.ask("GET /metricsx HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
  const auto post = s.ask("POST /metrics HTTP/1.1\r\n\r\n");
  CHECK(post.starts_with("HTTP/1.1 405 "));
  CHECK(post.find("Allow: GET, HEAD\r\n") != std::string::npos);
  for (const auto* nonsense : {"hello\r\n\r\n", "GET /metrics\r\n\r\n", "GET  HTTP/1.1\r\n\r\n",
                               "GET /metrics HTTP/2\r\n\r\n", " \r\n\r\n"}) {
    CAPTURE(nonsense);
    CHECK(s.ask(nonsense).starts_with("HTTP/1.1 400 "));
  }
  CHECK(s.ask(std::string(20'000, 'x')).starts_with("HTTP/1.1 431 "));
  std::string many = "GET /metrics HTTP/1.1\r\n";
  while (many.size() < 20'000)
    many += "A: b\r\n";
  CHECK(s.ask(many).starts_with("HTTP/1.1 431 "));
  CHECK(s.ask("GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
}
