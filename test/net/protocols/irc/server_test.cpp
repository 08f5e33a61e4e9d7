// The server: what its clients see.

#include <random>

#include <troupe/testing/logged_errors.hpp>

#include "server_fixture.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using namespace std::string_literals;
using strings = std::vector<std::string>;

namespace {

const std::string ann = ":ann!~ann@127.0.0.1 ", bob = ":bob!~bob@127.0.0.1 ";

} // namespace

TEST_CASE(
  "LUSERS counts who is invisible and who is an operator, until they are it no more or go") {
  irc::server_options o;
  o.name = "irc.example";
  o.flood_control = false;
  o.operators = {{"root", "secret"}};
  irc_fixture f{o};
  auto& ann = f.join("ann");
  auto& bob = f.join("bob");
  const auto counts = [&] {
    std::vector<std::string> got;
    for (const auto& line : f.ask(ann, "LUSERS"))
      if (line.find(" 251 ") != std::string::npos || line.find(" 252 ") != std::string::npos)
        got.push_back(line);
    return got;
  };
  const auto expected = [](const std::string& seen, const std::string& hidden,
                           const std::string& operators) {
    return std::vector<std::string>{":irc.example 251 ann :There are " + seen + " users and "
                                      + hidden + " invisible on 1 servers",
                                    ":irc.example 252 ann " + operators + " :operator(s) online"};
  };
  CHECK(counts() == expected("2", "0", "0"));
  f.say(bob, "MODE bob +i\r\nMODE bob +i\r\nOPER root secret\r\nOPER root secret");
  CHECK(counts() == expected("1", "1", "1"));
  f.say(bob, "MODE bob -io\r\nMODE bob -io");
  CHECK(counts() == expected("2", "0", "0"));
  f.say(bob, "MODE bob +i\r\nOPER root secret");
  CHECK(counts() == expected("1", "1", "1"));
  f.say(bob, "QUIT");
  CHECK(counts() == expected("1", "0", "0"));
}

TEST_CASE("irc::server: who gives NICK and USER, in any order, is welcome") {
  irc_fixture f;
  auto& u = f.connect();
  SECTION("NICK first") {
    f.say(u, "NICK ann\r\nUSER ann 0 * :Ann");
  }
  SECTION("USER first") {
    f.say(u, "USER ann 0 * :Ann\r\nNICK ann");
  }
  SECTION("with capabilities") {
    f.say(u, "CAP LS 302\r\nNICK ann\r\nUSER ann 0 * :Ann");
    CHECK_FALSE(f.has(u, " 001 "));
    f.say(u, "CAP REQ :server-time nonsense");
    CHECK(u.heard.back() == ":irc.example CAP ann NAK :server-time nonsense");
    f.say(u, "CAP REQ :multi-prefix away-notify");
    CHECK(u.heard.back() == ":irc.example CAP ann ACK :multi-prefix away-notify");
    f.say(u, "CAP FOO");
    CHECK(u.heard.back() == ":irc.example 410 ann FOO :Invalid CAP command");
    f.say(u, "CAP END");
  }
  for (const auto* number : {" 001 ann :Welcome", " 002 ", " 003 ", " 004 ann irc.example",
                             " 005 ann CASEMAPPING=ascii", " 251 ", " 255 ", " 422 "})
    CHECK(f.has(u, number));
  CHECK(f.server->users() == 1);
}

TEST_CASE("irc::server: before registration little works, and too long it takes not") {
  irc_fixture f;
  auto& u = f.connect();
  f.say(u, "JOIN #c\r\nPING x\r\nFOO\r\nNICK 1bad\r\nNICK");
  CHECK(u.heard
        == strings{
          ":irc.example 451 * :You have not registered", ":irc.example PONG irc.example :x",
          ":irc.example 451 * :You have not registered",
          ":irc.example 432 * 1bad :Erroneous nickname", ":irc.example 431 * :No nickname given"});
  f.net.advance(29s);
  CHECK(u.connected());
  f.net.advance(1s);
  CHECK_FALSE(u.connected());
  CHECK(u.heard.back() == "ERROR :Closing Link: 127.0.0.1 (Registration timed out)");
}

