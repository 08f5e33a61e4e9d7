// The server: logins that take the place of others, and gateways that say for whom they connect.

#include <troupe/irc/server.hpp>

#include "server_fixture.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using strings = std::vector<std::string>;

namespace {

irc::server_options with_accounts(bool replace) {
  return {.name = "irc.example",
          .login = [](auto account, auto password) { return account == password; },
          .replace_logins = replace,
          .cloak_hosts = false,
          .flood_control = false};
}

// What today's clients send: the nick first, and then who they are.
const std::string as_me = "CAP LS 302\r\nNICK ann\r\nUSER ann 0 * :Ann\r\nCAP REQ sasl\r\n"
                          "AUTHENTICATE PLAIN\r\nAUTHENTICATE AG1lAG1l\r\nCAP END";
const std::string as_him = "CAP LS 302\r\nNICK ann\r\nUSER ann 0 * :Ann\r\nCAP REQ sasl\r\n"
                           "AUTHENTICATE PLAIN\r\nAUTHENTICATE AGhpbQBoaW0=\r\nCAP END";
const std::string taken = ":irc.example 433 * ann :Nickname is already in use";

} // namespace

TEST_CASE("irc::server: whoever logs in again takes the place of the connection before") {
  irc_fixture f{with_accounts(true)};
  auto& bob = f.join("bob");
  auto& first = f.connect();
  f.say(first, as_me);
  REQUIRE(f.has(first, " 001 ann "));
  f.say(first, "JOIN #c");
  f.say(bob, "JOIN #c");
  bob.heard.clear();
  auto& second = f.connect();
  f.say(second, as_me);
  CHECK(f.has(second, " 001 ann "));
  CHECK(f.has(first, "ERROR :Closing Link: 127.0.0.1 (Replaced by another login"));
  CHECK_FALSE(first.connected());
  CHECK(bob.heard
        == strings{":ann!~ann@127.0.0.1 QUIT :Replaced by another login of the same account"});
  CHECK(f.server->users() == 2);
  f.say(second, "PRIVMSG bob :still me");
  CHECK(bob.heard.back() == ":ann!~ann@127.0.0.1 PRIVMSG bob :still me");
}

TEST_CASE(
  "irc::server: another account, or none, takes nobody's place, nor does any unless told so") {
  irc_fixture f{with_accounts(true)};
  auto& first = f.connect();
  f.say(first, as_me);
  auto& other = f.connect();
  f.say(other, as_him);
  CHECK(f.has(other, taken));
  CHECK(f.has(first, " 001 ann "));
  CHECK(first.connected());
  f.say(other, "NICK him");
  CHECK(f.has(other, " 001 him "));
  auto& nobody = f.connect();
  f.say(nobody, "NICK ann\r\nUSER ann 0 * :Ann");
  CHECK(f.has(nobody, taken));
  CHECK(f.ask(nobody, "NICK him") == strings{":irc.example 433 * him :Nickname is already in use"});
  CHECK(f.ask(nobody, "NICK cat").front().find(" 001 cat ") != std::string::npos);
  CHECK(f.ask(nobody, "NICK ann")
        == strings{":irc.example 433 cat ann :Nickname is already in use"});
  irc_fixture without{with_accounts(false)};
  auto& a = without.connect();
  without.say(a, as_me);
  auto& b = without.connect();
  without.say(b, as_me);
  CHECK(without.has(b, taken));
  CHECK(a.connected());
}

TEST_CASE("irc::server: a gateway says which address its users have, and others may not") {
  irc_fixture f{{.name = "irc.example",
                 .gateways = {{"127.0.0.1", "secret"}},
                 .cloak_hosts = false,
                 .flood_control = false,
                 .per_address = 2,
                 .connects_per_minute = 3}};
  const auto come = [&](const std::string& nick, const std::string& address) -> irc_user& {
    auto& u = f.connect();
    f.say(u,
          "WEBIRC secret page host.example " + address + "\r\nNICK " + nick + "\r\nUSER u 0 * :U");
    return u;
  };
  auto& a = come("ann", "192.0.2.1");
  CHECK(f.has(a, "Welcome to the Troupe network, ann!~u@192.0.2.1"));
  CHECK(f.has(come("bob", "2001:DB8:0::1"), "bob!~u@2001:db8::1"));
  CHECK(f.ask(a, "WEBIRC secret page host.example 192.0.2.9")
        == strings{":irc.example 462 ann :You may not reregister"});
  // The limits are those of the users, and the gateway has none.
  CHECK(f.has(come("cat", "192.0.2.1"), " 001 cat "));
  auto& third = come("dan", "192.0.2.1");
  CHECK(f.has(third, "Too many connections from your address"));
  CHECK_FALSE(third.connected());
  f.say(a, "QUIT");
  CHECK(f.has(come("eve", "192.0.2.1"), " 001 eve "));
  for (int i = 0; i < 5; ++i)
    CHECK(f.has(come("n" + std::to_string(i), "192.0.2.1" + std::to_string(i)), " 001 n"));
  irc_user* waiting[3];
  for (auto*& u : waiting)
    u = &f.connect();
  f.net.flush();
  for (const auto* u : waiting)
    CHECK(u->connected());
  for (const auto* bad : {"WEBIRC wrong page host.example 192.0.2.2",
                          "WEBIRC secret page host.example 192.0.2", "WEBIRC secret page h :x y"}) {
    auto& u = f.connect();
    f.say(u, bad);
    CHECK(f.has(u, "ERROR :Closing Link: "));
    CHECK_FALSE(u.connected());
  }
  irc_fixture elsewhere{{.name = "irc.example", .gateways = {{"192.0.2.7", "secret"}}}};
  auto& u = elsewhere.connect();
  elsewhere.say(u, "WEBIRC secret page host.example 192.0.2.2");
  CHECK(elsewhere.has(u, "You are no gateway that is known here"));
  CHECK_FALSE(u.connected());
}
