#include <troupe/net/line_receiver.hpp>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <troupe/testing/protocol_fixture.hpp>

#include "support/catch.hpp"
#include "support/line_recorder.hpp"

using namespace troupe;
using namespace std::string_literals;
using strings = std::vector<std::string>;
using testing::line_recorder;
using fixture = testing::protocol_fixture<line_recorder>;

namespace {

// Twisted's LineTester: "len N" is followed by N raw bytes.
class mixed : public line_receiver {
public:
  explicit mixed(caf::actor_config& cfg) : line_receiver(cfg) {
    set_delimiter("\n");
    set_max_length(64);
  }
  void connection_lost(const failure&) override {}

  void line_received(std::string_view line) override {
    received.emplace_back(line);
    if (line == "pause" || line == "rawpause")
      pause_lines();
    if (line == "rawpause")
      raw_left(5);
    if (line == "stop")
      transport().lose_connection();
    else if (line.starts_with("len "))
      raw_left(std::stoul(std::string{line.substr(4)}));
  }
  void raw_data_received(bytes_view data) override {
    const auto text = as_text(data);
    const auto taken = std::min(left, text.size());
    received.back() += text.substr(0, taken);
    left -= taken;
    if (left == 0)
      set_line_mode(text.substr(taken));
  }
  void line_length_exceeded(bytes_view data) override {
    const auto text = as_text(data);
    received.emplace_back(text.substr(0, max_length() + 1));
    if (text.size() > max_length() + 1)
      set_line_mode(text.substr(max_length() + 1));
  }

  strings received;

private:
  void raw_left(std::size_t bytes) {
    received.emplace_back();
    left = bytes;
    if (left > 0)
      set_raw_mode();
  }
  std::size_t left = 0;
};

} // namespace

TEST_CASE("lines and raw data are the same however the input is cut") {
  const auto input = "len 10\n\n0123456789len 5\n1234\nlen 20\nfoo 123\n\n0123456789\n012345678"
                     "len 0\nfoo 5\n"s
                     + std::string(69, '1') + "\n"; // too long by 5
  const strings expected{"len 10",
                         "\n012345678",
                         "9len 5",
                         "1234",
                         "len 20",
                         "foo 123\n\n0123456789\n",
                         "012345678len 0",
                         "foo 5",
                         std::string(65, '1'),
                         "1111"};
  for (std::size_t size = 1; size <= input.size(); ++size) {
    CAPTURE(size);
    testing::protocol_fixture<mixed> t;
    t.deliver_in_pieces(input, size);
    CHECK(t->received == expected);
  }
}

TEST_CASE("a line is complete with its delimiter, wherever the input is cut") {
  const std::string input = "one\r\n\r\ntwo\rthree\nfour\r\r\n\n\r\nlast\r\nunfinished";
  const strings expected{"one", "", "two\rthree\nfour\r", "\n", "last"};
  for (std::size_t size = 1; size <= input.size(); ++size) {
    fixture t;
    t.deliver_in_pieces(input, size);
    CAPTURE(size);
    CHECK(t->received == expected);
  }
  for (std::size_t cut = 0; cut <= input.size(); ++cut) { // every split in two
    fixture t;
    t.deliver(std::string_view{input}.substr(0, cut));
    t.deliver(std::string_view{input}.substr(cut));
    CAPTURE(cut);
    CHECK(t->received == expected);
    t.enter([&] { CHECK(t->clear_line_buffer() == "unfinished"); });
  }
}

TEST_CASE("a delimiter may be of any length, and may repeat itself") {
  for (const std::string_view end : {"\n", "||", "aab", "abab", "-----END-OF-PART-----"}) {
    const auto input =
      "x" + std::string{end} + std::string{end} + "a" + "y" + std::string{end} + "zz";
    for (std::size_t size = 1; size <= input.size(); ++size) {
      fixture t;
      t->set_delimiter(end);
      t.deliver_in_pieces(input, size);
      CAPTURE(end, size);
      CHECK(t->received == strings{"x", "", "ay"});
    }
  }
  fixture t;
  CHECK_THROWS_AS(t->set_delimiter(""), std::invalid_argument);
}

TEST_CASE("lines keep NUL bytes and bytes that are no UTF-8") {
  const std::string odd{"\0\xff\xfe\0", 4};
  fixture t;
  t.deliver(odd + "\r\n");
  CHECK(t->received == strings{odd});
}

TEST_CASE("a line that pauses holds back what follows until it is resumed") {
  const std::string input = "twiddle1\ntwiddle2\npause\ntwiddle3\n";
  for (std::size_t size = 1; size <= input.size(); ++size) {
    testing::protocol_fixture<mixed> t;
    t.deliver_in_pieces(input, size);
    CAPTURE(size);
    CHECK(t->received == strings{"twiddle1", "twiddle2", "pause"});
    CHECK(t.transport.producer_state() == testing::producer_state::paused);
    t.enter([&] { t->resume_lines(); });
    CHECK(t->received == strings{"twiddle1", "twiddle2", "pause", "twiddle3"});
    CHECK(t.transport.producer_state() == testing::producer_state::producing);
  }
}

