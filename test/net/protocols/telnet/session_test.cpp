// A telnet session: what it answers, and the deferreds of what it asks.

#include <string>
#include <vector>

#include <troupe/telnet/error.hpp>
#include <troupe/telnet/telnet_protocol.hpp>
#include <troupe/testing/protocol_fixture.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::string_literals;

namespace {

class session : public telnet_session {
public:
  using telnet_session::telnet_session;
  std::string sent, text, log;
  std::string agreed; // options that may be enabled

  std::string take() { return std::exchange(sent, {}); }
  void from(const std::string& bytes) { bytes_received(as_bytes(bytes)); }

protected:
  void send_bytes(std::string_view bytes) override { sent += bytes; }
  void text_received(std::string_view t) override { text += t; }
  bool agrees(telnet_side, telnet_option o) override {
    return agreed.find(telnet_byte(o)) != std::string::npos;
  }
  void option_changed(telnet_side side, telnet_option o, bool on) override {
    log += (side == telnet_side::local ? "local " : "remote ") + std::to_string(int(o))
           + (on ? " on;" : " off;");
  }
  void subnegotiation_received(telnet_option o, std::string_view data) override {
    log += "sb " + std::to_string(int(o)) + ' ' + std::string{data} + ';';
  }
};

const std::string do_echo = "\xff\xfd\x01", dont_echo = "\xff\xfe\x01", will_echo = "\xff\xfb\x01",
                  wont_echo = "\xff\xfc\x01";
constexpr auto echo = telnet_option::echo;

// Notes how a deferred ended.
void note(chained<void> d, std::string& to) {
  std::move(d).add_callbacks([&to] { to += "done;"; },
                             [&to](const failure& f) { to += f.message() + ';'; });
}

} // namespace

TEST_CASE("telnet_session: every unknown option is refused, once for each request") {
  session s;
  for (int o = 0; o < 256; ++o) {
    const auto option = std::string(1, static_cast<char>(o));
    s.from("\xff\xfb" + option);
    CHECK(s.take() == "\xff\xfe" + option);
    s.from("\xff\xfd" + option);
    CHECK(s.take() == "\xff\xfc" + option);
    s.from("\xff\xfc" + option + "\xff\xfe" + option);
    CHECK(s.take().empty());
  }
}

TEST_CASE("telnet_session: what is agreed to is told and answered once") {
  session s;
  s.agreed = "\x01";
  s.from(do_echo + do_echo);
  CHECK(s.take() == will_echo);
  CHECK(s.log == "local 1 on;");
  CHECK(s.enabled(telnet_side::local, echo));
  s.from(dont_echo + dont_echo);
  CHECK(s.take() == wont_echo);
  CHECK(s.log == "local 1 on;local 1 off;");
}

TEST_CASE("telnet_session: a request fires when it is answered") {
  session s;
  std::string ends;
  note(s.will(echo), ends);
  CHECK(s.take() == will_echo);
  CHECK(ends.empty());
  s.from(do_echo);
  CHECK(s.take().empty());
  CHECK(ends == "done;");
  note(s.wont(echo), ends);
  CHECK(s.take() == wont_echo);
  s.from(dont_echo);
  CHECK(ends == "done;done;");
  CHECK(s.log == "local 1 on;local 1 off;");
}

TEST_CASE("telnet_session: a request that is declined, or makes no sense, fails") {
  session s;
  std::string ends;
  note(s.do_(echo), ends);
  s.from(wont_echo);
  CHECK(ends == make_error_code(telnet_errc::option_refused).message() + ';');
  ends.clear();
  note(s.dont(echo), ends);
  CHECK(ends == make_error_code(telnet_errc::already_disabled).message() + ';');
  ends.clear();
  note(s.do_(echo), ends);
  note(s.do_(echo), ends);
  CHECK(ends == make_error_code(telnet_errc::already_negotiating).message() + ';');
  s.from(will_echo);
  ends.clear();
  note(s.do_(echo), ends);
  CHECK(ends == make_error_code(telnet_errc::already_enabled).message() + ';');
}

