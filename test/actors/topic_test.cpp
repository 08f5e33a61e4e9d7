#include <troupe/actors/topic.hpp>

#include <map>
#include <stdexcept>

#include <caf/send.hpp>

#include <troupe/actors/topics.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::string_literals;

namespace {

using go_atom = caf::atom_constant<caf::atom("go")>;
using told = std::vector<std::string>;

/// Writes down what it is sent, and then does what the test wants.
template <class Base>
class reader : public Base {
public:
  using action = std::function<void(reader&)>;
  reader(caf::actor_config& cfg, told* heard, action on_published = {})
    : Base(cfg), heard_(heard), on_published_(std::move(on_published)) {}

  caf::behavior make_behavior() override {
    return {[this](const published& p) {
      heard_->emplace_back(p.bytes.text());
      if (on_published_)
        on_published_(*this);
    }};
  }

private:
  told* heard_;
  action on_published_;
};

using pinned_reader = reader<pinned_actor>;
using floating_reader = reader<floating_actor>;

/// Has a transport as a protocol has, which keeps what is written, up to a limit.
class fake_connection : public pinned_actor {
public:
  struct output {
    std::string written;
    std::size_t limit = SIZE_MAX;
    std::uint64_t refused = 0;
    bool closing = false;
    std::function<void()> on_write;
    void write(const shared_bytes& bytes) {
      if (written.size() + bytes.size() > limit)
        return void(++refused);
      written += bytes.text();
      if (on_write)
        on_write();
    }
    [[nodiscard]] std::uint64_t refused_writes() const { return refused; }
    [[nodiscard]] bool disconnecting() const { return closing; }
  };

  fake_connection(caf::actor_config& cfg, output* out) : pinned_actor(cfg), out_(out) {}
  caf::behavior make_behavior() override {
    return {[](go_atom) {
    }};
  }
  [[nodiscard]] bool connected() const { return true; }
  [[nodiscard]] output& transport() const { return *out_; }

private:
  output* out_;
};

struct topic_fixture {
  manual_runtime rt;
  topic room{rt};

  caf::actor connect(fake_connection::output& out) {
    auto handle = rt.spawn_on<fake_connection>(0, &out);
    rt.settle();
    rt.in_turn([&] { room.subscribe(&connection(handle)); });
    return handle;
  }
  static fake_connection& connection(const caf::actor& a) {
    return *static_cast<fake_connection*>(caf::actor_cast<caf::abstract_actor*>(a));
  }
  // As the loop's own code, whether or not anything is on its way to the loop.
  template <class F>
  void run(F fn) {
    rt.in_turn(fn);
    rt.settle();
  }
  void end(const caf::actor& a) {
    caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
    rt.settle();
  }
  void publish(std::string_view text, except left_out = {}) {
    run([&] { room.publish(text, left_out); });
  }
};

} // namespace

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

TEMPLATE_TEST_CASE("any actor may subscribe, and gets messages", "[topic]", pinned_reader,
                   floating_reader) {
  manual_runtime rt;
  const topic room{rt};
  told heard, heard_too;
  const caf::actor first = rt.spawn<TestType>(&heard), second = rt.spawn<TestType>(&heard_too);
  rt.settle();
  room.subscribe(first);
  room.subscribe(second);
  CHECK(room.subscribers() == 2); // counted at once
  for (const auto* text : {"a", "b", "c"})
    room.publish(text, text == "b"s ? except{first} : except{});
  rt.settle();
  CHECK(heard == told{"a", "c"});
  CHECK(heard_too == told{"a", "b", "c"});
  room.unsubscribe(first);
  room.publish("d");
  rt.settle();
  CHECK(heard == told{"a", "c"});
  CHECK(heard_too.back() == "d");
}

