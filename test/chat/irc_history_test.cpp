// What was said before, for clients of IRC: CHATHISTORY.

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "chat/irc_door.hpp"
#include "chat/irc_history.hpp"
#include "keeping_chat.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using namespace chat_test;
using irc::history_kind;
using step = irc_history_walk::step;

namespace {

// -- a past, without a store ------------------------------------------------------------------------

constexpr std::uint64_t epoch = 7;

/// Messages at 1, 2, 3 ... seconds, of which each third is two lines; sequences 10, 20, 30 ...
struct past {
  explicit past(std::size_t count) {
    for (std::size_t i = 1; i <= count; ++i) {
      const auto n = std::to_string(i);
      messages.push_back(std::make_shared<const kept_message>(
        kept_message{{epoch, i * 10},
                     (i - 1) * 10,
                     static_cast<std::int64_t>(i) * 1000,
                     {},
                     shared_bytes{i % 3 == 0 ? "<ann> " + n + "a\r\n<ann> " + n + "b\r\n"
                                             : "<bob> " + n + "\r\n"}}));
    }
  }

  history_page read(const history_request& r) const {
    history_page page;
    page.epoch = epoch;
    if (r.before.epoch != 0 && r.before.epoch != epoch)
      return page;
    const auto end = std::ranges::find_if(messages, [&](const kept_ref& m) {
      return r.before.epoch != 0 && m->at.sequence >= r.before.sequence;
    });
    const auto size =
      std::min<std::size_t>(r.limit, static_cast<std::size_t>(end - messages.begin()));
    page.messages.assign(end - static_cast<std::ptrdiff_t>(size), end);
    return page;
  }

  /// Returns the texts of what is found.
  std::string find(history_kind kind, const irc::history_point& from, const irc::history_point& to,
                   std::size_t limit) {
    irc_history_walk walk{"#c", {kind, from, to, limit}};
    last = walk.begin();
    while (last == step::more)
      last = walk.take(read(walk.next()));
    pages = walk.pages();
    std::string texts;
    for (const auto& l : walk.lines())
      texts.append(texts.empty() ? "" : " ").append(l.text);
    return texts;
  }

  std::vector<kept_ref> messages;
  step last = step::more;
  std::size_t pages = 0;
};

irc::history_point at(std::chrono::milliseconds t) {
  return {.time = std::chrono::system_clock::time_point{t}};
}
irc::history_point id(const std::string& sequence_and_number) {
  return {.id = "7-" + sequence_and_number};
}

} // namespace

TEST_CASE("irc history: each question is answered with the lines next to its place", "[chat]") {
  past p{10};
  const irc::history_point none;
  using enum history_kind;
  CHECK(p.find(latest, none, none, 3) == "9a 9b 10");
  CHECK(p.find(latest, none, none, 2) == "9b 10");
  CHECK(p.find(latest, at(8s), none, 100) == "9a 9b 10");
  CHECK(p.find(latest, id("90.0"), none, 100) == "9b 10");
  CHECK(p.find(latest, at(10s), none, 100).empty());
  CHECK(p.find(latest, none, none, 100) == "1 2 3a 3b 4 5 6a 6b 7 8 9a 9b 10");
  CHECK(p.find(before, at(4s), none, 3) == "2 3a 3b");
  CHECK(p.find(before, at(3999ms), none, 2) == "3a 3b");
  CHECK(p.find(before, id("30.1"), none, 2) == "2 3a");
  CHECK(p.pages == 1);
  CHECK(p.find(before, id("10.0"), none, 2).empty());
  CHECK(p.last == step::done);
  CHECK(p.find(before, at(0s), none, 2).empty());
  CHECK(p.find(after, at(2s), none, 3) == "3a 3b 4");
  CHECK(p.find(after, id("30.0"), none, 3) == "3b 4 5");
  CHECK(p.find(after, at(0s), none, 2) == "1 2");
  CHECK(p.find(after, at(10s), none, 2).empty());
  CHECK(p.find(around, id("30.1"), none, 5) == "2 3a 3b 4 5");
  CHECK(p.find(around, id("30.1"), none, 1) == "3b");
  CHECK(p.find(around, id("10.0"), none, 4) == "1 2");
  CHECK(p.find(around, at(10s), none, 4) == "8 9a 9b 10");
  CHECK(p.find(around, at(2500ms), none, 2) == "2 3a");
  CHECK(p.find(between, at(2s), at(6s), 3) == "3a 3b 4");
  CHECK(p.find(between, at(6s), at(2s), 3) == "3b 4 5");
  CHECK(p.find(between, id("30.0"), id("60.1"), 100) == "3b 4 5 6a");
  CHECK(p.find(between, id("60.1"), id("30.0"), 2) == "5 6a");
  CHECK(p.find(between, id("30.0"), at(5s), 100) == "3b 4");
  CHECK(p.find(between, at(5s), id("30.0"), 1) == "4");
  CHECK(p.find(between, at(4s), at(4s), 100).empty());
  CHECK(p.find(between, id("40.0"), at(4s), 100).empty());
  CHECK(p.find(between, at(11s), at(12s), 100).empty());
  CHECK(p.find(between, at(12s), at(0s), 2) == "9b 10");
}