TEST_CASE("irc::server: a password, a taken nick, and one that differs in case alone") {
  irc_fixture f{{.name = "irc.example", .password = "secret", .flood_control = false}};
  auto& stranger = f.connect();
  f.say(stranger, "PASS wrong\r\nNICK eve\r\nUSER e 0 * :E");
  CHECK(f.has(stranger, " 464 eve "));
  CHECK_FALSE(stranger.connected());
  auto& a = f.join("ann", "PASS secret\r\n");
  auto& b = f.connect();
  f.say(b, "NICK ANN");
  CHECK(b.heard.back() == ":irc.example 433 * ANN :Nickname is already in use");
  CHECK(f.ask(a, "NICK Ann").front().ends_with(" NICK :Ann"));
  CHECK(f.ask(a, "NICK bert").front().ends_with(" NICK :bert"));
  CHECK(f.server->find_user("ann") == nullptr);
  CHECK(f.server->find_user("BERT") != nullptr);
}

TEST_CASE("irc::server: those in a channel see who comes, talks, is renamed, leaves and quits") {
  irc_fixture f;
  auto& a = f.join("ann");
  CHECK(f.ask(a, "JOIN #c")
        == strings{ann + "JOIN #c", ":irc.example 353 ann = #c :@ann",
                   ":irc.example 366 ann #c :End of /NAMES list"});
  auto& b = f.join("bob");
  a.heard.clear();
  CHECK(f.ask(b, "JOIN #C")[1] == ":irc.example 353 bob = #c :@ann bob");
  CHECK(a.heard == strings{bob + "JOIN #c"});
  a.heard.clear();
  CHECK(f.ask(b, "PRIVMSG #c :hello: you\r\nNOTICE #c x").empty());
  CHECK(a.heard == strings{bob + "PRIVMSG #c :hello: you", bob + "NOTICE #c :x"});
  a.heard.clear();
  f.say(b, "NICK rob\r\nPRIVMSG ann :psst\r\nPART #c :bye");
  CHECK(a.heard
        == strings{bob + "NICK :rob", ":rob!~bob@127.0.0.1 PRIVMSG ann :psst",
                   ":rob!~bob@127.0.0.1 PART #c :bye"});
  f.say(b, "JOIN #c,#d");
  f.say(a, "JOIN #d");
  a.heard.clear();
  f.say(b, "QUIT :done");
  CHECK(a.heard == strings{":rob!~bob@127.0.0.1 QUIT :Quit: done"});
  CHECK(b.heard.back() == "ERROR :Closing Link: 127.0.0.1 (Quit: done)");
  CHECK_FALSE(b.connected());
  f.say(a, "JOIN 0");
  CHECK(f.server->channels() == 0);
}

TEST_CASE("irc::server: refusals of channels") {
  irc_fixture f;
  auto& a = f.join("ann");
  CHECK(
    f.ask(
      a,
      "PART #no\r\nTOPIC #no\r\nPRIVMSG #no x\r\nPRIVMSG no x\r\nJOIN no\r\nKICK #no x\r\nMODE #no")
    == strings{
      ":irc.example 403 ann #no :No such channel", ":irc.example 403 ann #no :No such channel",
      ":irc.example 403 ann #no :No such channel", ":irc.example 401 ann no :No such nick/channel",
      ":irc.example 403 ann no :No such channel", ":irc.example 403 ann #no :No such channel",
      ":irc.example 403 ann #no :No such channel"});
  CHECK(f.ask(a, "PRIVMSG\r\nPRIVMSG x\r\nJOIN\r\nFOO :\x1b")
        == strings{":irc.example 411 ann :No recipient given (PRIVMSG)",
                   ":irc.example 412 ann :No text to send",
                   ":irc.example 461 ann JOIN :Not enough parameters",
                   ":irc.example 421 ann FOO :Unknown command"});
}

