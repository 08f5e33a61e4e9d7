// CHATHISTORY: what is asked, and how answers look.

#include <chrono>
#include <optional>

#include <troupe/irc/session.hpp>

#include "server_fixture.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using strings = std::vector<std::string>;
using irc::history_kind;

namespace {

struct remembering : irc::server {
  using server::server;
  void history_wanted(irc::session& who, irc::channel& where,
                      const irc::history_question& question) override {
    asker = &who;
    channel = where.name;
    asked.push_back(question);
    if (at_once)
      who.answer_history(lines);
  }
  void history_targets_wanted(irc::session& who,
                              const irc::history_targets_question& question) override {
    asker = &who;
    targets_asked.push_back(question);
    if (at_once)
      who.answer_history_targets(targets);
  }
  std::vector<irc::history_targets_question> targets_asked;
  std::vector<irc::history_target> targets;
  irc::session* asker = nullptr;
  std::string channel;
  std::vector<irc::history_question> asked;
  std::vector<irc::history_line> lines;
  bool at_once = true;
};

const auto noon = std::chrono::sys_days{std::chrono::year{2026} / 1 / 31} + 12h + 3ms;

struct fixture : irc_fixture {
  explicit fixture(bool flood_control = false, std::size_t limit = 50)
    : irc_fixture(std::make_shared<remembering>(irc::server_options{.name = "irc.example",
                                                                    .cloak_hosts = false,
                                                                    .flood_control = flood_control,
                                                                    .history_limit = limit})) {}
  remembering& its() { return static_cast<remembering&>(*server); }

  irc_user& in_channel(const std::string& capabilities = {}) {
    auto& u = join("ann", capabilities.empty() ? std::string{}
                                               : "CAP REQ :" + capabilities + "\r\nCAP END\r\n");
    say(u, "JOIN #C");
    u.heard.clear();
    return u;
  }
};

std::string failed(const std::string& rest) {
  return ":irc.example FAIL CHATHISTORY " + rest;
}

} // namespace

TEST_CASE("chathistory: times of tags are read as they are written, and nothing else") {
  for (const auto t :
       {noon + 0ms, noon + 996ms, std::chrono::sys_time<std::chrono::milliseconds>{}})
    CHECK(irc::parse_tag_time(irc::tag_time(t)) == t);
  CHECK(irc::parse_tag_time("2026-01-31T12:00:00Z") == noon - 3ms);
  CHECK(irc::parse_tag_time("2016-12-31T23:59:60.000Z"));
  const auto last = std::chrono::system_clock::time_point::max();
  for (const auto* late : {"2263-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"})
    CHECK(irc::parse_tag_time(late) == std::chrono::floor<std::chrono::milliseconds>(last));
  for (const auto* bad :
       {"", "2026-01-31T12:00:00.003", "2026-01-31 12:00:00.003Z", "2026-02-30T12:00:00.003Z",
        "2026-13-01T12:00:00.003Z", "2026-00-01T12:00:00.003Z", "2026-01-31T24:00:00.003Z",
        "2026-01-31T12:60:00.003Z", "2026-01-31T12:00:61.003Z", "1969-12-31T12:00:00.000Z",
        "2026-01-31T12:00:00.0033Z", "2026-01-31T12:00:00.+03Z", "-026-01-31T12:00:00.003Z",
        "2026-01-31T12:00:00.003Zx", "1769860800"})
    CHECK_FALSE(irc::parse_tag_time(bad));
}

TEST_CASE("chathistory: is offered where there is a history, and unknown elsewhere") {
  fixture with;
  auto& a = with.connect();
  with.say(a, "CAP LS 302\r\nCAP REQ draft/chathistory\r\nNICK ann\r\nUSER a 0 * :a\r\nCAP END");
  CHECK(with.has(a, "draft/chathistory"));
  CHECK(with.has(a, "CAP * ACK :draft/chathistory"));
  CHECK(with.has(a, " CHATHISTORY=50 MSGREFTYPES=timestamp,msgid "));
  CHECK(with.ask(a, "CAP LIST")
        == strings{":irc.example CAP ann LIST :cap-notify draft/chathistory"});
  fixture without{false, 0};
  auto& b = without.connect();
  without.say(b, "CAP LS 302\r\nCAP REQ draft/chathistory\r\nNICK ann\r\nUSER a 0 * :a\r\nCAP END");
  CHECK(without.has(b, "CAP * NAK :draft/chathistory"));
  CHECK_FALSE(without.has(b, "CHATHISTORY="));
  CHECK(without.ask(b, "JOIN #C\r\nCHATHISTORY LATEST #C * 5").back()
        == ":irc.example 421 ann CHATHISTORY :Unknown command");
}

