#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <troupe/net/line_only_receiver.hpp>
#include <troupe/testing/protocol_fixture.hpp>

#include "support/catch.hpp"

using namespace troupe;
using strings = std::vector<std::string>;

namespace {

class only_lines : public line_only_receiver {
public:
  using line_only_receiver::line_only_receiver;

  void line_received(std::string_view line) override {
    received.emplace_back(line);
    if (on_line)
      on_line();
  }
  void line_length_exceeded(bytes_view line) override {
    exceeded.emplace_back(as_text(line));
    if (close_if_exceeded)
      line_only_receiver::line_length_exceeded(line);
  }

  strings received;
  strings exceeded;
  bool close_if_exceeded = true;
  std::function<void()> on_line;
};

using fixture = testing::protocol_fixture<only_lines>;

} // namespace

TEST_CASE("only the delimiter ends a line, wherever the input is cut") {
  const std::string input = "a\r\n\r\nb\nc\r\nrest";
  for (std::size_t size = 1; size <= input.size(); ++size) {
    fixture t;
    t.deliver_in_pieces(input, size);
    CAPTURE(size);
    CHECK(t->received == strings{"a", "", "b\nc"});
  }
}

TEST_CASE("line_only_receiver: a line of the greatest length passes, wherever the input is cut") {
  const std::string input = "123456\r\n1234\r\n";
  for (std::size_t size = 1; size <= input.size(); ++size) {
    fixture t;
    t->set_max_length(6);
    t.deliver_in_pieces(input, size);
    CAPTURE(size);
    CHECK(t->received == strings{"123456", "1234"});
    CHECK(t->exceeded.empty());
  }
}

TEST_CASE("line_only_receiver: a line that is too long closes the connection") {
  fixture t;
  SECTION("finished") {
    t.deliver("a\r\n" + std::string(16385, 'x') + "\r\nb\r\n");
    CHECK(t->received == strings{"a"});
  }
  SECTION("unfinished") {
    t.deliver(std::string(16385, 'x'));
  }
  SECTION("unfinished, in two pieces") {
    t.deliver(std::string(16384, 'x'));
    CHECK_FALSE(t.transport.disconnecting());
    t.deliver("x");
  }
  SECTION("not ended by half a delimiter") {
    t.deliver(std::string(16384, 'x') + "\r");
    CHECK_FALSE(t.transport.disconnecting());
    t.deliver("x");
    CHECK(t->exceeded == strings{std::string(16384, 'x') + "\rx"});
    return;
  }
  CHECK(t->exceeded == strings{std::string(16385, 'x')});
  CHECK(t.transport.disconnecting());
}

TEST_CASE("line_only_receiver: a line that is too long can be passed over") {
  fixture t;
  t->set_max_length(3);
  t->close_if_exceeded = false;
  t.deliver("12345\r\nok\r\n");
  CHECK(t->exceeded == strings{"12345"});
  CHECK(t->received == strings{"ok"});
}

TEST_CASE("line_only_receiver: nothing is delivered once the end was asked for") {
  fixture t;
  SECTION("lose_connection") {
    t->on_line = [&] {
      t->transport().lose_connection();
    };
  }
  SECTION("quit") {
    t->on_line = [&] {
      t->quit();
    };
  }
  SECTION("exception") {
    t->on_line = [] {
      throw std::runtime_error("boom");
    };
  }
  testing::logged_errors errors{t.rt};
  t.deliver("a\r\nb\r\nc");
  CHECK(t->received == strings{"a"});
  errors.flush<std::runtime_error>(); // of the section that throws
}

TEST_CASE("line_only_receiver: send_line appends the delimiter") {
  fixture t;
  t.enter([&] { t->send_line("hello"); });
  CHECK(t.transport.value() == "hello\r\n");
  t->set_delimiter("\n");
  t.enter([&] { t->send_line(""); });
  CHECK(t.transport.value() == "hello\r\n\n");
  CHECK_THROWS_AS(t->set_delimiter(""), std::invalid_argument);
}

TEST_CASE("a line-only receiver adds little to a protocol") {
  CHECK(sizeof(line_only_receiver) - sizeof(protocol) <= 32);
}
