// What was said in the chat before: `/history`.

#include <algorithm>
#include <string>

#include "chat/irc_door.hpp"
#include "keeping_chat.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace chat_test;

namespace {

struct telnet_chat : keeping_chat {
  explicit telnet_chat(bool keeps = true)
    : keeping_chat(keeps), port(net.listen(0, service.make_factory())) {
    net.flush();
  }

  user& join(const std::string& name) {
    auto& u = net.connect<user>(port);
    say(u, name);
    return u;
  }
  strings say(user& u, std::string_view lines) {
    net.flush();
    u.heard.clear();
    net.enter(u, [&] { u.transport().write(std::string{lines} + "\r\n"); });
    for (int i = 0; i < 4; ++i)
      net.flush(); // the answer takes some turns
    return u.heard;
  }

  /// Returns what `/history` shows, without the times.
  strings history(user& u, const std::string& count = {}) {
    auto lines = say(u, "/history" + count);
    REQUIRE(lines.size() >= 2);
    CHECK(lines.front() == "What was said here before, in UTC:");
    CHECK(lines.back() == "That was it.");
    lines = {lines.begin() + 1, lines.end() - 1};
    for (auto& line : lines) {
      CHECK(line.find(' ') == 5);
      line.erase(0, 12);
    }
    return lines;
  }

  std::uint16_t port;
};

} // namespace

TEST_CASE("the history of a room shows its lines, by whoever said them, in order", "[chat]") {
  telnet_chat c;
  auto& ann = c.join("ann");
  auto& bob = c.join("bob");
  c.say(ann, "one\r\ntwo");
  c.say(bob, "three");
  c.say(bob, "/join kitchen\r\nsoup");
  CHECK(c.history(ann) == strings{"<ann> one", "<ann> two", "<bob> three"});
  CHECK(c.history(ann, " 2") == strings{"<ann> two", "<bob> three"});
  CHECK(c.history(bob) == strings{"<bob> soup"});
  auto& eve = c.join("eve"); // nobody has told her, until she asks
  CHECK(eve.heard == strings{"Welcome, eve!"});
  CHECK(c.history(eve).size() == 3);
}

TEST_CASE("what clients of IRC say is kept, too", "[chat]") {
  telnet_chat c;
  auto& ann = c.join("ann");
  auto& nan = c.net.connect<user>(c.net.listen(0, make_irc_door(c.net.rt, c.service)));
  c.say(nan, "NICK nan\r\nUSER u 0 * :real\r\nJOIN #lobby");
  c.say(nan, "PRIVMSG #lobby :from afar");
  CHECK(c.history(ann) == strings{"<nan> from afar"});
}

TEST_CASE("the history shows no more than it is asked for, nor than a user can take", "[chat]") {
  telnet_chat c;
  auto& ann = c.join("ann");
  for (int i = 0; i < 30; ++i)
    c.say(ann, std::to_string(i));
  CHECK(c.history(ann).size() == 20);
  CHECK(c.history(ann, " 100").size() == 30);
  CHECK(c.history(ann, " 1") == strings{"<ann> 29"});
  for (const auto* bad : {" 0", " 101", " -1", " x", " 1 2", " 99999999999999999999999"})
    CHECK(c.say(ann, std::string{"/history"} + bad)
          == strings{"How many lines? /history, or /history 1 to 100"});
  for (int i = 0; i < 30; ++i) {
    c.say(ann, std::string(8'000, 'x'));
    c.net.advance(std::chrono::seconds(60));
  }
  std::size_t bytes = 0;
  for (const auto& line : c.history(ann, " 100"))
    bytes += line.size();
  CHECK(bytes > 40'000);
  CHECK(bytes < 64 * 1024);
}

TEST_CASE("what other programs have kept is shown without what a terminal obeys", "[chat]") {
  history_page page;
  page.messages.push_back(std::make_shared<const kept_message>(
    kept_message{{1, 1}, 0, 0, {}, shared_bytes{"<eve> \x1b[2Jhi\r\n<eve> \xff\r\n"}}));
  CHECK(history_text(page, 5)
        == "What was said here before, in UTC:\r\n"
           "01-01 00:00 <eve> [2Jhi\r\n01-01 00:00 <eve> \xef\xbf\xbd\r\nThat was it.\r\n");
}

TEST_CASE("of other nodes a room takes lines, and nothing that a terminal obeys", "[chat]") {
  CHECK(are_lines("<eve> hi\r\n"));
  CHECK(are_lines("<eve> hi\r\n<eve> \xc3\xa4\r\n"));
  for (const auto* bad : {"<eve> hi", "<eve> hi\n", "<eve> hi\r\n<eve>", "<eve> \x1b[2J\r\n",
                          "<eve> a\rb\r\n", "<eve> \xff\r\n", "<eve> \xe2\x80\xae\r\n"})
    CHECK_FALSE(are_lines(bad));
}

TEST_CASE("without a history, or without a line in it, that is what is said", "[chat]") {
  telnet_chat c;
  CHECK(c.say(c.join("ann"), "/history") == strings{"Nothing was said here before."});
  telnet_chat without{false};
  auto& ann = without.join("ann");
  without.say(ann, "hello");
  CHECK(without.say(ann, "/history") == strings{"Nothing is kept here."});
  CHECK(without.kept.counters().appends == 0);
}

TEST_CASE("what is said after asking for the history waits for it", "[chat]") {
  telnet_chat c;
  auto& ann = c.join("ann");
  auto& bob = c.join("bob");
  c.say(ann, "one");
  bob.heard.clear();
  const auto seen = c.say(ann, "/history\r\ntwo\r\n/who");
  REQUIRE(seen.size() == 4);
  CHECK(seen.back() == "In lobby: ann, bob");
  CHECK(bob.heard == strings{"<ann> two"});
}
