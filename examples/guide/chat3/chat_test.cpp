// Tests of the chat without a network, a thread or a second of waiting.

#define CATCH_CONFIG_MAIN // for Catch2 2; 3 has a library for it
#include <troupe/testing/leak_listener.hpp>
#include <troupe/testing/memory_network.hpp>

#include "chat.hpp"

using namespace std::chrono_literals;
// [listener]
using troupe::testing::leak_listener; // fails a test that leaves an error or anything else behind
CATCH_REGISTER_LISTENER(leak_listener)
// [/listener]

// [world]
/// Somebody at a terminal: keeps what was read.
class user : public troupe::protocol {
public:
  using protocol::protocol;
  void data_received(troupe::bytes_view data) override { read += troupe::as_text(data); }
  std::string read;
};

/// A chat in memory.
struct world {
  world() {
    CHECK(net.rt.names().put("users", net.rt.spawn<registry>()));
    net.listen(8123, troupe::factory::for_protocol<chat>(net.rt.names().get("users"),
                                                         troupe::topics{net.rt}));
  }

  void types(user& who, const std::string& line) {
    net.enter(who, [&] { who.transport().write(line + "\n"); });
    net.flush();
  }

  user& logged_in(const std::string& name) {
    auto& u = net.connect<user>(8123);
    types(u, name);
    u.read.clear();
    return u;
  }

  troupe::testing::memory_network net;
};
// [/world]

// [test]
TEST_CASE("a name is refused as long as somebody has it") {
  world w;
  auto& ann = w.logged_in("ann");
  auto& other = w.net.connect<user>(8123);
  w.types(other, "ann");
  CHECK(other.read == "What's your name?\r\nName taken, please choose another.\r\n");
  w.net.enter(ann, [&] { ann.transport().lose_connection(); });
  w.net.flush();
  w.types(other, "ann");
  CHECK(other.read.ends_with("Welcome, ann!\r\nYou are in lobby.\r\n"));
}
// [/test]

TEST_CASE("what is said stays in its room") {
  world w;
  auto& ann = w.logged_in("ann");
  auto& bob = w.logged_in("bob");
  w.types(bob, "/join kitchen");
  ann.read.clear();
  bob.read.clear();
  w.types(ann, "hello");
  CHECK(bob.read.empty());
  w.types(ann, "/join kitchen");
  w.types(ann, "hello");
  CHECK(bob.read == "* ann has come\r\n<ann> hello\r\n");
}

// [clock]
TEST_CASE("who is silent for ten minutes is told so, and closed") {
  world w;
  auto& ann = w.logged_in("ann");
  w.net.advance(10min - 1ms);
  CHECK(ann.connected());
  w.net.advance(1ms);
  CHECK(ann.read == "You have been silent for too long. Goodbye.\r\n");
  CHECK_FALSE(ann.connected());
}
// [/clock]

// [hostile]
TEST_CASE("nobody can write lines in the name of another, nor clear a screen") {
  world w;
  auto& ann = w.logged_in("ann");
  auto& eve = w.logged_in("eve");
  ann.read.clear();
  w.types(eve, "\033[2Jhi\r<ann> I owe you");
  CHECK(ann.read == "<eve> [2Jhi <ann> I owe you\r\n");
}

TEST_CASE("a line that is too long costs no connection") {
  world w;
  auto& ann = w.logged_in("ann");
  w.types(ann, std::string(20'000, 'x'));
  CHECK(ann.read == "Line too long, it was left out.\r\n");
  CHECK(ann.connected());
}
// [/hostile]
