// Subscribers of topics that get messages.

#include <stdexcept>
#include <string>
#include <vector>

#include <caf/send.hpp>

#include <troupe/actors/topic.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"
#include "support/topic_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::string_literals;
using told = std::vector<std::string>;

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
