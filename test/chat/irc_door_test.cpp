// The chat's door for clients of IRC: they and the users of other doors see the same.

#include <algorithm>
#include <string>
#include <vector>

#include <caf/send.hpp>

#include <troupe/testing/memory_network.hpp>

#include "chat/chat.hpp"
#include "chat/irc_door.hpp"
#include "support/catch.hpp"

using namespace troupe;
using strings = std::vector<std::string>;

namespace {

class user : public line_receiver {
public:
  using line_receiver::line_receiver;
  void line_received(std::string_view line) override { heard.emplace_back(line); }

  [[nodiscard]] bool has(std::string_view part) const {
    return std::ranges::any_of(
      heard, [&](const auto& line) { return line.find(part) != std::string::npos; });
  }
  strings heard;
};

struct two_doors {
  two_doors()
    : service(net.rt), telnet(net.listen(0, service.make_factory())),
      irc(net.listen(0, make_irc_door(net.rt, service))) {}

  void say(user& u, std::string_view lines) {
    u.heard.clear();
    net.enter(u, [&] { u.transport().write(std::string{lines} + "\r\n"); });
    net.flush();
  }

  user& with_telnet(const std::string& name) {
    auto& u = net.connect<user>(telnet);
    say(u, name);
    REQUIRE(u.has("Welcome, " + name + "!"));
    say(u, "/notices on");
    u.heard.clear();
    return u;
  }

  user& with_irc(const std::string& nick) {
    auto& u = net.connect<user>(irc);
    say(u, "NICK " + nick + "\r\nUSER u 0 * :real");
    REQUIRE(u.has(" 001 " + nick + " "));
    say(u, "JOIN #lobby");
    return u;
  }

  void forget(user& a, user& b) {
    a.heard.clear();
    b.heard.clear();
  }

  testing::memory_network net;
  const chat_service service;
  const std::uint16_t telnet;
  const std::uint16_t irc;
};

} // namespace

TEST_CASE("irc door: users of both doors see each other come, talk, be renamed and go") {
  two_doors f;
  auto& tom = f.with_telnet("tom");
  auto& ann = f.with_irc("ann");
  CHECK(ann.has(" 353 ann = #lobby :tom ann"));
  CHECK(tom.heard == strings{"* ann has come."});
  f.forget(tom, ann);
  f.say(tom, "hello\r\nthere");
  CHECK(ann.heard
        == strings{":tom!chat@other.door PRIVMSG #lobby :hello",
                   ":tom!chat@other.door PRIVMSG #lobby :there"});
  f.forget(tom, ann);
  f.say(ann, "PRIVMSG #lobby :hi\r\nPRIVMSG #lobby :\x01"
             "ACTION waves\x01\r\nPRIVMSG #lobby :\x01VERSION\x01");
  CHECK(tom.heard == strings{"<ann> hi", "* ann waves"});
  CHECK(ann.heard.empty());
  f.say(tom, "/who");
  CHECK(tom.heard == strings{"In lobby: ann, tom"});
  f.say(tom, "/nick tim");
  CHECK(ann.heard == strings{":tom!chat@other.door NICK :tim"});
  f.forget(tom, ann);
  f.say(ann, "NICK anna");
  CHECK(tom.heard == strings{"* ann is called anna now."});
  CHECK(ann.heard.size() == 1);
  f.say(tom, "/who");
  CHECK(tom.heard == strings{"In lobby: anna, tim"});
  auto& bob = f.with_irc("ann"); // free again
  f.forget(tom, ann);
  f.say(bob, "PART #lobby :bye");
  CHECK(tom.heard == strings{"* ann has left."});
  f.say(tom, "/join other");
  CHECK(ann.has(":tim!chat@other.door PART #lobby"));
  f.say(ann, "LIST");
  CHECK(ann.has(" 322 anna #other 1 "));
  f.say(ann, "JOIN #other");
  f.forget(tom, ann);
  f.say(ann, "QUIT");
  CHECK(tom.heard == strings{"* anna has left."});
  f.say(tom, "/who");
  CHECK(tom.heard == strings{"In other: tim"});
}

