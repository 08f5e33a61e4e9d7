// Lines that are typed.

#include <random>
#include <string>

#include <troupe/telnet/display_width.hpp>
#include <troupe/telnet/line_editor.hpp>

#include "support/catch.hpp"

using namespace troupe;

namespace {

/// An editor at the other end of a keyboard.
struct typing {
  line_editor e;
  key_decoder d{};
  std::vector<edit_result> results{};

  explicit typing(line_editor_options o = {}) : e(o) {}

  typing& operator()(const std::string& bytes) {
    const auto take = [&](const key_event& k) {
      results.push_back(e.take(k));
      if (results.back() == edit_result::line)
        entered = e.take_line();
      return true;
    };
    d.feed(bytes, take);
    d.timed_out(take);
    return *this;
  }
  // The line with a | where the cursor is.
  std::string line() const {
    auto t = e.text();
    return t.insert(e.cursor(), "|");
  }
  std::string entered{};
};

const std::string left = "\x1b[D", right = "\x1b[C", up = "\x1b[A", down = "\x1b[B",
                  home = "\x1b[H", end = "\x1b[F", del = "\x1b[3~", insert = "\x1b[2~",
                  back = "\x7f";

std::string shown(line_editor& e, std::size_t columns) {
  const auto v = e.view(columns);
  CHECK(display_width(std::string_view{v.text}) <= columns);
  CHECK(v.cursor < columns);
  return v.text + " " + std::to_string(v.cursor);
}

} // namespace

TEST_CASE("line_editor: letters go in at the cursor, and keys move it") {
  typing t;
  CHECK(t("hello").line() == "hello|");
  CHECK(t(left + left + "XY").line() == "helXY|lo");
  t(home + "a" + end + "z");
  CHECK(t.line() == "ahelXYloz|");
  CHECK(t("\x01").line() == "|ahelXYloz");
  CHECK(t(left).results.back() == edit_result::unchanged);
  CHECK(t("\x05" + right).results.back() == edit_result::unchanged);
}

TEST_CASE("line_editor: taking out, and nothing where nothing is") {
  typing t;
  for (const auto& k : {back, del, std::string{"\x17"}, std::string{"\x15"}, std::string{"\x0b"}}) {
    t(k);
    CHECK(t.results.back() == edit_result::unchanged);
    CHECK(t.line() == "|");
  }
  CHECK(t("abc" + back).line() == "ab|");
  CHECK(t(home + del).line() == "|b");
  CHECK(t("\x04").line() == "|");
  CHECK(t("\x04").results.back() == edit_result::end_of_input);
  CHECK(t("one two-three  four"
          "\x17")
          .line()
        == "one two-three  |");
  CHECK(t("\x1b\x7f").line() == "one two-|");
  CHECK(t("\x17").line() == "one |");
  CHECK(t("\x19").line() == "one two-|");
  CHECK(t("\x15"
          "\x19")
          .line()
        == "one two-|");
  CHECK(t(home
          + "\x1b"
            "d")
          .line()
        == "| two-");
  CHECK(t(right + "\x0b").line() == " |");
}

TEST_CASE("line_editor: by words") {
  typing t;
  t("one two_2  \xc3\xa4rger!");
  CHECK(t("\x1b"
          "b")
          .line()
        == "one two_2  |\xc3\xa4rger!");
  CHECK(t("\x1b[1;5D").line() == "one |two_2  \xc3\xa4rger!");
  CHECK(t("\x1b"
          "f")
          .line()
        == "one two_2|  \xc3\xa4rger!");
  CHECK(t("\x1b[1;5C").line() == "one two_2  \xc3\xa4rger|!");
}

TEST_CASE("line_editor: a character is what a reader sees as one") {
  typing t;
  // e with an acute accent of its own, a family, a flag.
  const std::string accent = "e\xcc\x81", family = "\U0001f468\u200d\U0001f469\u200d\U0001f467",
                    flag = "\U0001f1e9\U0001f1ea";
  t(accent + family + flag);
  CHECK(t(left).line() == accent + family + "|" + flag);
  CHECK(t(left).line() == accent + "|" + family + flag);
  CHECK(t(back).line() == "|" + family + flag);
  CHECK(t(del).line() == "|" + flag);
  CHECK(t(right).line() == flag + "|");
}

TEST_CASE("line_editor: typing over, and exchanging two") {
  typing t;
  CHECK(t("abc" + home + insert + "X").line() == "X|bc");
  CHECK(t(insert + "Y").line() == "XY|bc");
  CHECK(t("\x14").line() == "XbY|c");
  CHECK(t(end + "\x14").line() == "XbcY|");
  CHECK(typing{}("a\x14").line() == "a|");
}