TEST_CASE("irc::server: operators and the modes of a channel") {
  irc_fixture f;
  auto& a = f.join("ann");
  auto& b = f.join("bob");
  f.say(a, "JOIN #c");
  f.say(b, "JOIN #c");
  CHECK(f.ask(b, "MODE #c +o bob\r\nTOPIC #c :mine\r\nKICK #c ann")
        == strings{":irc.example 482 bob #c :You're not channel operator",
                   ":irc.example 482 bob #c :You're not channel operator",
                   ":irc.example 482 bob #c :You're not channel operator"});
  CHECK(f.ask(a, "MODE #c")[0] == ":irc.example 324 ann #c +nt");
  CHECK(f.ask(a, "MODE #c +tv-x+x bob")
        == strings{":irc.example 472 ann x :is unknown mode char to me", ann + "MODE #c +v bob"});
  CHECK(f.ask(a, "MODE #c +v bob").empty()); // nothing changed
  CHECK(f.ask(a, "MODE #c +kl-t key 5") == strings{ann + "MODE #c +kl-t key 5"});
  CHECK(f.ask(a, "MODE #c +o eve\r\nMODE #c +o")
        == strings{":irc.example 401 ann eve :No such nick/channel"});
  CHECK(f.ask(a, "MODE #c +b eve") == strings{ann + "MODE #c +b eve!*@*"});
  CHECK(f.ask(a, "MODE #c b")[0].starts_with(":irc.example 367 ann #c eve!*@* ann "));
  auto& e = f.join("eve");
  CHECK(f.ask(e, "JOIN #c").front().find(" 475 ") != std::string::npos);
  CHECK(f.ask(e, "JOIN #c key").front().find(" 474 ") != std::string::npos);
  f.say(a, "INVITE eve #c");
  CHECK(f.ask(e, "JOIN #c").front() == ":eve!~eve@127.0.0.1 JOIN #c");
  CHECK(f.ask(e, "PRIVMSG #c x").front().find(" 404 ") != std::string::npos); // banned
  f.say(a, "MODE #c -b eve\r\nMODE #c +m");
  CHECK(f.ask(e, "PRIVMSG #c x").front().find(" 404 ") != std::string::npos); // moderated
  CHECK(f.ask(b, "PRIVMSG #c x").empty());                                    // voiced
  a.heard.clear();
  CHECK(f.ask(e, "NAMES #c")[0] == ":irc.example 353 eve = #c :@ann +bob eve");
  b.heard.clear();
  f.say(a, "KICK #c eve :out");
  CHECK(b.heard.back() == ann + "KICK #c eve :out");
  CHECK(f.ask(e, "PART #c") == strings{":irc.example 442 eve #c :You're not on that channel"});
  CHECK(f.ask(a, "MODE bob +i\r\nMODE ann +i\r\nMODE ann")
        == strings{":irc.example 502 ann :Cant change mode for other users", ann + "MODE ann :+i",
                   ":irc.example 221 ann +i"});
}

TEST_CASE("irc::server: an invitation stays with who has it, and ends with him or the channel") {
  irc_fixture f;
  auto& a = f.join("ann");
  auto& e = f.join("eve");
  f.say(a, "JOIN #c,#d\r\nMODE #c +i\r\nMODE #d +i\r\nINVITE eve #c\r\nINVITE eve #d");
  f.say(e, "NICK ive");
  auto& other = f.join("eve");
  CHECK(f.ask(other, "JOIN #c").front().find(" 473 ") != std::string::npos);
  CHECK(f.ask(e, "JOIN #c").front() == ":ive!~eve@127.0.0.1 JOIN #c");
  f.say(e, "PART #c");
  CHECK(f.ask(e, "JOIN #c").front().find(" 473 ") != std::string::npos); // for once
  f.say(e, "QUIT");
  auto& third = f.join("ive");
  CHECK(f.ask(third, "JOIN #d").front().find(" 473 ") != std::string::npos);
  f.say(a, "INVITE ive #d\r\nPART #d\r\nJOIN #d\r\nMODE #d +i");
  CHECK(f.ask(third, "JOIN #d").front().find(" 473 ") != std::string::npos);
  f.say(third, "QUIT");
  CHECK(f.server->users() == 2);
}

