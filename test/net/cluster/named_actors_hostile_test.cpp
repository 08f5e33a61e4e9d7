// A node that says what it likes of names, and asks what it likes.

#include <troupe/cluster/cluster_actor.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/cluster/cluster.hpp>
#include <troupe/cluster/detail/message_codec.hpp>
#include <troupe/cluster/memory_backplane.hpp>
#include <troupe/testing/cluster_fixture.hpp>

#include "named_server.hpp"
#include "support/catch.hpp"
#include "wire.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

/// Says what it likes, as a node called "x".
struct liar final : backplane_events {
  liar(troupe::runtime& rt, memory_backplane& wire)
    : link(wire.attach({rt, "troupe", "x"}, *this)) {}
  void backplane_up() override {}
  void backplane_down(const failure&) override {}
  void backplane_received(std::string_view, bytes_view message) override {
    heard.emplace_back(as_text(message));
  }
  void say(const troupe::detail::wire::writer& message) { link->send_all(message.view()); }

  std::vector<std::string> heard;
  std::unique_ptr<backplane_link> link;
};

} // namespace

TEST_CASE("what another node makes up is refused, and grows nothing", "[cluster][names]") {
  namespace wire = troupe::detail::wire;
  manual_runtime rt;
  auto carrier = std::make_shared<memory_backplane>();
  cluster_options options;
  options.name = "a";
  options.via = carrier;
  troupe::cluster a{rt, options};
  liar x{rt, *carrier};
  const auto pass = [&](int ms) {
    for (; ms > 0; ms -= 10)
      rt.advance(10ms);
  };
  std::vector<std::int64_t> notes;
  const auto who = rt.spawn_on<server>(0, "a", &notes);
  rt.in_turn([&] { a.serve("users", who); });
  pass(1000);
  const auto from = [](wire::kind what) {
    return wire::header{what, 7, 9};
  };
  const auto beat = [&](std::uint64_t facts) {
    wire::writer out{from(wire::kind::beat)};
    wire::beat b;
    b.period_ms = 500;
    b.facts = facts;
    wire::write(out, b);
    x.say(out);
    pass(10);
  };
  // Its boot is not ours, so questions for it are not answered: take ours from a beat.
  std::uint64_t boot = 0;
  beat(0);
  for (const auto& message : x.heard) {
    wire::reader in{as_bytes(message)};
    std::uint8_t other = 0;
    if (const auto h = wire::read_header(in, other))
      boot = h->boot;
  }
  REQUIRE(boot != 0);

  const auto refused = a.counters().refused_messages;
  const auto facts = [&](auto fill) {
    wire::writer out{from(wire::kind::facts)};
    wire::write(out, wire::interest{0, 0, 0, 1});
    fill(out);
    x.say(out);
    pass(10);
  };
  facts([](wire::writer& out) { out.u8(1).text("").varint(0); });                  // no key
  facts([](wire::writer& out) { out.u8(1).text("\1name").varint(3).raw("abc"); }); // no number
  facts([](wire::writer& out) { out.u8(1).text("\1name").varint(1'000'000'000); });
  facts([](wire::writer& out) {
    out.u8(1).text('\1' + std::string(201, 'x')).varint(8).raw("12345678");
  });
  facts(
    [](wire::writer& out) { out.u8(1).text("\1name").varint(5000).raw(std::string(5000, 'x')); });
  CHECK(a.counters().refused_messages == refused + 5);
  CHECK_FALSE(a.actor("name", "x").is_served());

  // Names without an end: as many as a node may serve are kept.
  for (std::uint64_t part = 0; part < 12; ++part) {
    wire::writer out{from(wire::kind::facts)};
    wire::write(out, wire::interest{0, 0, part, part + 1});
    for (int i = 0; i < 1000; ++i)
      out.u8(1)
        .text("\1n" + std::to_string(part * 1000 + static_cast<std::uint64_t>(i)))
        .varint(8)
        .raw("12345678");
    x.say(out);
  }
  pass(10);
  CHECK(a.actor("n0", "x").is_served());
  CHECK(a.actor("n9999", "x").is_served());
  CHECK_FALSE(a.actor("n10000", "x").is_served());

  const auto question = [&](std::uint64_t number, std::string_view name, std::string_view bytes) {
    wire::writer out{from(wire::kind::question)};
    wire::question q;
    q.to = boot;
    q.number = number;
    q.timeout_ms = 1000;
    q.name = name;
    wire::write(out, q);
    out.raw(bytes);
    x.heard.clear();
    x.say(out);
  };
  const auto answers = [&] {
    pass(50); // a turn there, and a turn back
    std::vector<std::string> all;
    for (const auto& message : x.heard) {
      wire::reader in{as_bytes(message)};
      std::uint8_t other = 0;
      const auto h = wire::read_header(in, other);
      if (!h || h->what != wire::kind::answer)
        continue;
      const auto answer = wire::read_answer(in);
      REQUIRE(answer);
      auto content = troupe::detail::read_message(rt.system(), as_bytes(in.rest()));
      REQUIRE(content);
      all.push_back(answer->failed ? content->get_as<failure>(0).message()
                                   : content->get_as<std::string>(0));
    }
    return all;
  };
  question(1, "users", "\x7f garbage");
  auto got = answers();
  REQUIRE(got.size() == 1);
  CHECK_THAT(got[0], Contains("a message with"));
  question(2, "nobody", "");
  got = answers();
  REQUIRE(got.size() == 1);
  CHECK_THAT(got[0], Contains("nobody serves"));
  std::string never;
  CHECK_FALSE(
    troupe::detail::write_message(never, rt.system(), caf::make_message(never_atom::value)));
  rt.in_turn([&] {
    for (std::uint64_t i = 0; i < 10'001; ++i)
      question(100 + i, "users", never);
  });
  pass(200);
  got = answers();
  REQUIRE(got.size() == 1); // one too many
  CHECK_THAT(got[0], Contains("10,000 questions"));
  for (int i = 0; i < 100; ++i) {
    beat(12);
    pass(10);
  }
  question(3, "users", never); // the others have timed out, and room is there again
  got = answers();
  CHECK(got.empty());
  logged_errors{rt}.flush();
}
