// What stands in messages: formatting, CTCP, and text that is cut to fit.

#include <string>
#include <vector>

#include <troupe/irc/ctcp.hpp>
#include <troupe/irc/formatting.hpp>
#include <troupe/irc/message.hpp>
#include <troupe/irc/split_text.hpp>
#include <troupe/testing/hostile_input.hpp>

#include "support/catch.hpp"

using namespace troupe::irc;
using namespace std::string_literals;
using pieces = std::vector<styled_text>;

TEST_CASE("irc: formatting is read in pieces of one style") {
  CHECK(parse_formatting("a\x02 b\x02 c") == pieces{{{}, "a"}, {{.bold = true}, " b"}, {{}, " c"}});
  CHECK(parse_formatting("\x03"
                         "4,12x\x03"
                         "7y\x03z")
        == pieces{{{.foreground = 4, .background = 12}, "x"},
                  {{.foreground = 7, .background = 12}, "y"},
                  {{}, "z"}});
  CHECK(parse_formatting("\x03"
                         "123")
        == pieces{{{.foreground = 12}, "3"}});
  CHECK(parse_formatting("\x03"
                         "4,x")
        == pieces{{{.foreground = 4}, ",x"}});
  CHECK(parse_formatting("\x1d\x1f\x1e\x11\x16x\x0fy")
        == pieces{{{.italic = true,
                    .underline = true,
                    .strikethrough = true,
                    .monospace = true,
                    .reverse = true},
                   "x"},
                  {{}, "y"}});
  CHECK(parse_formatting("\x04"
                         "ff00aa,010203x\x04y")
        == pieces{{{}, "xy"}});
  CHECK(parse_formatting("").empty());
  CHECK(strip_formatting("\x02"
                         "a\x03"
                         "04,05b\x0f\x16"
                         "c\x03")
        == "abc");
}

TEST_CASE("irc: assembled formatting is read back as it was, whatever the text begins with") {
  for (const auto& text : {"x"s, "1"s, "12"s, ",1"s, ","s, " "s}) {
    const pieces all{{{}, text},
                     {{.foreground = 4}, text},
                     {{.foreground = 4, .background = 0}, text},
                     {{.bold = true, .background = 7}, text},
                     {{.bold = true}, text},
                     {{}, text}};
    CAPTURE(text);
    CHECK(parse_formatting(assemble_formatting(all)) == all);
  }
  CHECK(assemble_formatting(pieces{{{.bold = true},
                                    "a\x02\x03"
                                    "b"}})
        == "\x02"
           "ab");
  CHECK(assemble_formatting(pieces{{{.foreground = 500}, "a"}})
        == "\x03"
           "99a");
}

TEST_CASE("irc: text of strangers keeps its formatting and loses what a terminal obeys") {
  CHECK(clean_text("\x02"
                   "bold\x02 \x1b[2Jx\x9b"
                   "31m\xc2\x9by\x07\x7f")
        == "\x02"
           "bold\x02 [2Jx\xef\xbf\xbd"
           "31my");
  CHECK(clean_text("\x01"
                   "ACTION waves\x1b\x01")
        == "\x01"
           "ACTION waves\x01");
  CHECK(clean_text("\x01"
                   "ACTION wa\x01ves")
        == "\x01"
           "ACTION waves");
  CHECK(clean_text("a\x01") == "a");
  CHECK(clean_text("\x01") == "\x01");
  CHECK(clean_text("caf\xc3\xa9 \xf0\x9f\x98\x80") == "caf\xc3\xa9 \xf0\x9f\x98\x80");
}

TEST_CASE("irc: low-level quoting and CTCP are taken back as they were") {
  const auto all = "a\0b\nc\rd\x10"
                   "e"s;
  CHECK(low_quote(all)
        == "a\x10"
           "0b\x10nc\x10rd\x10\x10"
           "e");
  CHECK(low_dequote(low_quote(all)) == all);
  CHECK(low_dequote("a\x10xb\x10") == "axb");
  using requests = std::vector<ctcp_request>;
  auto parts = ctcp_extract("hi \x01"
                            "ping 1 2\x01there\x01VERSION\x01\x01"
                            "ACTION \x01");
  CHECK(parts.text == "hi there");
  CHECK(parts.requests == requests{{"PING", "1 2"}, {"VERSION", {}}, {"ACTION", ""}});
  parts = ctcp_extract("\x01"
                       "ACTION runs");
  CHECK(parts.requests == requests{{"ACTION", "runs"}});
  CHECK(ctcp_extract("\x01\x01").requests.empty());
  const ctcp_request odd{"X", "a\x01"
                              "b\\c"};
  CHECK(ctcp_extract(ctcp_string(odd)).requests == requests{odd});
}

TEST_CASE("irc::split_text: at line ends, at spaces, and between code points") {
  using views = std::vector<std::string_view>;
  CHECK(split_text("one\r\n\ntwo", 10) == views{"one", "two"});
  CHECK(split_text("aaa bbb ccc", 7) == views{"aaa bbb", "ccc"});
  CHECK(split_text("aaa bbb ccc", 8) == views{"aaa bbb", "ccc"});
  CHECK(split_text("abcdefgh", 4) == views{"abcd", "efgh"});
  CHECK(split_text("\xc3\xa9\xc3\xa9\xc3\xa9", 5) == views{"\xc3\xa9\xc3\xa9", "\xc3\xa9"});
  CHECK(split_text("", 4).empty());
  CHECK(split_text("\x80\x80\x80\x80\x80\x80", 4).size() == 2);
  CHECK_THROWS_AS(split_text("x", 3), std::invalid_argument);
  CHECK(text_room("ann!a@h", "PRIVMSG", "#c") == 512 - (":ann!a@h PRIVMSG #c :\r\n"s).size());
  CHECK(text_room(std::string(600, 'x'), "PRIVMSG", "#c") == 4);
}

TEST_CASE("irc: whatever the text, pieces fit, and nothing but space is lost") {
  const troupe::testing::hostile_input make{{"hello w\xc3\xa9rld \x02"
                                             "b\x03"
                                             "04,05 x"},
                                            {" "}};
  make.each(
    [](std::string_view text) {
      std::string shown;
      for (const auto c : text)
        if (c != ' ' && c != '\r' && c != '\n')
          shown += c;
      std::string joined;
      for (const auto piece : split_text(text, 7)) {
        REQUIRE(piece.size() <= 7);
        REQUIRE_FALSE(piece.empty());
        for (const auto c : piece)
          if (c != ' ')
            joined += c;
      }
      REQUIRE(joined == shown);
      const auto clean = clean_text(text);
      REQUIRE(clean_text(clean) == clean);
      REQUIRE(clean.find('\x1b') == std::string::npos);
      REQUIRE(strip_formatting(strip_formatting(text)) == strip_formatting(text));
    },
    500);
}
