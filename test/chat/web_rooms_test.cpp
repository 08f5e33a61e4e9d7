// The picture that the door for browsers has of the chat, and what it tells pages of it.

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "chat/web_rooms.hpp"
#include "support/catch.hpp"

using nlohmann::json;

namespace {

struct picture {
  web_rooms rooms{[this](const web_room&, const json& message) {
    told.push_back(message);
  }};
  std::vector<json> told;

  /// Returns what was told since the last call.
  std::vector<json> news() { return std::exchange(told, {}); }
};

json event(const char* is, const char* room, const char* who) {
  return {{"is", is}, {"room", room}, {"who", who}};
}

using events = std::vector<json>;

} // namespace

TEST_CASE("web rooms: who comes twice, by another spelling, is one") {
  picture p;
  p.rooms.entered("Ann", "Lobby");
  CHECK(p.news() == events{event("came", "lobby", "Ann")});
  p.rooms.entered("ANN", "LOBBY");
  CHECK(p.news().empty());
  CHECK(p.rooms.find("lobby")->name == "Lobby");
  CHECK(p.rooms.find("lobby")->description()
        == json::parse(
          R"({"is": "room", "room": "lobby", "name": "Lobby", "here": ["Ann"], "more": 0})"));
  p.rooms.left("aNN", "lobby");
  CHECK(p.news() == events{event("left", "lobby", "Ann")});
  p.rooms.left("Ann", "lobby");
  CHECK(p.news().empty());
}

TEST_CASE("web rooms: an empty room is gone, unless a page is there") {
  picture p;
  p.rooms.entered("ann", "garden");
  p.rooms.entered("ann", "lobby");
  p.rooms.find("lobby")->pages = 1;
  p.news();
  p.rooms.gone("ann");
  CHECK(p.news() == events{event("left", "garden", "ann"), event("left", "lobby", "ann")});
  CHECK(p.rooms.find("garden") == nullptr);
  auto* const lobby = p.rooms.find("lobby");
  REQUIRE(lobby != nullptr);
  lobby->pages = 0;
  p.rooms.tidy(*lobby);
  CHECK(p.rooms.find("lobby") == nullptr);
}

TEST_CASE("web rooms: a new name is one in all rooms where the user is") {
  picture p;
  p.rooms.entered("ann", "a");
  p.rooms.entered("bob", "b");
  p.rooms.entered("ann", "c");
  p.news();
  p.rooms.renamed("Ann", "Eve");
  const auto told = p.news();
  REQUIRE(told.size() == 2);
  CHECK(told[0] == json::parse(R"({"is": "renamed", "room": "a", "from": "Ann", "to": "Eve"})"));
  CHECK(told[1]["room"] == "c");
  p.rooms.entered("Eve", "a"); // as the registry tells behind a new name
  CHECK(p.news().empty());
  p.rooms.renamed("nobody", "somebody");
  CHECK(p.news().empty());
  p.rooms.renamed("Eve", "EVE"); // the same, spelled otherwise
  CHECK(p.news().size() == 2);
  p.rooms.left("eve", "a");
  CHECK(p.news() == events{event("left", "a", "EVE")});
  p.rooms.gone("Ann");
  CHECK(p.news().empty());
  p.rooms.gone("Eve");
  CHECK(p.news() == events{event("left", "c", "EVE")});
  CHECK(p.rooms.find("c") == nullptr);
}

TEST_CASE("web rooms: the list has those of most users first, and no more than are wanted") {
  picture p;
  CHECK_FALSE(p.rooms.take_changed());
  p.rooms.entered("ann", "B");
  p.rooms.entered("ann", "a");
  p.rooms.entered("bob", "c");
  p.rooms.entered("cid", "c");
  CHECK(p.rooms.list(2) == json::parse(R"({"is": "rooms", "rooms": [["c", 2], ["a", 1]]})"));
  CHECK(p.rooms.take_changed()); // whoever has looked at it meanwhile
  CHECK_FALSE(p.rooms.take_changed());
  CHECK(p.rooms.list(9)["rooms"].size() == 3);
}

TEST_CASE("web rooms: a crowd is named as far as a page needs it, and counted") {
  picture p;
  for (int i = 0; i < 2005; ++i)
    p.rooms.entered("user" + std::to_string(i), "lobby");
  const auto all = p.rooms.find("lobby")->description();
  CHECK(all["here"].size() == 2000);
  CHECK(all["more"] == 5);
}

TEST_CASE("web rooms: a block of lines is told apart, and what is none of a user is left out") {
  CHECK(said_in("lobby", "<ann> hi <b> there\r\n* bob waves\r\nnonsense\r\n<no end\r\n<ann> \r\n")
        == json::parse(R"({"is": "said", "room": "lobby",
                           "lines": [["ann", "hi <b> there"], ["", "bob waves"], ["ann", ""]]})"));
}
