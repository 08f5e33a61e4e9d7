// What loops count, and the page on which they tell it.

#include <troupe/net/connect_tcp.hpp>
#include <troupe/net/connection_counters.hpp>
#include <troupe/net/metrics_page.hpp>
#include <troupe/runtime/prometheus.hpp>
#include <troupe/runtime/threads.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/echo.hpp"
#include "support/on_loop.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

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

struct page_server {
  explicit page_server(std::function<std::string()> extra = {})
    : port(listen_tcp(server.rt, 0, metrics_page(server.rt, std::move(extra)))) {
    server.start();
  }

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
  events log;
  running r{3};
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

TEST_CASE("the page ends with the metrics of the user's own", "[metrics]") {
  page_server s{[] {
    return std::string{"# TYPE users gauge\nusers 7\n"};
  }};
  const auto answer = s.ask("GET /metrics HTTP/1.1\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(answer.ends_with("\n# TYPE users gauge\nusers 7\n"));
}

TEST_CASE("metrics of the user's own that throw are an answer of 500 with the reason",
          "[metrics]") {
  page_server s{[]() -> std::string {
    throw std::runtime_error("no database");
  }};
  const auto answer = s.ask("GET /metrics HTTP/1.1\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 500 "));
  CHECK(answer.ends_with("\r\n\r\nno database\n"));
}

TEST_CASE("/healthz is ok while the runtime runs, and 503 once it is to stop", "[metrics]") {
  page_server s;
  const auto answer = s.ask("GET /healthz HTTP/1.1\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(answer.ends_with("\r\n\r\nok\n"));
  promise<void> drained;
  events stopping;
  blocking_call_from_thread(s.server.rt.reactor(), [&] {
    s.server.rt.reactor().add_system_event_trigger(trigger_phase::before, system_event::shutdown,
                                                   [&] {
                                                     stopping.add("stopping");
                                                     return drained.get_deferred();
                                                   });
  });
  s.server.rt.reactor().call_from_thread([&] { s.server.rt.stop(); });
  REQUIRE(stopping.wait(1));
  const auto last = s.ask("GET /healthz HTTP/1.1\r\n\r\n");
  CHECK(last.starts_with("HTTP/1.1 503 "));
  CHECK(last.ends_with("\r\n\r\nstopping\n"));
  blocking_call_from_thread(s.server.rt.reactor(), [&] { drained.callback(); });
}

namespace {

/// Refuses the first, and counts as "guests".
class choosy : public factory {
public:
  using factory::factory;
  protocol_ptr build_protocol(const net_address&) override {
    return first_ ? (first_ = false, nullptr) : make_protocol<echo>();
  }
  std::string log_prefix() const override { return "guests \"of\" honour"; }

private:
  bool first_ = true;
};

class chatty : public protocol {
public:
  chatty(caf::actor_config& cfg, events* told) : protocol(cfg), told_(told) {}
  void connection_made() override {
    transport().lose_connection();
    transport().write("too late");
    transport().write("too late, too");
  }
  void connection_lost(const failure&) override { told_->add("lost"); }

private:
  events* told_;
};

} // namespace

TEST_CASE("connections are counted by factory and by the reason of their end", "[metrics]") {
  events told;
  running r{2};
  const auto port = listen_tcp(r.rt, 0, factory::of<choosy>()).get_host().port();
  auto closed = listen_tcp(r.rt, 0, factory::for_protocol<echo>());
  const auto nobody = closed.get_host().port();
  closed.stop_listening();
  r.start();
  CHECK(client{port}.rest().empty()); // refused
  client stays{port};
  stays.send("x");
  CHECK(stays.receive(1) == "x");
  {
    client resets{port};
    resets.send("x");
    CHECK(resets.receive(1) == "x");
    resets.reset();
  }
  on_loop(r, 1, [&] {
    const auto f = client_factory::for_protocol<chatty>(&told);
    connect_tcp(r.rt, "127.0.0.1", port, f);
    connect_tcp(r.rt, "127.0.0.1", nobody, f);
  });
  REQUIRE(told.wait(1));
  const auto guests = [&] {
    return count_connections(r.rt)["guests \"of\" honour"];
  };
  const auto dialled = [&]() -> connection_counters {
    for (const auto& [name, c] : count_connections(r.rt))
      if (name.starts_with("client of"))
        return c;
    return {};
  };
  for (const auto end = std::chrono::steady_clock::now() + 20s;
       (guests().accepted != 3 || guests().open != 1 || dialled().open != 0
        || dialled().attempts_failed.empty())
       && std::chrono::steady_clock::now() < end;)
    on_loop(r, 0, [] {}); // the other end hears of it in a while
  const auto g = guests();
  CHECK(g.open == 1);
  CHECK(g.accepted == 3);
  CHECK(g.refused == 1);
  CHECK(g.closed
        == std::map<errc, std::uint64_t>{{errc::connection_done, 1}, {errc::connection_lost, 1}});
  const auto c = dialled();
  CHECK(c.accepted == 1);
  CHECK(c.attempts == 2);
  CHECK(c.attempts_failed == std::map<errc, std::uint64_t>{{errc::connection_refused, 1}});
  CHECK(c.refused_writes == 2);
  const auto text = connection_metrics(r.rt);
  const auto has = [&](const std::string& line) {
    CAPTURE(text);
    return text.find('\n' + line + '\n') != std::string::npos;
  };
  const std::string who = "factory=\"guests \\\"of\\\" honour\"";
  CHECK(has("# TYPE troupe_connections_open gauge"));
  CHECK(has("troupe_connections_open{" + who + "} 1"));
  CHECK(has("troupe_connections_accepted_total{" + who + "} 3"));
  CHECK(has("troupe_connections_closed_total{" + who + ",reason=\"connection_lost\"} 1"));
}
