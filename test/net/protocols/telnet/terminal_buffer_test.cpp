// A terminal's screen in memory, and what is written to it.

#include <random>
#include <string>

#include <troupe/telnet/terminal_buffer.hpp>
#include <troupe/telnet/terminal_writer.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::string_literals;

namespace {

// What a screen shows, also if it is fed byte by byte.
std::string screen(const std::string& bytes, window_size size = {10, 4}) {
  terminal_buffer whole{size}, single{size};
  whole.write(bytes);
  for (const char c : bytes)
    single.write({&c, 1});
  CHECK(whole.text() == single.text());
  CHECK(whole.cursor_column() == single.cursor_column());
  CHECK(whole.cursor_row() == single.cursor_row());
  return whole.text();
}

template <class F>
std::string drawn(F draw, window_size size = {10, 4}) {
  std::string out;
  terminal_writer w{out};
  draw(w);
  return screen(out, size);
}

} // namespace

TEST_CASE("terminal_buffer: text goes on in the next row when one more comes, and scrolls") {
  CHECK(screen("hello") == "hello");
  terminal_buffer b{{5, 3}};
  b.write("12345");
  CHECK(b.cursor_column() == 4);
  CHECK(b.cursor_row() == 0);
  b.write("6");
  CHECK(b.text() == "12345\n6");
  b.write("\r\na\r\nb\r\nc");
  CHECK(b.text() == "a\nb\nc");
  CHECK(screen("12345\r\n6", {5, 3}) == "12345\n6"); // and no empty row between
}

TEST_CASE("terminal_buffer: wide characters and marks") {
  CHECK(screen("\xe6\x9c\xac!", {3, 2}) == "\xe6\x9c\xac!");
  CHECK(screen("a\xe6\x9c\xac", {2, 2}) == "a\n\xe6\x9c\xac");
  CHECK(screen("e\xcc\x81x") == "e\xcc\x81x");
  CHECK(screen("\xff\xc3!") == "\xef\xbf\xbd\xef\xbf\xbd!");
  terminal_buffer b{{4, 1}};
  b.write("\xe6\x9c\xac");
  CHECK(b.at(0, 0).character == U'\u672c');
  CHECK(b.at(1, 0).character == 0);
  CHECK(b.cursor_column() == 2);
  CHECK_THROWS_AS(b.at(4, 0), std::out_of_range);
}

TEST_CASE("terminal_buffer: the cursor moves, and stays on the screen") {
  CHECK(drawn([](auto& w) { w.cursor_position(2, 1).text("x"); }) == "\n  x");
  CHECK(drawn([](auto& w) { w.cursor_position(99, 99).text("x"); }) == "\n\n\n         x");
  CHECK(drawn([](auto& w) {
          w.cursor_down(2).cursor_forward(3).text("a").cursor_up().cursor_backward(2).text("b");
        })
        == "\n  b\n   a");
  CHECK(drawn([](auto& w) { w.cursor_up(5).cursor_backward(9).text("x"); }) == "x");
  CHECK(drawn([](auto& w) {
          w.text("ab").save_cursor().cursor_home().text("X").restore_cursor().text("c");
        })
        == "Xbc");
  CHECK(screen("a\tb") == "a       b");
  CHECK(screen("ab\b\bX") == "Xb");
  CHECK(drawn([](auto& w) { w.text("abc").next_line().text("d").reverse_index().text("X"); })
        == "aXc\nd");
}

TEST_CASE("terminal_buffer: a region scrolls by itself") {
  CHECK(drawn([](auto& w) {
          w.text("head").cursor_position(0, 3).text("foot").set_scroll_region(1, 2);
          w.cursor_position(0, 2).text("a\r\nb\r\nc");
        })
        == "head\nb\nc\nfoot");
  CHECK(drawn([](auto& w) {
          w.text("1\r\n2\r\n3\r\n4").set_scroll_region(1, 2).cursor_position(0, 1).reverse_index();
        })
        == "1\n\n2\n4");
  CHECK(drawn([](auto& w) { w.text("1\r\n2\r\n3").cursor_position(0, 1).insert_line(); })
        == "1\n\n2\n3");
  CHECK(drawn([](auto& w) { w.text("1\r\n2\r\n3").cursor_position(0, 1).delete_line(9); }) == "1");
  CHECK(drawn([](auto& w) {
          w.set_scroll_region(1, 2).reset_scroll_region().text("a\r\nb\r\nc\r\nd\r\ne");
        })
        == "b\nc\nd\ne");
}

TEST_CASE("terminal_buffer: erasing, inserting, deleting") {
  const auto at_c = [](auto& w) -> auto& {
    return w.text("abcde\r\nx").cursor_position(2, 0);
  };
  CHECK(drawn([&](auto& w) { at_c(w).erase_to_line_end(); }) == "ab\nx");
  CHECK(drawn([&](auto& w) { at_c(w).erase_to_line_beginning(); }) == "   de\nx");
  CHECK(drawn([&](auto& w) { at_c(w).erase_line(); }) == "\nx");
  CHECK(drawn([&](auto& w) { at_c(w).erase_to_display_end(); }) == "ab");
  CHECK(drawn([&](auto& w) { at_c(w).erase_to_display_beginning(); }) == "   de\nx");
  CHECK(drawn([&](auto& w) { at_c(w).erase_display(); }).empty());
  CHECK(drawn([&](auto& w) { at_c(w).insert_character(2); }) == "ab  cde\nx");
  CHECK(drawn([&](auto& w) { at_c(w).delete_character(2); }) == "abe\nx");
  CHECK(drawn([&](auto& w) { at_c(w).mode(4, true).text("XY"); }) == "abXYcde\nx");
  CHECK(drawn([&](auto& w) { at_c(w).delete_character(99).insert_character(99); }) == "ab\nx");
  CHECK(screen("abcde\x1b[3G\x1b[2X") == "ab  e");
}

