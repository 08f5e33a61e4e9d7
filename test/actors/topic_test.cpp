#include <troupe/actors/topic.hpp>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <caf/send.hpp>

#include <troupe/actors/topics.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"
#include "support/topic_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::string_literals;
using told = std::vector<std::string>;

TEST_CASE_METHOD(topic_fixture, "what is published is written to each subscribed transport",
                 "[topic]") {
  fake_connection::output a, b;
  const auto first = connect(a), second = connect(b);
  CHECK(room.subscribers() == 2);
  rt.reactor().call_later(duration::zero(), [&] {
    room.publish("one ");
    CHECK(a.written == "one "); // nothing was on its way to the loop, so it is there already
    room.publish("two ", except{first});
  });
  rt.advance(duration::zero());
  CHECK(a.written == "one ");
  CHECK(b.written == "one two ");
}

TEST_CASE_METHOD(topic_fixture, "what a protocol publishes is in order with what it writes itself",
                 "[topic]") {
  fake_connection::output out;
  const auto who = connect(out);
  auto& loop = rt.scheduler().loop(0);
  run([&] {
    loop.post_quietly([] {}); // on its way to the loop, and nobody's concern here
    connection(who).enter([&] {
      room.publish("published ");
      out.write(shared_bytes{"written "});
      room.unsubscribe(&connection(who));
      room.publish("missed ");
    });
  });
  CHECK(out.written == "published written ");
}

TEST_CASE_METHOD(topic_fixture, "a topic lasts until what is published has been delivered",
                 "[topic]") {
  fake_connection::output out;
  const auto who = connect(out);
  out.on_write = [&] { // as a producer that is paused may
    room.unsubscribe(&connection(who));
    room = topic{};
  };
  run([&] {
    room.publish("the last one");
    CHECK(out.written == "the last one");
    CHECK_FALSE(room);
  });
}

TEST_CASE_METHOD(topic_fixture, "subscribing twice is subscribing once", "[topic]") {
  fake_connection::output a;
  const auto who = connect(a);
  run([&] { room.subscribe(&connection(who)); });
  CHECK(room.subscribers() == 1);
  publish("x");
  CHECK(a.written == "x");
  run([&] { room.unsubscribe(&connection(who)); });
  run([&] { room.unsubscribe(&connection(who)); });
  CHECK(room.subscribers() == 0);
  publish("y");
  CHECK(a.written == "x");
}

TEST_CASE_METHOD(topic_fixture, "a subscriber that ends is removed", "[topic]") {
  fake_connection::output a, b;
  const auto first = connect(a);
  connect(b);
  told heard;
  const caf::actor pinned = rt.spawn_on<pinned_reader>(0, &heard);
  const caf::actor floating = rt.spawn<floating_reader>(&heard);
  rt.settle();
  room.subscribe(pinned);
  room.subscribe(floating);
  rt.settle();
  CHECK(room.subscribers() == 4);
  end(first);
  CHECK(room.subscribers() == 3);
  end(pinned);
  end(floating);
  CHECK(room.subscribers() == 1);
  publish("x");
  CHECK(a.written.empty());
  CHECK(b.written == "x");
  CHECK(heard.empty());
}

TEST_CASE_METHOD(topic_fixture, "an actor that has ended does not come to subscribe", "[topic]") {
  told heard;
  const caf::actor pinned = rt.spawn_on<pinned_reader>(0, &heard);
  const caf::actor floating = rt.spawn<floating_reader>(&heard);
  rt.settle();
  end(pinned);
  end(floating);
  room.subscribe(pinned);
  room.subscribe(floating);
  rt.settle();
  CHECK(room.subscribers() == 0);
  publish("x");
  CHECK(heard.empty());
}