TEST_CASE("chathistory: questions are read") {
  fixture f;
  auto& a = f.in_channel();
  f.say(a, "CHATHISTORY LATEST #c * 5\r\n"
           "chathistory latest #c msgid=x-1 500\r\n"
           "CHATHISTORY BEFORE #c timestamp=2026-01-31T12:00:00.003Z :50\r\n"
           "CHATHISTORY AFTER #c msgid=y 1\r\n"
           "CHATHISTORY AROUND #c msgid=y 1\r\n"
           "CHATHISTORY BETWEEN #c msgid=y timestamp=2026-01-31T12:00:00.003Z 1");
  CHECK(a.heard.empty()); // there was nothing, and no batch to say so
  const auto& asked = f.its().asked;
  REQUIRE(asked.size() == 6);
  CHECK(f.its().channel == "#C");
  CHECK(asked[0].kind == history_kind::latest);
  CHECK_FALSE(asked[0].from.is_place());
  CHECK(asked[0].limit == 5);
  CHECK(asked[1].kind == history_kind::latest);
  CHECK(asked[1].from == irc::history_point{.id = "x-1"});
  CHECK(asked[1].limit == 50); // no more than there is at once
  CHECK(asked[2].kind == history_kind::before);
  CHECK(asked[2].from == irc::history_point{.time = noon});
  CHECK(asked[2].limit == 50);
  CHECK(asked[3].kind == history_kind::after);
  CHECK(asked[4].kind == history_kind::around);
  CHECK(asked[5].kind == history_kind::between);
  CHECK(asked[5].from == irc::history_point{.id = "y"});
  CHECK(asked[5].to == irc::history_point{.time = noon});
}

TEST_CASE("chathistory: what cannot be answered is refused with the reason") {
  fixture f;
  auto& a = f.in_channel();
  const std::string place = " :A place is timestamp=YYYY-MM-DDThh:mm:ss.sssZ or msgid=ID";
  const std::string limit = " :The limit is a number from 1 on";
  const std::string few = " :Insufficient parameters";
  const auto refused = [&](const std::string& what, const std::string& answer) {
    CAPTURE(what);
    CHECK(f.ask(a, what.empty() ? "CHATHISTORY" : "CHATHISTORY " + what)
          == strings{failed(answer)});
  };
  refused("", "INVALID_PARAMS *" + few);
  refused("NEWEST #c * 5", "UNKNOWN_COMMAND NEWEST :Unknown command");
  refused(":", "UNKNOWN_COMMAND * :Unknown command");
  refused(":a b", "UNKNOWN_COMMAND * :Unknown command");
  refused(std::string(400, 'x'), "UNKNOWN_COMMAND " + std::string(200, 'x') + " :Unknown command");
  refused("LATEST", "INVALID_PARAMS LATEST" + few);
  refused("latest #c *", "INVALID_PARAMS LATEST" + few);
  refused("LATEST #c * 5 6", "INVALID_PARAMS LATEST :Too many parameters");
  refused("BETWEEN #c msgid=a 5", "INVALID_PARAMS BETWEEN" + few);
  for (const auto* bad : {"*", "msgid=", "timestamp=", "timestamp=yesterday", "id=7", "7"})
    refused("BEFORE #c " + std::string{bad} + " 5", "INVALID_PARAMS BEFORE" + place);
  refused("LATEST #c msgid=" + std::string(101, 'x') + " 5", "INVALID_PARAMS LATEST" + place);
  refused("BETWEEN #c msgid=a * 5", "INVALID_PARAMS BETWEEN" + place);
  for (const auto* bad : {"0", "-1", "x", "5x", "+5", ":", "99999999999999999999999"})
    refused("LATEST #c * " + std::string{bad}, "INVALID_PARAMS LATEST" + limit);
  const std::string no = " :Messages could not be retrieved";
  auto& b = f.join("bob");
  f.say(b, "JOIN #other");
  refused("LATEST #other * 5", "INVALID_TARGET LATEST #other" + no);
  refused("LATEST #none * 5", "INVALID_TARGET LATEST #none" + no);
  refused("LATEST bob * 5", "INVALID_TARGET LATEST bob" + no);
  refused("LATEST \x1b[2J * 5", "INVALID_TARGET LATEST [2J" + no);
  CHECK(f.its().asked.empty());
  f.say(a, "PART #c");
  refused("LATEST #c * 5", "INVALID_TARGET LATEST #c" + no);
  auto& c = f.connect();
  CHECK(f.ask(c, "CHATHISTORY LATEST #c * 5")
        == strings{":irc.example 451 * :You have not registered"});
}