TEST_CASE("pausing and raw mode together hold the raw data back") {
  const std::string input = "twiddle1\ntwiddle2\nrawpause\n12345twiddle3\n";
  for (std::size_t size = 1; size <= input.size(); ++size) {
    testing::protocol_fixture<mixed> t;
    t.deliver_in_pieces(input, size);
    CAPTURE(size);
    CHECK(t->received == strings{"twiddle1", "twiddle2", "rawpause", ""});
    t.enter([&] { t->resume_lines(); });
    CHECK(t->received == strings{"twiddle1", "twiddle2", "rawpause", "12345", "twiddle3"});
  }
}

TEST_CASE("resuming inside the callback that paused loses nothing") {
  fixture t;
  t->on_line = [&](std::string_view) {
    t->pause_lines();
    t->resume_lines();
  };
  t.deliver("a\r\nb\r\nc");
  t.deliver("\r\n");
  CHECK(t->received == strings{"a", "b", "c"});
}

TEST_CASE("resuming outside of the actor's own code delivers as the actor") {
  fixture t;
  t.enter([&] { t->pause_lines(); });
  t.deliver("a\r\n");
  CHECK(t->received.empty());
  t->on_line = [](std::string_view) {
    throw std::runtime_error("boom");
  };
  testing::logged_errors errors{t.rt};
  t->resume_lines();
  CHECK(t->ended == strings{"boom"});
  CHECK(errors.flush<std::runtime_error>().size() == 1);
}

TEST_CASE("clear_line_buffer takes all that is not delivered") {
  fixture t;
  strings taken;
  t->on_line = [&](std::string_view) {
    taken.push_back(t->clear_line_buffer());
  };
  t.deliver("foo\r\nbar\r\nbaz");
  CHECK(t->received == strings{"foo"});
  CHECK(taken == strings{"bar\r\nbaz"});
  t.deliver("quux\r\n");
  CHECK(t->received == strings{"foo", "quux"});
  CHECK(taken.back().empty());
  t->on_line = nullptr;
  t.deliver("half");
  t.enter([&] { CHECK(t->clear_line_buffer() == "half"); });
  t.deliver("new\r\n");
  CHECK(t->received.back() == "new");
}