TEST_CASE("irc::server: topics, lists and questions") {
  irc_fixture f;
  auto& a = f.join("ann");
  auto& b = f.join("bob");
  f.say(a, "JOIN #c");
  CHECK(f.ask(a, "TOPIC #c") == strings{":irc.example 331 ann #c :No topic is set"});
  CHECK(f.ask(a, "TOPIC #c :all: of it\x1b") == strings{ann + "TOPIC #c :all: of it"});
  CHECK(f.ask(b, "TOPIC #c")[0] == ":irc.example 332 bob #c :all: of it");
  CHECK(f.ask(b, "LIST")
        == strings{":irc.example 321 bob Channel :Users  Name",
                   ":irc.example 322 bob #c 1 :all: of it", ":irc.example 323 bob :End of /LIST"});
  f.say(a, "MODE #c +s");
  CHECK(f.ask(b, "LIST").size() == 2);
  CHECK(f.ask(b, "NAMES #c") == strings{":irc.example 366 bob #c :End of /NAMES list"});
  f.say(a, "AWAY :out");
  CHECK(f.ask(b, "PRIVMSG ann x") == strings{":irc.example 301 bob ann :out"});
  CHECK(f.ask(b, "WHO ann")
        == strings{":irc.example 352 bob * ~ann 127.0.0.1 irc.example ann G :0 The ann",
                   ":irc.example 315 bob ann :End of WHO list"});
  CHECK(f.ask(b, "WHO ann %tcuhnfr,42")[0]
        == ":irc.example 354 bob 42 * ~ann 127.0.0.1 ann G :The ann");
  CHECK(f.ask(a, "WHO #c")[0]
        == ":irc.example 352 ann #c ~ann 127.0.0.1 irc.example ann G@ :0 The ann");
  const auto whois = f.ask(a, "WHOIS ann");
  CHECK(whois.front() == ":irc.example 311 ann ann ~ann 127.0.0.1 * :The ann");
  CHECK(whois.back() == ":irc.example 318 ann ann :End of /WHOIS list");
  CHECK(whois[1] == ":irc.example 319 ann ann :@#c");
  CHECK(f.ask(b, "WHOIS eve")
        == strings{":irc.example 401 bob eve :No such nick/channel",
                   ":irc.example 318 bob eve :End of /WHOIS list"});
  CHECK(f.ask(b, "ISON eve ann BOB") == strings{":irc.example 303 bob :ann bob"});
  CHECK(f.ask(b, "USERHOST ann") == strings{":irc.example 302 bob :ann=-~ann@127.0.0.1"});
  CHECK(f.ask(b, "WHOWAS x").size() == 2);
  CHECK(f.ask(b, "AWAY")
        == strings{":irc.example 305 bob :You are no longer marked as being away"});
}

TEST_CASE("irc::server: capabilities change what a client is sent") {
  irc_fixture f{{.name = "irc.example",
                 .login = [](auto account, auto password) { return account == password; },
                 .cloak_hosts = false,
                 .flood_control = false}};
  auto& a = f.join(
    "ann", "CAP REQ :echo-message away-notify extended-join account-tag "
           "message-tags labeled-response batch userhost-in-names multi-prefix\r\nCAP END\r\n");
  auto& b =
    f.join("bob", "CAP REQ :sasl\r\nAUTHENTICATE PLAIN\r\nAUTHENTICATE AG1lAG1l\r\nCAP END\r\n");
  f.say(a, "JOIN #c\r\nMODE #c +v ann");
  a.heard.clear();
  f.say(b, "JOIN #c\r\nAWAY :x");
  CHECK(a.heard
        == strings{"@account=me " + bob + "JOIN #c me :The bob", "@account=me " + bob + "AWAY :x"});
  b.heard.clear();
  CHECK(f.ask(a, "@+typing=active;label=L1;other PRIVMSG #c :hi")
        == strings{"@label=L1;+typing=active " + ann + "PRIVMSG #c :hi"});
  CHECK(b.heard == strings{ann + "PRIVMSG #c :hi"});
  CHECK(f.ask(a, "@label=2 PONG x") == strings{"@label=2 :irc.example ACK"});
  CHECK(f.ask(a, "@label=3 NAMES #c")
        == strings{"@label=3 :irc.example BATCH +1 labeled-response",
                   "@batch=1 :irc.example 353 ann = #c :@+ann!~ann@127.0.0.1 bob!~bob@127.0.0.1",
                   "@batch=1 :irc.example 366 ann #c :End of /NAMES list",
                   ":irc.example BATCH -1"});
  CHECK(f.ask(a, "@+typing=done TAGMSG #c") == strings{"@+typing=done " + ann + "TAGMSG #c"});
  auto& c = f.join("cat", "CAP REQ server-time\r\nCAP END\r\n");
  f.say(a, "PRIVMSG cat :x");
  REQUIRE(c.heard.size() == 1);
  CHECK(c.heard[0].starts_with("@time=20"));
  CHECK(c.heard[0].ends_with("Z " + ann + "PRIVMSG cat :x"));
  auto& e = f.connect();
  f.say(e, "CAP REQ sasl\r\nAUTHENTICATE FOO\r\nAUTHENTICATE PLAIN\r\nAUTHENTICATE "
           "AG1lAG5v\r\nAUTHENTICATE PLAIN\r\nAUTHENTICATE !!");
  CHECK(std::ranges::count_if(e.heard, [](const auto& l) { return l.find(" 904 ") != l.npos; })
        == 3);
  CHECK(e.connected());
  f.say(e, "AUTHENTICATE PLAIN\r\nAUTHENTICATE +");
  CHECK_FALSE(e.connected()); // enough
}

