// Messages: what is read from lines, what is written, and lines in every split.

#include <string>
#include <vector>

#include <troupe/irc/case_mapping.hpp>
#include <troupe/irc/isupport.hpp>
#include <troupe/irc/line_splitter.hpp>
#include <troupe/irc/message.hpp>
#include <troupe/testing/hostile_input.hpp>
#include <troupe/testing/split_feed.hpp>

#include "support/catch.hpp"

using namespace troupe::irc;
using namespace std::string_literals;
using strings = std::vector<std::string>;

namespace {

/// All parts of a message, each in brackets.
std::string parts(std::string_view text) {
  message m;
  if (const auto fault = m.parse(text); fault != message_fault::none)
    return std::string{to_string(fault)};
  std::string all;
  if (!m.tags().empty())
    all.append("@[").append(m.tags()).append("] ");
  if (!m.prefix().empty())
    all.append(":[").append(m.prefix()).append("] ");
  all += m.command();
  for (const auto p : m.params())
    all.append(" [").append(p).append("]");
  return all;
}

strings lines_of(const troupe::testing::split_input& input, std::size_t tags) {
  strings events;
  line_splitter lines{tags};
  input.feed([&](std::string_view piece) {
    for (std::string_view text;;) {
      const auto found = lines.next(piece, text);
      if (found == line_splitter::status::more)
        break;
      events.emplace_back(found == line_splitter::status::line ? text : "(too long)");
    }
    CHECK(lines.kept() <= longest_line + tags + 1);
  });
  return events;
}

strings whole_lines(const std::string& input, std::size_t tags = longest_client_tags) {
  return lines_of({input, {}}, tags);
}

} // namespace

TEST_CASE("irc::message: tags, prefix, command, parameters") {
  CHECK(parts("PING") == "PING");
  CHECK(parts(":irc.example 001 ann :Welcome to IRC, ann!")
        == ":[irc.example] 001 [ann] [Welcome to IRC, ann!]");
  CHECK(parts("@time=12;+x :ann!a@h PRIVMSG #c :a: b")
        == "@[time=12;+x] :[ann!a@h] PRIVMSG [#c] [a: b]");
  CHECK(parts("USER  a   b c  :d  e ") == "USER [a] [b] [c] [d  e ]");
  CHECK(parts("PRIVMSG a :") == "PRIVMSG [a] []");
  CHECK(parts("TOPIC #c ") == "TOPIC [#c]");
  CHECK(parts("A b:c") == "A [b:c]");
  CHECK(parts("  PING x") == "PING [x]");
  CHECK(parts("A 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17")
        == "A [1] [2] [3] [4] [5] [6] [7] [8] [9] [10] [11] [12] [13] [14] [15 16 17]");
  CHECK(parts("A 1 2 3 4 5 6 7 8 9 10 11 12 13 14 :15 16")
        == "A [1] [2] [3] [4] [5] [6] [7] [8] [9] [10] [11] [12] [13] [14] [15 16]");
}

TEST_CASE("irc::message: what is no message says why") {
  CHECK(parts("") == "an empty line");
  CHECK(parts("   ") == "an empty line");
  CHECK(parts(":ann") == "a prefix without a command");
  CHECK(parts("@a=b :ann ") == "a prefix without a command");
  CHECK(parts("@a=b") == "a prefix without a command");
  CHECK(parts("PING a\0b"s) == "CR, LF or NUL in a line");
  CHECK(parts("PING a\rb") == "CR, LF or NUL in a line");
}

TEST_CASE("irc::message: commands, numbers and tags") {
  message m;
  REQUIRE(m.parse("@a=1;b;c=x\\:y\\s\\\\z\\;a=2\\ privmsg x") == message_fault::none);
  CHECK(m.is("PRIVMSG"));
  CHECK_FALSE(m.is("PRIVMS"));
  CHECK(m.numeric() == 0);
  CHECK(m.tag("a") == "2");
  CHECK(m.tag("b") == "");
  CHECK(m.tag("c") == "x;y \\z");
  CHECK_FALSE(m.tag("d"));
  REQUIRE(m.parse("433 x") == message_fault::none);
  CHECK(m.numeric() == 433);
  CHECK(m.last() == "x");
  CHECK(m.param(1) == "");
  std::string value;
  append_tag_value(value, "a; b\\\r\n");
  CHECK(value == "a\\:\\sb\\\\\\r\\n");
  CHECK(tag_value(value) == "a; b\\\r\n");
}

