#include <troupe/cluster/cluster.hpp>

#include <algorithm>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <troupe/actors/topics.hpp>
#include <troupe/cluster/memory_backplane.hpp>

#include "support/catch.hpp"
#include "support/topic_fixture.hpp"
#include "wire.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

/// Two nodes in two runtimes, as two processes have them.
struct two_nodes {
  explicit two_nodes(cluster_options told = {}) {
    auto wire = std::make_shared<memory_backplane>();
    told.via = wire;
    told.name = "a";
    told.seed = 1; // what is counted here are messages, and beats are messages
    left.emplace(first, told);
    told.name = "b";
    told.seed = 2;
    right.emplace(second, told);
    here.emplace(*left);
    there.emplace(*right);
    pass(1s);
  }
  void pass(duration span) {
    for (; span > 0ms; span -= 10ms) {
      first.advance(10ms);
      second.advance(10ms);
    }
  }
  static caf::actor connect(manual_runtime& rt, const topic& room, fake_connection::output& out) {
    const caf::actor who = rt.spawn_on<fake_connection>(0, &out);
    rt.settle();
    rt.in_turn([&] { room.subscribe(&topic_fixture::connection(who)); });
    return who;
  }
  manual_runtime first, second;
  std::optional<troupe::cluster> left, right;
  std::optional<topics> here, there;
};

/// Plays another node by hand, well or badly.
struct stranger final : backplane_events {
  stranger(manual_runtime& rt, const backplane_ref& wire, const std::string& name)
    : link(wire->attach({rt, "troupe", name}, *this)) {}
  void backplane_up() override {}
  void backplane_down(const failure&) override {}
  void backplane_received(std::string_view, bytes_view message) override {
    ++got;
    latest = as_text(message);
  }
  std::unique_ptr<backplane_link> link;
  std::size_t got = 0;
  std::string latest;
};

} // namespace

TEST_CASE("what is published on one node reaches the subscribers of another, in place here",
          "[cluster]") {
  two_nodes t;
  fake_connection::output a, b;
  two_nodes::connect(t.first, t.here->get("lobby"), a);
  two_nodes::connect(t.second, t.there->get("lobby"), b);
  t.pass(20ms);
  CHECK(t.left->topics_elsewhere() == 1);
  t.first.in_turn([&] {
    t.here->get("lobby").publish("one ");
    CHECK(a.written == "one ");
    t.here->get("lobby").publish("two ");
    t.here->get("kitchen").publish("nobody listens");
  });
  t.pass(20ms);
  CHECK(a.written == "one two ");
  CHECK(b.written == "one two ");
  CHECK(t.left->counters().publications_out == 2);
  CHECK(t.right->counters().publications_in == 2);
  t.second.in_turn([&] { t.there->get("lobby").publish("three "); });
  t.pass(20ms);
  CHECK(a.written == "one two three ");
  CHECK(b.written == "one two three ");
}

TEST_CASE("all that a turn publishes goes to another node in one message", "[cluster]") {
  two_nodes t;
  fake_connection::output lobby, kitchen;
  two_nodes::connect(t.second, t.there->get("lobby"), lobby);
  two_nodes::connect(t.second, t.there->get("kitchen"), kitchen);
  t.pass(20ms);
  const auto before = t.left->counters().messages_out;
  t.first.in_turn([&] {
    for (int i = 0; i < 100; ++i)
      t.here->get(i % 2 == 0 ? "lobby" : "kitchen").publish("x");
  });
  CHECK(t.left->counters().messages_out == before + 1);
  t.pass(20ms);
  CHECK(lobby.written.size() == 50);
  CHECK(kitchen.written.size() == 50);
}