TEST_CASE("telnet_session: the opposite request waits for the first, and both end") {
  session s;
  std::string first, second, third;
  note(s.will(echo), first);
  note(s.wont(echo), second);
  CHECK(s.take() == will_echo);
  s.from(do_echo);
  CHECK(first == "done;");
  CHECK(second.empty());
  CHECK(s.take() == wont_echo);
  s.from(dont_echo);
  CHECK(second == "done;");
  // Declined: it is off, which is what the second wants.
  first.clear(), second.clear();
  note(s.will(echo), first);
  note(s.wont(echo), second);
  s.take();
  s.from(dont_echo);
  CHECK(first == make_error_code(telnet_errc::option_refused).message() + ';');
  CHECK(second == "done;");
  CHECK(s.take().empty());
  // Asked for again, the one in between is superseded.
  first.clear(), second.clear();
  note(s.will(echo), first);
  note(s.wont(echo), second);
  note(s.will(echo), third);
  CHECK(second == make_error_code(telnet_errc::superseded).message() + ';');
  CHECK(third == make_error_code(telnet_errc::already_negotiating).message() + ';');
  s.from(do_echo);
  CHECK(first == "done;");
}

TEST_CASE("telnet_session: its end fails all that waits, and nothing is taken in any more") {
  session s;
  std::string ends;
  note(s.will(echo), ends);
  note(s.do_(telnet_option::window_size), ends);
  s.end(errc::connection_lost);
  CHECK(ends.size() > 10);
  CHECK(std::count(ends.begin(), ends.end(), ';') == 2);
  s.take();
  s.from(do_echo + "text");
  CHECK(s.text.empty());
  CHECK(s.take().empty());
}

TEST_CASE("telnet_session: BINARY changes how text is sent and taken, each way by itself") {
  session s;
  s.agreed = std::string(1, '\0');
  s.send_text("a\nb\xff");
  CHECK(s.take() == "a\r\nb\xff\xff");
  s.from("\xff\xfd\x00"s); // DO BINARY
  s.take();
  s.send_text("a\nb\xff");
  CHECK(s.take() == "a\nb\xff\xff");
  s.from("x\r\ny");
  CHECK(s.text == "x\ny");
  s.from("\xff\xfb\x00"s); // WILL BINARY
  s.text.clear();
  s.from("x\r\ny\r\0"s);
  CHECK(s.text == "x\r\ny\r\0"s);
  s.from("\xff\xfc\x00"s);
  s.text.clear();
  s.from("x\r\ny");
  CHECK(s.text == "x\ny");
}

TEST_CASE("telnet_session: what is asked for after the end finds nothing that waits") {
  session s;
  std::string why;
  const auto note = [&](const failure& f) {
    why += f.message() + ';';
  };
  s.will(telnet_option::echo).add_errback(note);
  s.wont(telnet_option::echo).add_errback(note); // waits for the answer to the first
  s.end(errc::connection_lost);
  const auto ended = why;
  CHECK_FALSE(ended.empty());
  s.will(telnet_option::echo).add_errback(note); // takes back the second
  CHECK(why == ended + failure{make_error_code(telnet_errc::already_negotiating)}.message() + ';');
}

TEST_CASE("telnet_session: AYT is answered, and subnegotiations go both ways") {
  session s;
  s.from("\xff\xf6");
  CHECK(s.take() == "\r\n[Yes]\r\n");
  s.send_subnegotiation(telnet_option::window_size, "\xff");
  CHECK(s.take() == "\xff\xfa\x1f\xff\xff\xff\xf0");
  s.from("\xff\xfa\x1f\xff\xff\xff\xf0");
  CHECK(s.log == "sb 31 \xff;");
}

namespace {

class echoing : public telnet_protocol {
public:
  using telnet_protocol::telnet_protocol;
  void connection_made() override {
    do_(telnet_option::window_size).add_errback([this](const failure& f) { why = f.message(); });
  }
  void text_received(std::string_view text) override { send_text(text); }
  void subnegotiation_received(telnet_option o, std::string_view data) override {
    if (const auto size = o == telnet_option::window_size ? parse_window_size(data) : std::nullopt)
      send_text(std::to_string(size->columns) + " columns\n");
  }
  std::string why;
};

} // namespace

TEST_CASE("telnet_protocol: a session on a connection, whose end fails what waits") {
  testing::protocol_fixture<echoing> t;
  CHECK(t.transport.value() == "\xff\xfd\x1f");
  t.transport.clear();
  t.deliver("hi\r\n\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0"s);
  CHECK(t.transport.value() == "hi\r\n80 columns\r\n");
  CHECK(t->why.empty());
  t.lose(errc::connection_lost);
  CHECK_FALSE(t->why.empty());
}
