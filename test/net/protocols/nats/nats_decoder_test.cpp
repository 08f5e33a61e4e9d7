#include <troupe/nats/nats_decoder.hpp>

#include <troupe/nats/nats_encoder.hpp>
#include <troupe/testing/split_feed.hpp>

#include "support/catch.hpp"

#include "decoder_events.hpp"

using namespace troupe;
using namespace troupe::testing;
using strings = std::vector<std::string>;

namespace {

strings events_of(const split_input& input, nats_decoder_limits limits = {}) {
  decoder_events events;
  nats_decoder decoder{limits};
  input.feed([&](std::string_view piece) {
    const auto r = decoder.feed(piece, events);
    if (!r.error)
      return true;
    events.add("! " + r.error.message(), {});
    CHECK(decoder.kept() == 0);
    const auto before = events.all.size();
    CHECK(decoder.feed("PING\r\n", events).error); // nothing follows
    CHECK(events.all.size() == before);
    return false;
  });
  return events.all;
}

strings events_of(std::string_view input, nats_decoder_limits limits = {}) {
  return events_of(split_input{input, {}}, limits);
}

void check_every_split(std::string_view input, nats_decoder_limits limits = {}) {
  CHECK(split_difference(input, [&](const auto& i) { return events_of(i, limits); }) == "");
}

} // namespace

TEST_CASE("what a server says comes out whole, however it is cut") {
  const std::string input = "INFO {\"server_id\":\"x\"}\r\n+OK\r\nPING\r\nMSG a.b 7 5\r\nhello\r\n"
                            "MSG a.b 7 _INBOX.1 0\r\n\r\nPONG\r\n"
                            "HMSG h 8 12 14\r\nNATS/1.0\r\n\r\nab\r\n"
                            "HMSG h 8 r.r 30 30\r\nNATS/1.0 503 No Responders\r\n\r\n\r\n"
                            "-ERR 'Slow Consumer'\r\nMSG c 18446744 6\r\n\r\n\r\n\r\n\r\n";
  CHECK(events_of(input)
        == strings{"INFO|{\"server_id\":\"x\"}", "OK|", "PING|", "MSG 7 a.b|||hello",
                   "MSG 7 a.b|_INBOX.1||", "PONG|", "MSG 8 h||NATS/1.0\r\n\r\n|ab",
                   "MSG 8 h|r.r|NATS/1.0 503 No Responders\r\n\r\n|", "ERR|Slow Consumer",
                   "MSG 18446744 c|||\r\n\r\n\r\n"});
  check_every_split(input);
}

TEST_CASE("words may be small, lines may end with LF alone, and spaces may be tabs") {
  const std::string input = "ping\nmsg\ta  1 \t2 \nxy\r\nPonG\r\n-err plain words \n";
  CHECK(events_of(input) == strings{"PING|", "MSG 1 a|||xy", "PONG|", "ERR|plain words"});
  check_every_split(input);
}

TEST_CASE("what no server says is refused, with the reason, and nothing follows") {
  for (const std::string& input : std::initializer_list<std::string>{
         "HELLO\r\n", "\r\n", "MSG\r\n", "MSG a 1\r\n", "MSG a x 1\r\nx\r\n", "MSG a 1 -1\r\nx\r\n",
         "MSG a 1 1x\r\nx\r\n", "MSG a 1 b 1 2\r\nx\r\n", "MSG a 1 1\r\nxyz\r\n",
         "MSG a 1 1\r\nx\n\n", "MSG a 1 99999999999999999999\r\n", "HMSG a 1 5 4\r\nabcd\r\n",
         "HMSG a 1 5\r\n", "MSG a\rb 1 1\r\nx\r\n", "MSG a 1 b c 1\r\nx\r\n", "PINGS\r\n",
         "+OKAY\r\n"}) {
    INFO(input);
    const auto events = events_of("PING\r\n" + input + "PING\r\n");
    REQUIRE(events.size() == 2);
    CHECK(events[1].starts_with("! "));
    check_every_split("PING\r\n" + input + "PING\r\n");
  }
  CHECK(events_of("\x1b[2Jhi\r\n")[0].find("\\x1b[2Jhi") != std::string::npos); // fit for a log
}

