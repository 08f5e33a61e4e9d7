// Topics across loops, with real connections: order, slow and dying subscribers, churn.

#include <troupe/actors/topics.hpp>

#include <atomic>
#include <list>

#include <spdlog/logger.h>
#include <spdlog/sinks/ringbuffer_sink.h>

#include <troupe/net/line_receiver.hpp>
#include <troupe/runtime/prometheus.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Joins the room that a line names; publishes any other line that begins with "!" there.
class talker : public line_receiver {
public:
  talker(caf::actor_config& cfg, topics rooms, output_limits limits, events* ends)
    : line_receiver(cfg), rooms_(std::move(rooms)), limits_(limits), ends_(ends) {}

  void connection_made() override { transport().set_output_limits(limits_); }
  void line_received(std::string_view line) override {
    if (line.starts_with('!'))
      return room_.publish(std::string{line} + "\r\n", except{this});
    if (room_)
      room_.unsubscribe(this);
    room_ = rooms_.get(line);
    room_.subscribe(this);
    send_line("joined");
  }
  void connection_lost(const failure&) override { ends_->add("end"); }

private:
  topics rooms_;
  const output_limits limits_;
  events* ends_;
  topic room_;
};

struct talking {
  explicit talking(std::size_t loops, output_limits limits = {}) : r{loops}, rooms{r.rt} {
    port =
      listen_tcp(r.rt, 0, factory::for_protocol<talker>(rooms, limits, &ends), {.no_delay = true});
    r.start();
  }
  client& join(const std::string& room) {
    auto& c = clients.emplace_back(port.get_host().port());
    c.send(room + "\r\n");
    REQUIRE(c.line() == "joined\r\n");
    return c;
  }
  events ends;
  running r;
  topics rooms;
  listening_port port;
  std::list<client> clients;
};

} // namespace

TEST_CASE("what each publishes arrives once, undamaged and in order, on any number of loops",
          "[topic]") {
  const std::size_t loops = GENERATE(1, 3);
  talking t{loops};
  constexpr int users = 12, senders = 6;
  const int lines = static_cast<int>(load_size(300));
  for (int i = 0; i < users; ++i)
    t.join("room");
  CHECK(t.rooms.get("room").subscribers() == users);
  for (int k = 0; k < lines; ++k) {
    int s = 0;
    for (auto& c : t.clients)
      if (s++ < senders)
        c.send("!" + std::to_string(s - 1) + " " + std::to_string(k) + "\r\n");
  }
  int user = 0;
  for (auto& c : t.clients) {
    std::vector<int> next(senders, 0);
    bool right = true;
    for (int n = 0; n < lines * (senders - (user < senders ? 1 : 0)); ++n) {
      const auto line = c.line();
      const auto from = static_cast<std::size_t>(line.at(1) - '0');
      right = right && static_cast<int>(from) != user
              && line == "!" + std::to_string(from) + " " + std::to_string(next[from]++) + "\r\n";
    }
    CHECK(right);
    ++user;
  }
}

