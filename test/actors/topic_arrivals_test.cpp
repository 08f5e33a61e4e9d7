#include <troupe/actors/topic_sharing.hpp>

#include <memory>
#include <string>
#include <vector>

#include <troupe/testing/manual_clock.hpp>

#include "support/catch.hpp"
#include "support/topic_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using lines = std::vector<std::string>;

struct arriving : topic_fixture {
  topic_arrivals arrivals{rt};
  topic other{rt};

  void add(const topic& on, const std::string& text) { arrivals.add(on, as_bytes(text)); }
};

} // namespace

TEST_CASE("publications that came together reach each subscriber in their order, over topics",
          "[topic]") {
  arriving t;
  lines pinned, floating;
  fake_connection::output out;
  const auto a = t.rt.spawn_on<pinned_reader>(0, &pinned);
  const auto b = t.rt.spawn<floating_reader>(&floating);
  t.connect(out);
  for (const auto& room : {t.room, t.other}) {
    room.subscribe(a);
    room.subscribe(b);
  }
  t.rt.settle();
  t.rt.in_turn([&] {
    t.add(t.room, "1");
    t.add(t.other, "2");
    t.add(t.room, "3");
    CHECK(out.written == "13"); // at once
    CHECK(pinned.empty());      // by the loop only
    t.arrivals.hand_over();
    t.add(t.room, "4");
    t.add(t.other, std::string(5000, '5'));
    t.add(t.other, "6");
    t.arrivals.hand_over();
  });
  t.rt.settle();
  const lines all{"1", "2", "3", "4", std::string(5000, '5'), "6"};
  CHECK(pinned == all);
  CHECK(floating == all);
  CHECK(out.written == "134");
}

TEST_CASE("what a reader keeps of a publication stays as it was", "[topic]") {
  struct keeper : pinned_actor {
    keeper(caf::actor_config& cfg, std::vector<caf::message>* k) : pinned_actor(cfg), kept(k) {}
    caf::behavior make_behavior() override {
      return {[this](const published&) {
        kept->push_back(current_mailbox_element()->copy_content_to_message());
      }};
    }
    std::vector<caf::message>* kept;
  };
  arriving t;
  std::vector<caf::message> kept;
  lines changed;
  t.room.subscribe(t.rt.spawn_on<keeper>(0, &kept));
  struct changer : pinned_actor {
    changer(caf::actor_config& cfg, lines* l) : pinned_actor(cfg), heard(l) {}
    caf::behavior make_behavior() override {
      return {[this](published& p) { // one of its own, to do with as it likes
        heard->emplace_back(p.bytes.text());
        p.bytes = shared_bytes{"changed"};
      }};
    }
    lines* heard;
  };
  t.room.subscribe(t.rt.spawn_on<changer>(0, &changed));
  lines last;
  t.room.subscribe(t.rt.spawn_on<pinned_reader>(0, &last));
  t.rt.settle();
  t.rt.in_turn([&] {
    for (const auto* const text : {"1", "2", "3"})
      t.add(t.room, text);
    t.arrivals.hand_over();
  });
  t.rt.settle();
  REQUIRE(kept.size() == 3);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(kept[i].get_as<published>(0).bytes.text() == std::to_string(i + 1));
  CHECK(changed == lines{"1", "2", "3"});
  CHECK(last == lines{"1", "2", "3"});
}

TEST_CASE("bytes that a reader keeps are not those of the next publication", "[topic]") {
  struct keeper : pinned_actor {
    keeper(caf::actor_config& cfg, std::vector<shared_bytes>* k) : pinned_actor(cfg), kept(k) {}
    caf::behavior make_behavior() override {
      return {[this](const published& p) {
        if (p.bytes.text() != "not this")
          kept->push_back(p.bytes);
      }};
    }
    std::vector<shared_bytes>* kept;
  };
  arriving t;
  std::vector<shared_bytes> kept;
  t.room.subscribe(t.rt.spawn_on<keeper>(0, &kept));
  t.rt.settle();
  t.rt.in_turn([&] {
    for (const auto* const text :
         {"a first one", "not this", "2", "not this", "3", "longer than all"})
      t.add(t.room, text);
    t.arrivals.hand_over();
  });
  t.rt.settle();
  lines texts;
  for (const auto& bytes : kept)
    texts.emplace_back(bytes.text());
  CHECK(texts == lines{"a first one", "2", "3", "longer than all"});
}

TEST_CASE("what was handed over is delivered, also if who did that has ended", "[topic]") {
  arriving t;
  lines heard;
  const auto a = t.rt.spawn_on<pinned_reader>(0, &heard);
  t.rt.settle();
  t.rt.in_turn([&] {
    auto arrivals = std::make_unique<topic_arrivals>(t.rt);
    {
      const topic gone{t.rt}; // nobody has a handle but the subscriber and what waits
      gone.subscribe(a);
      arrivals->add(gone, as_bytes("once"));
    }
    arrivals->hand_over();
    arrivals.reset();
  });
  t.rt.settle();
  CHECK(heard == lines{"once"});
}

TEST_CASE("a long delivery leaves the rest of the loop its share, and loses no order", "[topic]") {
  manual_clock time;
  runtime rt{
    {.loops = 1, .time_per_turn = 1ms, .install_signal_handlers = false, .time_source = &time}};
  topic room{rt};
  topic_arrivals arrivals{rt};
  lines heard;
  room.subscribe(rt.spawn_on<pinned_reader>(0, &heard, [&](auto&) { time.advance(50us); }));
  rt.reactor().iterate();
  const auto add = [&](int from, int to) {
    rt.reactor().call_from_thread([&, from, to] {
      for (int i = from; i < to; ++i)
        arrivals.add(room, as_bytes(std::to_string(i)));
      arrivals.hand_over();
    });
  };
  add(0, 1000);
  std::size_t turns = 0;
  lines all;
  for (; heard.size() < 1100 && turns < 1000; ++turns) {
    rt.reactor().iterate();
    if (turns == 3)
      add(1000, 1100);
  }
  for (int i = 0; i < 1100; ++i)
    all.push_back(std::to_string(i));
  CHECK(heard == all);
  CHECK(turns > 10);
}

TEST_CASE("what arrives reaches other loops in order, at transports and at readers", "[topic]") {
  runtime rt{{.loops = 2, .install_signal_handlers = false}};
  const topic room{rt}, end{rt};
  topic_arrivals arrivals{rt};
  lines heard;
  fake_connection::output out;
  const caf::actor connection = rt.spawn_on<fake_connection>(1, &out);
  end.subscribe(rt.spawn_on<pinned_reader>(1, &heard, [&](auto&) { rt.stop(); }));
  room.subscribe(rt.spawn_on<pinned_reader>(1, &heard));
  rt.reactor().call_when_running([&] {
    rt.scheduler().loop(1).post([&] {
      room.subscribe(&topic_fixture::connection(connection));
      rt.reactor().call_from_thread([&] {
        for (int round = 0; round < 10; ++round) {
          for (int i = 0; i < 10; ++i)
            arrivals.add(room, as_bytes(std::to_string(i)));
          arrivals.hand_over();
        }
        arrivals.add(end, as_bytes("end"));
        arrivals.hand_over();
      });
    });
  });
  rt.run();
  REQUIRE(heard.size() == 101);
  for (std::size_t i = 0; i < 100; ++i)
    CHECK(heard[i] == std::to_string(i % 10));
  REQUIRE(out.written.size() == 100);
  for (std::size_t i = 0; i < 100; ++i)
    CHECK(out.written[i] == static_cast<char>('0' + i % 10));
}