TEST_CASE("irc::server: what cannot stand in a line is no account, however one logs in") {
  irc_fixture f{{.name = "irc.example",
                 .login = [](auto, auto) { return true; },
                 .account_of = [](const tls_certificate&) { return std::optional{"a b"s}; },
                 .flood_control = false}};
  for (const auto* account : {"a b", "", "::a"}) {
    auto& u = f.connect();
    f.say(u, "PASS :"s + account + ":pw\r\nNICK eve\r\nUSER e 0 * :E");
    CAPTURE(account);
    CHECK_FALSE(u.connected());
  }
  f.join("ann", "PASS me:pw\r\n");
  CHECK(f.server->find_user("ann")->account == "me");
}

TEST_CASE("irc::server: a connection on another loop is refused") {
  irc_fixture f;
  auto& a = f.join("ann");
  testing::memory_network elsewhere;
  auto& b = elsewhere.connect<irc_user>(elsewhere.listen(0, f.server->make_factory()));
  elsewhere.flush();
  CHECK(testing::logged_errors{elsewhere.rt}.flush("placement::same_loop").size() == 1);
  CHECK_FALSE(b.connected());
  CHECK(f.ask(a, "PING x") == strings{":irc.example PONG irc.example :x"});
}

namespace {

class failing_server : public irc::server {
public:
  using server::server;

protected:
  void said(irc::user&, irc::channel&, std::string_view text, bool) override {
    if (text == "fail")
      throw std::runtime_error("a hook that fails");
  }
};

} // namespace

TEST_CASE("irc::server: a hook that throws ends that connection alone, and others are heard") {
  irc_fixture f{std::make_shared<failing_server>(
    irc::server_options{.name = "irc.example", .cloak_hosts = false, .flood_control = false})};
  auto& a = f.join("ann");
  auto& b = f.join("bob", "CAP REQ labeled-response\r\nCAP END\r\n");
  f.say(a, "JOIN #c");
  f.say(b, "JOIN #c");
  a.heard.clear();
  f.net.rt.in_turn([&] {
    f.net.enter(b, [&] { b.transport().write("@label=1 PRIVMSG #c fail\r\n"s); });
    f.net.enter(a, [&] { a.transport().write("PRIVMSG #c :to all\r\n"s); });
  });
  f.net.flush();
  CHECK(testing::logged_errors{f.net.rt}.flush("a hook that fails").size() == 1);
  CHECK_FALSE(b.connected());
  CHECK(a.connected());
  CHECK(f.has(a, bob + "QUIT :"));
}