TEST_CASE_METHOD(topic_fixture, "subscribers may come, go and end in the middle of a delivery",
                 "[topic]") {
  std::map<int, fake_connection::output> outputs;
  std::vector<caf::actor> all;
  for (int i = 0; i < 6; ++i)
    all.push_back(connect(outputs[i]));
  fake_connection::output late;
  const caf::actor newcomer = rt.spawn_on<fake_connection>(0, &late);
  rt.settle();
  bool first_time = true;
  outputs[1].on_write = [&] {
    if (!std::exchange(first_time, false))
      return;
    connection(all[0]).enter([&] { connection(all[0]).quit(); });             // has had it
    connection(all[1]).enter([&] { room.unsubscribe(&connection(all[1])); }); // itself
    connection(all[3]).enter([&] { connection(all[3]).quit(); }); // would be next but one
    room.unsubscribe(&connection(all[5]));
    room.subscribe(&connection(newcomer)); // not for what is being delivered
  };
  publish("x");
  CHECK(room.subscribers() == 3); // 2, 4 and the late one
  CHECK(outputs[2].written == "x");
  CHECK(outputs[3].written.empty());
  CHECK(outputs[4].written == "x");
  CHECK(outputs[5].written.empty());
  CHECK(late.written.empty());
  publish("y");
  CHECK(late.written == "y");
  CHECK(outputs[2].written == "xy");
  CHECK(outputs[4].written == "xy");
  CHECK(outputs[0].written == "x");
  CHECK(outputs[1].written == "x");
}

TEST_CASE_METHOD(topic_fixture, "what a subscriber throws ends that subscriber, and nobody else",
                 "[topic]") {
  fake_connection::output a, b, c;
  connect(a);
  connect(b);
  connect(c);
  b.on_write = [] {
    throw std::runtime_error("its producer");
  };
  testing::logged_errors errors{rt};
  publish("x");
  CHECK(errors.flush<std::runtime_error>().size() == 1);
  CHECK(room.subscribers() == 2);
  publish("y");
  CHECK(a.written == "xy");
  CHECK(c.written == "xy");
  CHECK(b.written == "x");
}

TEST_CASE_METHOD(topic_fixture, "the observer of drops hears who missed what", "[topic]") {
  fake_connection::output fast, slow, ending;
  connect(fast);
  const auto behind = connect(slow);
  connect(ending);
  slow.limit = 3;
  ending.limit = 0;
  ending.closing = true; // what it refuses is no drop: it is on its way out
  std::vector<std::pair<std::size_t, std::vector<caf::actor>>> dropped;
  const caf::actor observer = rt.spawn([&](caf::event_based_actor*) -> caf::behavior {
    return {[&](const publication_dropped& d) {
      CHECK(d.from == room);
      dropped.emplace_back(d.bytes, d.missed_by);
    }};
  });
  room.observe_drops(observer);
  publish("abc");
  CHECK(dropped.empty());
  publish("defg");
  REQUIRE(dropped.size() == 1);
  CHECK(dropped[0].first == 4);
  CHECK(dropped[0].second == std::vector<caf::actor>{behind});
  CHECK(fast.written == "abcdefg");
  CHECK(slow.written == "abc");
}

TEST_CASE_METHOD(topic_fixture,
                 "an observer of drops that ends as it is told may look at the topic", "[topic]") {
  /// Loses its last handle with the message.
  class leaving : public caf::event_based_actor {
  public:
    leaving(caf::actor_config& cfg, topic room, caf::actor& handle, bool& ended)
      : caf::event_based_actor(cfg), room_(std::move(room)), handle_(handle), ended_(ended) {}
    ~leaving() override {
      room_.observe_drops(caf::actor{});
      ended_ = true;
    }
    caf::behavior make_behavior() override {
      return {[](int) {
      }};
    }
    void enqueue(caf::mailbox_element_ptr, caf::execution_unit*) override {
      handle_ = caf::actor{};
    }

  private:
    topic room_;
    caf::actor& handle_;
    bool& ended_;
  };
  fake_connection::output slow;
  connect(slow);
  slow.limit = 0;
  bool ended = false;
  caf::actor observer;
  observer = rt.spawn<leaving>(room, std::ref(observer), std::ref(ended));
  rt.settle();
  room.observe_drops(observer);
  publish("abc");
  CHECK(ended);
}

TEST_CASE("an observer of drops may hold the topic", "[topic]") {
  manual_runtime rt;
  const topics rooms{rt};
  rt.spawn([&](caf::event_based_actor* self) -> caf::behavior {
    rooms.get("lobby").observe_drops(self);
    return {[lobby = rooms.get("lobby")](const publication_dropped&) {
    }};
  });
  rt.settle();
  CHECK(rooms.size() == 0); // nobody else held either
}