TEST_CASE("publications of turns that follow one another share a message, and wait for no other",
          "[cluster]") {
  two_nodes t;
  fake_connection::output lobby;
  two_nodes::connect(t.second, t.there->get("lobby"), lobby);
  t.pass(20ms);
  const auto room = t.here->get("lobby");
  const auto before = t.left->counters().messages_out;
  const auto sent = [&] {
    return t.left->counters().messages_out - before;
  };
  const auto publish = [&] {
    t.first.in_turn([&] { room.publish("x"); });
  };
  publish();
  CHECK(sent() == 1); // at once
  for (int i = 0; i < 10; ++i)
    publish();
  CHECK(sent() == 1);
  t.first.settle(1); // a turn without any
  CHECK(sent() == 2);
  t.first.advance(10ms);
  publish();
  CHECK(sent() == 3);           // it is a while since the latest
  for (int i = 0; i < 8; ++i) { // each turn has one, and nobody waits for longer than 50 us
    t.first.reactor().call_later(20us, [&] { room.publish("x"); });
    t.first.advance(20us);
  }
  CHECK(sent() == 5);
  t.pass(20ms);
  CHECK(lobby.written.size() == 20);
}

TEST_CASE("what a node does not accept of others is counted, and the rest is delivered",
          "[cluster]") {
  cluster_options told;
  told.accepts = [](std::string_view topic, std::string_view bytes) {
    if (bytes == "throw")
      throw std::runtime_error("no");
    return topic == "kitchen" || bytes.find('\x1b') == std::string_view::npos;
  };
  two_nodes t{told};
  fake_connection::output a, lobby, kitchen;
  two_nodes::connect(t.first, t.here->get("lobby"), a);
  two_nodes::connect(t.second, t.there->get("lobby"), lobby);
  two_nodes::connect(t.second, t.there->get("kitchen"), kitchen);
  t.pass(20ms);
  t.first.in_turn([&] {
    t.here->get("lobby").publish("one ");
    t.here->get("lobby").publish("\x1b[2J");
    t.here->get("kitchen").publish("\x1b[1m");
    t.here->get("lobby").publish("throw");
    t.here->get("lobby").publish("two ");
  });
  t.pass(20ms);
  CHECK(a.written == "one \x1b[2Jthrowtwo "); // it is asked of others only
  CHECK(lobby.written == "one two ");
  CHECK(kitchen.written == "\x1b[1m");
  CHECK(t.right->counters().publications_in == 5);
  CHECK(t.right->counters().publications_refused == 2);
  CHECK(logged_errors{t.second}.flush("cluster_options::accepts: no").size() == 1);
  CHECK(t.right->counters().publications_missed == 0);
}

TEST_CASE("what nobody elsewhere wants is sent nowhere", "[cluster]") {
  two_nodes t;
  fake_connection::output a;
  two_nodes::connect(t.first, t.here->get("lobby"), a);
  t.pass(20ms);
  const auto before = t.left->counters();
  t.first.in_turn([&] {
    for (int i = 0; i < 1000; ++i)
      t.here->get("lobby").publish("x");
  });
  CHECK(a.written.size() == 1000);
  CHECK(t.left->counters().messages_out == before.messages_out);
  CHECK(t.left->counters().publications_out == 0);
}

TEST_CASE("a topic that is left is wanted for five seconds more", "[cluster]") {
  two_nodes t;
  fake_connection::output b;
  const auto who = two_nodes::connect(t.second, t.there->get("lobby"), b);
  t.pass(20ms);
  CHECK(t.left->topics_elsewhere() == 1);
  t.second.in_turn([&] { t.there->get("lobby").unsubscribe(&topic_fixture::connection(who)); });
  t.pass(4900ms);
  CHECK(t.left->topics_elsewhere() == 1);
  t.first.in_turn([&] { t.here->get("lobby").publish("x"); });
  t.pass(20ms);
  CHECK(t.right->counters().publications_unwanted == 1);
  t.pass(800ms);
  CHECK(t.left->topics_elsewhere() == 0);
  t.second.in_turn([&] { t.there->get("lobby").subscribe(&topic_fixture::connection(who)); });
  t.pass(20ms);
  CHECK(t.left->topics_elsewhere() == 1);
}