TEST_CASE("a floating publisher's publications keep their order while it moves", "[topic]") {
  events seen;
  std::atomic<int> wrong{0};
  running r{3};
  const topic room{r.rt};
  const int count = static_cast<int>(load_size(20'000));
  std::vector<int> next(3, 0);
  for (std::size_t i = 0; i < 3; ++i) {
    class ordered : public pinned_actor {
    public:
      ordered(caf::actor_config& cfg, int* expected, std::atomic<int>* bad, int last, events* done)
        : pinned_actor(cfg), next_(expected), wrong_(bad), last_(last), seen_(done) {}
      caf::behavior make_behavior() override {
        return {[this](const published& p) {
          if (std::stoi(std::string{p.bytes.text()}) != (*next_)++)
            ++*wrong_;
          if (*next_ == last_)
            seen_->add("all");
        }};
      }

    private:
      int* next_;
      std::atomic<int>* wrong_;
      const int last_;
      events* seen_;
    };
    room.subscribe(r.rt.spawn_on<ordered>(i, &next[i], &wrong, count, &seen));
  }
  // Each message makes it publish once, and it may be resumed by another loop every time.
  const caf::actor publisher = r.rt.spawn([room](caf::event_based_actor*) -> caf::behavior {
    return {[room](int n) {
      room.publish(std::to_string(n));
    }};
  });
  r.start();
  for (int n = 0; n < count; ++n)
    caf::anon_send(publisher, n);
  CHECK(seen.wait_for("all", 3));
  CHECK(wrong == 0);
}

TEST_CASE("a subscriber that does not read loses its connection; the others lose nothing",
          "[topic]") {
  talking t{2, {.hard = 256 * 1024}};
  auto& sender = t.join("room");
  auto& reader = t.join("room");
  auto& stuck = t.join("room");
  stuck.set_receive_buffer(4096);
  const std::string line = "!" + std::string(8000, 'x') + "\r\n";
  for (int i = 0; i < 4000 && t.ends.count("end") == 0; ++i) {
    sender.send(line);
    CHECK(reader.line() == line);
  }
  CHECK(t.ends.wait_for("end"));
  sender.send("!after\r\n");
  CHECK(reader.line() == "!after\r\n");
}

TEST_CASE("publications that do not fit are counted by loop and by topic, and told of once",
          "[topic]") {
  const auto sink = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(100);
  sink->set_pattern("%l %v");
  std::uint64_t dropped = 0;
  std::string page;
  {
    talking t{1, {.hard = 64 * 1024, .policy = overflow_policy::drop}};
    t.r.rt.reactor().call_from_thread([&] { t.r.rt.logger().sinks().push_back(sink); });
    auto& sender = t.join("room");
    auto& stuck = t.join("room");
    stuck.set_receive_buffer(4096);
    auto& reader = t.join("room");
    const std::string line = "!" + std::string(8000, 'x') + "\r\n";
    for (int i = 0; i < 4000 && dropped < 3; ++i) {
      sender.send(line);
      CHECK(reader.line() == line);
      dropped = t.r.rt.counters().at(0).publications_dropped;
    }
    t.r.stop();
    dropped = t.r.rt.counters().at(0).publications_dropped;
    CHECK(t.r.rt.counters().at(0).writes_dropped == dropped);
    page = prometheus_text(t.r.rt);
    t.r.rt.logger().sinks().pop_back();
  }
  CHECK(dropped >= 3);
  CHECK(page.find("\ntroupe_topic_publications_dropped_total{topic=\"room\"} "
                  + std::to_string(dropped) + '\n')
        != std::string::npos);
  std::size_t told = 0;
  for (const auto& line : sink->last_formatted())
    told += line.starts_with("warning topic room: a publication of 8003 bytes was dropped for 1 "
                             "subscriber")
              ? 1
              : 0;
  CHECK(told == 1);
}

TEST_CASE("rooms are joined and left by the thousand while others publish", "[topic]") {
  talking t{3};
  auto& sender = t.join("busy");
  auto& listener = t.join("busy");
  auto& first = t.join("busy");
  auto& second = t.join("other");
  const int rounds = static_cast<int>(load_size(3000));
  int joined = 0;
  for (int i = 0; i < rounds; ++i) {
    sender.send("!" + std::to_string(i) + "\r\n");
    first.send("room" + std::to_string(i) + "\r\nbusy\r\n");
    second.send(i % 2 == 0 ? "busy\r\n" : "elsewhere\r\n");
    CHECK(listener.line() == "!" + std::to_string(i) + "\r\n");
    for (int replies = 0; replies < 2;)
      replies += first.line() == "joined\r\n" ? 1 : 0;
    joined += 2;
    while (second.line() != "joined\r\n") {
    }
  }
  CHECK(joined == 2 * rounds);
  CHECK(t.rooms.get("busy").subscribers() >= 3);
  for (auto& c : t.clients)
    c.close();
  CHECK(t.ends.wait_for("end", 4));
  t.r.stop();
  CHECK(t.rooms.size() == 0); // the last subscribers are gone, and so are all the rooms
}

TEST_CASE("subscribers are killed in the middle of deliveries", "[topic]") {
  talking t{3};
  auto& sender = t.join("room");
  auto& listener = t.join("room");
  const int rounds = static_cast<int>(load_size(400));
  for (int i = 0; i < rounds; ++i) {
    {
      client victim{t.port.get_host().port()};
      victim.send("room\r\n");
      REQUIRE(victim.line() == "joined\r\n");
      sender.send("!" + std::to_string(i) + "\r\n");
      if (i % 2 == 0)
        victim.reset();
    }
    CHECK(listener.line() == "!" + std::to_string(i) + "\r\n");
  }
  CHECK(t.ends.wait_for("end", static_cast<std::size_t>(rounds)));
  // The last one has told its end, and is about to leave.
  const auto room = t.rooms.get("room");
  for (const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
       room.subscribers() > 2 && std::chrono::steady_clock::now() < end;)
    std::this_thread::yield();
  CHECK(room.subscribers() == 2);
}
