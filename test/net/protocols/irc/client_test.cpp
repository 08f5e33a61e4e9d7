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

// -- questions ------------------------------------------------------------------------------------

namespace {

/// What came of a deferred.
template <class T>
struct came {
  explicit came(deferred<T> d) {
    std::move(d).add_callbacks([this](T got) { value = std::move(got); },
                               [this](const failure& f) { why = f; });
  }
  std::optional<T> value;
  failure why;
};

} // namespace

TEST_CASE("irc::client: WHOIS, WHO and LIST have their answers as one") {
  irc_fixture f;
  auto& a = f.net.connect<recorder>(f.port, irc::client_options{.nick = "ann", .channels = {"#c"}});
  auto& b = f.net.connect<recorder>(
    f.port, irc::client_options{.nick = "bob", .realname = "Bob B.", .channels = {"#c", "#d"}});
  f.net.flush();
  std::optional<came<irc::whois_answer>> who_is, nobody;
  std::optional<came<std::vector<irc::who_answer>>> who, none;
  std::optional<came<std::vector<irc::list_answer>>> list, one;
  f.net.enter(b, [&] {
    b.set_topic("#d", "tea");
    b.away("lunch");
  });
  f.net.flush();
  f.net.enter(a, [&] {
    who_is.emplace(a.whois("BOB"));
    nobody.emplace(a.whois("eve"));
    who.emplace(a.who("#c"));
    none.emplace(a.who("eve"));
    list.emplace(a.list());
    one.emplace(a.list("#d"));
    CHECK_FALSE(who_is->value);
  });
  for (int i = 0; i < 10; ++i)
    f.net.advance(1s);
  REQUIRE(who_is->value);
  const auto& bob = *who_is->value;
  CHECK(bob.nick == "bob");
  CHECK(bob.user == "~bob");
  CHECK(bob.realname == "Bob B.");
  CHECK(bob.server == "irc.example");
  CHECK(bob.away == "lunch");
  CHECK(bob.channels == strings{"#c", "@#d"});
  CHECK(bob.silent);
  CHECK_FALSE(bob.server_operator);
  CHECK(nobody->why.check(errc::invalid_argument));
  CHECK(nobody->why.message().find("No such nick") != std::string::npos);
  REQUIRE(who->value);
  REQUIRE(who->value->size() == 2);
  CHECK((*who->value)[0].nick == "ann");
  CHECK((*who->value)[0].flags == "H@");
  CHECK((*who->value)[1].nick == "bob");
  CHECK((*who->value)[1].flags == "G");
  CHECK((*who->value)[1].realname == "Bob B.");
  CHECK((*who->value)[1].channel == "#c");
  REQUIRE(none->value);
  CHECK(none->value->empty());
  REQUIRE(list->value);
  CHECK(list->value->size() == 2);
  REQUIRE(one->value);
  REQUIRE(one->value->size() == 1);
  CHECK(one->value->front().channel == "#d");
  CHECK(one->value->front().users == 1);
  CHECK(one->value->front().topic == "tea");
}

TEST_CASE("irc::client: a question ends in time, with the connection, or as the server says") {
  fixture t{ann};
  const auto as = [&](auto fn) {
    t.enter(fn);
  };
  std::optional<came<irc::whois_answer>> early, first, second, third, dropped;
  std::optional<came<std::vector<irc::who_answer>>> refused;
  as([&] { early.emplace(t->whois("x")); });
  CHECK(early->why.check(errc::not_connected));
  t.deliver(":s 001 ann :hi\r\n");
  as([&] { first.emplace(t->whois("x")); });
  t.advance(1s);
  as([&] {
    second.emplace(t->whois("y"));
    refused.emplace(t->who("*"));
    third.emplace(t->whois("z"));
  });
  t.deliver(":s 416 ann WHO :Too many matches\r\n");
  CHECK(refused->why.check(errc::invalid_argument));
  t.deliver(":s 311 ann x u h * :Mr X\r\n"); // and no end
  t.advance(28999ms);
  CHECK_FALSE(first->why);
  t.advance(1ms);
  CHECK(first->why.check(errc::timed_out));
  CHECK_FALSE(second->why);
  t.deliver(":s 318 ann x :End\r\n:s 318 ann y :End\r\n");
  REQUIRE(second->value);
  CHECK(second->value->user.empty());
  CHECK_FALSE(third->value);
  as([&] { dropped.emplace(t->whois("w")); });
  t.lose();
  CHECK(third->why.check(errc::connection_done));
  CHECK(dropped->why.check(errc::connection_done));
}

TEST_CASE("irc::client: channels are joined again by the next connection, with their keys") {
  irc_fixture f;
  const auto remember = std::make_shared<irc::remembered_channels>();
  const irc::client_options options{.nick = "ann", .channels = {"#home"}, .remember = remember};
  auto& a = f.net.connect<recorder>(f.port, options);
  f.net.flush();
  auto& owner = f.join("bob");
  f.say(owner, "JOIN #k\r\nMODE #k +k sesame\r\nJOIN #out\r\nJOIN #shut\r\nMODE #shut +k other");
  f.net.enter(a, [&] {
    a.join("#K", "sesame");
    a.join("#left");
    a.join("#out");
    a.join("#shut", "wrong");
    a.leave("#left");
  });
  for (int i = 0; i < 8; ++i)
    f.net.advance(1s);
  f.say(owner, "KICK #out ann");
  CHECK(remember->keys == std::map<std::string, std::string>{{"#home", ""}, {"#k", "sesame"}});
  f.net.enter(a, [&] { a.transport().abort_connection(); });
  f.net.flush();
  auto& again = f.net.connect<recorder>(f.port, options);
  f.net.flush();
  CHECK(again.channels() == strings{"#home", "#k"});
  CHECK(remember->keys == std::map<std::string, std::string>{{"#home", ""}, {"#k", "sesame"}});
}
