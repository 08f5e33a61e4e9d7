// Telnet clients before a protocol of lines: commands are taken out and answered, harmless however they come,
// and where there is a terminal, lines are edited.

#include <random>
#include <string>
#include <vector>

#include <troupe/net/text_line_receiver.hpp>
#include <troupe/telnet/telnet_lines_factory.hpp>
#include <troupe/telnet/terminal_buffer.hpp>
#include <troupe/testing/manual_runtime.hpp>
#include <troupe/testing/memory_network.hpp>
#include <troupe/testing/string_transport.hpp>

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

// Keeps what comes.
class collecting : public protocol {
public:
  using protocol::protocol;
  void data_received(bytes_view data) override { got += as_text(data); }
  std::string got;
};

// One connection of a protocol with telnet lines in front, without a network.
template <class P>
class lines_fixture {
public:
  explicit lines_fixture(telnet_lines_options options = {.editing = telnet_editing::never})
    : handle(rt.spawn_on<P>(0)),
      p(*static_cast<P*>(caf::actor_cast<caf::abstract_actor*>(handle))) {
    factory_ = factory::of<telnet_lines_factory>(factory::for_protocol<P>(), options);
    rt.in_turn([&] {
      auto& f = static_cast<telnet_lines_factory&>(factory_.start(rt.system(), p.loop()));
      p.wrap(f.make_wrapper());
      p.enter([this] { p.make_connection(transport); });
    });
    lines = telnet_lines_protocol::of(p);
  }
  ~lines_fixture() {
    rt.in_turn([this] {
      transport.close();
      p.end_connection(errc::connection_done);
    });
  }
  void deliver(const std::string& bytes) {
    rt.in_turn([&] {
      p.enter([&] {
        if (p.connected() && !transport.disconnecting() && !bytes.empty())
          p.receive(as_bytes(bytes));
      });
    });
  }
  template <class F>
  void enter(F f) {
    rt.in_turn([&] { p.enter(f); });
  }
  std::string take() {
    auto all = transport.value();
    transport.clear();
    return all;
  }

  testing::manual_runtime rt;
  testing::string_transport transport;
  caf::actor handle;
  P& p;
  telnet_lines_protocol* lines = nullptr;

private:
  factory_ref factory_{nullptr};
};

