// A line that is typed while text appears above it, as a terminal shows both.

#include <random>
#include <string>

#include <troupe/telnet/edit_screen.hpp>
#include <troupe/telnet/terminal_buffer.hpp>

#include "support/catch.hpp"

using namespace troupe;

namespace {

// An edit screen, and the terminal that it draws on.
struct drawn {
  edit_screen s;
  terminal_buffer t;
  key_decoder d{};

  drawn(window_size size, bool status) : t(size) {
    std::string out;
    s.set_prompt(out, "> ");
    s.set_status(out, "ann in lobby", "/help");
    out.clear();
    s.begin(out, size, status);
    t.write_text(out);
  }
  void print(const std::string& text) {
    std::string out;
    s.print(out, text);
    t.write_text(out);
  }
  void type(const std::string& keys) {
    std::string out;
    d.feed(keys, [&](const key_event& k) {
      if (s.editor().take(k) == edit_result::line) {
        s.leave_line(out);
        s.editor().take_line();
      }
      s.show_line(out);
      return true;
    });
    t.write_text(out);
  }
  void resize(window_size size) {
    t.resize(size);
    std::string out;
    s.resize(out, size);
    t.write_text(out);
  }
  std::string cursor() const {
    return std::to_string(t.cursor_column()) + "," + std::to_string(t.cursor_row());
  }
};

} // namespace

TEST_CASE("edit_screen: without a status line, text comes above what is typed") {
  drawn d{{20, 5}, false};
  CHECK(d.t.text() == "> ");
  d.type("hel");
  d.print("<bob> hi\r\n<bob> ho\r\n");
  CHECK(d.t.text() == "<bob> hi\n<bob> ho\n> hel");
  CHECK(d.cursor() == "5,2");
  d.type("lo\x1b[D");
  CHECK(d.cursor() == "6,2");
  d.print("x\n");
  CHECK(d.cursor() == "6,3");
  d.type("\r");
  CHECK(d.t.text() == "<bob> hi\n<bob> ho\nx\n> hello\n> ");
}

TEST_CASE("edit_screen: with one, text scrolls above it, and what is typed is not touched") {
  drawn d{{24, 6}, true};
  CHECK(d.t.row(4) == "ann in lobby       /help");
  CHECK(d.t.at(0, 4).attributes.reverse);
  CHECK_FALSE(d.t.at(0, 3).attributes.reverse);
  d.type("hello");
  for (int i = 1; i <= 9; ++i)
    d.print("line " + std::to_string(i) + "\n");
  CHECK(d.t.text() == "line 6\nline 7\nline 8\nline 9\nann in lobby       /help\n> hello");
  CHECK(d.cursor() == "7,5");
  d.print(std::string(30, 'w') + "\n");
  CHECK(d.t.row(2) == std::string(24, 'w'));
  CHECK(d.t.row(3) == std::string(6, 'w'));
  CHECK(d.t.row(5) == "> hello");
  d.type("\r");
  CHECK(d.t.row(3) == "> hello");
  CHECK(d.t.row(5) == "> ");
}

TEST_CASE("edit_screen: what was there before stays, and is drawn anew if it is known") {
  edit_screen s;
  terminal_buffer t{{24, 6}};
  t.write_text("unknown\nWhat's your name?\n");
  std::string out;
  s.remember("What's your ");
  s.remember("name?\r\n");
  s.begin(out, {24, 6}, true);
  t.write_text(out);
  CHECK(t.row(0) == "unknown");
  CHECK(t.row(1) == "What's your name?");
  out.clear();
  s.redraw(out);
  t.write_text(out);
  CHECK(t.row(3) == "What's your name?");
  // With rows full, they scroll.
  terminal_buffer full{{24, 4}};
  full.write_text("1\n2\n3\n4");
  out.clear();
  edit_screen{}.begin(out, {24, 4}, true);
  full.write_text(out);
  CHECK(full.row(0) == "3");
  CHECK(full.row(1) == "4");
  // Without a status line nothing of it is touched.
  terminal_buffer plain{{24, 6}};
  plain.write_text("unknown\n");
  out.clear();
  edit_screen{}.begin(out, {24, 6}, false);
  plain.write_text(out);
  CHECK(plain.text() == "unknown");
}

