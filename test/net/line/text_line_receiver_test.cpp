// Lines as people and their programs send them.

#include <functional>
#include <string>
#include <vector>

#include <troupe/net/text_line_receiver.hpp>
#include <troupe/testing/protocol_fixture.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::string_literals;
using strings = std::vector<std::string>;

namespace {

class reader : public text_line_receiver {
public:
  using text_line_receiver::text_line_receiver;

  void line_received(std::string_view line) override {
    received.emplace_back(line);
    if (on_line)
      on_line();
  }
  void line_too_long() override {
    received.emplace_back("(too long)");
    if (on_too_long)
      on_too_long();
  }

  strings received;
  std::function<void()> on_line;
  std::function<void()> on_too_long;
};

using fixture = testing::protocol_fixture<reader>;

/// Requires the same in pieces of every size, and in every split in two.
void check(const std::string& input, const strings& expected, std::uint32_t max_length = 16384) {
  for (std::size_t size = 1; size <= input.size(); ++size) {
    fixture t;
    t->set_max_length(max_length);
    t.deliver_in_pieces(input, size);
    CAPTURE(input, size);
    CHECK(t->received == expected);
    CHECK_FALSE(t.transport.disconnecting());
  }
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    fixture t;
    t->set_max_length(max_length);
    t.deliver(std::string_view{input}.substr(0, cut));
    t.deliver(std::string_view{input}.substr(cut));
    CAPTURE(input, cut);
    CHECK(t->received == expected);
  }
}

} // namespace

TEST_CASE("text_line_receiver: LF ends a line, and CR LF does, wherever the input is cut") {
  check("one\ntwo\r\n\n\r\nthree\r\nunfinished", {"one", "two", "", "", "three"});
}

TEST_CASE("text_line_receiver: only the CR in front of the LF is part of the end") {
  check("a\rb\r\r\nc\r\n\rd\n", {"a\rb\r", "c", "\rd"});
}

TEST_CASE("text_line_receiver: what is sent ends with CR LF") {
  fixture t;
  t.enter([&] { t->send_line("hello"); });
  CHECK(t.transport.value() == "hello\r\n");
}

TEST_CASE("text_line_receiver: a line of the greatest length passes with either end") {
  check("1234\n1234\r\n12345\n12345\r\n1234\n",
        {"1234", "1234", "(too long)", "(too long)", "1234"}, 4);
}

TEST_CASE(
  "text_line_receiver: a line that is too long is told once, the rest of it is skipped, and the "
  "connection lives") {
  check("a\n" + std::string(50, 'x') + "\r\nb\n" + std::string(7, 'y') + "\nc\n",
        {"a", "(too long)", "b", "(too long)", "c"}, 4);
}

TEST_CASE("line_receiver: a delimiter of several bytes is found at the end of a skipped line") {
  struct dashes : reader {
    explicit dashes(caf::actor_config& cfg) : reader(cfg) {
      set_delimiter("-=-");
      set_max_length(4);
    }
  };
  const std::string input = "a-=-" + std::string(20, 'x') + "-=--=-xxxxxxx-=x-=-b-=-";
  for (std::size_t size = 1; size <= input.size(); ++size) {
    testing::protocol_fixture<dashes> t;
    t.deliver_in_pieces(input, size);
    CAPTURE(size);
    CHECK(t->received == strings{"a", "(too long)", "", "(too long)", "b"});
  }
}

TEST_CASE(
  "text_line_receiver: megabytes without an end take no memory, and nothing of them is a line") {
  fixture t;
  const std::string piece(65'536, 'x');
  for (int i = 0; i < 64; ++i)
    t.deliver(piece);
  CHECK(t->received == strings{"(too long)"});
  t.enter([&] { CHECK(t->clear_line_buffer().size() < 10); });
  t.deliver("rest\r\nnext\r\n");
  CHECK(t->received == strings{"(too long)", "next"});
}

TEST_CASE(
  "text_line_receiver: who pauses, closes or takes raw data at a long line has what follows") {
  fixture t;
  t->set_max_length(4);
  SECTION("pause") {
    t->on_too_long = [&] {
      t->pause_lines();
    };
    t.deliver("12345678\nnext\nbehind\n");
    CHECK(t->received == strings{"(too long)"});
    t.enter([&] { t->resume_lines(); });
    CHECK(t->received == strings{"(too long)", "next", "(too long)"});
  }
  SECTION("pause in the middle of it") {
    t.deliver("12345678");
    t.enter([&] { t->pause_lines(); });
    t.deliver("9\nnext\n");
    CHECK(t->received == strings{"(too long)"});
    t.enter([&] { t->resume_lines(); });
    CHECK(t->received == strings{"(too long)", "next"});
  }
  SECTION("close") {
    t->on_too_long = [&] {
      t->transport().lose_connection();
    };
    t.deliver("12345678\nnext\n");
    CHECK(t->received == strings{"(too long)"});
  }
}

TEST_CASE("line_receiver: the end of lines may change between them") {
  fixture t;
  t->on_line = [&] {
    if (t->received.size() == 1)
      t->set_delimiter("\r\n");
    else
      t->set_delimiter(any_line_end);
  };
  t.deliver("a\nb\nb\r\nc\n");
  CHECK(t->received == strings{"a", "b\nb", "c"});
}
