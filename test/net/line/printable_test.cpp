// Text of strangers, made fit to be shown.

#include <random>
#include <string>

#include <troupe/net/printable.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::string_literals;

namespace {

void check(const std::string& text, const std::string& expected) {
  CAPTURE(text);
  CHECK(printable(text) == expected);
  CHECK(printable(expected) == expected);
  CHECK(is_printable(text) == (text == expected));
  CHECK(is_printable(expected));
  // At every place of the eight bytes that are looked at together.
  for (std::size_t before = 0; before < 17; ++before)
    for (const std::size_t after : {0u, 1u, 8u, 9u}) {
      const std::string head(before, 'x');
      const std::string tail(after, '~');
      CHECK(printable(head + text + tail) == head + expected + tail);
    }
}

} // namespace

TEST_CASE("printable: text of any script stays as it is") {
  for (const auto* text :
       {"", "hello", " ~!", "caf\u00e9", "cafe\u0301", "\u672c", "\u05e9\u05dc\u05d5\u05dd",
        "\U0001f469\U0001f3fd\u200d\U0001f680", "\u2764\ufe0f", "\u200e\u200f", "\ue000",
        "\U0010ffff", "\ufffd", "a\u00a0b"})
    check(text, text);
}

TEST_CASE("printable: what ends a line, or looks as if, is a space") {
  check("a\nb", "a b");
  check("a\r\nb\tc\vd\fe", "a  b c d e");
  check("a\u0085b\u2028c\u2029", "a b c ");
}

TEST_CASE("printable: control characters are gone") {
  check("\x1b[2J\x1b]0;owned\x07", "[2J]0;owned");
  check("a\0b\x7f"s, "ab");
  check("\u009b2J\u0080\u009f", "2J");
  for (int c = 0; c < 0x20; ++c)
    if (c < '\t' || c > '\r')
      check(std::string(1, static_cast<char>(c)), "");
}

TEST_CASE("printable: nothing reorders the text of others") {
  check("\u202eabc\u202c\u202a\u202b\u202d", "abc");
  check("\u2066a\u2067b\u2068c\u2069", "abc");
  check("\ufeff\u206a\u206f\ufff9x\ufffb", "x");
}

TEST_CASE(
  "printable: what is no UTF-8 is U+FFFD, one for each part that could have been a beginning") {
  const std::string r = "\ufffd";
  check("\xff\xfe", r + r);
  check("a\x80z", "a" + r + "z");
  check("\xc3", r);
  check("\xc3(", r + "(");
  check("\xc0\x80", r + r);                 // overlong NUL
  check("\xe0\x80\x80", r + r + r);         // overlong
  check("\xed\xa0\x80", r + r + r);         // a surrogate
  check("\xf4\x90\x80\x80", r + r + r + r); // beyond U+10FFFF
  check("\xe6\x9c", r);
  check("\xf0\x9f\x98z", r + "z");
  check("\xf0\x9f\xe6\x9c\xac", r + "\u672c");
  check("\xf5\x80", r + r);
}

TEST_CASE("printable: whatever comes, what is returned is printable, and no byte of it a control") {
  std::mt19937 random{7};
  std::uniform_int_distribution<int> byte{0, 255}, size{0, 40};
  for (int run = 0; run < 20'000; ++run) {
    std::string text(static_cast<std::size_t>(size(random)), ' ');
    for (auto& c : text)
      c = static_cast<char>(byte(random));
    const auto shown = printable(text);
    REQUIRE(is_printable(shown));
    REQUIRE(printable(shown) == shown);
    for (const auto c : shown)
      REQUIRE((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
    const auto quoted = quoted_text(text);
    REQUIRE(is_printable(quoted));
  }
}

TEST_CASE("append_printable appends") {
  std::string all = "<ann> ";
  append_printable(all, "hi\n<bob> I owe you");
  CHECK(all == "<ann> hi <bob> I owe you");
}

TEST_CASE("quoted_text shows what came, and nothing ends its quotation marks") {
  CHECK(quoted_text("hello") == "\"hello\"");
  CHECK(quoted_text("say \"hi\"\\") == R"("say \"hi\"\\")");
  CHECK(quoted_text("a\r\n\tb\x1b[2J\x7f"s + '\0') == R"("a\r\n\tb\x1b[2J\x7f\x00")");
  CHECK(quoted_text("caf\u00e9 \u672c") == "\"caf\u00e9 \u672c\"");
  CHECK(quoted_text("\xff\xe6\x9c") == R"("\xff\xe6\x9c")");
  CHECK(quoted_text("\u0085\u202e\u2028\ufeff") == R"("\xc2\x85\u{202e}\u{2028}\u{feff}")");
  CHECK(quoted_text("hello", 2) == "\"he\" and 3 more bytes");
  CHECK(quoted_text("hello", 5) == "\"hello\"");
}
