#include <troupe/actors/topic_sharing.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/topic_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

struct noting_carrier final : topic_carrier {
  void carry(const topic& what, bytes_view bytes) override {
    carried.push_back(what.name() + ": " + std::string{as_text(bytes)});
  }
  void subscribers_changed(const std::string& name) noexcept override { changed.push_back(name); }
  std::vector<std::string> carried, changed;
};

struct shared {
  manual_runtime rt;
  std::shared_ptr<noting_carrier> carrier = std::make_shared<noting_carrier>();
  std::unique_ptr<topic_sharing> sharing = std::make_unique<topic_sharing>(
    rt, carrier, topic_sharing::limits{.longest_name = 10, .longest_publication = 5});
  topics rooms{*sharing};
  int mark = 0;
};

} // namespace

TEST_CASE("what is wanted elsewhere is carried, and nothing else", "[topic]") {
  shared t;
  const auto lobby = t.rooms.get("lobby");
  lobby.publish("one");
  CHECK(t.carrier->carried.empty());
  t.sharing->wanted_elsewhere("lobby", &t.mark);
  t.sharing->wanted_elsewhere("kitchen", &t.mark);
  CHECK(topic_sharing::mark_of(lobby) == &t.mark);
  lobby.publish("two");
  t.rooms.get("kitchen").publish("three"); // which was wanted before it was there
  t.rooms.get("cellar").publish("four");
  CHECK(t.carrier->carried == std::vector<std::string>{"lobby: two", "kitchen: three"});
  t.sharing->wanted_elsewhere("lobby", nullptr);
  lobby.publish("five");
  CHECK(t.carrier->carried.size() == 2);
}

TEST_CASE("what came from elsewhere is delivered, and not carried back", "[topic]") {
  shared t;
  fake_connection::output out;
  const auto lobby = t.rooms.get("lobby");
  const caf::actor who = t.rt.spawn_on<fake_connection>(0, &out);
  t.rt.settle();
  t.rt.in_turn([&] { lobby.subscribe(&topic_fixture::connection(who)); });
  CHECK(t.carrier->changed == std::vector<std::string>{"lobby"});
  t.sharing->wanted_elsewhere("lobby", &t.mark);
  topic_arrivals arrivals{t.rt};
  t.rt.in_turn([&] { arrivals.add(lobby, as_bytes("hello")); });
  CHECK(out.written == "hello");
  CHECK(t.carrier->carried.empty());
  t.rt.in_turn([&] { lobby.unsubscribe(&topic_fixture::connection(who)); });
  CHECK(t.carrier->changed.size() == 2);
}

TEST_CASE("what cannot travel is refused where it is made", "[topic]") {
  shared t;
  CHECK_THROWS_AS(t.rooms.get(""), std::invalid_argument);
  CHECK_THROWS_AS(t.rooms.get("eleven char"), std::invalid_argument);
  CHECK_FALSE(t.rooms.find("eleven char"));
  t.rooms.get("lobby").publish("12345");
  CHECK_THROWS_AS(t.rooms.get("lobby").publish("123456"), std::length_error);
  topics{t.rt}.get("a name of any length").publish("and bytes of any number");
}

TEST_CASE("topics that were shared outlive that, and stay at home", "[topic]") {
  shared t;
  const auto lobby = t.rooms.get("lobby");
  t.sharing->wanted_elsewhere("lobby", &t.mark);
  t.sharing->wanted_elsewhere("other", &t.mark);
  t.sharing.reset();
  lobby.publish("one");
  t.rooms.get("other").publish("two");
  CHECK(t.carrier->carried.empty());
}