TEST_CASE("irc::server: nothing that a terminal obeys reaches others") {
  irc_fixture f;
  auto& a = f.join("ann");
  auto& b = f.join("bob");
  f.say(a, "JOIN #c");
  f.say(b, "JOIN #c");
  a.heard.clear();
  f.say(b, "PRIVMSG #c :\x1b[2J\x02"
           "b\x07\xff\r\nPART #c :\x1b]0;x\r\nJOIN #c\r\nAWAY :\x1b\r\nQUIT :\x9b\x1bx");
  CHECK(a.heard
        == strings{bob
                     + "PRIVMSG #c :[2J\x02"
                       "b\xef\xbf\xbd",
                   bob + "PART #c :]0;x", bob + "JOIN #c", bob + "QUIT :Quit: \xef\xbf\xbdx"});
  auto& e = f.connect();
  f.say(e, "NICK e\x1bve\r\nNICK \xff\r\nUSER \x1b\x1b 0 * :\x1b[1mE\r\nNICK eve");
  CHECK(f.ask(a, "WHO eve")[0].ends_with(" ~user 127.0.0.1 irc.example eve H :0 [1mE"));
  CHECK(f.ask(a, "JOIN #\x1b")[0].find(" 479 ") != std::string::npos);
  for (const auto& line : a.heard)
    CHECK(line.find('\x1b', line.find(" :")) == std::string::npos);
}

TEST_CASE("irc::server: a text from elsewhere that does not fit in a line comes in several") {
  irc_fixture f;
  auto& a = f.join("ann");
  f.say(a, "JOIN #c");
  a.heard.clear();
  auto* const guest = f.server->add_guest("web", "~web", "elsewhere", "A guest");
  REQUIRE(guest != nullptr);
  CHECK(f.server->add_guest("WEB", "~web", "elsewhere", "") == nullptr);
  f.net.rt.in_turn([&] {
    f.server->enter(*guest, "#c");
    f.server->say(*guest, *f.server->find_channel("#c"), "one\r\n\ntwo " + std::string(600, 'x'));
    f.server->tell(*guest, *f.server->find_user("ann"), "psst");
    f.server->end(*guest, "gone");
  });
  f.net.flush();
  REQUIRE(a.heard.size() == 7);
  CHECK(a.heard[1] == ":web!~web@elsewhere PRIVMSG #c :one");
  CHECK(a.heard[0] == ":web!~web@elsewhere JOIN #c");
  std::string joined;
  for (std::size_t i = 1; i + 2 < a.heard.size(); ++i) {
    CHECK(a.heard[i].size() <= 510);
    joined += a.heard[i].substr(a.heard[i].find(" :") + 2);
  }
  CHECK(joined == "onetwo" + std::string(600, 'x'));
  CHECK(a.heard[5] == ":web!~web@elsewhere PRIVMSG ann :psst");
  CHECK(a.heard[6] == ":web!~web@elsewhere QUIT :gone");
}

TEST_CASE("irc::server: silent clients are asked, and lost when they do not answer") {
  irc_fixture f;
  auto& a = f.join("ann");
  auto& b = f.join("bob");
  f.say(a, "JOIN #c");
  f.say(b, "JOIN #c");
  a.heard.clear();
  f.net.advance(89s);
  CHECK(a.heard.empty());
  f.net.advance(2s);
  CHECK(a.heard == strings{"PING :irc.example"});
  f.say(a, "PONG :irc.example");
  f.net.advance(58s);
  CHECK(b.connected());
  f.net.advance(2s);
  CHECK_FALSE(b.connected());
  CHECK(f.has(a, bob + "QUIT :Ping timeout: 15"));
  CHECK(a.connected());
}