TEST_CASE("lines and messages are held to their limits: below, at and above") {
  const nats_decoder_limits limits{.max_line = 30, .max_message = 10};
  const auto line = [](std::size_t size) {
    return "INFO " + std::string(size - 5, 'x') + "\r\n";
  };
  CHECK(events_of(line(29), limits).at(0).starts_with("INFO"));
  CHECK(events_of(line(30), limits).at(0).starts_with("INFO"));
  CHECK(events_of(line(31), limits).at(0).starts_with("! "));
  for (std::size_t size : {29, 30, 31, 32, 33, 60})
    check_every_split(line(size), limits);
  check_every_split(std::string(100, 'x'), limits);
  const auto message = [](std::size_t size) {
    return "MSG a 1 " + std::to_string(size) + "\r\n" + std::string(size, 'x') + "\r\n";
  };
  CHECK(events_of(message(9), limits).at(0).starts_with("MSG"));
  CHECK(events_of(message(10), limits).at(0).starts_with("MSG"));
  CHECK(events_of(message(11), limits).at(0).starts_with("! "));
  CHECK(events_of("MSG a 1 11\r\n", limits).at(0).starts_with("! ")); // before anything of it comes
  CHECK(events_of("MSG a 1 1000000000\r\n").at(0).starts_with("! "));
  for (std::size_t size : {9, 10, 11})
    check_every_split(message(size), limits);
}

TEST_CASE("a large message in single bytes takes its size, and goes when it is told") {
  decoder_events events;
  nats_decoder decoder;
  const std::size_t size = 1024 * 1024;
  CHECK(!decoder.feed("MSG big 1 " + std::to_string(size) + "\r\n", events).error);
  const std::string byte = "x";
  for (std::size_t i = 0; i < size; ++i)
    if (decoder.feed(byte, events).error)
      FAIL("refused");
  CHECK(decoder.kept() == size + std::string{"MSG big 1 1048576\r\n"}.size());
  CHECK(!decoder.feed("\r\nPI", events).error);
  CHECK(events.all.size() == 1);
  CHECK(decoder.kept() == 2);
}

TEST_CASE("a sink that stops the decoder gets the rest back") {
  struct stopping final : nats_sink {
    explicit stopping(nats_decoder& d) : of(d) {}
    void info_received(std::string_view) override { of.stop(); }
    void message_received(std::uint64_t, const nats_message_view&) override { ++others; }
    void ping_received() override { ++others; }
    void pong_received() override { ++others; }
    void error_received(std::string_view) override { ++others; }
    nats_decoder& of;
    int others = 0;
  };
  for (std::size_t cut = 0; cut < 9; ++cut) {
    nats_decoder decoder;
    stopping sink{decoder};
    const std::string_view input = "INFO {}\r\n\x16\x03PING\r\n";
    CHECK(decoder.feed(input.substr(0, cut), sink).rest.empty());
    const auto r = decoder.feed(input.substr(cut), sink);
    CHECK(r.rest == "\x16\x03PING\r\n");
    CHECK(sink.others == 0);
    CHECK(!decoder.feed("PING\r\n", sink).error);
    CHECK(sink.others == 1);
  }
}

TEST_CASE("what a client says") {
  std::string out;
  nats_encoder::append_publish(out, "a.b", "", "", "hi");
  nats_encoder::append_publish(out, "a.b", "r", "", "");
  nats_encoder::append_publish(out, "a.b", "r", "NATS/1.0\r\n\r\n", "hi");
  nats_encoder::append_subscribe(out, "a.>", "", 1);
  nats_encoder::append_subscribe(out, "a.*", "workers", 2);
  nats_encoder::append_unsubscribe(out, 1);
  nats_encoder::append_unsubscribe(out, 2, 18446744073709551615U);
  CHECK(out
        == "PUB a.b 2\r\nhi\r\nPUB a.b r 0\r\n\r\nHPUB a.b r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"
           "SUB a.> 1\r\nSUB a.* workers 2\r\nUNSUB 1\r\nUNSUB 2 18446744073709551615\r\n");
}
