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
      port(net.listen(0, factory::for_protocol<chat>(registry, topics{net.rt}))) {}

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
  const std::string name(100, 'e');
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
    for (const auto& answer : {"Nobody is called bob."s, "[eve] " + n, "You are in room" + n + "."})
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
    const auto name = std::to_string(i) + std::string(80, 'n');
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