TEST_CASE("irc::split_prefix: nick, user, host") {
  const auto p = split_prefix("ann!a@b!c");
  CHECK(p.nick == "ann");
  CHECK(p.user == "a");
  CHECK(p.host == "b!c");
  CHECK(split_prefix("irc.example").nick == "irc.example");
  CHECK(split_prefix("ann@h").host == "h");
  CHECK(split_prefix("").nick.empty());
}

TEST_CASE("irc::line: writes what is read back, and refuses what would break out") {
  std::string out;
  line{out, "a=b", "irc.example", "332"}.param("ann").param("#c").trailing(":a topic").end();
  CHECK(out == "@a=b :irc.example 332 ann #c ::a topic\r\n");
  out.clear();
  append_line(out, "", "PRIVMSG", std::vector<std::string_view>{"#c", "hello"});
  append_line(out, "", "PRIVMSG", std::vector<std::string_view>{"#c", ""});
  CHECK(out == "PRIVMSG #c hello\r\nPRIVMSG #c :\r\n");
  for (const auto& bad : {"a\r"s, "\n"s, "a\0"s}) {
    CHECK_THROWS_AS((line{out, bad, "A"}), std::invalid_argument);
    CHECK_THROWS_AS((line{out, "", bad}), std::invalid_argument);
    CHECK_THROWS_AS((line{out, bad, "", "A"}), std::invalid_argument);
    CHECK_THROWS_AS((line{out, "", "A"}.param(bad)), std::invalid_argument);
    CHECK_THROWS_AS((line{out, "", "A"}.trailing(bad)), std::invalid_argument);
  }
  for (const auto* bad : {"", ":a", "a b"}) {
    CHECK_THROWS_AS((line{out, "", "A"}.param(bad)), std::invalid_argument);
    CHECK_THROWS_AS((line{out, "", bad}), std::invalid_argument);
  }
  CHECK_THROWS_AS((line{out, "a b", "A"}), std::invalid_argument);
  CHECK_THROWS_AS((line{out, "", "A"}.trailing("x").param("y")), std::invalid_argument);
  line full{out, "", "A"};
  for (int i = 0; i < 15; ++i)
    full.param("x");
  CHECK_THROWS_AS(full.param("x"), std::invalid_argument);
}

TEST_CASE("irc::line_splitter: the same lines however the input is cut") {
  const auto long_one = std::string(511, 'x');
  const auto input = "PING a\r\nB\n\n\r\nC\rD\r\n" + long_one + "\nE\r\n@t=" + std::string(20, 'y')
                     + " F\r\n" + std::string(2000, 'z') + "\r\nunfinished";
  const auto expected =
    strings{"PING a", "B", "C", "D", "(too long)", "E", "(too long)", "(too long)"};
  CHECK(whole_lines(input, 20) == expected);
  CHECK(
    troupe::testing::split_difference(input, [](const auto& split) { return lines_of(split, 20); })
    == "");
}

TEST_CASE("irc::line_splitter: lines and tags just below, at and above their limits") {
  CHECK(whole_lines(std::string(510, 'x') + "\r\n") == strings{std::string(510, 'x')});
  CHECK(whole_lines(std::string(511, 'x') + "\r\n") == strings{"(too long)"});
  // 4096 with "@" and the space
  const auto tags = [](std::size_t size) {
    return "@" + std::string(size - 2, 't') + " ";
  };
  const auto body = std::string(510, 'x');
  CHECK(whole_lines(tags(4096) + body + "\n") == strings{tags(4096) + body});
  CHECK(whole_lines(tags(4097) + body + "\n") == strings{"(too long)"});
  CHECK(whole_lines(tags(4096) + body + "x\n") == strings{"(too long)"});
}

