// Telnet's commands and the text between them, however the input is cut.

#include <random>
#include <string>
#include <vector>

#include <troupe/telnet/parser.hpp>
#include <troupe/telnet/text.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::string_literals;

namespace {

// What came, as text that a test can compare: "text", [command], {verb option}, (option: data), (option bad).
class recorder : public telnet_events {
public:
  std::string all;

  void text(std::string_view data) override {
    if (!in_text_)
      all += '"';
    in_text_ = true;
    all += data;
  }
  void command(telnet_command c) override { add("[" + std::to_string(int(c)) + "]"); }
  void negotiation(telnet_command verb, telnet_option o) override {
    add("{" + std::to_string(int(verb)) + " " + std::to_string(int(o)) + "}");
  }
  void subnegotiation(telnet_option o, std::string_view data) override {
    add("(" + std::to_string(int(o)) + ": " + std::string{data} + ")");
  }
  void bad_subnegotiation(telnet_option o) override { add("(" + std::to_string(int(o)) + " bad)"); }
  void finish() { add(""); }

private:
  void add(const std::string& what) {
    if (in_text_)
      all += '"';
    in_text_ = false;
    all += what;
  }
  bool in_text_ = false;
};

std::string parsed(const std::vector<std::string>& pieces,
                   telnet_line_ends ends = telnet_line_ends::nvt) {
  telnet_parser p{ends, 8, 16};
  recorder r;
  for (const auto& piece : pieces)
    p.feed(as_bytes(piece), r);
  r.finish();
  return r.all;
}

/// Requires the same in one piece, in every split in two, and byte by byte.
void check(const std::string& input, const std::string& expected,
           telnet_line_ends ends = telnet_line_ends::nvt) {
  CAPTURE(input);
  CHECK(parsed({input}, ends) == expected);
  for (std::size_t cut = 0; cut <= input.size(); ++cut)
    CHECK(parsed({input.substr(0, cut), input.substr(cut)}, ends) == expected);
  std::vector<std::string> bytes;
  for (const char c : input)
    bytes.emplace_back(1, c);
  CHECK(parsed(bytes, ends) == expected);
}

std::string sent(std::string_view text) {
  std::string out;
  bool after_cr = false;
  append_telnet_text(out, text, after_cr, true);
  return out;
}

} // namespace

TEST_CASE("telnet_parser: text between commands is delivered in order") {
  check("hello", "\"hello\"");
  check("a\xff\xf1"s + "b", "\"a\"[241]\"b\"");
  check("a\xff\xf6\xff\xf4"s + "b\xff\xf3", "\"a\"[246][244]\"b\"[243]");
  check("\xff\xff", "\"\xff\"");
  check("a\xff\xff"s + "b", "\"a\xff"s + "b\"");
}

TEST_CASE("telnet_parser: the ends of lines are those of the network's virtual terminal") {
  check("a\r\nb", "\"a\nb\"");
  check("a\r\0b"s, "\"a\rb\"");
  check("a\rb", "\"a\rb\"");
  check("a\r\r\nb", "\"a\r\nb\"");
  check("\r\xff\xff"s + "x", "\"\r\xff"s + "x\"");
  check("a\r\xff\xf1\nb"s, "\"a\r\"[241]\"\nb\"");
}

TEST_CASE("telnet_parser: for a protocol of lines CR LF stays, and CR NUL becomes it") {
  const auto lines = telnet_line_ends::lines;
  check("a\r\nb\nc", "\"a\r\nb\nc\"", lines);
  check("a\r\0b\0c"s, "\"a\r\nb\0c\""s, lines);
  check("\0"s, "\"\0\""s, lines);
  check("a\r\xff\xff\0"s, "\"a\r\xff\0\""s, lines);
  const std::string text = "untouched\r\n";
  struct same : recorder {
    const char* seen = nullptr;
    void text(std::string_view data) override { seen = data.data(); }
  } r;
  telnet_parser p{lines};
  p.feed(as_bytes(text), r);
  CHECK(r.seen == text.data());
}

TEST_CASE("telnet_parser: in binary nothing but 255 is special") {
  check("a\r\nb\r\0\xff\xff\r"s, "\"a\r\nb\r\0\xff\r\""s, telnet_line_ends::binary);
}

TEST_CASE("telnet_parser: a change of the line ends counts from the next byte") {
  telnet_parser p;
  recorder r;
  p.feed(as_bytes("a\r"), r);
  p.set_line_ends(telnet_line_ends::lines);
  p.feed(as_bytes("\0b\r"s), r);
  p.set_line_ends(telnet_line_ends::binary);
  p.feed(as_bytes("\0c"s), r);
  r.finish();
  CHECK(r.all == "\"a\r\nb\r\0c\""s);
}

TEST_CASE("telnet_parser: verbs take their option, whatever byte it is") {
  check("\xff\xfb\x01\xff\xfc\x03\xff\xfd\xff\xff\xfe\x00x"s,
        "{251 1}{252 3}{253 255}{254 0}\"x\"");
}