TEST_CASE_METHOD(topic_fixture, "an actor's own handle subscribes it for messages, whatever it is",
                 "[topic]") {
  fake_connection::output a;
  const auto who = connect(a);
  run([&] { room.subscribe(who); }); // instead of its transport
  CHECK(room.subscribers() == 1);
  publish("x");
  CHECK(a.written.empty());
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

TEST_CASE_METHOD(topic_fixture, "a handler runs outside the publisher's code", "[topic]") {
  told heard;
  bool publishing = false, nested = false;
  const caf::actor who =
    rt.spawn_on<pinned_reader>(0, &heard, [&](pinned_reader&) { nested = nested || publishing; });
  rt.settle();
  rt.in_turn([&] {
    room.subscribe(who);
    publishing = true;
    room.publish("x");
    publishing = false;
    CHECK(heard.empty());
  });
  rt.settle();
  CHECK(heard == told{"x"});
  CHECK_FALSE(nested);
}

TEST_CASE_METHOD(topic_fixture, "a handler may publish, unsubscribe and quit", "[topic]") {
  told first, second;
  const caf::actor echoing = rt.spawn_on<pinned_reader>(0, &first, [&](pinned_reader& self) {
    if (first.size() < 3)
      room.publish("again");
    else
      self.quit();
  });
  const caf::actor once =
    rt.spawn_on<pinned_reader>(0, &second, [&](pinned_reader& self) { room.unsubscribe(&self); });
  rt.settle();
  room.subscribe(echoing);
  room.subscribe(once);
  publish("x");
  CHECK(first == told{"x", "again", "again"});
  CHECK(second == told{"x"});
  CHECK(room.subscribers() == 0);
}

TEST_CASE_METHOD(topic_fixture, "what a handler does to its message is not seen by the next one",
                 "[topic]") {
  told second;
  const caf::actor last = rt.spawn_on<pinned_reader>(0, &second);
  class taker : public pinned_actor {
  public:
    taker(caf::actor_config& cfg, caf::actor next) : pinned_actor(cfg), next_(std::move(next)) {}
    caf::behavior make_behavior() override {
      return {[this](published& p) { // takes its own, changes it, and passes it on
        p.bytes = shared_bytes{"changed"};
        delegate(next_, p);
      }};
    }

  private:
    caf::actor next_;
  };
  for (int i = 0; i < 2; ++i)
    room.subscribe(rt.spawn_on<taker>(0, last));
  room.subscribe(last);
  rt.settle();
  publish("x");
  CHECK(std::count(second.begin(), second.end(), "x") == 1);
  CHECK(std::count(second.begin(), second.end(), "changed") == 2);
}

TEST_CASE_METHOD(topic_fixture, "a message that waits for the subscriber is handled first",
                 "[topic]") {
  told heard;
  const caf::actor who = rt.spawn_on<pinned_reader>(0, &heard);
  rt.settle();
  run([&] {
    room.subscribe(who);
    room.publish("published");
    caf::anon_send(who, published{room, shared_bytes{"sent"}});
  });
  rt.settle();
  CHECK(heard.size() == 2);
  CHECK(std::count(heard.begin(), heard.end(), "published") == 1);
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

TEST_CASE_METHOD(topic_fixture, "a reader whose handler throws ends, and the others read on",
                 "[topic]") {
  told heard[4];
  logged_errors errors{rt};
  for (int i = 0; i < 4; ++i) {
    caf::actor handle = rt.spawn_on<pinned_reader>(0, &heard[i], [i](pinned_reader& self) {
      if (i == 1)
        throw std::runtime_error("out of order");
      if (i == 2)
        self.quit();
    });
    rt.settle();
    rt.in_turn([&] { room.subscribe(handle); });
  } // nobody else holds them
  room.publish("a"s);
  rt.settle();
  room.publish("b"s);
  rt.settle();
  CHECK(heard[0] == told{"a", "b"});
  CHECK(heard[1] == told{"a"});
  CHECK(heard[2] == told{"a"});
  CHECK(heard[3] == told{"a", "b"});
  CHECK(room.subscribers() == 2);
  CHECK(errors.flush<std::runtime_error>().size() == 1);
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
