// The Q method: every state, every verb, both sides, and two ends that talk to each other.

#include <deque>
#include <random>
#include <utility>

#include <troupe/telnet/negotiation.hpp>

#include "support/catch.hpp"

using namespace troupe;

namespace {

using side = telnet_side;
using cmd = telnet_command;
constexpr auto echo = telnet_option::echo;

struct names {
  cmd on, off;           // what we send
  cmd peer_on, peer_off; // what the peer sends about the same side
};
constexpr names words(side s) {
  return s == side::local ? names{cmd::will, cmd::wont, cmd::do_, cmd::dont}
                          : names{cmd::do_, cmd::dont, cmd::will, cmd::wont};
}

// Brings the option into a state by requests and answers.
enum class start { no, yes, want_no, want_no_opposite, want_yes, want_yes_opposite };
telnet_negotiation in(start s, side of) {
  telnet_negotiation n;
  telnet_step step;
  if (s == start::yes || s == start::want_no || s == start::want_no_opposite)
    n.received(words(of).peer_on, echo, true);
  if (s == start::want_yes || s == start::want_yes_opposite)
    n.request(of, echo, true, step);
  if (s == start::want_no || s == start::want_no_opposite || s == start::want_yes_opposite)
    n.request(of, echo, false, step);
  if (s == start::want_no_opposite)
    n.request(of, echo, true, step);
  return n;
}

struct row {
  start from;
  bool positive;
  bool agree;
  char sends; // '+', '-' or ' '
  bool enabled_after;
  bool pending_after;
  bool answered;
  bool declined;
};

} // namespace

TEST_CASE("telnet_negotiation: what comes, in every state, as RFC 1143 has it") {
  const row table[] = {
    {start::no, true, true, '+', true, false, false, false},
    {start::no, true, false, '-', false, false, false, false},
    {start::no, false, true, ' ', false, false, false, false},
    {start::yes, true, true, ' ', true, false, false, false},
    {start::yes, false, true, '-', false, false, false, false},
    {start::want_no, true, true, ' ', false, false, true, false},
    {start::want_no, false, true, ' ', false, false, true, false},
    {start::want_no_opposite, true, true, ' ', true, false, true, true},
    {start::want_no_opposite, false, true, '+', false, true, true, false},
    {start::want_yes, true, true, ' ', true, false, true, false},
    {start::want_yes, false, true, ' ', false, false, true, true},
    {start::want_yes_opposite, true, true, '-', false, true, true, false},
    {start::want_yes_opposite, false, true, ' ', false, false, true, true},
  };
  for (const auto s : {side::local, side::remote})
    for (const auto& r : table) {
      CAPTURE(int(r.from), r.positive, r.agree, int(s));
      auto n = in(r.from, s);
      const auto w = words(s);
      const auto step = n.received(r.positive ? w.peer_on : w.peer_off, echo, r.agree);
      CHECK(step.verb == (r.sends == '+' ? w.on : r.sends == '-' ? w.off : cmd::nop));
      CHECK(n.enabled(s, echo) == r.enabled_after);
      CHECK(n.pending(s, echo) == r.pending_after);
      CHECK(step.answered == r.answered);
      CHECK(step.declined == r.declined);
      // The other side of the option, and other options, know nothing of it.
      const auto other = s == side::local ? side::remote : side::local;
      CHECK_FALSE(n.enabled(other, echo));
      CHECK_FALSE(n.pending(other, echo));
      CHECK_FALSE(n.enabled(s, telnet_option::binary));
    }
}

TEST_CASE("telnet_negotiation: what is asked for, in every state, as RFC 1143 has it") {
  using enum telnet_request;
  const std::pair<start, std::pair<telnet_request, telnet_request>> table[] = {
    {start::no, {sent, already}},
    {start::yes, {already, sent}},
    {start::want_no, {queued, negotiating}},
    {start::want_no_opposite, {negotiating, unqueued}},
    {start::want_yes, {negotiating, queued}},
    {start::want_yes_opposite, {unqueued, negotiating}},
  };
  for (const auto s : {side::local, side::remote})
    for (const auto& [from, expected] : table)
      for (const bool enable : {true, false}) {
        CAPTURE(int(from), enable, int(s));
        auto n = in(from, s);
        telnet_step step;
        const auto got = n.request(s, echo, enable, step);
        CHECK(got == (enable ? expected.first : expected.second));
        CHECK(step.verb == (got != sent ? cmd::nop : enable ? words(s).on : words(s).off));
      }
}

TEST_CASE("telnet_negotiation: whatever comes, there are no more answers than requests") {
  std::mt19937 random{11};
  for (int round = 0; round < 200; ++round) {
    telnet_negotiation n;
    int asked = 0, answers = 0;
    for (int i = 0; i < 500; ++i) {
      const auto verb = static_cast<cmd>(251 + random() % 4);
      const auto option = static_cast<telnet_option>(random() % 3);
      ++asked;
      answers += n.received(verb, option, random() % 2 == 0).verb != cmd::nop ? 1 : 0;
      REQUIRE(answers <= asked);
    }
  }
}

TEST_CASE("telnet_negotiation: two ends come to rest, and agree, whatever they ask for") {
  std::mt19937 random{5};
  for (int round = 0; round < 2000; ++round) {
    telnet_negotiation a, b;
    std::deque<cmd> to_a, to_b;
    const auto send = [](std::deque<cmd>& to, const telnet_step& step) {
      if (step.verb != cmd::nop)
        to.push_back(step.verb);
    };
    const bool a_agrees = random() % 2, b_agrees = random() % 2;
    for (int i = 0; i < 12; ++i) {
      telnet_step step;
      switch (random() % 4) {
      case 0:
        a.request(random() % 2 ? side::local : side::remote, echo, random() % 2, step);
        send(to_b, step);
        break;
      case 1:
        b.request(random() % 2 ? side::local : side::remote, echo, random() % 2, step);
        send(to_a, step);
        break;
      case 2:
        if (!to_a.empty()) {
          send(to_b, a.received(to_a.front(), echo, a_agrees));
          to_a.pop_front();
        }
        break;
      default:
        if (!to_b.empty()) {
          send(to_a, b.received(to_b.front(), echo, b_agrees));
          to_b.pop_front();
        }
      }
    }
    int moves = 0;
    while (!to_a.empty() || !to_b.empty()) {
      REQUIRE(++moves < 100);
      if (!to_a.empty()) {
        send(to_b, a.received(to_a.front(), echo, a_agrees));
        to_a.pop_front();
      }
      if (!to_b.empty()) {
        send(to_a, b.received(to_b.front(), echo, b_agrees));
        to_b.pop_front();
      }
    }
    for (const auto s : {side::local, side::remote}) {
      const auto other = s == side::local ? side::remote : side::local;
      REQUIRE_FALSE(a.pending(s, echo));
      REQUIRE_FALSE(b.pending(other, echo));
      REQUIRE(a.enabled(s, echo) == b.enabled(other, echo));
    }
  }
}
