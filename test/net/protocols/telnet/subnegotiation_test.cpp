// What is inside the subnegotiations that Troupe knows.

#include <string>

#include <troupe/telnet/subnegotiation.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::string_literals;

TEST_CASE("window size: two numbers of two bytes, and nothing else") {
  CHECK(parse_window_size("\0\x50\0\x18"s) == window_size{80, 24});
  CHECK(parse_window_size("\0\0\0\0"s) == window_size{0, 0});
  CHECK(parse_window_size("\x03\xe8\x03\xe9"s) == window_size{1000, 1000});
  CHECK(parse_window_size("\xff\xff\xff\xff"s) == window_size{1000, 1000});
  for (const auto& wrong : {""s, "\0\x50\0"s, "\0\x50\0\x18\0"s})
    CHECK_FALSE(parse_window_size(wrong));
  CHECK(make_window_size({258, 3}) == "\x01\x02\x00\x03"s);
}

TEST_CASE("terminal type: upper case, 40 characters, nothing that a terminal obeys") {
  CHECK(parse_terminal_type("\0xterm-256color"s) == "XTERM-256COLOR");
  CHECK(parse_terminal_type("\0a\x1b[2J\xff"s + "b\n"s) == "A2JB");
  CHECK(parse_terminal_type("\0"s + std::string(50, 'x')) == std::string(40, 'X'));
  CHECK_FALSE(parse_terminal_type("\0"s));
  CHECK_FALSE(parse_terminal_type("\x01xterm"));
  CHECK_FALSE(parse_terminal_type(""));
  CHECK(parse_terminal_type(make_terminal_type("VT100")) == "VT100");
  CHECK(terminal_type_send() == "\x01");
}

TEST_CASE("charset: the first that is known is accepted") {
  const auto asked = parse_charset(charset_request({"ISO-8859-1", "UTF-8"}));
  CHECK(asked.what == charset_message::kind::request);
  CHECK(asked.names == std::vector<std::string>{"ISO-8859-1", "UTF-8"});
  CHECK(answer_charset(asked.names, {"utf-8"}) == "\x02UTF-8");
  CHECK(answer_charset(asked.names, {"KOI8-R"}) == "\x03");
  CHECK(parse_charset("\x02UTF-8").names == std::vector<std::string>{"UTF-8"});
  CHECK(parse_charset("\x03").what == charset_message::kind::rejected);
  CHECK(parse_charset("").what == charset_message::kind::other);
  CHECK(parse_charset("\x01").names.empty());
  CHECK(parse_charset("\x01[TTABLE]\x01;UTF-8").names == std::vector<std::string>{"UTF-8"});
  std::string many = "\x01";
  for (int i = 0; i < 100; ++i)
    many += ";x";
  CHECK(parse_charset(many).names.size() == 32);
  CHECK(parse_charset("\x01;" + std::string(41, 'x') + ";a").names
        == std::vector<std::string>{"a"});
}

TEST_CASE("environment: only what is asked for by name, and is harmless, is taken") {
  using vars = std::vector<std::pair<std::string, std::string>>;
  const std::vector<std::string> allowed{"LANG", "COLORTERM"};
  const auto is = [](const std::string& rest) {
    return "\0"s + rest;
  };
  CHECK(parse_environment(is("\0LANG\x01"
                             "de_DE.UTF-8\0COLORTERM\x01truecolor"s),
                          allowed)
        == vars{{"LANG", "de_DE.UTF-8"}, {"COLORTERM", "truecolor"}});
  CHECK(parse_environment("\x02\0LANG\x01x"s, allowed) == vars{{"LANG", "x"}});
  // What others have been caught with.
  CHECK(parse_environment(is("\0USER\x01-f root"s), allowed).empty());
  CHECK(parse_environment(is("\0LD_PRELOAD\x01/tmp/x.so"s), allowed).empty());
  CHECK(parse_environment(is("\0LANG\x01-f root"s), allowed).empty());
  CHECK(parse_environment(is("\0LANG\x01"
                             "a\nb"s),
                          allowed)
          .empty());
  CHECK(parse_environment(is("\0LANG\x01"
                             "a\x02\0b"s),
                          allowed)
          .empty());
  CHECK(parse_environment(is("\x03LANG\x01x"s), allowed).empty()); // of the user's own
  CHECK(parse_environment(is("\0LANG"s), allowed).empty());
  CHECK(parse_environment(is("\0LANG\x01"s + std::string(129, 'x')), allowed).empty());
  CHECK(parse_environment("\x01\0LANG\x01x"s, allowed).empty());
  CHECK(parse_environment("", allowed).empty());
  CHECK(environment_send({"LANG", "A\x01"}) == "\x01\0LANG\0A\x02\x01"s);
}

TEST_CASE("line mode: its mask, and nothing else") {
  CHECK(make_linemode({.trap_signals = true}) == "\x01\x02");
  CHECK(parse_linemode("\x01\x07") == linemode_mode{true, true, true});
  CHECK_FALSE(parse_linemode("\x03\x01\x02"));
  CHECK_FALSE(parse_linemode(""));
}
