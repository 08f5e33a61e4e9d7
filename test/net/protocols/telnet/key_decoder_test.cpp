// Keys from the bytes of terminals, however they are cut.

#include <random>
#include <string>
#include <vector>

#include <troupe/telnet/display_width.hpp>
#include <troupe/telnet/key_decoder.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::string_literals;

namespace {

std::string name_of(const key_event& k) {
  static constexpr const char* names[] = {"",        "enter",     "tab",    "back_tab", "backspace",
                                          "escape",  "up",        "down",   "left",     "right",
                                          "home",    "end",       "center", "insert",   "del",
                                          "page_up", "page_down", "f",      "position", "unknown"};
  std::string all = k.ctrl ? "C-" : "";
  all += k.alt ? "M-" : "";
  all += k.shift ? "S-" : "";
  if (k.what == key::character)
    append_utf8(all, k.character);
  else
    all += names[static_cast<int>(k.what)];
  if (k.what == key::function)
    all += std::to_string(k.number);
  if (k.what == key::position)
    all += std::to_string(k.column) + ',' + std::to_string(k.row);
  return all + ' ';
}

std::string keys(const std::vector<std::string>& pieces, bool time = false) {
  key_decoder d;
  std::string all;
  const auto note = [&](const key_event& k) {
    all += name_of(k);
    return true;
  };
  for (const auto& p : pieces)
    d.feed(p, note);
  if (time)
    d.timed_out(note);
  CHECK_FALSE((time && d.pending()));
  return all;
}

void check(const std::string& input, const std::string& expected) {
  CAPTURE(input);
  CHECK(keys({input}) == expected);
  for (std::size_t cut = 0; cut <= input.size(); ++cut)
    CHECK(keys({input.substr(0, cut), input.substr(cut)}) == expected);
  std::vector<std::string> bytes;
  for (const char c : input)
    bytes.emplace_back(1, c);
  CHECK(keys(bytes) == expected);
}

} // namespace

TEST_CASE("key_decoder: letters, controls and the ends of lines") {
  check("aB ", "a B   ");
  check("\x01\x03\x04\x1a\x1c", "C-a C-c C-d C-z C-\\ ");
  check("\b\x7f\t", "backspace backspace tab ");
  check("\r\n\r\0\r\n"s + "\n", "enter enter enter enter ");
  check("\r\ra", "enter enter a ");
}

TEST_CASE("key_decoder: letters of all scripts; what is no UTF-8 is told as such") {
  check("\xc3\xa4\xe6\x9c\xac\xf0\x9f\x99\x82", "\u00e4 \u672c \U0001f642 ");
  check("\xff"
        "a",
        "\ufffd a ");
  check("\xe6\x9c"
        "a",
        "\ufffd a ");
  check("\xc0\xaf", "\ufffd \ufffd ");
  check("\xc2\x9b", "unknown "); // a control of C1
  check("\xed\xa0\x80"
        "a",
        "\ufffd a "); // half of a pair
}

TEST_CASE("key_decoder: keys with names, as terminals send them") {
  check("\x1b[A\x1b[B\x1b[C\x1b[D", "up down right left ");
  check("\x1bOA\x1bOB\x1bOC\x1bOD\x1bOH\x1bOF", "up down right left home end ");
  check("\x1b[E\x1b[F\x1b[H\x1b[Z", "center end home back_tab ");
  check("\x1b[1~\x1b[2~\x1b[3~\x1b[4~\x1b[5~\x1b[6~\x1b[7~\x1b[8~",
        "home insert del end page_up page_down home end ");
  check("\x1bOP\x1bOQ\x1bOR\x1bOS", "f1 f2 f3 f4 ");
  check("\x1b[11~\x1b[15~\x1b[17~\x1b[21~\x1b[23~\x1b[24~\x1b[34~", "f1 f5 f6 f10 f11 f12 f20 ");
  check("\x1b[[A\x1b[[E", "f1 f5 ");
  check("\x1bOM", "enter ");
}

TEST_CASE("key_decoder: with Shift, Alt and Ctrl") {
  check("\x1b[1;5C\x1b[1;3D\x1b[3;2~\x1b[1;8A", "C-right M-left S-del C-M-S-up ");
  check("\x1b"
        "b\x1b\x7f\x1b\xc3\xa4",
        "M-b M-backspace M-\u00e4 ");
  check("\x1b\x01", "C-M-a ");
}

TEST_CASE("key_decoder: a position that was asked for is no key") {
  check("\x1b[24;80R", "position79,23 ");
}

TEST_CASE("key_decoder: what is not known is told once, and what follows is a key again") {
  check("\x1b[?1;2ca", "unknown a ");
  check("\x1b[99~a", "unknown a ");
  check("\x1b[1;2;3Aa", "unknown a ");
  check("\x1b[200~", "unknown ");
  check("\x1b[" + std::string(30, '1') + "a", "unknown a ");
  check("\x1b[1\x01", "unknown C-a ");
}

TEST_CASE("key_decoder: only time tells the key Esc") {
  CHECK(keys({"\x1b"}) == "");
  CHECK(keys({"\x1b"}, true) == "escape ");
  CHECK(keys({"\x1b[", ""}, true) == "M-[ ");
  CHECK(keys({"\x1bO"}, true) == "M-O ");
  CHECK(keys({"\x1b[1;"}, true) == "unknown ");
  CHECK(keys({"\xe6\x9c"}, true) == "\ufffd ");
  CHECK(keys({"\x1b\x1b[A"}) == "escape up ");
  CHECK(keys({"a"}, true) == "a ");
}

TEST_CASE("key_decoder: who has enough gets the rest back") {
  key_decoder d;
  std::string all;
  const auto used = d.feed("ab\rcd", [&](const key_event& k) {
    all += name_of(k);
    return k.what != key::enter;
  });
  CHECK(used == 3);
  CHECK(all == "a b enter ");
}

TEST_CASE("key_decoder: any bytes give the same keys in any pieces, and little is kept") {
  std::mt19937 random{2};
  const std::string telling = "\x1b\x1b[[O1;~AR\r\n\0a\xc3\xa4\xff"s;
  for (int round = 0; round < 3000; ++round) {
    std::string input;
    for (auto n = random() % 50; n > 0; --n)
      input += telling[random() % telling.size()];
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < input.size();) {
      const auto size = 1 + random() % 4;
      pieces.push_back(input.substr(at, size));
      at += size;
    }
    CAPTURE(input);
    REQUIRE(keys(pieces, true) == keys({input}, true));
  }
}