TEST_CASE("irc history: pages are read until it is there, and no more", "[chat]") {
  past p{20'000};
  const irc::history_point none;
  using enum history_kind;
  CHECK(p.find(latest, none, none, 2) == "19999 20000");
  CHECK(p.pages == 1);
  CHECK(p.find(before, id("300.0"), none, 2) == "28 29");
  CHECK(p.pages == 1); // from its place on
  CHECK(p.find(between, id("300.0"), id("50.0"), 2) == "28 29");
  CHECK(p.pages == 1);
  CHECK(p.find(after, at(19'600s), none, 2) == "19601 19602a");
  CHECK(p.pages == 2);
  CHECK(p.find(before, at(10'001s), none, 2) == "9999b 10000");
  CHECK(p.find(after, at(9'950s), none, 2) == "9951a 9951b");
  CHECK(p.pages == 11);
  for (const auto kind : {before, after, around})
    CHECK((p.find(kind, at(9'000s), none, 2), p.last == step::too_far));
  CHECK(p.pages == 11);
  CHECK((p.find(between, at(20s), at(9s), 2), p.last == step::too_far));
}

TEST_CASE("irc history: no more is taken apart than a loop can do at once", "[chat]") {
  past p{50};
  std::string lines;
  while (lines.size() < 100'000)
    lines += "<ann> x\r\n";
  for (auto& m : p.messages)
    m = std::make_shared<const kept_message>(
      kept_message{m->at, m->previous, m->time, {}, shared_bytes{lines}});
  CHECK(p.find(history_kind::latest, {}, {}, 2) == "x x");
  CHECK(p.find(history_kind::after, at(42s), {}, 2) == "x x");
  CHECK((p.find(history_kind::after, at(38s), {}, 2), p.last == step::too_far));
}

TEST_CASE("irc history: ids that are none, or of another history", "[chat]") {
  past p{5};
  for (const auto* bad : {"x", "7-", "7-30", "7-30.", "7-30.x", "7-30.0.0", "0-30.0", "-30.0", ".0",
                          "7-99999999999999999999999.0", "7-30.-1"}) {
    CAPTURE(bad);
    CHECK(p.find(history_kind::before, {.id = bad}, {}, 5).empty());
    CHECK(p.last == step::unknown);
    CHECK(p.find(history_kind::between, at(1s), {.id = bad}, 5).empty());
    CHECK(p.last == step::unknown);
  }
  for (const auto kind : {history_kind::before, history_kind::after, history_kind::latest})
    CHECK((p.find(kind, {.id = "8-30.0"}, {}, 5), p.last == step::unknown));
  CHECK(p.find(history_kind::before, id("18446744073709551615.0"), {}, 5).empty());
  CHECK(p.find(history_kind::after, id("35.9"), {}, 5) == "4 5"); // a place, if no message
}

TEST_CASE("irc history: lines are told as they are in the room, and cut as they have to be",
          "[chat]") {
  past p{0};
  const auto keep = [&](const std::string& lines) {
    p.messages = {std::make_shared<const kept_message>(
      kept_message{{epoch, 1}, 0, 1000, {}, shared_bytes{lines}})};
    irc_history_walk walk{"#c", {history_kind::latest, {}, {}, 100}};
    CHECK(walk.take(p.read(walk.next())) == step::done);
    return walk.lines();
  };
  const auto lines = keep("<tom: the 1st!> hello\r\n* tom\xc2\xa0x waves > at <eve> there\r\n"
                          "nobody says this\r\n<> x\r\n<a,b> x\r\n<eve> \r\n<eve> \x01\x01"
                          "VERSION\x01\x1b[2J\r\n<eve> last");
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].from
        == "tom\xef\xbc\x9a\xc2\xa0the\xc2\xa0"
           "1st\xef\xbc\x81!chat@other.door");
  CHECK(lines[0].text == "hello");
  CHECK(lines[0].id == "7-1.0");
  CHECK(lines[1].from == "tom\xc2\xa0x!chat@other.door");
  CHECK(lines[1].text
        == "\x01"
           "ACTION waves > at <eve> there\x01");
  CHECK(lines[1].id == "7-1.1");
  CHECK(lines[2].text == "VERSION[2J");
  CHECK(lines[3].text == "last");
  CHECK(lines[3].id == "7-1.3");
  for (const auto* const begin : {"<ann> ", "* ann "}) {
    const auto parts = keep(begin + std::string(3000, 'x') + "\r\n");
    std::size_t said = 0;
    REQUIRE(parts.size() > 5);
    for (const auto& part : parts) {
      CHECK(part.from.size() + part.text.size() + std::string{": PRIVMSG #c :\r\n"}.size() <= 512);
      said += static_cast<std::size_t>(std::ranges::count(part.text, 'x'));
    }
    CHECK(said == 3000);
  }
}

// -- at the door --------------------------------------------------------------------------------------

namespace {

struct keeping_two_doors : keeping_chat {
  explicit keeping_two_doors(bool keeps = true)
    : keeping_chat(keeps), telnet(net.listen(0, service.make_factory())),
      irc(net.listen(0, make_irc_door(net.rt, service))) {
    net.flush();
  }

  strings say(user& u, std::string_view lines) {
    net.advance(3s); // who talks too fast waits
    net.flush();
    u.heard.clear();
    net.enter(u, [&] { u.transport().write(std::string{lines} + "\r\n"); });
    settle();
    return u.heard;
  }
  void settle() {
    for (int i = 0; i < 8; ++i) {
      net.flush(); // the answer takes some turns
      net.advance(0s);
    }
  }

  user& with_irc(const std::string& nick, const std::string& capabilities = "batch message-tags") {
    auto& u = net.connect<user>(irc);
    say(u, "CAP REQ :" + capabilities + "\r\nNICK " + nick + "\r\nUSER u 0 * :real\r\nCAP END");
    say(u, "JOIN #lobby");
    return u;
  }
  user& with_telnet(const std::string& name) {
    auto& u = net.connect<user>(telnet);
    say(u, name);
    return u;
  }

  std::uint16_t telnet;
  std::uint16_t irc;
};

/// Returns lines without their tags.
strings bare(strings lines) {
  for (auto& line : lines)
    if (line.starts_with('@'))
      line.erase(0, line.find(' ') + 1);
  return lines;
}

std::string msgid(const std::string& line) {
  const auto begin = line.find("msgid=") + 6;
  REQUIRE(begin > 6);
  return line.substr(begin, line.find_first_of("; ", begin) - begin);
}

const strings nothing{":chat.local BATCH +history chathistory #lobby",
                      ":chat.local BATCH -history"};

} // namespace

TEST_CASE("irc history: a client of IRC reads what was said before, by whichever door", "[chat]") {
  keeping_two_doors c;
  auto& tom = c.with_telnet("tom");
  auto& ann = c.with_irc("ann");
  c.say(tom, "one\r\ntwo");
  c.say(ann, "PRIVMSG #lobby :three\r\nPRIVMSG #lobby :\x01"
             "ACTION waves\x01\r\nPRIVMSG #lobby :\x01VERSION\x01");
  auto& bob = c.with_irc("bob");
  CHECK(std::ranges::none_of(bob.heard, [](auto& l) { return l.find("one") != l.npos; }));
  const auto all = c.say(bob, "CHATHISTORY LATEST #Lobby * 100");
  CHECK(bare(all)
        == strings{nothing[0], ":tom!chat@other.door PRIVMSG #lobby :one",
                   ":tom!chat@other.door PRIVMSG #lobby :two",
                   ":ann!chat@other.door PRIVMSG #lobby :three",
                   ":ann!chat@other.door PRIVMSG #lobby :\x01"
                   "ACTION waves\x01",
                   nothing[1]});
  const auto two = c.say(bob, "CHATHISTORY BEFORE #lobby msgid=" + msgid(all[3]) + " 1");
  REQUIRE(two.size() == 3);
  CHECK(two[1] == all[2]);
  CHECK(c.say(bob, "CHATHISTORY AFTER #lobby msgid=" + msgid(all[2]) + " 1")[1] == all[3]);
  CHECK(c.say(bob, "CHATHISTORY LATEST #lobby msgid=" + msgid(all[3]) + " 9")[1] == all[4]);
  CHECK(c.say(bob, "CHATHISTORY AROUND #lobby msgid=" + msgid(all[2]) + " 3").size() == 5);
  CHECK(c.say(bob, "CHATHISTORY BETWEEN #lobby msgid=" + msgid(all[1]) + " msgid=" + msgid(all[4])
                     + " 9")
          .size()
        == 4);
  CHECK(c.say(bob, "CHATHISTORY AFTER #lobby timestamp=2020-01-01T00:00:00.000Z 1")[1] == all[1]);
  CHECK(c.say(bob, "CHATHISTORY BEFORE #lobby timestamp=2020-01-01T00:00:00.000Z 1") == nothing);
  CHECK(c.say(bob, "CHATHISTORY BEFORE #lobby timestamp=2120-01-01T00:00:00.000Z 1")[1] == all[4]);
  CHECK(c.say(bob, "JOIN #other\r\nCHATHISTORY LATEST #other * 5").back()
        == ":chat.local BATCH -history");
}

TEST_CASE("irc history: a client without batches reads lines, with the time if it can", "[chat]") {
  keeping_two_doors c;
  auto& tom = c.with_telnet("tom");
  c.say(tom, "one");
  auto& ann = c.with_irc("ann", "server-time");
  const auto got = c.say(ann, "CHATHISTORY LATEST #lobby * 5");
  REQUIRE(got.size() == 1);
  CHECK(got[0].starts_with("@time=20"));
  CHECK(bare(got) == strings{":tom!chat@other.door PRIVMSG #lobby :one"});
}

TEST_CASE("irc history: only where one is, in rooms where one was let in", "[chat]") {
  keeping_two_doors c;
  auto& tom = c.with_telnet("tom");
  c.say(tom, "/join secret\r\nwhisper");
  auto& ann = c.with_irc("ann");
  for (const auto* room : {"#secret", "#nowhere", "tom"})
    CHECK(c.say(ann, std::string{"CHATHISTORY LATEST "} + room + " * 5")
          == strings{std::string{":chat.local FAIL CHATHISTORY INVALID_TARGET LATEST "} + room
                     + " :Messages could not be retrieved"});
  CHECK(c.say(ann, "CHATHISTORY LATEST #lobby msgid=no-such 5")
        == strings{":chat.local FAIL CHATHISTORY MESSAGE_ERROR LATEST #lobby :There is no such "
                   "message"});
  CHECK(c.say(ann, "CHATHISTORY BEFORE #lobby msgid=abc-1.0 5")
        == strings{":chat.local FAIL CHATHISTORY MESSAGE_ERROR BEFORE #lobby :There is no such "
                   "message"});
  keeping_two_doors without{false};
  auto& bob = without.with_irc("bob");
  CHECK(without.say(bob, "CHATHISTORY LATEST #lobby * 5")
        == strings{":chat.local 421 bob CHATHISTORY :Unknown command"});
  CHECK(without.say(bob, "CAP REQ draft/chathistory")
        == strings{":chat.local CAP bob NAK :draft/chathistory"});
}

TEST_CASE("irc history: a client asks where something was said lately, of where it is", "[chat]") {
  keeping_two_doors c;
  auto& tom = c.with_telnet("tom");
  c.say(tom, "one");
  c.say(tom, "/join secret\r\nwhisper");
  auto& ann = c.with_irc("ann", "batch");
  c.say(ann, "JOIN #quiet\r\nJOIN #Other");
  c.say(ann, "PRIVMSG #other :two\r\nPRIVMSG tom :for you alone");
  const auto asked = [&](const std::string& from, const std::string& to) {
    auto lines = bare(c.say(ann, "CHATHISTORY TARGETS timestamp=" + from
                                   + "-01-01T00:00:00.000Z "
                                     "timestamp="
                                   + to + "-01-01T00:00:00.000Z 10"));
    for (auto& line : lines)
      if (const auto at = line.find(" 2", 5); at != line.npos)
        line.resize(at); // the time
    return lines;
  };
  const strings ends{":chat.local BATCH +history draft/chathistory-targets",
                     ":chat.local BATCH -history"};
  auto found = asked("2020", "2120");
  REQUIRE(found.size() == 4);
  std::sort(found.begin() + 1, found.end() - 1); // both may have been said in one millisecond
  CHECK(found
        == strings{ends[0], ":chat.local CHATHISTORY TARGETS #Other",
                   ":chat.local CHATHISTORY TARGETS #lobby", ends[1]});
  CHECK(asked("2020", "2021") == ends);
  c.say(ann, "PART #lobby\r\nPART #Other\r\nPART #quiet");
  CHECK(asked("2020", "2120") == ends);
}

TEST_CASE("irc history: questions are answered one after the other, and are bounded", "[chat]") {
  keeping_two_doors c;
  auto& tom = c.with_telnet("tom");
  for (int i = 0; i < 150; ++i)
    c.say(tom, std::to_string(i));
  auto& ann = c.with_irc("ann");
  c.net.advance(60s);
  c.settle();
  const auto got = c.say(ann, "CHATHISTORY LATEST #lobby * 1\r\n"
                              "CHATHISTORY LATEST #lobby * 5000\r\nPING x");
  REQUIRE(got.size() == 3 + 102 + 1);
  CHECK(bare(got)[1] == ":tom!chat@other.door PRIVMSG #lobby :149");
  CHECK(bare(got)[4] == ":tom!chat@other.door PRIVMSG #lobby :50");
  CHECK(got.back() == ":chat.local PONG chat.local :x");
  std::string many;
  for (int i = 0; i < 40; ++i)
    many += "CHATHISTORY AFTER #lobby timestamp=2020-01-01T00:00:00.000Z 1\r\n";
  c.net.advance(60s);
  c.settle();
  const auto reads = c.kept.counters().store_reads;
  c.say(ann, many + "PING x");
  CHECK(std::ranges::count(bare(ann.heard), nothing[1]) >= 2);
  CHECK(std::ranges::count(bare(ann.heard), nothing[1]) <= 6); // what waits has to wait
  CHECK(c.kept.counters().store_reads - reads <= 6);
}

TEST_CASE("irc history: so many wait for the store, and others are asked to come again", "[chat]") {
  keeping_two_doors c;
  auto& tom = c.with_telnet("tom");
  for (int i = 0; i < 150; ++i)
    c.say(tom, std::to_string(i));
  std::vector<user*> all;
  for (int i = 0; i < 10; ++i)
    all.push_back(&c.with_irc("ann" + std::to_string(i)));
  const auto ask = [&](const std::string& what) {
    for (auto* const u : all) {
      u->heard.clear();
      c.net.enter(*u, [&] { u->transport().write("CHATHISTORY " + what + "\r\n"); });
    }
    c.settle();
    return std::ranges::count(all,
                              strings{":chat.local FAIL CHATHISTORY MESSAGE_ERROR AFTER #lobby "
                                      ":Too many read what was said before; please ask again"},
                              [](const user* u) { return u->heard; });
  };
  const std::string far_back = "AFTER #lobby timestamp=2020-01-01T00:00:00.000Z 1";
  CHECK(ask("LATEST #lobby * 100") == 0);
  CHECK(all[9]->heard.size() == 102); // of what is in memory, all
  CHECK(ask(far_back) == 2);
  CHECK(bare(all[0]->heard)[1] == ":tom!chat@other.door PRIVMSG #lobby :0");
  c.net.advance(20s);
  all.resize(8);
  CHECK(ask(far_back) == 0); // they wait no more
}

TEST_CASE("irc history: who goes while it is read is not waited for", "[chat]") {
  keeping_two_doors c;
  auto& tom = c.with_telnet("tom");
  for (int i = 0; i < 150; ++i)
    c.say(tom, std::to_string(i));
  auto& ann = c.with_irc("ann");
  c.net.enter(ann, [&] {
    ann.transport().write(
      std::string{"CHATHISTORY AFTER #lobby timestamp=2020-01-01T00:00:00.000Z 1\r\n"});
    ann.transport().lose_connection();
  });
  c.settle();
  CHECK(c.say(tom, "/who") == strings{"In lobby: tom"});
}