TEST_CASE("readers, and those who are left out, are as without a cluster", "[cluster]") {
  two_nodes t;
  std::vector<std::string> pinned, floating;
  t.there->get("lobby").subscribe(
    caf::actor_cast<caf::actor>(t.second.spawn_on<pinned_reader>(0, &pinned)));
  const caf::actor reader =
    t.second.spawn<floating_reader>(&floating); // a subscription keeps nobody
  t.there->get("lobby").subscribe(reader);
  fake_connection::output a;
  const auto speaker = two_nodes::connect(t.first, t.here->get("lobby"), a);
  t.pass(20ms);
  t.first.in_turn([&] { t.here->get("lobby").publish("hello", except{speaker}); });
  t.pass(20ms);
  CHECK(a.written.empty());
  CHECK(pinned == std::vector<std::string>{"hello"});
  CHECK(floating == std::vector<std::string>{"hello"});
}

TEST_CASE("what is published leaves ahead of what the turn has for connections here", "[cluster]") {
  two_nodes t;
  std::vector<std::string> heard;
  t.there->get("lobby").subscribe(
    caf::actor_cast<caf::actor>(t.second.spawn_on<pinned_reader>(0, &heard)));
  t.pass(20ms);
  struct output final : end_of_turn {
    explicit output(const troupe::cluster& n) : node(n) {}
    void turn_ended() noexcept override { sent_before = node.counters().messages_out; }
    const troupe::cluster& node;
    std::uint64_t sent_before = 0;
  } here{*t.left};
  const auto before = t.left->counters().messages_out;
  t.first.in_turn([&] {
    t.first.scheduler().loop(0).at_end_of_turn(here);
    t.here->get("lobby").publish("x");
  });
  CHECK(here.sent_before == before + 1);
}

TEST_CASE("the topics of one cluster are the same, whoever asks", "[cluster]") {
  two_nodes t;
  const topics again{*t.left};
  CHECK(again.get("lobby") == t.here->get("lobby"));
  const topics others{t.first};
  CHECK_FALSE(others.get("lobby") == t.here->get("lobby"));
}

TEST_CASE("topics outlive their cluster, and stay at home", "[cluster]") {
  two_nodes t;
  fake_connection::output a, b;
  const auto lobby = t.here->get("lobby");
  two_nodes::connect(t.first, lobby, a);
  two_nodes::connect(t.second, t.there->get("lobby"), b);
  t.pass(20ms);
  t.left.reset();
  t.pass(20ms);
  REQUIRE(t.right->nodes().size() == 1);
  CHECK(t.right->nodes()[0].state == node_state::left);
  t.first.in_turn([&] {
    lobby.publish("x");
    t.here->get("kitchen").publish("y");
  });
  t.pass(20ms);
  CHECK(a.written == "x");
  CHECK(b.written.empty());
}

TEST_CASE("a publication or a name that cannot travel is refused where it is made", "[cluster]") {
  cluster_options told;
  told.max_message = 1000;
  two_nodes t{told};
  fake_connection::output a, b;
  two_nodes::connect(t.first, t.here->get("lobby"), a);
  two_nodes::connect(t.second, t.there->get("lobby"), b);
  t.pass(20ms);
  t.first.in_turn([&] {
    CHECK_THROWS_WITH(t.here->get("lobby").publish(std::string(1001, 'x')),
                      Contains("topic lobby: a publication of 1001 bytes") && Contains("1000")
                        && Contains("max_message"));
    t.here->get("lobby").publish(std::string(1000, 'x'));
  });
  t.pass(20ms);
  CHECK(a.written.size() == 1000);
  CHECK(b.written.size() == 1000);
  CHECK_THROWS_AS(t.here->get(""), std::invalid_argument);
  CHECK_THROWS_WITH(t.here->get(std::string(201, 'n')), Contains("201 bytes") && Contains("200"));
  const std::string strange = "a b*.>\n\xff" + std::string(1, '\0') + std::string(191, 'n');
  fake_connection::output c;
  two_nodes::connect(t.second, t.there->get(strange), c);
  t.pass(20ms);
  t.first.in_turn([&] { t.here->get(strange).publish("any bytes will do"); });
  t.pass(20ms);
  CHECK(c.written == "any bytes will do");
}

