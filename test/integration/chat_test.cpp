// The chat of the examples, over a network in memory: what its users can do to each other.

#include <algorithm>
#include <string>
#include <vector>

#include <malloc.h>

#include <caf/send.hpp>

#include <troupe/testing/memory_network.hpp>

#include "chat/chat.hpp"
#include "support/catch.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::string_literals;

namespace {

using list = std::vector<std::string>;

/// Who uses the chat, and reads all that comes.
class user : public line_receiver {
public:
  using line_receiver::line_receiver;
  void line_received(std::string_view line) override { heard.emplace_back(line); }
  list heard;
};

struct chat_of_users {
  explicit chat_of_users(caf::actor (*make_registry)(runtime&) =
                           [](runtime& rt) { return rt.spawn<user_registry>(); })
    : registry(make_registry(net.rt)),
      port(net.listen(0, chat_service{net.rt, registry}.make_factory())) {}

  void say(user& u, std::string_view text) {
    net.enter(u, [&] { u.transport().write(text); });
  }

  user& join(const std::string& name) {
    auto& u = net.connect<user>(port);
    say(u, name + "\r\n");
    net.flush();
    REQUIRE(u.heard == list{"What's your name?", "Welcome, " + name + "!"});
    u.heard.clear();
    return u;
  }

  memory_network net;
  const caf::actor registry;
  const std::uint16_t port;
};

/// A registry that lets everybody in, answers nothing else, and counts what it is asked.
class slow_registry : public floating_actor {
public:
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    const auto ask = [this] {
      ++questions;
    };
    return {
      [ask](claim_atom, const std::string&, const std::string&, const std::string&) { ask(); },
      [this, ask](claim_atom, const std::string& name, const std::string&) {
        if (name == "other")
          return ask();
        const auto who = caf::actor_cast<caf::actor>(current_sender());
        users.push_back(who.address());
        send(who, granted_atom::value);
      },
      [ask](move_atom, const std::string&, const std::string&) { ask(); },
      [ask](who_atom, const std::string&) { ask(); },
      [ask](tell_atom, const std::string&, const std::string&, const std::string&) { ask(); },
      [](release_atom, const std::string&) {},
    };
  }
  int questions = 0;
  std::vector<caf::actor_addr> users; // in the order in which they came
};

/// Who does not wait for an answer of the registry.
class hurried : public floating_actor {
public:
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    return {[](granted_atom) {},
            [](asked_atom, const std::string&) {
            }};
  }
};

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  while (times-- > 0)
    all += text;
  return all;
}

} // namespace

