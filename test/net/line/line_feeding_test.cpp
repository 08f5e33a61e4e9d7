// A line_receiver that feeds an actor without room.

#include <string>
#include <vector>

#include <caf/send.hpp>

#include <troupe/net/line_receiver.hpp>
#include <troupe/runtime/dead_letter.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/mailbox_bound.hpp>
#include <troupe/runtime/metrics.hpp>
#include <troupe/testing/protocol_fixture.hpp>

#include "support/catch.hpp"

using namespace troupe;
using strings = std::vector<std::string>;

namespace {

class writer : public floating_actor {
public:
  writer(caf::actor_config& cfg, strings& got) : floating_actor(cfg), got_(got) {
    bound_mailbox(*this, 3, full_mailbox::push_back);
  }
  caf::behavior make_behavior() override {
    return {[this](std::string& line) {
      got_.push_back(std::move(line));
    }};
  }

private:
  strings& got_;
};

class source : public line_receiver {
public:
  explicit source(caf::actor_config& cfg) : line_receiver(cfg) { set_delimiter("\n"); }
  void line_received(std::string_view line) override {
    ++lines;
    if (line == "pause")
      pause_lines();
    send(to, std::string{line});
  }
  caf::actor to;
  int lines = 0;
};

struct fed {
  strings got;
  testing::protocol_fixture<source> t;

  fed() { t->to = caf::actor_cast<caf::actor>(t.rt.spawn<writer>(got)); }
  [[nodiscard]] std::uint64_t refused() {
    return t.rt.metrics()
      .add_counter("troupe_dead_letters_total", "", {{"reason", "mailbox_full"}})
      .value();
  }
};

std::string numbered(int n) {
  std::string all;
  for (int i = 1; i <= n; ++i)
    all += std::to_string(i) + '\n';
  return all;
}

strings counted(int n) {
  strings all;
  for (int i = 1; i <= n; ++i)
    all.push_back(std::to_string(i));
  return all;
}

} // namespace

TEST_CASE("lines that came at once wait when the actor that they are sent to is full",
          "[push_back]") {
  fed f;
  f.t.rt.in_turn([&] {
    f.t->enter([&] { f.t->receive(as_bytes(numbered(100))); });
    CHECK(f.t->lines == 4); // three, and the one that found it full
    CHECK(f.t->held_back());
    CHECK(f.t.transport.input_held());
  });
  f.t.settle(500);
  CHECK(f.got == counted(100));
  CHECK(f.refused() == 0);
  CHECK_FALSE(f.t->held_back());
  CHECK_FALSE(f.t.transport.input_held());
}

TEST_CASE("who has paused itself stays so when there is room again", "[push_back]") {
  fed f;
  f.t.rt.in_turn([&] {
    f.t->enter([&] { f.t->receive(as_bytes("1\n2\n3\npause\n5\n")); });
    CHECK(f.t->held_back());
  });
  f.t.settle(100);
  CHECK(f.got == strings{"1", "2", "3", "pause"});
  CHECK_FALSE(f.t.transport.input_held());
  CHECK(f.t.transport.producer_state() == testing::producer_state::paused);
  f.t.enter([&] { f.t->resume_lines(); });
  f.t.settle(100);
  CHECK(f.got.back() == "5");
}

TEST_CASE("a connection that is lost while it is stopped leaves nothing behind", "[push_back]") {
  fed f;
  f.t.rt.in_turn([&] {
    f.t->enter([&] { f.t->receive(as_bytes(numbered(100))); });
    f.t->end_connection(errc::connection_lost);
  });
  f.t.settle(100);
  CHECK(f.got == counted(4));
  CHECK_FALSE(f.t->connected());
}