TEST_CASE("chathistory: an answer has what the client can read") {
  fixture f;
  f.its().lines = {{noon, "p-1.0", "bob!b@h", "hi"},
                   {noon + 1s, "", "eve!e@h", "\x1b[2J\x02x\r\nQUIT"},
                   {noon + 2s, "a;b", "bob!b@h", std::string(600, 'x')}};
  const auto last = "PRIVMSG #C :" + std::string(600, 'x');
  const std::string time = "time=2026-01-31T12:00:00.003Z";
  const std::string later = "time=2026-01-31T12:00:01.003Z";
  const auto cut = ":bob!b@h " + last.substr(0, 510 - 9);
  SECTION("nothing of IRCv3") {
    auto& a = f.in_channel();
    CHECK(f.ask(a, "CHATHISTORY LATEST #c * 5")
          == strings{":bob!b@h PRIVMSG #C :hi", ":eve!e@h PRIVMSG #C :[2J\x02x  QUIT", cut});
  }
  SECTION("batch, time and ids") {
    auto& a = f.in_channel("batch server-time message-tags");
    CHECK(f.ask(a, "CHATHISTORY LATEST #c * 5")
          == strings{":irc.example BATCH +history chathistory #C",
                     "@batch=history;" + time + ";msgid=p-1.0 :bob!b@h PRIVMSG #C :hi",
                     "@batch=history;" + later + " :eve!e@h PRIVMSG #C :[2J\x02x  QUIT",
                     "@batch=history;time=2026-01-31T12:00:02.003Z;msgid=a\\:b " + cut,
                     ":irc.example BATCH -history"});
    f.its().lines.clear();
    CHECK(f.ask(a, "CHATHISTORY LATEST #c * 5")
          == strings{":irc.example BATCH +history chathistory #C", ":irc.example BATCH -history"});
  }
  SECTION("a label") {
    auto& a = f.in_channel("batch labeled-response");
    f.its().lines.resize(1);
    CHECK(f.ask(a, "@label=7 CHATHISTORY LATEST #c * 5")
          == strings{"@label=7 :irc.example BATCH +history chathistory #C",
                     "@batch=history :bob!b@h PRIVMSG #C :hi", ":irc.example BATCH -history"});
    CHECK(f.ask(a, "@label=8 CHATHISTORY LATEST #none * 5")
          == strings{"@label=8 "
                     + failed("INVALID_TARGET LATEST #none :Messages could not be retrieved")});
  }
  SECTION("a label without a batch") {
    auto& a = f.in_channel("labeled-response");
    f.its().lines.resize(1);
    CHECK(f.ask(a, "@label=7 CHATHISTORY LATEST #c * 5")
          == strings{"@label=7 :bob!b@h PRIVMSG #C :hi"});
    f.its().lines.clear();
    CHECK(f.ask(a, "@label=7 CHATHISTORY LATEST #c * 5") == strings{"@label=7 :irc.example ACK"});
  }
}

