// Lines that are longer than a line_receiver takes.

#include <string>
#include <vector>

#include <troupe/testing/protocol_fixture.hpp>

#include "support/catch.hpp"
#include "support/line_recorder.hpp"

using namespace troupe;
using strings = std::vector<std::string>;
using testing::line_recorder;
using fixture = testing::protocol_fixture<line_recorder>;

TEST_CASE("an unfinished line may be as long as the limit and most of a delimiter") {
  fixture t;
  t.deliver(std::string(16385, 'x'));
  CHECK(t->exceeded.empty());
  t.deliver("x");
  CHECK(t->exceeded == strings{std::string(16386, 'x')});
  CHECK(t.transport.disconnecting());
}

TEST_CASE("the delimiter does not count as part of the line") {
  SECTION("short limit") {
    fixture t;
    t->set_max_length(4);
    for (const auto* piece : {"xxx", "\r", "\nxxx"})
      t.deliver(std::string_view{piece});
    CHECK_FALSE(t.transport.disconnecting());
    CHECK(t->received == strings{"xxx"});
  }
  SECTION("default limit") {
    fixture t;
    t.deliver(std::string(16384, 'x') + "\r");
    CHECK_FALSE(t.transport.disconnecting());
    t.deliver("\n");
    CHECK(t->received == strings{std::string(16384, 'x')});
    t.deliver(std::string(16385, 'x') + "\r\n");
    CHECK(t->received.size() == 1);
    CHECK(t.transport.disconnecting());
  }
}

TEST_CASE("line_length_exceeded gets all there is") {
  const std::string many(14, 'a');
  fixture t;
  t->set_max_length(6);
  t->on_exceeded = [](std::string_view) {
  };
  SECTION("unended") {
    t.deliver(many);
  }
  SECTION("behind a line") {
    t.deliver("x\r\n" + many);
    CHECK(t->received == strings{"x"});
  }
  SECTION("ended, with more behind") {
    t.deliver(many + "\r\n" + many + "\r\n");
    CHECK(t->exceeded == strings{many + "\r\n" + many + "\r\n"});
    return;
  }
  SECTION("begun by an unfinished line") {
    t.deliver("aaaa");
    t.deliver("aaaaaaaaaa");
  }
  CHECK(t->exceeded == strings{many});
  t.deliver("next\r\n");
  CHECK(t->received.back() == "next");
}

TEST_CASE("what is given back from a line that is too long is delivered") {
  fixture t;
  t->set_max_length(3);
  t->on_exceeded = [&](std::string_view data) {
    t->set_line_mode(data.substr(data.find('\n') + 1));
  };
  t.deliver("far too long\r\nok\r\nend");
  CHECK(t->received == strings{"ok"});
  t.deliver("\r\n");
  CHECK(t->received == strings{"ok", "end"});
}
