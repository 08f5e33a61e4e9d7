// Telnet's commands in what a peer sends: taken out, answered, and harmless however they come.

#include <random>
#include <string>
#include <vector>

#include <troupe/net/telnet_filter.hpp>
#include <troupe/net/telnet_filtering_factory.hpp>
#include <troupe/net/text_line_receiver.hpp>
#include <troupe/testing/memory_network.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::string_literals;

namespace {

// A shorter way to write what no editor shows.
const std::string iac = "\xff", do_ = "\xff\xfd", dont = "\xff\xfe", will = "\xff\xfb",
                  wont = "\xff\xfc", begin = "\xff\xfa", end = "\xff\xf0", interrupt = "\xff\xf4",
                  break_ = "\xff\xf3", are_you_there = "\xff\xf6", timing_mark = "\x06",
                  echo = "\x01";

struct text_and_answer {
  std::string text;
  std::string answer;
  friend bool operator==(const text_and_answer&, const text_and_answer&) = default;
  friend std::ostream& operator<<(std::ostream& out, const text_and_answer& o) {
    return out << '{' << Catch::StringMaker<std::string>::convert(o.text) << ", "
               << Catch::StringMaker<std::string>::convert(o.answer) << '}';
  }
};

text_and_answer filtered(const std::vector<std::string>& pieces) {
  telnet_filter f;
  text_and_answer all;
  for (const auto& piece : pieces) {
    std::string copy;
    all.text += as_text(f.filter(as_bytes(piece), copy, all.answer));
  }
  return all;
}

/// Requires the same in one piece, in every split in two, and byte by byte; one "[Yes]" at most.
void check(const std::string& input, const text_and_answer& expected) {
  CAPTURE(input);
  CHECK(filtered({input}) == expected);
  for (std::size_t cut = 0; cut <= input.size(); ++cut)
    CHECK(filtered({input.substr(0, cut), input.substr(cut)}) == expected);
  std::vector<std::string> bytes;
  for (const char c : input)
    bytes.emplace_back(1, c);
  CHECK(filtered(bytes) == expected);
}

} // namespace

TEST_CASE("telnet_filter: text without commands is not touched, nor copied") {
  telnet_filter f;
  const std::string text = "caf\xc3\xa9 \xe6\x9c\xac\r\n\x1b[2J";
  std::string copy, answer;
  const auto got = f.filter(as_bytes(text), copy, answer);
  CHECK(as_text(got).data() == text.data());
  CHECK(got.size() == text.size());
  CHECK(answer.empty());
  CHECK(f.filter({}, copy, answer).empty());
}

TEST_CASE(
  "telnet_filter: the mark that Ctrl-C waits for is answered, and the text around it is whole") {
  check("hel" + interrupt + do_ + timing_mark + "lo\r\n", {"hello\r\n", wont + timing_mark});
  check("\xc3" + break_ + do_ + timing_mark + "\r\n", {"\xc3\r\n", wont + timing_mark});
}

TEST_CASE("telnet_filter: every option is refused, and what is refused already is not answered") {
  check(do_ + echo + "a" + will + echo + "b", {"ab", wont + echo + dont + echo});
  check(wont + echo + dont + echo + "x", {"x", ""});
  for (int option = 0; option < 256; ++option) {
    const std::string o(1, static_cast<char>(option));
    CHECK(filtered({do_ + o + "x"}) == text_and_answer{"x", wont + o});
    CHECK(filtered({will + o + "x"}) == text_and_answer{"x", dont + o});
  }
}

TEST_CASE("telnet_filter: a subnegotiation is passed over up to its end") {
  check("a" + begin + "\x18\x01vt100\r\n" + iac + iac + end + "b", {"ab", ""});
  check(begin + end + "b", {"b", ""});
}

TEST_CASE("telnet_filter: a command inside a subnegotiation ends it") {
  check(begin + "\x18xx" + do_ + timing_mark + "text", {"text", wont + timing_mark});
  check(begin + "\x18xx" + begin + "yy" + end + "text", {"text", ""});
}

TEST_CASE("telnet_filter: a subnegotiation without an end silences nobody for long") {
  constexpr auto most = telnet_filter::longest_subnegotiation;
  const auto skipped = std::string(most, 's');
  CHECK(filtered({begin + skipped + "seen\r\n"}) == text_and_answer{"seen\r\n", ""});
  CHECK(filtered({begin + skipped.substr(1), "s", "seen\r\n"}) == text_and_answer{"seen\r\n", ""});
  std::string doubled;
  for (int i = 0; i < most; ++i)
    doubled += iac + iac;
  CHECK(filtered({begin + doubled + "seen"}) == text_and_answer{"seen", ""});
}

TEST_CASE("telnet_filter: who asks whether we are there is told so") {
  check("a" + are_you_there + "b\r\n", {"ab\r\n", "[Yes]\r\n"});
  std::string often;
  for (int i = 0; i < 10'000; ++i)
    often += are_you_there;
  CHECK(filtered({often}) == text_and_answer{"", "[Yes]\r\n"});
}

TEST_CASE("telnet_filter: other commands vanish") {
  for (int c = 0; c < 0xfa; ++c)
    if (c != 0xf6)
      CHECK(filtered({"a" + iac + static_cast<char>(c) + "b"}) == text_and_answer{"ab", ""});
}

TEST_CASE("telnet_filter: the byte 255 is sent twice") {
  check("a" + iac + iac + "b" + iac + iac + iac + iac, {"a\xff"
                                                        "b\xff\xff",
                                                        ""});
}

TEST_CASE("telnet_filter: CR NUL ends a line as CR LF does; another NUL is a byte") {
  check("one\r\0two\r\n\0three\r\r\0"s, {"one\r\ntwo\r\n\0three\r\r\n"s, ""});
  check("\r"s + iac + iac + "\0"s, {"\r\xff\0"s, ""});
}

TEST_CASE("telnet_filter: what is no telnet at all comes to no harm, and answers stay small") {
  std::mt19937 random{42};
  std::uniform_int_distribution<int> byte{0, 255}, often{0, 3};
  for (int run = 0; run < 200; ++run) {
    std::string input;
    for (int i = 0; i < 500; ++i)
      input += often(random) == 0
                 ? '\xff'
                 : static_cast<char>(often(random) == 0 ? byte(random) | 0xf0 : byte(random));
    const auto whole = filtered({input});
    CHECK(whole.text.size() <= input.size());
    CHECK(whole.answer.size() <= input.size() + 7);
    const auto cut = static_cast<std::size_t>(byte(random));
    CHECK(filtered({input.substr(0, cut), input.substr(cut)}).text == whole.text);
  }
}

namespace {

struct echo_lines : text_line_receiver {
  using text_line_receiver::text_line_receiver;
  void line_received(std::string_view line) override { send_line("<" + std::string{line} + ">"); }
};

struct peer : protocol {
  using protocol::protocol;
  void data_received(bytes_view data) override { got += as_text(data); }
  std::string got;
};

} // namespace

TEST_CASE(
  "telnet_filtering_factory: any protocol is spared the commands, and the peer has its answer") {
  testing::memory_network net;
  const auto port =
    net.listen(0, factory::of<telnet_filtering_factory>(factory::for_protocol<echo_lines>()));
  auto& p = net.connect<peer>(port);
  net.enter(p, [&] { p.transport().write("he" + interrupt + do_ + timing_mark); });
  net.flush();
  net.enter(p, [&] { p.transport().write("llo\r\0again\n"s); });
  net.flush();
  CHECK(p.got == wont + timing_mark + "<hello>\r\n<again>\r\n");
}