TEST_CASE("terminal_buffer: how characters look") {
  terminal_buffer b;
  std::string out;
  terminal_writer{out}
    .bold()
    .foreground(terminal_color::red)
    .text("a")
    .normal()
    .reverse()
    .text("b");
  terminal_writer{out}.normal().foreground(std::uint8_t{200}).text("c");
  terminal_writer{out}.foreground(1, 2, 3).background(terminal_color::blue).underline().text("d");
  b.write(out + "\x1b[m\x1b[95;105;5;39me");
  CHECK(b.at(0, 0).attributes == terminal_attributes{.foreground = 1, .bold = true});
  CHECK(b.at(1, 0).attributes == terminal_attributes{.reverse = true});
  CHECK(b.at(2, 0).attributes == terminal_attributes{.foreground = 200});
  CHECK(b.at(3, 0).attributes
        == terminal_attributes{
          .foreground = terminal_attributes::rgb | 0x010203, .background = 4, .underline = true});
  CHECK(b.at(4, 0).attributes == terminal_attributes{.background = 13, .blink = true});
  b.write("\x1b[38;5m\x1b[38;2;1m\x1b[48mx");
  CHECK(b.text() == "abcdex");
}

TEST_CASE("terminal_buffer: line drawing, tabs, and modes") {
  CHECK(drawn([](auto& w) {
          w.select_character_set('0').text("lqk").select_character_set('B').text("q");
        })
        == "\u250c\u2500\u2510q");
  CHECK(drawn([](auto& w) {
          w.select_character_set('0', 1).shift_out().text("x").shift_in().text("x");
        })
        == "\u2502x");
  CHECK(drawn([](auto& w) { w.clear_all_tabs().cursor_forward(3).set_tab().text("\r\tx"); })
        == "   x");
  CHECK(drawn([](auto& w) { w.private_mode(7, false).text("0123456789ab"); }) == "012345678b");
  terminal_buffer b;
  b.write("\x1b[?25l");
  CHECK_FALSE(b.cursor_visible());
  b.write("x\x1b"
          "c");
  CHECK(b.cursor_visible());
  CHECK(b.text().empty());
}

TEST_CASE("terminal_buffer: what it does not know is not shown") {
  CHECK(screen("a\x1b]0;title\x07"
               "b\x1b]2;t\x1b\\c")
        == "abc");
  CHECK(screen("a\x1b[>0;1cb\x1b[?2004hc\x1b#8d") == "abcd");
  CHECK(screen("a\x1bP+q544e\x1b\\b\x1b%Gc\x1b=\x1b>") == "abc");
  CHECK(screen("a\x1b[1" + std::string(300, '1') + "mb") == "ab");
  CHECK(screen("ac\x1b[\r1Gb") == "bc"); // a control within a sequence is obeyed
}

TEST_CASE("terminal_buffer: a report is answered") {
  terminal_buffer b;
  std::string answer;
  b.answers = [&](std::string_view text) {
    answer += text;
  };
  std::string out;
  terminal_writer{out}.cursor_position(4, 2).report_cursor_position();
  b.write(out);
  CHECK(answer == "\x1b[3;5R");
}

TEST_CASE("terminal_buffer: another size keeps what fits") {
  terminal_buffer b{{6, 3}};
  b.write("abcdef\r\n2\r\n3");
  b.resize({3, 2});
  CHECK(b.text() == "abc\n2");
  CHECK(b.cursor_row() == 1);
  b.resize({0, 5000});
  CHECK(b.size() == window_size{1, 1000});
  b.write("xyz");
}

TEST_CASE("terminal_buffer: nothing that comes breaks it, nor takes the cursor off the screen") {
  std::mt19937 random{9};
  const std::string telling =
    "\x1b\x1b[[];?0123456789ABCDHJKLMPSTXdfghlmr@\r\n\t\b a\xe6\x9c\xac\xcc\x81\xff"s;
  for (int round = 0; round < 2000; ++round) {
    const window_size size{static_cast<std::uint16_t>(1 + random() % 12),
                           static_cast<std::uint16_t>(1 + random() % 6)};
    terminal_buffer b{size};
    std::string input;
    for (int i = 0; i < 200; ++i)
      input += telling[random() % telling.size()];
    CAPTURE(input);
    b.write(input);
    REQUIRE(b.cursor_column() < size.columns);
    REQUIRE(b.cursor_row() < size.rows);
    REQUIRE(b.text().find('\x1b') == std::string::npos);
    if (round % 3 == 0) {
      b.resize({static_cast<std::uint16_t>(1 + random() % 12), 3});
      b.write(input);
      REQUIRE(b.cursor_row() < 3);
    }
  }
}