TEST_CASE("many large publications of one turn go in several messages, in order", "[cluster]") {
  two_nodes t;
  fake_connection::output b;
  two_nodes::connect(t.second, t.there->get("lobby"), b);
  t.pass(20ms);
  std::string all;
  t.first.in_turn([&] {
    for (char c = 'a'; c <= 'z'; ++c) {
      const std::string part(100'000, c);
      all += part;
      t.here->get("lobby").publish(part);
    }
  });
  t.pass(20ms);
  CHECK(b.written == all);
}

TEST_CASE("what does not fit is dropped for other nodes, counted at both ends, and told",
          "[cluster]") {
  cluster_options told;
  told.max_message = 1000;
  told.max_unsent = 10'000;
  two_nodes t{told};
  fake_connection::output a, b;
  two_nodes::connect(t.first, t.here->get("lobby"), a);
  two_nodes::connect(t.second, t.there->get("lobby"), b);
  t.pass(20ms);
  // Of this backplane nothing waits, but what a turn gathers does.
  t.first.in_turn([&] {
    for (int i = 0; i < 100; ++i)
      t.here->get("lobby").publish(std::string(1000, 'x'));
  });
  CHECK(a.written.size() == 100'000);
  t.pass(1s);
  CHECK(b.written.size() % 1000 == 0);
  const auto out = t.left->counters(), in = t.right->counters();
  CHECK(out.publications_out + out.publications_dropped == 100);
  CHECK(out.publications_dropped > 0);
  CHECK(in.publications_in == out.publications_out);
  CHECK(in.publications_missed == out.publications_dropped);
  t.first.in_turn([&] { t.here->get("lobby").publish("y"); });
  t.pass(20ms);
  CHECK(b.written.back() == 'y');
}

TEST_CASE("a hundred thousand topics are told, and told again to who comes late", "[cluster]") {
  two_nodes t;
  std::vector<std::string> heard;
  const auto reader = caf::actor_cast<caf::actor>(t.second.spawn_on<pinned_reader>(0, &heard));
  t.second.settle();
  std::vector<topic> all;
  for (int i = 0; i < 100'000; ++i) {
    all.push_back(t.there->get("room " + std::to_string(i)));
    all.back().subscribe(reader);
  }
  t.pass(1s);
  CHECK(t.left->topics_elsewhere() == 100'000);
  manual_runtime third;
  auto told = t.left->options();
  told.name = "c";
  troupe::cluster late{third, told};
  for (int i = 0; i < 200; ++i) {
    t.pass(10ms);
    third.advance(10ms);
  }
  CHECK(late.topics_elsewhere() == 100'000);
  const topics rooms{late};
  third.in_turn([&] { rooms.get("room 77777").publish("x"); });
  third.settle();
  t.pass(20ms);
  CHECK(heard == std::vector<std::string>{"x"});
}

TEST_CASE("a node tells, and takes, no more topics than it may", "[cluster]") {
  cluster_options told;
  told.max_topics = 3;
  two_nodes t{told};
  logged_errors errors{t.second};
  std::vector<std::string> heard;
  const auto reader = caf::actor_cast<caf::actor>(t.second.spawn_on<pinned_reader>(0, &heard));
  t.second.settle();
  std::vector<topic> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(t.there->get("room " + std::to_string(i)));
    all.back().subscribe(reader);
  }
  t.pass(1s);
  CHECK(t.left->topics_elsewhere() == 3);
  const auto logged = errors.flush("cluster_options::max_topics");
  REQUIRE(logged.size() == 1);
  CHECK_THAT(logged[0].text, Contains("more than 3 topics"));
}

TEST_CASE("garbage, foreign versions and made-up nodes do no harm", "[cluster]") {
  manual_runtime rt;
  auto wire = std::make_shared<memory_backplane>();
  troupe::cluster node{rt, {.name = "a", .via = wire, .stop_if_refused = false}};
  stranger other{rt, wire, "b"};
  stranger impostor{rt, wire, "a"};
  const auto pass = [&](duration span) {
    for (; span > 0ms; span -= 10ms)
      rt.advance(10ms);
  };
  pass(3s); // it has been there for longer than the impostor
  using namespace troupe::detail;
  std::mt19937 random{9};
  rt.in_turn([&] {
    other.link->send("a", as_bytes(""));
    other.link->send("a", as_bytes("GET / HTTP/1.1\r\n\r\n"));
    other.link->send("a", as_bytes(std::string(20, '\x09')));
    for (int i = 0; i < 20'000; ++i) {
      wire::writer w{
        {static_cast<wire::kind>(1 + random() % 9), 1 + random() % 3, 1 + random() % 3}};
      for (auto n = random() % 60; n-- > 0;)
        w.u8(static_cast<std::uint8_t>(random() % 4 == 0 ? random() : random() % 4));
      (i % 10 == 0 ? impostor : other).link->send("a", w.view());
    }
  });
  pass(1s);
  CHECK(node.counters().refused_messages > 1000);
  CHECK(node.nodes().size() <= 1);
  // A million publications, says one: counted, and no more.
  rt.in_turn([&] {
    wire::writer beat{{wire::kind::beat, 77, 1000}};
    wire::write(beat, wire::beat{0, 500, 0, "", {}});
    other.link->send("a", beat.view());
  });
  pass(100ms);
  CHECK(node.nodes().at(0).incarnation == 1000);
  CHECK(node.nodes()[0].state == node_state::up);
}

TEST_CASE("a subscriber elsewhere hears nothing twice, whatever is sent again", "[cluster]") {
  manual_runtime rt;
  auto wire = std::make_shared<memory_backplane>();
  troupe::cluster node{rt, {.name = "a", .via = wire}};
  const topics rooms{node};
  fake_connection::output out;
  const auto lobby = rooms.get("lobby");
  two_nodes::connect(rt, lobby, out);
  stranger other{rt, wire, "b"};
  const auto pass = [&](duration span) {
    for (; span > 0ms; span -= 10ms)
      rt.advance(10ms);
  };
  pass(1s);
  using namespace troupe::detail;
  wire::reader latest{as_bytes(other.latest)}; // a beat of the node, whose boot we need
  std::uint8_t version = 0;
  const auto h = wire::read_header(latest, version);
  REQUIRE(h);
  const auto message = [&](std::uint64_t first, std::string_view letters,
                           std::uint64_t stream = 1) {
    wire::writer w{{wire::kind::publications, 77, 1000}};
    wire::write(w, wire::publications{h->boot, stream, first});
    bool named = false;
    for (const char c : letters) {
      w.varint(0);
      if (!std::exchange(named, true))
        w.text("lobby");
      w.varint(1).u8(static_cast<std::uint8_t>(c));
    }
    other.link->send("a", w.view());
  };
  rt.in_turn([&] {
    wire::writer beat{{wire::kind::beat, 77, 1000}};
    wire::write(beat, wire::beat{0, 500, 0, "", {}});
    other.link->send("a", beat.view());
    message(0, "abc");
    message(0, "abc");   // again
    message(2, "cde");   // overlaps
    message(8, "ij");    // three are missing
    message(5, "fgh");   // too late
    message(0, "AB", 2); // a new stream
    message(10, "kl");   // the old one is over
  });
  pass(600ms);
  CHECK(out.written == "abcdeijAB");
  const auto c = node.counters();
  CHECK(c.publications_missed == 3);
  CHECK(c.publications_repeated >= 7);
}

// -- many nodes and accidents, which the fixture's checker watches --------------------------------
