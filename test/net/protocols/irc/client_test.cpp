// The client: against our server in memory, and against scripted ones.

#include <troupe/irc/client.hpp>
#include <troupe/testing/protocol_fixture.hpp>
#include <troupe/testing/split_feed.hpp>

#include "server_fixture.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using namespace std::string_literals;
using irc::origin;
using strings = std::vector<std::string>;

namespace {

/// Writes down what it is told.
class recorder : public irc::client {
public:
  using client::client;

  template <class... Parts>
  void note(const Parts&... parts) {
    std::string all;
    ((all += (all.empty() ? "" : " ") + std::string{parts}), ...);
    events.push_back(all);
  }
  void signed_on() override { note("signed on as", nick()); }
  void joined(std::string_view c) override { note("joined", c); }
  void left(std::string_view c) override { note("left", c); }
  void kicked_from(std::string_view c, const origin& by, std::string_view why) override {
    note("kicked from", c, by.nick, why);
  }
  void user_joined(const origin& w, std::string_view c) override { note(w.nick, "joined", c); }
  void user_left(const origin& w, std::string_view c, std::string_view r) override {
    note(w.nick, "left", c, r);
  }
  void user_kicked(std::string_view n, std::string_view c, const origin& by,
                   std::string_view r) override {
    note(n, "kicked from", c, by.nick, r);
  }
  void user_quit(const origin& w, std::string_view r) override { note(w.nick, "quit", r); }
  void nick_changed(std::string_view n) override { note("now", n); }
  void user_renamed(const origin& w, std::string_view n) override { note(w.nick, "now", n); }
  void invited(const origin& by, std::string_view c) override { note("invited", by.nick, c); }
  void topic_updated(std::string_view by, std::string_view c, std::string_view t) override {
    note("topic", by, c, t);
  }
  void mode_changed(const origin& by, std::string_view t, bool set, char m,
                    std::string_view p) override {
    note("mode", by.nick, t, (set ? "+"s : "-"s) + m, p);
  }
  void privmsg(const origin& f, std::string_view to, std::string_view t) override {
    note("said", f.nick, to, t);
  }
  void noticed(const origin& f, std::string_view to, std::string_view t) override {
    note("noticed", f.nick, to, t);
  }
  void action(const origin& f, std::string_view to, std::string_view t) override {
    note("action", f.nick, to, t);
  }
  void dcc_requested(const origin& f, const irc::dcc_request& r) override {
    note("dcc", f.nick, r.file, std::to_string(r.port));
  }
  void ctcp_reply(const origin& f, const irc::ctcp_request& r) override {
    note("reply", f.nick, r.tag, r.data.value_or("-"));
  }
  void names(std::string_view c, std::span<const std::string> all) override {
    note("names", c);
    for (const auto& n : all)
      events.back() += " " + n;
  }
  void motd(std::span<const std::string> lines) override {
    note("motd", std::to_string(lines.size()));
  }
  void error(std::string_view t) override { note("error", t); }
  void connection_lost(const failure& why) override {
    client::connection_lost(why);
    note("lost", why.check(errc::timed_out)            ? "timed out"
                 : why.check(errc::connection_refused) ? "refused"
                                                       : "done");
  }
  strings events;
};

const irc::client_options ann{.nick = "ann"};
using fixture = testing::protocol_fixture<recorder>;

} // namespace

