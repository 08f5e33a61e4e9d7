// A protocol gives its connection to another one.
#include <troupe/net/protocol.hpp>

#include <optional>
#include <string>

#include <troupe/net/builder.hpp>
#include <troupe/net/factory.hpp>
#include <troupe/net/wrapping_factory.hpp>
#include <troupe/testing/memory_network.hpp>
#include <troupe/testing/protocol_fixture.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

struct story {
  std::string text;
  bool given = false;
  protocol* second = nullptr;
};

// What comes after "next".
class second_language : public protocol, public half_closeable {
public:
  second_language(caf::actor_config& cfg, story* s) : protocol(cfg), story_(*s) {}
  void connection_made() override {
    story_.second = this;
    story_.text += "made ";
    transport().write("welcome ");
  }
  void data_received(bytes_view data) override {
    story_.text += as_text(data);
    transport().write(data);
  }
  void read_connection_lost() override { story_.text += "eof "; }
  void write_connection_lost() override {}
  void connection_lost(const failure& reason) override {
    story_.text += "lost: " + std::string{reason.check(errc::connection_done) ? "done" : "other"};
  }

private:
  story& story_;
};

class first_language : public protocol, private producer {
public:
  first_language(caf::actor_config& cfg, story* s) : protocol(cfg), story_(*s) {}
  void data_received(bytes_view data) override {
    if (as_text(data) != "next")
      return transport().write("what? ");
    hold_back(true); // as one that feeds an actor without room
    hold_back(false);
    transport().pause_producing();
    transport().resume_producing();
    const auto next = build<second_language>(&story_)(system(), loop());
    story_.given = hand_over(*static_cast<protocol*>(caf::actor_cast<caf::abstract_actor*>(next)));
    if (!story_.given)
      transport().write("no ");
    else
      CHECK_FALSE(connected());
  }
  void connection_lost(const failure&) override { story_.text += "the first one heard of an end"; }

private:
  void resume_producing() override {}
  void stop_producing() override {}
  story& story_;
};

class peer : public protocol {
public:
  using protocol::protocol;
  void data_received(bytes_view data) override { got += as_text(data); }
  void connection_lost(const failure&) override { lost = true; }
  std::string got;
  bool lost = false;
};

struct connected_pair {
  explicit connected_pair(const factory_ref& f) {
    net.listen(7, f);
    client = &net.connect<peer>(7);
  }
  void say(std::string_view text) {
    net.enter(*client, [&] { client->transport().write(text); });
    net.flush();
  }
  memory_network net;
  peer* client;
};

} // namespace

TEST_CASE("a protocol gives its connection to another one, and ends without hearing of the end") {
  story s;
  const auto f = factory::for_protocol<first_language>(&s);
  connected_pair t{f};
  t.say("hm");
  t.say("next");
  CHECK(s.given);
  t.say("a");
  t.say("b");
  CHECK(t.client->got == "what? welcome ab");
  CHECK(s.text == "made ab");
  CHECK(f.get()->connections() == 1);
  // It is its own kind of protocol for the transport: the end of the peer's side is told to it.
  t.net.enter(*t.client, [&] { t.client->transport().lose_write_connection(); });
  t.net.flush();
  CHECK(s.text == "made abeof ");
  CHECK_FALSE(t.client->lost);
  t.net.enter(*s.second, [&] { s.second->transport().lose_connection(); });
  t.net.flush();
  CHECK(s.text == "made abeof lost: done");
  CHECK(t.client->lost);
  CHECK(f.get()->connections() == 0);
}

TEST_CASE("all factories and plain wrappers around a protocol are those of the next one") {
  story s;
  const auto inner = factory::for_protocol<first_language>(&s);
  const auto f = factory::of<wrapping_factory>(inner);
  connected_pair t{f};
  t.say("next");
  CHECK(s.given);
  REQUIRE(s.second != nullptr);
  CHECK(s.second->wrapper() != nullptr);
  CHECK(&s.second->wrapper()->wrapped_protocol() == s.second);
  t.say("a");
  CHECK(t.client->got == "welcome a");
  CHECK(f.get()->connections() == 1);
  CHECK(inner.get()->connections() == 1);
  t.net.enter(*t.client, [&] { t.client->transport().abort_connection(); });
  t.net.flush();
  CHECK(s.text == "made alost: other");
  CHECK(f.get()->connections() == 0);
  CHECK(inner.get()->connections() == 0);
}

TEST_CASE(
  "a protocol keeps its connection where a wrapper, or the transport, cannot change its protocol") {
  struct clinging : protocol_wrapper {};
  class clinging_factory : public wrapping_factory {
  public:
    using wrapping_factory::wrapping_factory;
    std::unique_ptr<protocol_wrapper> make_wrapper() override {
      return std::make_unique<clinging>();
    }
  };
  story s;
  const auto inner = factory::for_protocol<first_language>(&s);
  connected_pair t{factory::of<wrapping_factory>(factory::of<clinging_factory>(inner))};
  t.say("next");
  CHECK_FALSE(s.given);
  t.say("a");
  CHECK(t.client->got == "no what? ");
  CHECK(inner.get()->connections() == 1);
  protocol_fixture<first_language> alone{&s};
  alone.deliver("next");
  CHECK_FALSE(s.given);
  CHECK(alone.transport.value() == "no ");
}