TEST_CASE_METHOD(topic_fixture, "a user in many rooms and a room with many users both shrink right",
                 "[topic]") {
  constexpr int rooms = 300, users = 40;
  std::vector<topic> all;
  for (int i = 0; i < rooms; ++i)
    all.emplace_back(rt);
  std::vector<fake_connection::output> outputs(users);
  std::vector<caf::actor> actors;
  for (auto& out : outputs)
    actors.push_back(rt.spawn_on<fake_connection>(0, &out));
  rt.settle();
  const auto in_room = [](int user, int which) {
    return (user * 7 + which) % 3 != 0;
  };
  run([&] {
    for (int u = 0; u < users; ++u)
      for (const auto& t : all)
        t.subscribe(&connection(actors[u]));
    for (int u = 0; u < users; ++u)
      for (int r = 0; r < rooms; ++r)
        if (!in_room(u, r))
          all[r].unsubscribe(&connection(actors[u]));
    for (int r = 0; r < rooms; ++r)
      all[r].publish("x");
  });
  for (int u = 0; u < users; ++u) {
    std::size_t expected = 0;
    for (int r = 0; r < rooms; ++r)
      expected += in_room(u, r) ? 1 : 0;
    CHECK(outputs[u].written.size() == expected);
  }
  for (const auto& a : actors)
    end(a);
  for (const auto& t : all)
    CHECK(t.subscribers() == 0);
}

TEST_CASE("a topic is found by its name as long as it is used", "[topic]") {
  manual_runtime rt;
  const topics rooms{rt};
  CHECK_FALSE(rooms.find("lobby"));
  {
    const auto lobby = rooms.get("lobby");
    CHECK(lobby.name() == "lobby");
    CHECK(lobby == rooms.get("lobby"));
    CHECK(lobby == rooms.find("lobby"));
    CHECK_FALSE(lobby == rooms.get("other"));
  }
  CHECK(rooms.size() == 0);
  fake_connection::output out;
  const caf::actor who = rt.spawn_on<fake_connection>(0, &out);
  rt.settle();
  rt.in_turn([&] { rooms.get("lobby").subscribe(&topic_fixture::connection(who)); });
  CHECK(rooms.names() == told{"lobby"});
  rt.in_turn([&] { rooms.get("lobby").publish("x"); });
  rt.settle();
  CHECK(out.written == "x");
  caf::anon_send_exit(who, caf::exit_reason::user_shutdown);
  rt.settle();
  CHECK(rooms.size() == 0);
}

TEST_CASE("a handle that refers to no topic says so", "[topic]") {
  manual_runtime rt;
  const topic none;
  CHECK_FALSE(none);
  CHECK(none.subscribers() == 0);
  CHECK(none.name().empty());
  CHECK_THROWS_AS(none.publish("x"), std::logic_error);
  CHECK_THROWS_AS(topic{rt}.subscribe(caf::actor{}), std::logic_error);
}

TEST_CASE_METHOD(topic_fixture,
                 "an actor of another runtime cannot subscribe, by itself or by handle",
                 "[topic]") {
  manual_runtime other;
  fake_connection::output out;
  const auto stranger = other.spawn_on<fake_connection>(0, &out);
  other.settle();
  CHECK_THROWS_AS(room.subscribe(stranger), std::logic_error);
  other.in_turn([&] {
    CHECK_THROWS_AS(room.subscribe(&connection(stranger)), std::logic_error);
    room.unsubscribe(&connection(stranger)); // it never was one
  });
  room.unsubscribe(stranger);
  publish("not for strangers");
  CHECK(room.subscribers() == 0);
  CHECK(out.written.empty());
}

TEST_CASE("a topic of a runtime that is gone has nobody to tell", "[topic]") {
  topic named, plain;
  topics all = [&] {
    manual_runtime rt;
    told heard;
    const auto reader = rt.spawn_on<pinned_reader>(0, &heard);
    plain = topic{rt};
    plain.subscribe(caf::actor_cast<caf::actor>(reader)); // on its way when the runtime ends
    topics found{rt};
    named = found.get("news");
    return found;
  }();
  named.publish("hello"s);
  plain.publish("hello"s);
  all.get("other").publish("hello"s);
  CHECK(all.get("news") == named);
  CHECK(named.subscribers() == 0);
}