TEST_CASE("irc door: what somebody does is told as he does it, by whichever node's door") {
  two_doors f;
  auto& tom = f.with_telnet("tom");
  auto& ann = f.with_irc("ann");
  auto& bob = f.with_irc("bob\xc2\xa0x");
  f.forget(tom, ann);
  f.say(bob, "PRIVMSG #lobby :\x01"
             "ACTION waves\x01");
  CHECK(tom.heard == strings{"* bob\xc2\xa0x waves"}); // one word, then what is done
  f.forget(tom, ann);
  f.net.rt.in_turn([&] {
    f.service.rooms->get("lobby")->said.publish(
      shared_bytes{std::string_view{"* eve\xc2\xa0z waves\r\n<eve\xc2\xa0z> * nothing\r\n* \r\n* "
                                    "eve\r\n<eve> \x01VERSION\x01\r\n"}});
  });
  f.net.flush();
  const std::string eve = ":eve\xc2\xa0z!chat@other.door PRIVMSG #lobby :";
  CHECK(ann.heard
        == strings{eve
                     + "\x01"
                       "ACTION waves\x01",
                   eve + "* nothing", ":eve!chat@other.door PRIVMSG #lobby :VERSION"});
}

TEST_CASE("irc door: private messages go both ways") {
  two_doors f;
  auto& tom = f.with_telnet("tom");
  auto& ann = f.with_irc("ann");
  f.forget(tom, ann);
  f.say(tom, "/msg ANN psst");
  CHECK(ann.heard == strings{":tom!chat@other.door PRIVMSG ann :psst"});
  f.forget(tom, ann);
  f.say(ann, "PRIVMSG tom :\x02what\x02?\r\nPRIVMSG nobody :x");
  CHECK(tom.heard == strings{"[ann] what?"});
  CHECK(ann.heard == strings{":chat.local 401 ann nobody :No such nick/channel"});
}

TEST_CASE("irc door: a name is one person's, whatever the door") {
  two_doors f;
  auto& tom = f.with_telnet("Tom");
  auto& ann = f.with_irc("ann");
  f.say(ann, "NICK tom");
  CHECK(ann.heard == strings{":chat.local 433 ann tom :Nickname is already in use"});
  auto& other = f.net.connect<user>(f.telnet);
  f.say(other, "ANN");
  CHECK(other.heard.back() == "Name taken, please choose another.");
  f.say(tom, "/quit");
  CHECK(ann.has(":Tom!chat@other.door QUIT :has left the chat"));
  f.say(ann, "NICK tom");
  CHECK(ann.has(" NICK :tom"));
  f.say(ann, "NICK Tom\r\nNICK <x>\r\nNICK 007");
  CHECK(ann.has(" NICK :Tom"));
  CHECK(ann.has(" 432 Tom <x> "));
  CHECK(ann.has(" NICK :007"));
  f.say(other, "Tom");
  CHECK(other.heard == strings{"Welcome, Tom!"});
}

TEST_CASE("irc door: names that IRC cannot write are there in another form") {
  two_doors f;
  auto& tom = f.with_telnet("tom: the 1st!");
  auto& ann = f.with_irc("ann");
  const std::string nick = "tom\xef\xbc\x9a\xc2\xa0the\xc2\xa0"
                           "1st\xef\xbc\x81";
  CHECK(ann.has(" 353 ann = #lobby :" + nick + " ann"));
  f.forget(tom, ann);
  f.say(ann, "PRIVMSG " + nick + " :psst");
  CHECK(tom.heard == strings{"[ann] psst"});
  f.say(tom, "/join my room");
  f.say(ann, "JOIN #my\xc2\xa0room");
  CHECK(tom.has("* ann has come."));
  f.forget(tom, ann);
  f.say(ann, "PRIVMSG #My\xc2\xa0Room :here");
  CHECK(tom.heard == strings{"<ann> here"});
}

TEST_CASE("irc door: a nick or a channel with what is left out of names is refused") {
  two_doors f;
  auto& tom = f.with_telnet("tom");
  std::string nick = "a";
  for (const std::string left_out : {"\xe2\x80\xae", "\xe2\x80\x8b", "\xc2\xa0", "\t"}) {
    nick += 'a'; // each is one client, who may not ask for much at once
    auto& ann = f.with_irc(nick);
    f.forget(tom, ann);
    f.say(ann, "NICK " + left_out + "bob");
    CHECK(ann.has(" 432 " + nick + ' '));
    f.say(ann, "JOIN #" + left_out + "room");
    CHECK(ann.has(" 479 " + nick + ' '));
    CHECK(tom.heard.empty());
  }
  auto& eve = f.with_irc("eve");
  f.say(eve, "NICK e\te");
  CHECK(eve.has(" 432 eve "));
  const std::string with_joiner = "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7";
  f.say(eve, "NICK " + with_joiner);
  CHECK(eve.has(" NICK :" + with_joiner));
}