TEST_CASE("irc::server: who talks too fast waits, and who goes on is lost") {
  irc_fixture f{{.name = "irc.example", .cloak_hosts = false}};
  auto& a = f.join("ann");
  f.net.advance(20s);
  a.heard.clear();
  std::string pings;
  for (int i = 0; i < 20; ++i)
    pings += "PING x\r\n";
  f.say(a, pings);
  const auto at_once = a.heard.size();
  CHECK(at_once >= 9);
  CHECK(at_once <= 11);
  f.net.advance(5s);
  CHECK(a.heard.size() > at_once + 3);
  CHECK(a.heard.size() < at_once + 6);
  f.net.advance(20s);
  CHECK(a.heard.size() == 20);
  f.say(a, std::string(20'000, 'x') + "\r\n");
  CHECK(a.connected()); // one line, and gone
  std::string many;
  for (int i = 0; i < 3000; ++i)
    many += "PING x\r\n";
  f.say(a, many);
  CHECK_FALSE(a.connected());
  CHECK(f.has(a, "(Excess Flood)"));
}

TEST_CASE("irc::server: a line that is too long is told, and one address has its limits") {
  irc_fixture f{
    {.name = "irc.example", .flood_control = false, .per_address = 2, .connects_per_minute = 3}};
  auto& a = f.join("ann");
  CHECK(f.ask(a, "PING " + std::string(600, 'x') + "\r\nPING y")
        == strings{":irc.example 417 ann :Input line was too long",
                   ":irc.example PONG irc.example :y"});
  auto& b = f.connect();
  auto& third = f.connect();
  f.net.flush();
  CHECK(f.has(third, "too many connections from your address"));
  CHECK(b.connected());
  f.say(b, "QUIT");
  auto& fourth = f.connect();
  f.say(fourth, "QUIT");
  auto& fifth = f.connect();
  f.net.flush();
  CHECK(f.has(fifth, "you connect too often"));
  f.net.advance(60s);
  auto& sixth = f.connect();
  f.net.flush();
  CHECK(sixth.connected());
}

TEST_CASE("irc::server: operators of the server, and what they may") {
  irc_fixture f{{.name = "irc.example", .operators = {{"root", "pw"}}, .flood_control = false}};
  auto& a = f.join("ann");
  auto& b = f.join("bob");
  CHECK(f.ask(a, "KILL bob :x")[0].find(" 481 ") != std::string::npos);
  CHECK(f.ask(a, "OPER root no")[0].find(" 464 ") != std::string::npos);
  CHECK(f.ask(a, "OPER root pw")[0].find(" 381 ") != std::string::npos);
  f.say(a, "KILL bob :go");
  CHECK_FALSE(b.connected());
  CHECK(f.has(b, "(Killed by ann: go)"));
  CHECK(f.server->users() == 1);
}

TEST_CASE("irc::server: hostile input ends no server") {
  irc_fixture f{{.name = "irc.example",
                 .flood_control = false,
                 .per_address = 1000000,
                 .connects_per_minute = 1000000}};
  auto& witness = f.join("wit");
  f.say(witness, "JOIN #c");
  const strings words{"#c",
                      "wit",
                      "me",
                      "*",
                      "0",
                      "+o",
                      "-b",
                      "+kl",
                      "b",
                      ",",
                      ":",
                      "",
                      ":x y",
                      "\x01",
                      "\xff",
                      "%tcuihsnfdlaor,999",
                      "LS",
                      "REQ",
                      "302",
                      "-sasl",
                      "99999999999999999999"};
  const strings verbs{"JOIN",    "PART",  "MODE",   "KICK",     "TOPIC",        "NAMES",   "LIST",
                      "WHO",     "WHOIS", "INVITE", "NICK",     "CAP",          "PRIVMSG", "NOTICE",
                      "TAGMSG",  "AWAY",  "ISON",   "USERHOST", "AUTHENTICATE", "USER",    "PASS",
                      "OPER",    "KILL",  "PING",   "PONG",     "WHOWAS",       "MOTD",    "LUSERS",
                      "VERSION", "TIME",  "INFO",   "ADMIN"};
  std::mt19937 draw{1};
  for (int i = 0; i < 40; ++i) {
    auto& u = f.connect();
    if (i % 2 == 0)
      f.say(u, "NICK me\r\nUSER m 0 * :m");
    std::string lines;
    for (int k = 0; k < 100; ++k) {
      if (draw() % 4 == 0)
        lines += "@label=" + std::to_string(k) + ";+x " + words[draw() % words.size()] + " ";
      lines += verbs[draw() % verbs.size()];
      for (auto n = draw() % 5; n > 0; --n)
        lines += " " + words[draw() % words.size()];
      lines += "\r\n";
    }
    f.say(u, lines);
    f.say(u, "QUIT");
  }
  CHECK(f.ask(witness, "PING still").back() == ":irc.example PONG irc.example :still");
  CHECK(f.server->users() == 1);
}