TEST_CASE("line_editor: what was entered comes back, and the line that was begun is kept") {
  typing t;
  t("one\rtwo\r\rtwo\r");
  CHECK(t.entered == "two");
  CHECK(t.e.history().size() == 2); // none empty, none twice in a row
  t("begun");
  CHECK(t(up).line() == "two|");
  CHECK(t(up).line() == "one|");
  CHECK(t(up).results.back() == edit_result::unchanged);
  CHECK(t(down + down).line() == "begun|");
  CHECK(t(down).results.back() == edit_result::unchanged);
  t(up + "!\r");
  CHECK(t.entered == "two!");
  CHECK(t(up).line() == "two!|");
}

TEST_CASE("line_editor: history and line have their limits") {
  typing t{{.longest_line = 4, .history = 2}};
  t("1\r2\r3\r");
  CHECK(t.e.history().size() == 2);
  CHECK(t(up + up + up).line() == "2|");
  CHECK(t("\x15"
          "abc")
          .line()
        == "abc|");
  CHECK(t("\xc3\xa4").results.back() == edit_result::ring);
  CHECK(t("d").line() == "abcd|");
  CHECK(t("e").results.back() == edit_result::ring);
  CHECK(t("\x15\x19").line() == "abcd|");
  CHECK(t("\x19").results.back() == edit_result::ring);
  typing none{{.history = 0}};
  none("1\r");
  CHECK(none(up).line() == "|");
}

TEST_CASE("line_editor: a hidden line is neither shown nor remembered") {
  typing t;
  t.e.set_prompt("Password: ");
  t.e.set_hidden(true);
  t("secret");
  CHECK(shown(t.e, 40) == "Password:  10");
  t("\r");
  CHECK(t.entered == "secret");
  CHECK(t.e.history().empty());
}

TEST_CASE("line_editor: completion puts in what all have in common") {
  typing t;
  t("/jo");
  CHECK(t.e.complete({0, {"/join"}}));
  CHECK(t.line() == "/join |");
  t("lo");
  CHECK(t.e.complete({6, {"lobby", "lobster"}}));
  CHECK(t.line() == "/join lob|");
  CHECK_FALSE(t.e.complete({6, {"lobby", "lobster"}}));
  CHECK_FALSE(t.e.complete({6, {}}));
  t.e.set_text("x");
  CHECK(t.e.complete({0, {"x\xc3\xa4", "x\xc3\xa5"}}) == false); // no half characters
  CHECK(t("").line() == "x|");
  t(home);
  CHECK(t.e.complete({0, {"ab"}}));
  CHECK(t.line() == "ab |x");
  CHECK_FALSE(t.e.complete({9, {"far"}}));
}

TEST_CASE("line_editor: what was set is only what could be typed") {
  line_editor e;
  e.set_text("a\x1b[2Jb\n\xc2\x9b");
  CHECK(e.text() == "a[2Jb");
}

TEST_CASE("line_editor: keys for others are told") {
  typing t;
  t("\x03\x1c\x0c\t\x1b[5~\x1b[6~\x07");
  CHECK(t.results
        == std::vector{edit_result::interrupt, edit_result::abandon, edit_result::redraw,
                       edit_result::complete, edit_result::page_up, edit_result::page_down,
                       edit_result::unchanged});
}

TEST_CASE("line_editor: a long line slides along with the cursor") {
  typing t;
  t.e.set_prompt("> ");
  CHECK(shown(t.e, 20) == ">  2");
  t("0123456789abcdef");
  CHECK(shown(t.e, 20) == "> 0123456789abcdef 18");
  t("ghijkl");
  const auto v = t.e.view(20);
  CHECK(v.text.starts_with("> <"));
  CHECK(v.text.ends_with("l"));
  CHECK(v.cursor == display_width(std::string_view{v.text}));
  t(home);
  CHECK(shown(t.e, 20) == "> 0123456789abcdef> 2");
}

TEST_CASE("line_editor: whatever is typed, the cursor stands behind what is in front of it") {
  std::mt19937 random{4};
  const std::vector<std::string> all{"a",  "bc ",  "\xe6\x9c\xac", "e\xcc\x81", left, right,
                                     home, end,    back,           "\x17",      up,   "\x19",
                                     "\r", "\x14", "\U0001f642"};
  for (int round = 0; round < 300; ++round) {
    typing t{{.longest_line = 200}};
    t.e.set_prompt("ann> ");
    for (int i = 0; i < 60; ++i) {
      t(all[random() % all.size()]);
      const std::size_t columns = 8 + random() % 30;
      const auto v = t.e.view(columns);
      CAPTURE(t.line(), v.text, columns);
      REQUIRE(display_width(std::string_view{v.text}) <= columns);
      REQUIRE(v.cursor < columns);
      REQUIRE(t.e.text().size() <= 200);
      // Where nothing is left out, the cursor's column is known.
      if (display_width(t.e.text()) + 5 < columns && columns >= 10) {
        REQUIRE(v.text == "ann> " + t.e.text());
        REQUIRE(v.cursor == 5 + display_width(t.e.text().substr(0, t.e.cursor())));
      }
    }
  }
}