text_and_answer filtered(const std::vector<std::string>& pieces) {
  lines_fixture<collecting> f;
  for (const auto& piece : pieces)
    f.deliver(piece);
  return {f.p.got, f.take()};
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

TEST_CASE(
  "telnet_lines: the mark that Ctrl-C waits for is answered, and the text around it is whole") {
  check("hel" + interrupt + do_ + timing_mark + "lo\r\n", {"hello\r\n", wont + timing_mark});
  check("\xc3" + break_ + do_ + timing_mark + "\r\n", {"\xc3\r\n", wont + timing_mark});
}

TEST_CASE("telnet_lines: every option is refused, and what is refused already is not answered") {
  check(do_ + echo + "a" + will + echo + "b", {"ab", wont + echo + dont + echo});
  check(wont + echo + dont + echo + "x", {"x", ""});
  for (int option = 0; option < 256; ++option) {
    const std::string o(1, static_cast<char>(option));
    CHECK(filtered({do_ + o + "x"}) == text_and_answer{"x", wont + o});
    CHECK(filtered({will + o + "x"}) == text_and_answer{"x", dont + o});
  }
}

TEST_CASE("telnet_lines: a subnegotiation is passed over up to its end") {
  check("a" + begin + "\x18\x01vt100\r\n" + iac + iac + end + "b", {"ab", ""});
  check(begin + end + "b", {"b", ""});
}

TEST_CASE("telnet_lines: a command inside a subnegotiation ends it") {
  check(begin + "\x18xx" + do_ + timing_mark + "text", {"text", wont + timing_mark});
  check(begin + "\x18xx" + begin + "yy" + end + "text", {"text", ""});
}

TEST_CASE("telnet_lines: a subnegotiation without an end silences nobody for long") {
  constexpr auto most = telnet_lines_protocol::longest_subnegotiation;
  const auto skipped = std::string(most, 's');
  CHECK(filtered({begin + "o" + skipped + "seen\r\n"}) == text_and_answer{"seen\r\n", ""});
  CHECK(filtered({begin + "o" + skipped.substr(1), "s", "seen\r\n"})
        == text_and_answer{"seen\r\n", ""});
  std::string doubled;
  for (std::uint32_t i = 0; i < most; ++i)
    doubled += iac + iac;
  CHECK(filtered({begin + "o" + doubled + "seen"}) == text_and_answer{"seen", ""});
}

TEST_CASE("telnet_lines: who asks whether we are there is told so") {
  check("a" + are_you_there + "b\r\n", {"ab\r\n", "[Yes]\r\n"});
  std::string often;
  for (int i = 0; i < 10'000; ++i)
    often += are_you_there;
  CHECK(filtered({often}) == text_and_answer{"", "[Yes]\r\n"});
}

TEST_CASE("telnet_lines: other commands vanish") {
  for (int c = 0; c < 0xfa; ++c)
    if (c != 0xf6)
      CHECK(filtered({"a" + iac + static_cast<char>(c) + "b"}) == text_and_answer{"ab", ""});
}

TEST_CASE("telnet_lines: the byte 255 is sent twice") {
  check("a" + iac + iac + "b" + iac + iac + iac + iac, {"a\xff"
                                                        "b\xff\xff",
                                                        ""});
}

TEST_CASE("telnet_lines: CR NUL ends a line as CR LF does; another NUL is a byte") {
  check("one\r\0two\r\n\0three\r\r\0"s, {"one\r\ntwo\r\n\0three\r\r\n"s, ""});
  check("\r"s + iac + iac + "\0"s, {"\r\xff\0"s, ""});
}

TEST_CASE("telnet_lines: what is no telnet at all comes to no harm, and answers stay small") {
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

struct echo_lines : text_line_receiver, terminal_user {
  using text_line_receiver::text_line_receiver;
  void line_received(std::string_view line) override {
    lines.emplace_back(line);
    if (line == "close")
      return transport().lose_connection();
    send_line("<" + std::string{line} + ">");
  }
  void terminal_changed(telnet_lines_protocol& t) override {
    ++changes;
    if (!t.editing())
      return;
    t.set_prompt("ann> ");
    t.set_status("ann in lobby", std::to_string(t.size().columns));
  }
  completions complete(std::string_view line, std::size_t) override {
    if (line == "/j")
      return {0, {"/join"}};
    return {0, {"/who", "/whois"}};
  }
  void interrupted(telnet_lines_protocol&) override { ++interrupts; }

  std::vector<std::string> lines;
  int changes = 0;
  int interrupts = 0;
};

const std::string will_naws = "\xff\xfb\x1f", will_ttype = "\xff\xfb\x18", do_naws = "\xff\xfd\x1f",
                  do_ttype = "\xff\xfd\x18", will_sga = "\xff\xfb\x03", do_sga = "\xff\xfd\x03",
                  will_echo = "\xff\xfb\x01", do_echo = "\xff\xfd\x01", dont_echo = "\xff\xfe\x01",
                  will_charset = "\xff\xfb\x2a", dont_charset = "\xff\xfe\x2a",
                  send_name = "\xff\xfa\x18\x01\xff\xf0";

std::string name_is(const std::string& name) {
  return "\xff\xfa\x18\0"s + name + "\xff\xf0";
}
std::string size_is(char columns, char rows) {
  return "\xff\xfa\x1f\0"s + columns + "\0"s + rows + "\xff\xf0";
}

// Does what inetutils' telnet does with a terminal of 40 x 8, and shows it.
struct terminal {
  lines_fixture<echo_lines> f;
  terminal_buffer screen{{40, 8}};

  explicit terminal(telnet_editing how = telnet_editing::at_once, bool status = true)
    : f({.editing = how, .prompt = "", .status_line = status}) {}

  void negotiate(const std::string& name = "xterm") {
    CHECK(f.take() == do_naws + do_ttype + will_charset);
    f.deliver(will_naws + size_is(40, 8) + will_ttype + dont_charset);
    CHECK(f.take() == send_name);
    f.deliver(name_is(name));
    CHECK(f.take() == send_name);
    f.deliver(name_is(name));
    CHECK(f.take() == do_sga + will_sga + will_echo);
    f.deliver(will_sga + do_sga + do_echo);
    CHECK(f.lines->editing());
    show();
  }
  void show() {
    struct undone : telnet_events {
      terminal_buffer& screen;
      explicit undone(terminal_buffer& s) : screen(s) {}
      void text(std::string_view data) override { screen.write(data); }
      void negotiation(telnet_command, telnet_option) override {}
    } to{screen};
    telnet_parser p{telnet_line_ends::binary};
    const auto bytes = f.take();
    std::string plain; // CR NUL is CR
    for (std::size_t i = 0; i < bytes.size(); ++i)
      if (bytes[i] != '\0' || i == 0 || bytes[i - 1] != '\r')
        plain += bytes[i];
    p.feed(as_bytes(plain), to);
  }
  void type(const std::string& keys) {
    f.deliver(keys);
    show();
  }
  void say(const std::string& text) {
    f.enter([&] { f.p.transport().write(text); });
    show();
  }
};

} // namespace

TEST_CASE("telnet_lines: any protocol is spared the commands, and the peer has its answer") {
  testing::memory_network net;
  const auto port =
    net.listen(0, factory::of<telnet_lines_factory>(factory::for_protocol<echo_lines>()));
  auto& p = net.connect<collecting>(port);
  net.enter(p, [&] { p.transport().write("he" + interrupt + do_ + timing_mark); });
  net.flush();
  net.enter(p, [&] { p.transport().write("llo\r\0again\n"s); });
  net.flush();
  CHECK(p.got == wont + timing_mark + "<hello>\r\n<again>\r\n");
}

TEST_CASE("telnet_lines: who knows no telnet sees nothing of it, and memory is small") {
  lines_fixture<echo_lines> f({.editing = telnet_editing::if_offered});
  CHECK(f.take().empty());
  f.deliver("caf\xc3\xa9\nb\r\n");
  CHECK(f.take() == "<caf\xc3\xa9>\r\n<b>\r\n");
  CHECK_FALSE(f.lines->speaks_telnet());
  CHECK(f.p.changes == 0);
  CHECK(sizeof(telnet_lines_protocol) <= 144);
}

TEST_CASE("telnet_lines: an offer of a terminal begins the negotiation") {
  for (const auto& offer : {will_naws, will_ttype}) {
    lines_fixture<echo_lines> f({.editing = telnet_editing::if_offered});
    f.deliver("\xff\xfd\x03" + offer); // DO SGA alone does not
    CHECK(f.lines->speaks_telnet());
    CHECK(f.take().find(offer == will_naws ? do_ttype : do_naws) != std::string::npos);
  }
  lines_fixture<echo_lines> f({.editing = telnet_editing::if_offered});
  f.deliver(do_sga + interrupt + do_ + timing_mark);
  CHECK_FALSE(f.lines->speaks_telnet());
}

TEST_CASE("telnet_lines: keys become lines, and what is said appears above them") {
  terminal t;
  t.negotiate();
  CHECK(t.screen.row(6) == "ann in lobby                          40");
  CHECK(t.screen.row(7) == "ann> ");
  t.type("hel");
  t.type("x\x7flo");
  t.say("<bob> hi\r\n");
  CHECK(t.screen.row(5) == "<bob> hi");
  CHECK(t.screen.row(7) == "ann> hello");
  CHECK(t.f.p.lines.empty());
  t.type("\r\0"s);
  CHECK(t.f.p.lines == std::vector<std::string>{"hello"});
  CHECK(t.screen.row(3) == "<bob> hi");
  CHECK(t.screen.row(4) == "ann> hello");
  CHECK(t.screen.row(5) == "<hello>");
  CHECK(t.screen.row(7) == "ann> ");
  t.type("\x1b[A"); // the one before
  CHECK(t.screen.row(7) == "ann> hello");
  t.type("\x03");
  CHECK(t.screen.row(5) == "ann> hello^C");
  CHECK(t.screen.row(7) == "ann> ");
  CHECK(t.f.p.interrupts == 1);
}

TEST_CASE("telnet_lines: keys that come in pieces, and two lines in one") {
  terminal t;
  t.negotiate();
  for (const char c : "a\xc3\xa4\x1b[D\x1b[Db\r\0c\r\n"s)
    t.type({c});
  CHECK(t.f.p.lines == std::vector<std::string>{"ba\xc3\xa4", "c"});
  t.type("d\r\ne\r\n");
  CHECK(t.f.p.lines.size() == 4);
}

TEST_CASE("telnet_lines: Tab completes, and shows what there is") {
  terminal t;
  t.negotiate();
  t.type("/j\t");
  CHECK(t.screen.row(7) == "ann> /join ");
  t.type("\x15/w\t");
  CHECK(t.screen.row(7) == "ann> /who");
  t.type("\t");
  CHECK(t.screen.row(5) == "/who  /whois");
  CHECK(t.screen.row(7) == "ann> /who");
}

TEST_CASE("telnet_lines: another size is drawn, and told") {
  terminal t;
  t.negotiate();
  t.say("<bob> hi\r\n");
  t.type("half");
  t.screen.resize({60, 10});
  const auto before = t.f.p.changes;
  t.type(size_is(60, 10));
  CHECK(t.f.p.changes == before + 1);
  CHECK(t.screen.row(7) == "<bob> hi");
  CHECK(t.screen.row(8) == "ann in lobby                                              60");
  CHECK(t.screen.row(9) == "ann> half");
}

TEST_CASE("telnet_lines: the screen is drawn once for all that one read asks for") {
  terminal t;
  t.negotiate();
  for (int i = 0; i < 100; ++i)
    t.say("<bob> line " + std::to_string(i) + "\r\n");
  t.f.deliver("half\x0c");
  const auto once = t.f.take();
  CHECK(once.find("line 99") != std::string::npos);
  t.f.deliver(std::string(10'000, '\x0c'));
  CHECK(t.f.take() == once);
  const auto changes = t.f.p.changes;
  std::string sizes;
  for (int i = 0; i < 1'000; ++i)
    sizes += size_is(static_cast<char>(30 + i % 2), 8);
  t.f.deliver(sizes + "\x7f");
  CHECK(t.f.take().size() < 2 * once.size());
  CHECK(t.f.p.changes == changes + 1);
}

TEST_CASE("telnet_lines: erase, interrupt and the question whether we are there, as commands") {
  terminal t;
  t.negotiate();
  t.type("ab\xff\xf7");
  CHECK(t.screen.row(7) == "ann> a");
  t.type("\xff\xf8");
  CHECK(t.screen.row(7) == "ann> ");
  t.type("\xff\xf8\xff\xf7"); // nothing is typed
  CHECK(t.screen.row(7) == "ann> ");
  t.type("x\xff\xf4");
  CHECK(t.f.p.interrupts == 1);
  t.type(are_you_there);
  CHECK(t.screen.row(5) == "[Yes]");
}

TEST_CASE("telnet_lines: the key Esc waits for a moment, and is dropped") {
  terminal t;
  t.negotiate();
  t.type("a\x1b");
  t.f.rt.advance(std::chrono::milliseconds(49));
  t.type("[D");
  t.type("b\x1b");
  t.f.rt.advance(std::chrono::milliseconds(50));
  t.type("[D");
  CHECK(t.screen.row(7) == "ann> b[Da");
}

TEST_CASE("telnet_lines: Ctrl-D at an empty line closes, and the terminal is given back") {
  terminal t;
  t.negotiate();
  t.type("a\x04");
  CHECK_FALSE(t.f.transport.disconnecting());
  t.type("\x7f\x04");
  CHECK(t.f.transport.disconnecting());
  CHECK(t.screen.cursor_row() == 6);
  CHECK(t.screen.row(7).empty());
  terminal u;
  u.negotiate();
  u.type("half\x1c");
  CHECK(u.f.transport.disconnecting());
  terminal v;
  v.negotiate();
  v.type("close\r\nmore\r\n");
  CHECK(v.f.p.lines == std::vector<std::string>{"close"});
}

TEST_CASE("telnet_lines: a client that takes ECHO back sends lines again") {
  terminal t;
  t.negotiate();
  t.type("half");
  t.f.deliver(dont_echo + "whole line\r\n");
  CHECK_FALSE(t.f.lines->editing());
  CHECK(t.f.p.lines == std::vector<std::string>{"whole line"});
}

TEST_CASE("telnet_lines: who edits by itself, or has no terminal, is left to it") {
  for (const auto& name : {"dumb"s, "network"s, "TINTIN++"s, "Mudlet 4.17"s}) {
    CAPTURE(name);
    lines_fixture<echo_lines> f({.editing = telnet_editing::at_once});
    f.deliver(will_ttype + name_is(name) + name_is(name));
    CHECK(f.take().find(will_echo) == std::string::npos);
    f.deliver(do_echo);
    CHECK_FALSE(f.lines->editing());
    f.deliver("line\r\n");
    CHECK(f.p.lines.size() == 1);
  }
  lines_fixture<echo_lines> mud({.editing = telnet_editing::at_once});
  mud.deliver(will_ttype + name_is("other") + name_is("xterm") + name_is("MTTS 137")
              + name_is("MTTS 137"));
  CHECK(mud.take().find(will_echo) == std::string::npos);
  CHECK(mud.lines->terminal() == "OTHER");
  // One that refuses everything.
  lines_fixture<echo_lines> none({.editing = telnet_editing::at_once});
  none.deliver("\xff\xfc\x1f\xff\xfc\x18\xff\xfe\x2a");
  none.take();
  none.deliver("line\r\n");
  CHECK(none.take() == "<line>\r\n");
}

TEST_CASE("telnet_lines: NEW-ENVIRON and what else is not wanted is refused") {
  terminal t;
  t.negotiate();
  t.f.deliver("\xff\xfb\x27\xff\xfb\x22\xff\xfb\x20\xff\xfd\x05");
  CHECK(t.f.take() == "\xff\xfe\x27\xff\xfe\x22\xff\xfe\x20\xff\xfc\x05");
}

TEST_CASE("telnet_lines: without a status line, or a size, what is typed is the last line") {
  terminal t{telnet_editing::at_once, false};
  t.negotiate();
  t.type("hel");
  t.say("<bob> hi\r\n");
  CHECK(t.screen.text() == "<bob> hi\nann> hel");
  t.type("lo\r\0"s);
  CHECK(t.screen.text() == "<bob> hi\nann> hello\n<hello>\nann> ");
}

TEST_CASE("telnet_lines: hidden lines for passwords") {
  terminal t;
  t.negotiate();
  t.f.enter([&] { t.f.lines->set_hidden(true); });
  t.type("secret");
  CHECK(t.screen.row(7) == "ann> ");
  t.type("\r");
  CHECK(t.f.p.lines == std::vector<std::string>{"secret"});
  // Where lines come whole, the client is asked not to show them.
  lines_fixture<echo_lines> f({.editing = telnet_editing::at_once});
  f.take();
  f.enter([&] { f.lines->set_hidden(true); });
  CHECK(f.take() == will_echo);
  f.deliver(do_echo);
  f.enter([&] { f.lines->set_hidden(false); });
  CHECK(f.take() == "\xff\xfc\x01");
}

TEST_CASE("telnet_lines: whatever a client sends, there are not more answers than it asked for") {
  std::mt19937 random{21};
  const std::string telling =
    "\xff\xff\xff\xfa\xf0\xfb\xfc\xfd\xfe\x01\x03\x18\x1f\x2a\0\r\n\x1b[Aa"s;
  for (int run = 0; run < 300; ++run) {
    lines_fixture<collecting> f({.editing = telnet_editing::if_offered});
    std::size_t sent = 0;
    for (int i = 0; i < 20; ++i) {
      std::string input;
      for (int k = 0; k < 20; ++k)
        input += telling[random() % telling.size()];
      sent += input.size();
      f.deliver(input);
    }
    if (!f.lines->editing())
      CHECK(f.take().size() <= sent * 4 + 40);
  }
}