TEST_CASE("irc::client: two of them talk over our server") {
  irc_fixture f{
    {.name = "irc.example", .motd = {"hi", "there"}, .cloak_hosts = false, .flood_control = false}};
  auto& a = f.net.connect<recorder>(f.port, irc::client_options{.nick = "ann", .channels = {"#c"}});
  f.net.flush();
  CHECK(a.events
        == strings{"signed on as ann", "motd 2", "joined #c", "names #c @ann!~ann@127.0.0.1"});
  CHECK(a.has_capability("echo-message"));
  CHECK(a.features().nick_length() == 30);
  a.events.clear();
  auto& b = f.net.connect<recorder>(f.port, irc::client_options{.nick = "ann"});
  f.net.flush();
  CHECK(b.nick() == "ann_");
  b.events.clear();
  const auto as = [&](recorder& who, auto fn) {
    f.net.enter(who, [&] { fn(); });
    f.net.flush();
  };
  as(b, [&] { b.join("c"); });
  CHECK(b.events == strings{"joined #c", "names #c @ann!~ann@127.0.0.1 ann_!~ann@127.0.0.1"});
  b.events.clear();
  as(b, [&] {
    b.say("#c", "hello\n" + std::string(500, 'x'));
    b.act("#c", "waves");
    b.notice("ann", "psst");
    b.ctcp("ann", {"PING", "1 2"});
  });
  f.net.advance(5s);
  REQUIRE(a.events.size() == 6);
  CHECK(a.events[0] == "ann_ joined #c");
  CHECK(a.events[1] == "said ann_ #c hello");
  CHECK((a.events[2] + a.events[3]).size() == 500 + 2 * "said ann_ #c "s.size());
  CHECK(a.events[4] == "action ann_ #c waves");
  CHECK(a.events[5] == "noticed ann_ ann psst");
  CHECK(b.events.back() == "reply ann PING 1 2");
  a.events.clear();
  as(a, [&] {
    a.set_topic("c", "tea");
    a.send_message("MODE", {"#c", "+v-t", "ann_"});
    a.kick("#c", "ann_", "out");
  });
  f.net.advance(5s);
  CHECK(a.events
        == strings{"topic ann #c tea", "mode ann #c +v ann_", "mode ann #c -t ",
                   "ann_ kicked from #c ann out"});
  CHECK(b.events.back() == "kicked from #c ann out");
  CHECK(b.channels().empty());
  as(b, [&] { b.set_nick("bob"); });
  CHECK(b.events.back() == "now bob");
  as(b, [&] { b.quit("bye"); });
  CHECK(b.events.back() == "lost done");
}

TEST_CASE("irc::client: SASL before the welcome, or no connection") {
  irc_fixture f{{.name = "irc.example",
                 .login = [](auto account, auto password) { return account == password; },
                 .flood_control = false}};
  auto& a = f.net.connect<recorder>(
    f.port, irc::client_options{.nick = "ann", .account = "me", .account_password = "me"});
  f.net.flush();
  CHECK(a.is_signed_on());
  CHECK(f.server->find_user("ann")->account == "me");
  auto& b = f.net.connect<recorder>(
    f.port, irc::client_options{.nick = "bob", .account = "me", .account_password = "no"});
  f.net.flush();
  CHECK(b.events == strings{"lost refused"});
}

TEST_CASE("irc::client: what it sends first, and what it does when it is refused") {
  fixture t{irc::client_options{.nick = "ann", .password = "pw", .default_nick = "guest"}};
  CHECK(t.transport.value() == "CAP LS 302\r\nPASS pw\r\nNICK ann\r\nUSER ann 0 * :ann\r\n");
  t.transport.clear();
  t.deliver("PING :x y\r\n:s 432 * ann :bad\r\n:s 433 * guest :taken\r\n");
  CHECK(t.transport.value() == "PONG :x y\r\nNICK guest\r\nNICK guest_\r\n");
  t.deliver(":s 464 * :no\r\n");
  CHECK(t.transport.disconnecting());
}

TEST_CASE("irc::client: five nicks are tried") {
  fixture t{ann};
  for (int i = 0; i < 6; ++i) {
    CHECK_FALSE(t.transport.disconnecting());
    t.deliver(":s 433 * ann :taken\r\n");
  }
  CHECK(t.transport.disconnecting());
}

TEST_CASE("irc::client: a silent server is asked, and then lost") {
  fixture t{ann};
  t.transport.clear();
  t.advance(119s);
  CHECK(t.transport.value().empty());
  t.advance(1s);
  CHECK(t.transport.value() == "PING :troupe\r\n");
  t.deliver(":s PONG s :troupe\r\n");
  t.advance(119s);
  CHECK_FALSE(t.transport.disconnecting());
  t.advance(1s);
  t.advance(59s);
  CHECK_FALSE(t.transport.disconnecting());
  t.advance(1s);
  CHECK(t.transport.disconnecting());
}