TEST_CASE("what one user says in a single read costs no reader the connection, and little memory",
          "[chat]") {
  const std::string name(longest_name, 'e');
  const std::string first = GENERATE("", "/who\r\n", "a name\r\n");
  const bool named = first != "a name\r\n";
  chat_of_users c;
  auto& ann = c.join("ann");
  auto& eve = named ? c.join(name) : c.net.connect<user>(c.port);
  const auto begin = named ? first : name + "\r\n";
  const auto lines = (65'536 - begin.size()) / 2;
  c.say(eve, begin + repeated("\r\n", lines));
  std::size_t most = 0;
  for (int quiet = 0; quiet < 8; ++quiet) {
    if (c.net.pump())
      quiet = 0;
    if (const auto* const to_ann = c.net.connections()[0].server())
      most = std::max(most, to_ann->unsent());
  }
  CHECK(ann.connected());
  CHECK(eve.connected());
  CHECK(ann.heard.size() == lines);
  CHECK(std::ranges::count(ann.heard, "<" + name + "> ") == std::ssize(ann.heard));
  CHECK(most < 256u * 1024);
}

TEST_CASE("who has asked the registry is not read until it answers", "[chat]") {
  const std::string command = GENERATE("/msg ann x", "/join there", "/who", "/nick other");
  chat_of_users c{[](runtime& rt) {
    return rt.spawn<slow_registry>();
  }};
  const auto& registry =
    *static_cast<slow_registry*>(caf::actor_cast<caf::abstract_actor*>(c.registry));
  auto& ann = c.join("ann");
  auto& eve = c.join("eve");
  c.say(eve, repeated(command + "\r\n", 500) + "hello\r\n");
  c.net.flush();
  CHECK(registry.questions == 1);
  // What others send her is no answer.
  caf::anon_send(caf::actor_cast<caf::actor>(registry.users[1]), shared_bytes{"[ann] hi\r\n"});
  c.net.flush();
  CHECK(eve.heard.back() == "[ann] hi");
  CHECK(registry.questions == 1);
  CHECK(ann.heard.empty());
}

TEST_CASE("a thousand commands in one piece are all answered, in order", "[chat]") {
  chat_of_users c;
  auto& ann = c.join("ann");
  auto& eve = c.join("eve");
  std::string said;
  list to_ann;
  list to_eve;
  for (int i = 0; i < 250; ++i) {
    const auto n = std::to_string(i);
    said +=
      "/msg ann " + n + "\r\n/msg bob " + n + "\r\n/msg eve " + n + "\r\n/join room" + n + "\r\n";
    to_ann.push_back("[eve] " + n);
    for (const auto& answer : {"Nobody is called bob; /who tells who is in your room."s,
                               "[eve] " + n, "You are in room" + n + "."})
      to_eve.push_back(answer);
  }
  c.say(eve, said + "/leave\r\nhello\r\n");
  to_ann.push_back("<eve> hello");
  to_eve.push_back("You are in lobby.");
  c.net.flush();
  CHECK(ann.heard == to_ann);
  CHECK(eve.heard == to_eve);
}

// How much is allocated tells nothing where a sanitizer allocates.
#ifndef TROUPE_SANITIZED
TEST_CASE("the registry keeps nothing of users that are gone, and of those who waited", "[chat]") {
  manual_runtime rt;
  const auto registry = rt.spawn<user_registry>();
  const auto holder = rt.spawn<hurried>();
  const auto claimant = rt.spawn<hurried>();
  std::size_t before = 0;
  for (int i = 0; i < 11'000; ++i) {
    if (i == 1000)
      before = ::mallinfo2().uordblks;
    const auto name = std::to_string(i) + std::string(20, 'n');
    rt.in_turn([&] {
      for (const auto& who : {holder, claimant})
        caf::send_as(who, registry, claim_atom::value, name, "lobby"s);
      for (const auto& who : {claimant, holder})
        caf::send_as(who, registry, release_atom::value, name);
    });
    rt.settle();
  }
  rt.settle();
  CHECK(::mallinfo2().uordblks < before + 500'000);
}
#endif

// -- people -------------------------------------------------------------------------------------

TEST_CASE("lines of the chat may end with LF or CR LF, and CR NUL", "[chat]") {
  chat_of_users c;
  auto& ann = c.join("ann");
  auto& eve = c.net.connect<user>(c.port);
  c.say(eve, "eve\nhello\nthere\r\nyou\r\0"s);
  c.net.flush();
  CHECK(eve.heard == list{"What's your name?", "Welcome, eve!"});
  CHECK(ann.heard == list{"<eve> hello", "<eve> there", "<eve> you"});
}

TEST_CASE("no key of a telnet client makes its user deaf, nor is seen by others", "[chat]") {
  chat_of_users c;
  auto& ann = c.join("ann");
  auto& eve = c.join("eve");
  c.say(eve, "\xff\xf4\xff\xfd\x06" // Ctrl-C
             "hello\r\n\xff\xf3\xff\xfd\x06/who\r\n");
  c.net.flush();
  CHECK(ann.heard == list{"<eve> hello"});
  REQUIRE(eve.heard.size() == 1);
  CHECK(eve.heard[0] == "\xff\xfc\x06\xff\xfc\x06In lobby: ann, eve"); // WONT TIMING-MARK
}

TEST_CASE("nobody forges a line, nor writes to the terminals of others", "[chat]") {
  chat_of_users c;
  auto& ann = c.join("ann");
  auto& eve = c.join("eve");
  c.say(eve,
        "ok\r<bob> I owe you\r\n\x1b]0;title\x07\x1b[2J\r\n\xff\xff\xfe\xc3\r\na\0b\u202egnp\r\n"s);
  c.say(eve, "/msg ann \x1b[2J\rx\r\n/msg \x1b[2J hi\r\n/\x1b[2J\r\n");
  c.net.flush();
  CHECK(ann.heard
        == list{"<eve> ok <bob> I owe you", "<eve> ]0;title[2J", "<eve> \ufffd\ufffd\ufffd",
                "<eve> abgnp", "[eve] [2J x"});
  CHECK(eve.heard
        == list{"Nobody is called [2J; /who tells who is in your room.",
                "There is no command /[2J; /help lists them."});
}

TEST_CASE("a name is trimmed, can be seen, and looks like no other's", "[chat]") {
  chat_of_users c;
  c.join("ann");
  auto& eve = c.net.connect<user>(c.port);
  for (const auto* name :
       {"", "  ", "\u200b", "\x1b[2J", "\xfe", "a>b", "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"})
    c.say(eve, name + "\r\n"s);
  c.net.flush();
  const list refused{"What's your name?",
                     "Name needs a visible character, please choose another.",
                     "Name needs a visible character, please choose another.",
                     "Name needs a visible character, please choose another.",
                     "Name must be text without control characters, please choose another.",
                     "Name must be text without control characters, please choose another.",
                     "Name must not have < > [ ] or a comma, please choose another.",
                     "Name too long (32 characters at most), please choose another."};
  CHECK(eve.heard == refused);
  eve.heard.clear();
  for (const auto* name : {"ann", " ann ", "ANN", "a\u200bnn", "ａｎｎ", "ann\ufe0f"}) {
    c.say(eve, name + "\r\n"s);
    c.net.flush();
    CHECK(eve.heard == list{"Name taken, please choose another."});
    eve.heard.clear();
  }
  c.say(eve, "  Jose\u0301 \r\n");
  c.net.flush();
  CHECK(eve.heard == list{"Welcome, Jos\u00e9!"});
}

TEST_CASE("a user may write the own name otherwise, and is found however it is written", "[chat]") {
  chat_of_users c;
  auto& ann = c.join("ann");
  auto& eve = c.join("eve");
  c.say(ann, "/nick Ann\r\n");
  c.net.flush();
  c.say(eve, "/msg aNN hi\r\n/who\r\n/nick ANN\r\n");
  c.net.flush();
  CHECK(ann.heard == list{"You are Ann now.", "[eve] hi"});
  CHECK(eve.heard == list{"In lobby: Ann, eve", "Name taken, please choose another."});
  eve.heard.clear();
  c.say(ann, "/quit\r\n");
  c.net.flush();
  c.say(eve, "/nick ann\r\n");
  c.net.flush();
  CHECK(eve.heard == list{"You are ann now."});
}

TEST_CASE("rooms whose names look alike are one room", "[chat]") {
  chat_of_users c;
  auto& ann = c.join("ann");
  auto& eve = c.join("eve");
  c.say(ann, "/join The  Games\r\n");
  c.net.flush();
  c.say(eve, "/join \u200bthe games \r\n/who\r\nhello\r\n/join \x1b[2J\r\n/join \u200b\r\n");
  c.net.flush();
  CHECK(ann.heard == list{"You are in The Games.", "<eve> hello"});
  CHECK(eve.heard
        == list{"You are in the games.", "In The Games: ann, eve",
                "Room name must be text without control characters, please choose another.",
                "Room name needs a visible character, please choose another."});
}

TEST_CASE("a line that is too long is told, the rest of it is skipped, and the user stays",
          "[chat]") {
  chat_of_users c;
  auto& ann = c.join("ann");
  auto& eve = c.join("eve");
  c.say(eve, "before\r\n" + std::string(100'000, 'x') + "\r\nafter\r\n");
  c.net.flush();
  CHECK(ann.heard == list{"<eve> before", "<eve> after"});
  CHECK(eve.heard
        == list{"Line too long (16384 bytes at most), it was left out; please send shorter ones."});
}

TEST_CASE("joins, leaves and renames are told to those who turned that on, and to nobody else",
          "[chat]") {
  chat_of_users c;
  auto& ann = c.join("ann");
  auto& bob = c.join("bob");
  c.say(ann, "/notices\r\n/notices on\r\n");
  c.net.flush();
  auto& eve = c.join("eve");
  c.say(eve, "/nick Eve\r\n/nick eva\r\n/join there\r\n/leave\r\n/quit\r\n");
  c.net.flush();
  CHECK(ann.heard
        == list{"Notices are off: /notices on, or /notices off",
                "You are told who comes, leaves and is renamed.", "* eve has come.",
                "* eve is called Eve now.", "* Eve is called eva now.", "* eva has left.",
                "* eva has come.", "* eva has left."});
  CHECK(bob.heard.empty());
  ann.heard.clear();
  c.say(ann, "/join there\r\n");
  c.net.flush();
  c.say(bob, "/join there\r\n"); // it is turned on in every room
  c.net.flush();
  CHECK(ann.heard == list{"You are in there.", "* bob has come."});
  ann.heard.clear();
  c.say(ann, "/notices off\r\n");
  c.say(bob, "/leave\r\n");
  c.net.flush();
  CHECK(ann.heard == list{"You are not told who comes, leaves and is renamed."});
}

TEST_CASE("the help of the chat fits a screen", "[chat]") {
  chat_of_users c;
  auto& ann = c.join("ann");
  c.say(ann, "/help\r\n");
  c.net.flush();
  CHECK(ann.heard.size() <= 20);
  for (const auto& line : ann.heard)
    CHECK(line.size() < 80);
}

// -- who talks without end ----------------------------------------------------------------------

TEST_CASE("who talks without end waits for who reads slowly, and costs nobody the connection",
          "[chat]") {
  constexpr std::size_t talkers = 10, lines = 1000;
  chat_of_users c;
  auto& slow = c.join("slow");
  std::vector<user*> loud;
  for (std::size_t i = 0; i < talkers; ++i)
    loud.push_back(&c.join("loud" + std::to_string(i)));
  c.net.enter(slow, [&] { slow.transport().pause_producing(); });
  for (auto* const l : loud)
    c.say(*l, repeated(std::string(400, 'z') + "\r\n", lines)); // 4 MB in all
  c.net.flush();
  const auto* const to_slow = c.net.connections()[0].server();
  REQUIRE(to_slow != nullptr);
  CHECK(to_slow->unsent() > 128u * 1024);
  CHECK(to_slow->unsent() < 768u * 1024);
  while (slow.heard.size() < talkers * lines) { // it gets all of it, at its own pace
    const auto before = slow.heard.size();
    c.net.enter(slow, [&] { slow.transport().resume_producing(); });
    c.net.pump();
    c.net.enter(slow, [&] { slow.transport().pause_producing(); });
    c.net.flush();
    REQUIRE(slow.heard.size() > before);
  }
  for (std::size_t i = 0; i <= talkers; ++i)
    CHECK(c.net.connections()[i].server() != nullptr);
}

TEST_CASE("people are not held back by somebody who does not read, and who talks much not for long",
          "[chat]") {
  chat_of_users c;
  auto& slow = c.join("slow");
  auto& ann = c.join("ann");
  auto& loud = c.join("loud");
  c.net.enter(slow, [&] { slow.transport().pause_producing(); });
  c.say(loud, repeated(std::string(200, 'z') + "\r\n", 10'000));
  c.net.flush();
  const auto heard = ann.heard.size();
  CHECK(heard < 10'000); // the room waits for somebody
  auto& bob = c.join("bob");
  c.say(bob, "hello\r\n");
  c.net.flush();
  REQUIRE(ann.heard.size() == heard + 1);
  CHECK(ann.heard.back() == "<bob> hello");

  c.net.advance(std::chrono::milliseconds(1999));
  CHECK(ann.heard.size() == heard + 1);
  c.net.advance(std::chrono::milliseconds(1));
  CHECK(ann.heard.size() == 10'001);
  CHECK(c.net.connections()[0].server() == nullptr);
  CHECK(c.net.connections()[2].server() != nullptr);
}

TEST_CASE("many who tell one user something in private do not cut that one off", "[chat]") {
  constexpr std::size_t talkers = 20;
  chat_of_users c;
  auto& slow = c.join("slow");
  std::vector<user*> loud;
  for (std::size_t i = 0; i < talkers; ++i)
    loud.push_back(&c.join("loud" + std::to_string(i)));
  c.net.enter(slow, [&] { slow.transport().pause_producing(); });
  for (auto* const l : loud)
    c.say(*l, repeated("/msg slow " + std::string(1000, 'z') + "\r\n", 500));
  c.net.flush();
  c.net.advance(std::chrono::seconds(5));
  CHECK(c.net.connections()[0].server() != nullptr);
  c.net.enter(slow, [&] { slow.transport().resume_producing(); });
  c.net.flush();
  CHECK(slow.heard.size() > talkers * 20);
  CHECK(slow.heard.size() < talkers * 40);
}

TEST_CASE("what was held back is said when its time has come", "[chat]") {
  chat_of_users c;
  auto& ann = c.join("ann");
  auto& eve = c.join("eve");
  c.say(eve, repeated("/msg ann " + std::string(1000, 'z') + "\r\n", 40) + "hello\r\n");
  c.net.flush();
  CHECK(ann.heard.size() < 20);
  for (int i = 0; i < 20; ++i)
    c.net.advance(std::chrono::seconds(1));
  REQUIRE(ann.heard.size() == 41);
  CHECK(ann.heard.back() == "<eve> hello");
}