TEST_CASE("mode changes on every piece cost no stack, and time in proportion to the input") {
  std::string input;
  for (int i = 0; i < 200'000; ++i)
    input += "x\nx";
  struct flipper : line_receiver {
    explicit flipper(caf::actor_config& cfg) : line_receiver(cfg) { set_delimiter("\n"); }
    void line_received(std::string_view line) override {
      lines += line == "x";
      set_raw_mode();
    }
    void raw_data_received(bytes_view data) override {
      raw += as_text(data).front() == 'x';
      set_line_mode(data.subspan(1));
    }
    std::size_t lines = 0, raw = 0;
  };
  testing::protocol_fixture<flipper> f;
  f.deliver(input);
  CHECK(f->lines == 200'000);
  CHECK(f->raw == 200'000);
}

TEST_CASE("raw data given back as a copy is delivered as well") {
  fixture t;
  t->set_delimiter("\n");
  t->on_line = [&](std::string_view) {
    t->set_raw_mode();
  };
  t->on_raw = [&](std::string_view data) {
    t->set_line_mode(std::string{data.substr(1)});
  };
  t.deliver("x\nxx\nxx\nx");
  CHECK(t->received == strings{"x", "raw:xx\nxx\nx", "x", "raw:xx\nx", "x", "raw:x"});
}

TEST_CASE("a switch to raw mode without data waits for the next data") {
  fixture t;
  t->on_line = [&](std::string_view) {
    t->set_raw_mode();
  };
  t.deliver("go\r\n");
  CHECK(t->received == strings{"go"});
  t.deliver("bytes");
  CHECK(t->received == strings{"go", "raw:bytes"});
  t.enter([&] { t->set_line_mode("a\r\n"); });
  CHECK(t->received.back() == "a");
}

TEST_CASE("an unfinished line turns into raw data when the mode is changed") {
  fixture t;
  t.deliver("half");
  t.enter([&] { t->set_raw_mode(); });
  t.deliver("more");
  CHECK(t->received == strings{"raw:halfmore"});
}

TEST_CASE("data fed from within a callback comes after what is there") {
  fixture t;
  bool fed = false;
  t->on_line = [&](std::string_view line) {
    if (!std::exchange(fed, true)) {
      t->data_received(as_bytes("c\r\nd\r"));
      t->data_received(as_bytes("\ne"));
      CHECK(line == "a"); // still good
    }
  };
  t.deliver("a\r\nb\r\n");
  t.deliver("f\r\n");
  CHECK(t->received == strings{"a", "b", "c", "d", "ef"});
}

TEST_CASE("nothing is delivered once the end was asked for") {
  fixture t;
  const auto behind = GENERATE("b\r\nc", "", "b\r\n");
  SECTION("lose_connection") {
    t->on_line = [&](std::string_view) {
      t->transport().lose_connection();
    };
    t.deliver("a\r\n" + std::string{behind});
  }
  SECTION("abort_connection") {
    t->on_line = [&](std::string_view) {
      t->transport().abort_connection();
    };
    t.deliver("a\r\n" + std::string{behind});
  }
  SECTION("quit") {
    t->on_line = [&](std::string_view) {
      t->quit();
    };
    t.deliver("a\r\n" + std::string{behind});
    CHECK(t->ended.size() == 1);
  }
  SECTION("while paused") {
    t.enter([&] { t->pause_lines(); });
    t.deliver("a\r\n");
    t.enter([&] {
      t->transport().lose_connection();
      t->resume_lines();
    });
    CHECK(t->received.empty());
    return;
  }
  CHECK(t->received == strings{"a"});
}

TEST_CASE("an exception in a callback ends the connection with it, once") {
  fixture t;
  t->on_line = [](std::string_view) {
    throw std::runtime_error("boom");
  };
  testing::logged_errors errors{t.rt};
  t.deliver("a\r\nb\r\n");
  CHECK(errors.flush<std::runtime_error>().size() == 1);
  CHECK(t->received == strings{"a"});
  CHECK(t->ended == strings{"boom"});
  CHECK_FALSE(t.transport.connected());
}

TEST_CASE("raw data that nobody handles ends the connection with errc::not_supported") {
  struct lines_only : line_receiver {
    using line_receiver::line_receiver;
    void line_received(std::string_view) override { set_raw_mode(); }
    void connection_lost(const failure& why) override { reason = why; }
    failure reason;
  };
  testing::protocol_fixture<lines_only> t;
  testing::logged_errors errors{t.rt};
  t.deliver("a\r\nraw");
  CHECK(t->reason.check(errc::not_supported));
  CHECK(errors.flush("raw_data_received is not overridden").size() == 1);
}

TEST_CASE("send_line is one write of the line and its delimiter") {
  fixture t;
  t.enter([&] { t->send_line("hello"); });
  CHECK(t.transport.value() == "hello\r\n");
  CHECK(t.transport.writes() == 1);
  t.transport.clear();
  t->set_delimiter("\n");
  const std::string big(100'000, 'y');
  t.enter([&] { t->send_line(big); });
  CHECK(t.transport.value() == big + "\n");
}

TEST_CASE("lines that arrive whole are not copied") {
  fixture t;
  const std::string input = "one\r\ntwo\r\n";
  std::vector<const char*> where;
  t->on_line = [&](std::string_view line) {
    where.push_back(line.data());
  };
  t.deliver("unfin");
  t.deliver(std::string{"ished\r\n"});
  where.clear();
  t.deliver(input);
  CHECK(where == std::vector<const char*>{input.data(), input.data() + 5});
}

TEST_CASE("one who pauses at every line gets all of a large input without copying it each time") {
  struct pausing : line_receiver {
    using line_receiver::line_receiver;
    void line_received(std::string_view line) override {
      ++lines;
      moved += last != nullptr && line.data() != last + 3; // "a\r\n" further on
      last = line.data();
      pause_lines();
    }
    std::size_t lines = 0, moved = 0;
    const char* last = nullptr;
  };
  constexpr std::size_t count = 20'000;
  std::string input;
  for (std::size_t i = 0; i < count; ++i)
    input += "a\r\n";
  testing::protocol_fixture<pausing> t;
  t.deliver(input);
  while (t->paused())
    t.enter([&] { t->resume_lines(); });
  CHECK(t->lines == count);
  CHECK(t->moved <= 1);
}

TEST_CASE("a line receiver that is a producer holds lines and output back apart") {
  struct producing : line_receiver, producer {
    using line_receiver::line_receiver;
    void line_received(std::string_view) override {
      pause_lines();
      transport().register_producer(*this, true);
      pause_producing(); // the producer's: nothing is ambiguous
    }
    void pause_producing() override { ++pauses; }
    void resume_producing() override {}
    void stop_producing() override {}
    int pauses = 0;
  };
  testing::protocol_fixture<producing> t;
  t.deliver("one\r\ntwo\r\n");
  CHECK(t->paused());
  CHECK(t->pauses == 1);
  t.enter([&] { t->transport().unregister_producer(); });
}

TEST_CASE("a line receiver adds little to a protocol") {
  CHECK(sizeof(line_receiver) - sizeof(protocol) <= 48);
}
