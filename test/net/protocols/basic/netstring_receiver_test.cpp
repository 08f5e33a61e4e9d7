#include <troupe/basic/netstring_receiver.hpp>

#include <stdexcept>
#include <string>
#include <vector>

#include <troupe/testing/hostile_input.hpp>
#include <troupe/testing/split_feed.hpp>

#include "support/catch.hpp"

#include "string_recorder.hpp"

using namespace troupe;
using namespace std::string_literals;
using strings = std::vector<std::string>;
using fixture = testing::protocol_fixture<testing::string_recorder<netstring_receiver>>;

namespace {

strings events_of(const testing::split_input& input, std::size_t max = 99'999) {
  strings events;
  netstring_parser parser{max};
  input.feed([&](std::string_view piece) {
    for (std::string_view string;;) {
      switch (parser.next(piece, string)) {
      case netstring_parser::status::string:
        events.emplace_back(string);
        continue;
      case netstring_parser::status::failed:
        events.push_back("! " + std::string{to_string(parser.error())});
        return false;
      case netstring_parser::status::more:
        CHECK(piece.empty());
        return true;
      }
    }
  });
  return events;
}

strings events_of(std::string_view input, std::size_t max = 99'999) {
  return events_of(testing::split_input{input, {}}, max);
}

} // namespace

TEST_CASE("netstrings are the same for every split, whatever is in them") {
  const auto input = "0:,3:a,b,5:1:2,3,0:,12:hello world!,4:\0\xff\r\n,"s;
  CHECK(events_of(input) == strings{"", "a,b", "1:2,3", "", "hello world!", "\0\xff\r\n"s});
  CHECK(testing::split_difference(input, [](const auto& i) { return events_of(i); }) == "");
  CHECK(testing::split_difference("3:abc,3:abcd,1:x,", [](const auto& i) { return events_of(i); })
        == "");
  CHECK(testing::split_difference("12:hello world!", [](const auto& i) { return events_of(i); })
        == "");
}

TEST_CASE("what is no netstring is refused, with the reason") {
  struct row {
    std::string_view input, reason;
  };
  const row rows[] = {
    {":", "a netstring does not begin with a digit"},
    {"+5:hello,", "a netstring does not begin with a digit"},
    {"-1:", "a netstring does not begin with a digit"},
    {" 5:hello,", "a netstring does not begin with a digit"},
    {"x", "a netstring does not begin with a digit"},
    {",", "a netstring does not begin with a digit"},
    {"\r\n", "a netstring does not begin with a digit"},
    {"05:hello,", "the length of a netstring begins with a zero"},
    {"00:,", "the length of a netstring begins with a zero"},
    {"5 :hello,", "no colon follows the length of a netstring"},
    {"5x", "no colon follows the length of a netstring"},
    {"5,", "no colon follows the length of a netstring"},
    {"0x5:", "no colon follows the length of a netstring"},
    {"5:helloX", "no comma follows a netstring"},
    {"5:hello\n", "no comma follows a netstring"},
    {"0:0:,", "no comma follows a netstring"},
    {"3:hello,", "no comma follows a netstring"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.input);
    const auto expected = strings{"! " + std::string{r.reason}};
    CHECK(events_of(r.input) == expected);
    CHECK(testing::split_difference(r.input, [](const auto& i) { return events_of(i); }) == "");
  }
}

TEST_CASE("a length over the maximum is refused with the first digit that is too much") {
  const strings refused{"! a netstring is longer than allowed"};
  struct row {
    std::size_t max;
    std::string_view fits, too_much;
  };
  const row rows[] = {{0, "0", "1"},
                      {9, "9", "10"},
                      {10, "10", "11"},
                      {99, "99", "100"},
                      {100, "100", "101"},
                      {99'999, "99999", "100000"},
                      {100'000, "100000", "100001"}};
  for (const auto& r : rows) {
    CAPTURE(r.max);
    CHECK(events_of(r.fits, r.max).empty());
    CHECK(events_of(r.too_much, r.max) == refused);
  }
  for (const auto* length :
       {"2147483648", "4294967296", "18446744073709551616", "18446744073709551617", "999999"}) {
    CHECK(events_of(length) == refused);
    CHECK(events_of(std::string{length}.substr(0, 5)).empty());
  }
  const auto most = std::to_string(static_cast<std::size_t>(-1));
  CHECK(events_of(most, static_cast<std::size_t>(-1)).empty());
  CHECK(events_of(most + "0", static_cast<std::size_t>(-1)) == refused);
}

TEST_CASE("hostile netstrings make no difference by splits") {
  const testing::hostile_input make{{"5:hello,0:,", "12:a,b:c1:2,3:x,"}, {":", ",", "5:"}};
  make.each(
    [](std::string_view bytes) {
      if (events_of(bytes).size() > bytes.size() / 3 + 1)
        FAIL("too many events of " << testing::show_bytes(bytes));
      const auto difference =
        testing::split_difference(bytes.substr(0, 500), [](const auto& i) { return events_of(i); },
                                  {.all_ways = 0, .all_pairs = 0, .all_places = 20, .random = 3});
      if (!difference.empty())
        FAIL(difference);
    },
    300);
}

TEST_CASE("send_string writes one netstring at once, and refuses what is too long") {
  fixture t;
  t.enter([&] {
    t->send_string("");
    t->send_string("hello, world");
    CHECK(t.transport.writes() == 2);
    t->send_string(std::string(600, 'x'));
    CHECK(t.transport.writes() == 3);
    CHECK_THROWS_AS(t->send_string(std::string(100'000, 'x')), std::length_error);
  });
  CHECK(t.transport.value() == "0:,12:hello, world,600:" + std::string(600, 'x') + ",");
}

TEST_CASE("a broken netstring closes the connection with its reason, and drops the rest") {
  fixture t;
  t.deliver("2:ab,2:abX2:cd,");
  t.deliver("2:ef,");
  CHECK(t->received == strings{"ab"});
  CHECK(t.transport.disconnecting());
  t.lose();
  CHECK(t->reason.check(errc::malformed_input));
  CHECK(t->reason.context() == "no comma follows a netstring");

  fixture longer;
  longer->set_max_length(10);
  longer.deliver("11");
  longer.lose();
  CHECK(longer->reason.check(errc::message_too_long));
  CHECK(longer->reason.context() == "a netstring of more than 10 bytes");
}

TEST_CASE("netstrings wait while paused, in order") {
  fixture t;
  t->on_string = [&](std::string_view s) {
    if (s == "p")
      t->pause_strings();
  };
  t.deliver("1:p,1:a,1:");
  t.deliver("b,");
  CHECK(t->received == strings{"p"});
  t.enter([&] { t->resume_strings(); });
  CHECK(t->received == strings{"p", "a", "b"});
}
