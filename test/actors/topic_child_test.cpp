#include <troupe/actors/topic_child.hpp>

#include <troupe/actors/topics.hpp>

#include "support/catch.hpp"
#include "support/children.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

class listener : public floating_actor {
public:
  listener(caf::actor_config& cfg, story* s) : floating_actor(cfg), story_(s) {}
  caf::behavior make_behavior() override {
    return {[this](const published& p) {
      story_->lines.emplace_back(p.bytes.text());
    }};
  }

private:
  story* story_;
};

/// A nursery with rooms, and one to listen in them.
class rooms_fixture : public nursery {
protected:
  topics rooms{rt};
  std::vector<caf::actor> present; // else they end

  caf::actor listen_in(const topic& room) {
    const caf::actor who = rt.spawn<listener>(&told);
    room.subscribe(who);
    present.push_back(who);
    rt.settle();
    return who;
  }

  void say(const std::string& room, const std::string& text) {
    rooms.find(room).publish(text);
    rt.settle();
  }
};

} // namespace

TEST_CASE_METHOD(rooms_fixture, "a topic exists as long as its child lives", "[topic]") {
  CHECK(!rooms.find("lobby"));
  open({}, {topic_child("room", rooms, "lobby")});
  CHECK(rooms.find("lobby"));
  CHECK(rooms.find("lobby").subscribers() == 0);
  CHECK(rooms.names() == std::vector<std::string>{"lobby"});
  wait(get().terminate_child("room"));
  CHECK(!rooms.find("lobby"));
  wait(get().restart_child("room"));
  CHECK(rooms.find("lobby"));
  wait(get().shut_down());
  CHECK(rooms.size() == 0);
}

TEST_CASE_METHOD(rooms_fixture, "the topic of a child is that of its name, whoever was first",
                 "[topic]") {
  const auto before = rooms.get("lobby");
  open({}, {topic_child("room", rooms, "lobby")});
  CHECK(rooms.get("lobby") == before);
  listen_in(before);
  say("lobby", "hello");
  CHECK(told.look() == "hello");
}

TEST_CASE_METHOD(rooms_fixture, "a topic survives the crash of its child, with all who listen",
                 "[topic]") {
  open({}, {topic_child("room", rooms, "lobby")});
  listen_in(rooms.get("lobby"));
  end(child("room"), caf::exit_reason::kill);
  CHECK(decisions()
        == "child_started:room started child_ended:room child_restarting:room "
           "child_started:room");
  say("lobby", "still here");
  CHECK(told.look() == "still here");
}

TEST_CASE_METHOD(rooms_fixture,
                 "between a crash and the restart the topic exists, without subscribers too",
                 "[topic]") {
  const duration wait_before = std::chrono::seconds(3);
  open({.backoff = {.initial = wait_before}}, {topic_child("room", rooms, "lobby")});
  end(child("room"), caf::exit_reason::kill);
  CHECK(state("room") == child_state::restarting);
  CHECK(rooms.find("lobby"));
  rt.advance(wait_before);
  rt.settle();
  CHECK(state("room") == child_state::running);
  wait(get().terminate_child("room"));
  CHECK(!rooms.find("lobby"));
}

TEST_CASE_METHOD(rooms_fixture, "a terminated child leaves the topic to its subscribers",
                 "[topic]") {
  open({}, {topic_child("room", rooms, "lobby")});
  const auto who = listen_in(rooms.get("lobby"));
  wait(get().terminate_child("room"));
  say("lobby", "on our own");
  CHECK(told.look() == "on our own");
  wait(get().restart_child("room"));
  say("lobby", "kept again");
  CHECK(told.look() == "kept again");
  end(who, caf::exit_reason::kill);
  CHECK(rooms.find("lobby"));
  wait(get().terminate_child("room"));
  CHECK(!rooms.find("lobby"));
}

TEST_CASE_METHOD(rooms_fixture, "rooms come and go as dynamic children", "[topic]") {
  open({.strategy = restart_strategy::dynamic});
  std::vector<caf::actor> keepers;
  for (int i = 0; i < 100; ++i)
    keepers.push_back(
      wait<caf::actor>(get().start_child(topic_child({}, rooms, "room " + std::to_string(i)))));
  CHECK(rooms.size() == 100);
  for (auto& k : keepers)
    wait<void>(get().terminate_child(std::exchange(k, {})));
  CHECK(rooms.size() == 0);
  CHECK(get().count_children().specs == 0);
}

TEST_CASE_METHOD(rooms_fixture, "a supervisor that is killed and made anew keeps the topic",
                 "[topic]") {
  open({}, {supervisor::as_child({.name = "rooms"}, {topic_child("room", rooms, "lobby")})});
  listen_in(rooms.get("lobby"));
  end(child("rooms"), caf::exit_reason::kill);
  CHECK(state("rooms") == child_state::running);
  say("lobby", "hello again");
  CHECK(told.look() == "hello again");
  CHECK(rooms.find("lobby"));
}