TEST_CASE("irc: hostile input is lines and messages like any other") {
  const troupe::testing::hostile_input make{
    {"@a=b;c :n!u@h PRIVMSG #c :text\r\n", "JOIN #a,#b k\r\nPING :x\r\n"}, {"@", ":", " ", "!"}};
  std::size_t messages = 0;
  make.each([&](std::string_view bytes) {
    for (const auto& text : whole_lines(std::string{bytes})) {
      message m;
      if (m.parse(text) != message_fault::none)
        continue;
      ++messages;
      std::string again;
      if (!m.tags().empty() || m.command().front() == ':' || m.command().front() == '@')
        continue;
      append_line(again, m.prefix(), m.command(), m.params());
      again.resize(again.size() - 2);
      message n;
      REQUIRE(n.parse(again) == message_fault::none);
      REQUIRE(parts(again) == parts(text));
    }
  });
  CHECK(messages > 1000);
}

TEST_CASE("irc: names are folded as the server says, and patterns match") {
  CHECK(fold("Ann[\\]^") == "ann{|}~");
  CHECK(fold("Ann[\\]^", case_mapping::strict_rfc1459) == "ann{|}^");
  CHECK(fold("Ann[\\]^", case_mapping::ascii) == "ann[\\]^");
  CHECK(same_name("#Chan", "#chaN"));
  CHECK_FALSE(same_name("a[", "a{", case_mapping::ascii));
  CHECK(matches("*!*@10.0.?.1", "ann!a@10.0.0.1"));
  CHECK_FALSE(matches("*!*@10.0.?.1", "ann!a@10.0.10.1"));
  CHECK(matches("**", ""));
  CHECK_FALSE(matches("", "a"));
  CHECK_FALSE(matches("*a*a*a*a*a*a*a*a*a*b", std::string(500, 'a'))); // and at once
}

TEST_CASE("irc::isupport: defaults, values, and back to the defaults") {
  isupport s;
  CHECK(s.nick_length() == 9);
  CHECK(s.channel_length() == 200);
  CHECK(s.modes() == 3);
  CHECK(s.prefix_signs() == "@+");
  CHECK(s.is_channel("&x"));
  CHECK(s.take("PREFIX=(qaohv)~&@%+"));
  CHECK_FALSE(s.take("PREFIX=(qa)~"));
  CHECK_FALSE(s.take("PREFIX=qa"));
  CHECK(s.prefix_modes() == "qaohv");
  CHECK(s.take("NICKLEN=30"));
  CHECK(s.nick_length() == 30);
  CHECK(s.take("-NICKLEN"));
  CHECK(s.nick_length() == 9);
  CHECK(s.take("NICKLEN=no"));
  CHECK(s.nick_length() == 9);
  CHECK(s.take("NETWORK=A\\x20B"));
  CHECK(s.value("NETWORK") == "A B");
  CHECK_FALSE(s.take("NETWORK=A\\x2"));
  CHECK_FALSE(s.take("NETWORK=\\xzz"));
  CHECK_FALSE(s.take("=x"));
  CHECK(s.take("CHANTYPES="));
  CHECK_FALSE(s.is_channel("#x"));
  CHECK(s.take("CHANMODES=b,k,l,imnst"));
  CHECK(s.has_parameter('b', true));
  CHECK(s.has_parameter('k', false));
  CHECK(s.has_parameter('l', true));
  CHECK_FALSE(s.has_parameter('l', false));
  CHECK_FALSE(s.has_parameter('n', true));
  CHECK(s.has_parameter('q', false));
  CHECK(s.take("CHANLIMIT=#&:20,+:"));
  const auto limits = s.limits("CHANLIMIT");
  REQUIRE(limits.size() == 2);
  CHECK(limits[0].of == "#&");
  CHECK(limits[0].most == 20);
  CHECK_FALSE(limits[1].most);
  CHECK(s.take("FOO"));
  CHECK(s.value("FOO") == "");
  CHECK(s.names() == case_mapping::rfc1459);
  for (int i = 0; i < 1000; ++i)
    (void)s.take("K" + std::to_string(i));
  CHECK_FALSE(s.value("K900"));
}