TEST_CASE("telnet_parser: a subnegotiation is delivered whole, with 255 once") {
  check("\xff\xfa\x1f\x00P\x00\x18\xff\xf0x"s, "(31: \0P\0\x18)\"x\""s);
  check("\xff\xfa\x1f\xff\xff\xf0\xff\xf0"s, "(31: \xff\xf0)");
  check("\xff\xfa\x18\xff\xf0"s, "(24: )");
  check("\xff\xfa\xff\xff"
        "a\xff\xf0"s,
        "(255: a)");
}

TEST_CASE("telnet_parser: a subnegotiation that is too long is dropped, and the text goes on") {
  check("\xff\xfa\x18"
        "12345678\xff\xf0x"s,
        "(24: 12345678)\"x\"");
  check("\xff\xfa\x18"
        "123456789\xff\xf0x"s,
        "(24 bad)\"x\"");
  // One that never ends is over after a while.
  check("\xff\xfa\x18" + std::string(16, 'a') + "text", "(24 bad)\"text\"");
}

TEST_CASE("telnet_parser: what breaks off a subnegotiation is the command that it looks like") {
  check("\xff\xfa\x18"s + "ab\xff\xf1"s + "c", "(24 bad)[241]\"c\"");
  check("\xff\xfa\x18"s + "ab\xff\xfb\x01"s + "c", "(24 bad){251 1}\"c\"");
  check("\xff\xfa\x18"s + "ab\xff\xfa\x1f"s + "c\xff\xf0", "(24 bad)(31: c)");
  check("\xff\xfa\xff\xf0x"s, "\"x\"");
}

TEST_CASE("telnet_parser: bytes that are no commands, and ends without a beginning, are dropped") {
  check("a\xff\xf0"s + "b\xff\x01"s + "c\xff" + "d", "\"abc\"");
}

TEST_CASE("telnet_parser: once stopped, nothing is delivered") {
  struct stopping : recorder {
    telnet_parser* p = nullptr;
    void command(telnet_command c) override {
      recorder::command(c);
      p->stop();
    }
  } r;
  telnet_parser p;
  r.p = &p;
  p.feed(as_bytes("a\xff\xf1"
                  "b\xff\xf1"),
         r);
  p.feed(as_bytes("c"), r);
  r.finish();
  CHECK(r.all == "\"a\"[241]");
}

TEST_CASE("telnet_parser: any input gives the same events in any pieces") {
  std::mt19937 random{7};
  const std::string telling = "\xff\xff\xff\xf0\xfa\xfb\xfd\x01\r\n\0a"s;
  for (int round = 0; round < 2000; ++round) {
    std::string input;
    for (auto n = random() % 40; n > 0; --n)
      input += telling[random() % telling.size()];
    for (const auto ends :
         {telnet_line_ends::nvt, telnet_line_ends::lines, telnet_line_ends::binary}) {
      std::vector<std::string> pieces;
      for (std::size_t at = 0; at < input.size();) {
        const auto size = 1 + random() % 3;
        pieces.push_back(input.substr(at, size));
        at += size;
      }
      CAPTURE(input);
      REQUIRE(parsed(pieces, ends) == parsed({input}, ends));
    }
  }
}

TEST_CASE("append_telnet_text: LF, CR and 255 as the virtual terminal has them") {
  CHECK(sent("a\nb") == "a\r\nb");
  CHECK(sent("a\r\nb") == "a\r\nb");
  CHECK(sent("a\rb\r") == "a\r\0b\r\0"s);
  CHECK(sent("a\r\0b"s) == "a\r\0b"s);
  CHECK(sent("\xff"
             "a")
        == "\xff\xff"
           "a");
  CHECK(sent("\r\r\n") == "\r\0\r\n"s);
}

TEST_CASE("append_telnet_text: the same in any pieces, and read back it is what was sent") {
  std::mt19937 random{3};
  for (int round = 0; round < 2000; ++round) {
    std::string text, pieces;
    bool after_cr = false;
    for (auto n = random() % 20; n > 0; --n) {
      const char c = "\r\n\xff"
                     "ab"[random() % 5];
      text += c;
      append_telnet_text(pieces, {&c, 1}, after_cr);
    }
    append_telnet_text(pieces, {}, after_cr, true);
    CAPTURE(text);
    REQUIRE(pieces == sent(text));
    // CR LF is one end of a line there and back.
    std::string once;
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n')
        once += text[i];
    REQUIRE(parsed({pieces}) == (once.empty() ? "" : '"' + once + '"'));
  }
}

TEST_CASE("append_telnet_subnegotiation: 255 is doubled, also in the option") {
  std::string out;
  append_telnet_subnegotiation(out, telnet_option::window_size, "a\xff");
  CHECK(out
        == "\xff\xfa\x1f"
           "a\xff\xff\xff\xf0");
  CHECK(parsed({out}) == "(31: a\xff)");
  out.clear();
  append_telnet_subnegotiation(out, static_cast<telnet_option>(255), "x");
  CHECK(parsed({out}) == "(255: x)");
}