TEST_CASE("irc door: replies have the longest names whole") {
  two_doors f;
  auto& ann = f.with_irc("ann");
  std::string name = "#";
  for (int i = 0; i < 32; ++i)
    name += "\xf0\x9f\x98\x80";
  f.say(ann, "JOIN " + name);
  f.say(ann, "TOPIC " + name);
  CHECK(ann.heard == strings{":chat.local 331 ann " + name + " :No topic is set"});
}

TEST_CASE("irc door: nothing that a terminal obeys goes through it") {
  two_doors f;
  auto& tom = f.with_telnet("tom");
  auto& ann = f.with_irc("ann");
  auto& bob = f.with_irc("bob");
  f.forget(tom, ann);
  f.say(bob, "PRIVMSG #lobby :\x1b[2J\x03"
             "4red\x02\x07\r\nPRIVMSG tom :\x1b]0;x\x9b\r\nPART #lobby :\x1b\r\nQUIT :\x1b");
  std::ranges::sort(tom.heard); // what is said to one alone goes another way
  CHECK(tom.heard == strings{"* bob has left.", "<bob> [2Jred", "[bob] ]0;x\xef\xbf\xbd"});
  for (const auto& line : ann.heard)
    CHECK(line.find('\x1b') == std::string::npos);
  f.forget(tom, ann);
  f.say(tom, "\x1b[31mx\x01"
             "ACTION y\x01\r\n/msg ann \x1b[2J");
  REQUIRE(ann.heard.size() == 2);
  for (const auto& line : ann.heard)
    CHECK(std::ranges::none_of(line, [](char c) { return static_cast<unsigned char>(c) < ' '; }));
}

TEST_CASE("irc door: what is said under a name that is none is left out, and what comes behind it "
          "is heard") {
  two_doors f;
  auto& tom = f.with_telnet("tom");
  auto& ann = f.with_irc("ann");
  f.forget(tom, ann);
  const auto room = f.service.rooms->get("lobby");
  f.net.enter(tom, [&] {
    for (const auto* const name : {"\xff\xfe", "x\nQUIT", "x\ry", "", "\x01", "\xe2\x80\xaex"})
      room->said.publish('<' + std::string{name} + "> hi\r\n");
    room->said.publish("<tom> a\r\n<\xff> b\r\n<tom> c\r\n");
  });
  f.net.flush();
  CHECK(
    ann.heard
    == strings{":tom!chat@other.door PRIVMSG #lobby :a", ":tom!chat@other.door PRIVMSG #lobby :c"});
}

TEST_CASE("irc door: a client that asks for a name which is no UTF-8 is answered, and stays") {
  two_doors f;
  for (const std::string ask :
       {"PRIVMSG \xff :x", "WHOIS \xff", "NAMES #\xff", "MODE #\xff", "PART #\xff"}) {
    auto& ann = f.with_irc("ann");
    f.say(ann, ask + "\r\nPING :there\r\nQUIT");
    CHECK(ann.has(" PONG chat.local :there"));
  }
}

TEST_CASE("irc door: the last words of who goes are heard once") {
  two_doors f;
  auto& ann = f.with_irc("ann");
  auto& bob = f.with_irc("bob");
  f.forget(ann, bob);
  f.say(ann, "PRIVMSG #lobby :farewell\r\nQUIT");
  const auto heard = [&](std::string_view part) {
    return std::ranges::count_if(
      bob.heard, [&](const auto& line) { return line.find(part) != std::string::npos; });
  };
  CHECK(heard(":farewell") == 1);
  CHECK(heard("QUIT") == 1);
}

TEST_CASE("irc door: a registry that has ended lets go of those whom it knew") {
  caf::weak_actor_ptr registry;
  {
    two_doors f;
    f.with_telnet("tom");
    f.with_irc("ann");
    registry = caf::actor_cast<caf::weak_actor_ptr>(f.service.users);
    caf::anon_send_exit(f.service.users, caf::exit_reason::kill);
    f.net.flush();
  }
  CHECK(registry.lock() == nullptr);
}

TEST_CASE("irc door: topics are told at both doors") {
  two_doors f;
  auto& tom = f.with_telnet("tom");
  auto& ann = f.with_irc("ann");
  f.say(ann, "JOIN #here");
  f.say(tom, "/join here");
  f.forget(tom, ann);
  f.say(ann, "TOPIC #here :\x02tea\x02 time");
  CHECK(tom.heard == strings{"* ann has set the topic: tea time"});
}