TEST_CASE("chathistory: what a client says waits for the answer") {
  fixture f;
  auto& a = f.in_channel("batch labeled-response");
  f.its().at_once = false;
  CHECK(
    f.ask(a, "@label=1 CHATHISTORY LATEST #c * 5\r\nCHATHISTORY LATEST #c * 6\r\nPING x").empty());
  CHECK(f.its().asked.size() == 1);
  const auto answered = [&](auto fn) {
    a.heard.clear();
    f.net.enter(*f.its().asker, [&] { fn(*f.its().asker); });
    f.net.flush();
    return a.heard;
  };
  SECTION("of one question after the other") {
    CHECK(answered([](irc::session& s) { s.answer_history({}); })
          == strings{"@label=1 :irc.example BATCH +history chathistory #C",
                     ":irc.example BATCH -history"});
    CHECK(f.its().asked.size() == 2);
    CHECK(answered([](irc::session& s) { s.refuse_history("No"); })
          == strings{failed("MESSAGE_ERROR LATEST #C :No"), ":irc.example PONG irc.example :x"});
    CHECK(answered([](irc::session& s) {
            s.answer_history({});
            s.refuse_history("No");
          }).empty());
  }
  SECTION("who was sent out meanwhile gets none") {
    auto& b = f.join("bob");
    f.say(b, "JOIN #c");
    f.say(b, "PING y");
    f.net.rt.in_turn(
      [&] { f.server->leave(*f.server->find_user("ann"), *f.server->find_channel("#c"), "x"); });
    const auto heard = answered([](irc::session& s) { s.answer_history({}); });
    REQUIRE(heard.size() >= 2);
    CHECK(std::ranges::count(heard, "@label=1 "
                                      + failed("INVALID_TARGET LATEST #C :Messages could not be "
                                               "retrieved"))
          == 1);
    CHECK(f.its().asked.size() == 1); // and is not in the channel any more
  }
  SECTION("who goes meanwhile is not waited for") {
    f.net.enter(a, [&] { a.transport().lose_connection(); });
    f.net.flush();
    CHECK(f.server->find_user("ann") == nullptr);
  }
}

TEST_CASE("chathistory: what a question takes is the client's time") {
  fixture f{true};
  f.its().at_once = false;
  auto& a = f.in_channel();
  f.say(a, "CHATHISTORY LATEST #c * 5");
  f.net.enter(*f.its().asker, [&] {
    f.its().asker->charge(20);
    f.its().asker->answer_history({});
  });
  f.net.flush();
  CHECK(f.ask(a, "PING x").empty());
  f.net.advance(20s);
  CHECK(a.heard == strings{":irc.example PONG irc.example :x"});
}

namespace {

const std::string noon_text = "timestamp=2026-01-31T12:00:00.003Z";
const std::string later_text = "timestamp=2026-01-31T12:00:09.003Z";

std::string target_line(const std::string& name, int seconds, const std::string& tags = {}) {
  return tags + ":irc.example CHATHISTORY TARGETS " + name + " 2026-01-31T12:00:0"
         + std::to_string(seconds) + ".003Z";
}

} // namespace

TEST_CASE("chathistory: targets are those that were spoken to last between two times") {
  fixture f;
  auto& a = f.in_channel();
  f.say(a, "JOIN #D\r\nJOIN #E");
  f.say(f.join("bob"), "JOIN #secret");
  f.its().targets = {{"#D", noon + 5s},    {"#C", noon + 2s},      {"#E", noon},
                     {"bob", noon + 3s},   {"eve", noon + 9s},     {"#secret", noon + 4s},
                     {"#gone", noon + 4s}, {"not one", noon + 4s}, {"", noon + 4s}};
  const auto all = strings{target_line("#C", 2), target_line("bob", 3), target_line("#D", 5)};
  const auto asked = [&](const std::string& what) {
    return f.ask(a, "CHATHISTORY " + what);
  };
  CHECK(asked("TARGETS " + noon_text + " " + later_text + " 10") == all);
  CHECK(asked("targets " + later_text + " " + noon_text + " 10") == all);
  CHECK(asked("TARGETS " + noon_text + " " + later_text + " 2") == strings{all[0], all[1]});
  CHECK(asked("TARGETS " + later_text + " " + noon_text + " 2") == strings{all[1], all[2]});
  CHECK(asked("TARGETS " + noon_text + " " + noon_text + " 2").empty());
  REQUIRE(f.its().targets_asked.size() == 5);
  const auto& q = f.its().targets_asked;
  CHECK(q[0].from == noon);
  CHECK(q[0].to == noon + 9s);
  CHECK(q[1].from == noon + 9s);
  CHECK(q[1].to == noon);
  CHECK(q[2].limit == 2);
  CHECK((asked("TARGETS " + noon_text + " " + later_text + " 500"), q.back().limit == 50));
}