TEST_CASE("edit_screen: text without an end is a prompt, until its end comes") {
  drawn d{{30, 5}, false};
  d.print("Password: ");
  CHECK(d.t.text() == "Password: ");
  d.s.editor().set_hidden(true);
  d.type("secret");
  CHECK(d.t.text() == "Password: ");
  d.type("\r");
  CHECK(d.t.text() == "Password: \n> ");
  d.s.editor().set_hidden(false);
  d.print("a");
  d.print("b\nc");
  CHECK(d.t.text() == "Password: \nab\nc");
  d.print(std::string(5000, 'x'));
  CHECK(d.t.row(4) == "> ");
}

TEST_CASE("edit_screen: another size draws what was said anew") {
  drawn d{{24, 6}, true};
  for (int i = 1; i <= 9; ++i)
    d.print("line " + std::to_string(i) + "\n");
  d.type("typed");
  d.resize({30, 8});
  CHECK(
    d.t.text()
    == "line 4\nline 5\nline 6\nline 7\nline 8\nline 9\nann in lobby             /help\n> typed");
  CHECK(d.cursor() == "7,7");
  d.resize({24, 4});
  CHECK(d.t.text() == "line 8\nline 9\nann in lobby       /help\n> typed");
  // Too small for a status line, and large enough again.
  d.resize({24, 3});
  CHECK(d.t.text() == "line 8\nline 9\n> typed");
  d.print("more\n");
  CHECK(d.t.text() == "line 9\nmore\n> typed");
  d.resize({24, 5});
  CHECK(d.t.text() == "line 8\nline 9\nmore\nann in lobby       /help\n> typed");
}

TEST_CASE("edit_screen: colours end with their line") {
  drawn d{{24, 6}, true};
  d.print("\x1b[31mred\nplain\n");
  CHECK(d.t.at(0, 2).attributes.foreground == 1);
  CHECK(d.t.at(0, 3).attributes == terminal_attributes{});
  CHECK(d.t.at(0, 5).attributes == terminal_attributes{});
}

TEST_CASE("edit_screen: it gives the terminal back as a plain one") {
  drawn d{{24, 6}, true};
  d.print("bye\n");
  d.type("half");
  std::string out;
  d.s.end(out);
  d.t.write_text(out);
  d.t.write("$ \r\n1\r\n2\r\n3\r\n");
  CHECK(d.t.text() == "bye\n$ \n1\n2\n3");
  CHECK(d.t.row(4) == "3");
}

TEST_CASE("edit_screen: what is kept to draw anew is bounded") {
  drawn d{{80, 24}, true};
  for (int i = 0; i < 2000; ++i)
    d.print(std::string(100, 'a') + "\n");
  d.print(std::string(100'000, 'b') + "\n");
  d.print("last\n");
  d.resize({80, 30});
  CHECK(d.t.row(27) == "last");
}

TEST_CASE("edit_screen: whatever is said and typed, the last row is what is typed") {
  std::mt19937 random{6};
  for (int round = 0; round < 200; ++round) {
    const bool status = random() % 2 == 0;
    drawn d{{40, 8}, status};
    for (int i = 0; i < 40; ++i) {
      switch (random() % 5) {
      case 0:
        d.print("said " + std::string(random() % 90, 's') + "\n");
        break;
      case 1:
        d.type(random() % 6 == 0 ? "\r" : "\x1b[D");
        break;
      case 2:
        if (status)
          d.resize({static_cast<std::uint16_t>(20 + random() % 60),
                    static_cast<std::uint16_t>(4 + random() % 8)});
        break;
      default:
        d.type("t\xe6\x9c\xac");
      }
      auto e = d.s.editor();
      const auto shown = e.view(d.t.size().columns);
      auto text = shown.text;
      while (text.ends_with(' '))
        text.pop_back();
      auto row = d.t.row(d.t.cursor_row());
      while (row.ends_with(' '))
        row.pop_back();
      REQUIRE(row == text);
      REQUIRE(d.t.cursor_column() == shown.cursor);
      if (status)
        REQUIRE(d.t.cursor_row() == d.t.size().rows - 1U);
    }
  }
}