TEST_CASE("irc::client: lines leave at the pace that servers bear") {
  fixture t{ann};
  t.deliver(":s 001 ann :hi\r\n");
  t.transport.clear();
  t.enter([&] {
    for (int i = 0; i < 8; ++i)
      CHECK(t->say("bob", std::to_string(i)));
  });
  const auto lines = [&] {
    return std::ranges::count(t.transport.value(), '\n');
  };
  CHECK(lines() == 5);
  t.deliver("PING :x\r\n");
  CHECK(lines() == 6); // at once
  t.advance(1s);
  CHECK(lines() == 7);
  t.advance(10s);
  CHECK(lines() == 9);
  t.enter([&] {
    CHECK_THROWS_AS(t->send_message("PRIVMSG", {"a b", "x"}), std::invalid_argument);
    CHECK_THROWS_AS(t->join("#c\r\nQUIT"), std::invalid_argument);
    for (int i = 0; i < 1004; ++i)
      t->say("bob", "x");
    CHECK_FALSE(t->say("bob", "x"));
  });
}

TEST_CASE("irc::client: DCC is for us alone, and what cannot be read is answered, once a second") {
  fixture t{ann};
  t.deliver(":s 001 ann :hi\r\n");
  t->events.clear();
  t.transport.clear();
  t.deliver(":b!u@h PRIVMSG ann :\x01"
            "DCC SEND a.txt 3405803777 5000 9\x01\r\n"
            ":b!u@h PRIVMSG #c :\x01"
            "DCC SEND b.txt 3405803777 5000 9\x01\r\n"
            ":b!u@h NOTICE ann :\x01"
            "DCC SEND c.txt 3405803777 5000 9\x01\r\n"
            ":ann!u@h PRIVMSG ann :\x01"
            "DCC SEND d.txt 3405803777 5000 9\x01\r\n");
  CHECK(t->events == strings{"dcc b a.txt 5000", "reply b DCC SEND c.txt 3405803777 5000 9"});
  CHECK(t.transport.value().empty());
  t.advance(1s);
  for (int i = 0; i < 3; ++i)
    t.deliver(":b!u@h PRIVMSG ann :\x01"
              "DCC SEND a x 5000\x01\r\n");
  CHECK(t.transport.value()
        == "NOTICE b :\x01"
           "ERRMSG DCC SEND a x 5000 :Indecipherable address\x01\r\n");
  t.transport.clear();
  t.deliver(":b!u@h PRIVMSG ann :\x01"
            "DCC RESUME a 5000 x\x01\r\n");
  CHECK(t.transport.value().empty());
}

TEST_CASE("irc::client: odd and hostile servers, in every split, do no harm") {
  const auto input =
    ":s 001 ann :hi\r\n:s 005 ann PREFIX=(ohv)@%+ NICKLEN=x :ok\r\n:s 353\r\n:s 353 ann = #c :a "
    "b\r\n"
    ":s 366 ann #c :End\r\nJOIN\r\n:ann JOIN #c\r\nMODE #c +ovk-l+\r\nKICK\r\nNICK\r\n:x "
    "NICK\r\nPRIVMSG\r\n"
    ":b PRIVMSG ann :\x01VERSION\x01\x01VERSION\x01x\r\nCAP\r\nCAP * LS\r\n:s 999 \r\n:s "
    "433\r\n@a;b= :\r\n"
    "TOPIC #c\r\nAUTHENTICATE +\r\n:s BATCH +1 netjoin\r\nQUIT\r\n:b QUIT :x\r\nERROR :bye\r\n"s
    + std::string(9000, 'x') + "\r\n:b!u@h PRIVMSG #c :end\r\n";
  const auto run = [](const testing::split_input& split) {
    fixture t{ann};
    split.feed([&](std::string_view piece) { t.deliver(piece); });
    auto events = t->events;
    events.push_back(t.transport.value());
    return events;
  };
  const auto whole = run({input, {}});
  CHECK(std::ranges::count(whole, "said b #c end") == 1);
  CHECK(std::ranges::count(whole, "names #c a b") == 1);
  CHECK(testing::split_difference(input, run, {.all_pairs = 0, .all_places = 60, .random = 5})
        == "");
}