TEST_CASE("chathistory: an answer with targets has what the client can read") {
  fixture f;
  const auto question = "CHATHISTORY TARGETS " + noon_text + " " + later_text + " 5";
  const strings ends{":irc.example BATCH +history draft/chathistory-targets",
                     ":irc.example BATCH -history"};
  f.its().targets = {{"#C", noon + 2s}};
  SECTION("a batch") {
    auto& a = f.in_channel("batch server-time");
    CHECK(f.ask(a, question) == strings{ends[0], target_line("#C", 2, "@batch=history "), ends[1]});
    f.its().targets.clear();
    CHECK(f.ask(a, question) == ends);
  }
  SECTION("a label") {
    auto& a = f.in_channel("batch labeled-response");
    CHECK(f.ask(a, "@label=7 " + question)
          == strings{"@label=7 " + ends[0], target_line("#C", 2, "@batch=history "), ends[1]});
  }
  SECTION("a label without a batch") {
    auto& a = f.in_channel("labeled-response");
    CHECK(f.ask(a, "@label=7 " + question) == strings{target_line("#C", 2, "@label=7 ")});
    f.its().targets.clear();
    CHECK(f.ask(a, "@label=7 " + question) == strings{"@label=7 :irc.example ACK"});
  }
}

TEST_CASE("chathistory: what is no question for targets is refused, and one waits for its answer") {
  fixture f;
  auto& a = f.in_channel();
  const std::string few = "INVALID_PARAMS TARGETS :Insufficient parameters";
  const std::string time = "INVALID_PARAMS TARGETS :A time is timestamp=YYYY-MM-DDThh:mm:ss.sssZ";
  const auto refused = [&](const std::string& what, const std::string& answer) {
    CAPTURE(what);
    CHECK(f.ask(a, "CHATHISTORY TARGETS " + what) == strings{failed(answer)});
  };
  refused("", few);
  refused(noon_text + " 5", few);
  refused(noon_text + " " + later_text + " 5 6", "INVALID_PARAMS TARGETS :Too many parameters");
  refused("* * 5", time);
  refused("msgid=x " + later_text + " 5", time);
  refused(noon_text + " msgid=x 5", time);
  refused(noon_text + " " + later_text + " 0",
          "INVALID_PARAMS TARGETS :The limit is a number from 1 on");
  CHECK(f.its().targets_asked.empty());
  f.its().at_once = false;
  const auto question = "CHATHISTORY TARGETS " + noon_text + " " + later_text + " 5";
  CHECK(f.ask(a, question + "\r\nPING x").empty());
  const auto answered = [&](auto fn) {
    a.heard.clear();
    f.net.enter(*f.its().asker, [&] { fn(*f.its().asker); });
    f.net.flush();
    return a.heard;
  };
  CHECK(answered([](irc::session& s) { s.answer_history({}); }).empty()); // that was not asked
  CHECK(answered([](irc::session& s) { s.refuse_history("No"); })
        == strings{failed("MESSAGE_ERROR TARGETS :No"), ":irc.example PONG irc.example :x"});
  CHECK(answered([](irc::session& s) { s.answer_history_targets({}); }).empty());
  f.say(a, "CHATHISTORY LATEST #c * 5");
  CHECK(answered([](irc::session& s) { s.answer_history_targets({}); }).empty());
}
