#include <troupe/basic/int_n_receiver.hpp>

#include <stdexcept>
#include <string>
#include <vector>

#include <troupe/testing/connected_pair.hpp>
#include <troupe/testing/hostile_input.hpp>
#include <troupe/testing/split_feed.hpp>

#include "support/catch.hpp"

#include "string_recorder.hpp"

using namespace troupe;
using namespace std::string_literals;
using strings = std::vector<std::string>;
using testing::string_recorder;
template <class R>
using fixture = testing::protocol_fixture<string_recorder<R>>;

namespace {

std::string framed(std::uint8_t prefix, std::string_view text) {
  std::string out;
  for (int i = prefix - 1; i >= 0; --i)
    out += static_cast<char>(text.size() >> 8 * i);
  return out += text;
}

// What a parser finds; a failure is the last event.
strings events_of(std::uint8_t prefix, std::size_t max, const testing::split_input& input) {
  strings events;
  int_n_parser parser{prefix, max};
  input.feed([&](std::string_view piece) {
    for (std::string_view string;;) {
      switch (parser.next(piece, string)) {
      case int_n_parser::status::string:
        events.emplace_back(string);
        continue;
      case int_n_parser::status::too_long:
        events.push_back("too long: " + std::to_string(parser.length()));
        return false;
      case int_n_parser::status::more:
        CHECK(piece.empty());
        return true;
      }
    }
  });
  return events;
}

} // namespace

TEST_CASE("strings behind a length of 1, 2 or 4 bytes are the same for every split") {
  for (const std::uint8_t prefix : {1, 2, 4}) {
    strings sent{"", "a", "\0\xff\0"s, "", std::string(99, 'x'), "last"};
    std::string input;
    for (const auto& s : sent)
      input += framed(prefix, s);
    CHECK(events_of(prefix, 100, {input, {}}) == sent);
    CHECK(testing::split_difference(input, [&](const auto& i) { return events_of(prefix, 100, i); })
          == "");
    CHECK(testing::split_difference(framed(prefix, "ab") + framed(prefix, "too long") + "rest",
                                    [&](const auto& i) { return events_of(prefix, 7, i); })
          == "");
  }
}

TEST_CASE("a length of the maximum is taken, and one more is refused before a byte of it came") {
  for (const std::uint8_t prefix : {1, 2, 4}) {
    CHECK(events_of(prefix, 9, {framed(prefix, std::string(9, 'x')), {}})
          == strings{std::string(9, 'x')});
    const auto eleven = framed(prefix, std::string(10, 'x')).substr(0, prefix);
    CHECK(events_of(prefix, 9, {eleven, {}}) == strings{"too long: 10"});
  }
  CHECK(events_of(4, 99'999, {"\xff\xff\xff\xff", {}}) == strings{"too long: 4294967295"});
}

TEST_CASE("a string that is whole in its input is not copied") {
  int_n_parser parser{2, 100};
  const auto input = framed(2, "hello");
  std::string_view in = input;
  std::string_view string;
  REQUIRE(parser.next(in, string) == int_n_parser::status::string);
  CHECK(string.data() == input.data() + 2);
}

TEST_CASE("64 MiB that come byte by byte take no time to speak of, and are whole") {
  constexpr std::size_t size = 64 * 1024 * 1024;
  int_n_parser parser{4, size};
  const auto whole = framed(4, std::string(size, 'x'));
  std::string_view string;
  std::size_t found = 0;
  for (const char& c : whole) { // copying what there is each time would take days
    std::string_view in{&c, 1};
    if (parser.next(in, string) == int_n_parser::status::string)
      found = string.size();
  }
  CHECK(found == size);
  CHECK(string.find_first_not_of('x') == std::string_view::npos);
}

TEST_CASE("hostile lengths never make more strings than bytes, nor a difference by splits") {
  const testing::hostile_input make{{framed(2, "abc") + framed(2, ""), framed(2, "x"), "\xff\xff"}};
  make.each(
    [](std::string_view bytes) {
      const auto whole = events_of(2, 1000, {bytes, {}});
      if (whole.size() > bytes.size() / 2 + 1)
        FAIL("from " << bytes.size() << " bytes " << whole.size() << " events");
      const auto difference = testing::split_difference(
        bytes.substr(0, 500), [](const auto& i) { return events_of(2, 1000, i); },
        {.all_ways = 0, .all_pairs = 0, .all_places = 20, .random = 3});
      if (!difference.empty())
        FAIL(difference);
    },
    300);
}

TEST_CASE("send_string writes length and string at once, big-endian") {
  fixture<int8_receiver> a;
  a.enter([&] { a->send_string("foo"); });
  CHECK(a.transport.value()
        == "\x03"
           "foo");
  fixture<int16_receiver> b;
  b.enter([&] { b->send_string(std::string(258, 'x')); });
  CHECK(b.transport.value() == "\x01\x02" + std::string(258, 'x'));
  CHECK(b.transport.writes() == 1);
  fixture<int32_receiver> c;
  c.enter([&] {
    c->send_string("");
    c->send_string(std::string(70'000, 'y'));
  });
  CHECK(c.transport.value() == "\0\0\0\0\0\x01\x11\x70"s + std::string(70'000, 'y'));
  CHECK(c.transport.writes() == 2);
}

TEST_CASE("a string that is too long is not sent, and nothing is written") {
  fixture<int8_receiver> a;
  a.enter([&] {
    a->send_string(std::string(255, 'x'));
    a.transport.clear();
    CHECK_THROWS_AS(a->send_string(std::string(256, 'x')), std::length_error);
    CHECK_THROWS_WITH(a->send_string(std::string(300, 'x')),
                      "send_string: 300 bytes are too long; the maximum is 255");
  });
  fixture<int16_receiver> b;
  b.enter([&] {
    b->set_max_length(100'000);
    CHECK_THROWS_AS(b->send_string(std::string(65'536, 'x')), std::length_error);
  });
  fixture<int32_receiver> c;
  c.enter([&] {
    CHECK_THROWS_AS(c->send_string(std::string(100'000, 'x')), std::length_error);
    c->set_max_sent(100'000);
    CHECK(c->max_length() == 99'999);
  });
  for (auto* t : {&a.transport, &b.transport, &c.transport})
    CHECK(t->value().empty());
  c.enter([&] { c->send_string(std::string(100'000, 'x')); });
  CHECK(c.transport.value().size() == 100'004);
}

TEST_CASE("an announced length over the maximum closes, and nothing is delivered behind it") {
  fixture<int16_receiver> t;
  t->set_max_length(3);
  t.deliver(framed(2, "abc") + framed(2, "abcd") + framed(2, "x"));
  CHECK(t->received == strings{"abc"});
  CHECK(t.transport.disconnecting());
  t.deliver(framed(2, "y"));
  CHECK(t->received == strings{"abc"});
  t.lose();
  CHECK(t->reason.check(errc::message_too_long));
  CHECK(t->reason.context() == "a string of 4 bytes; the maximum is 3");
}

TEST_CASE("who takes the refusal in hand hears of it once, and gets nothing more") {
  class lenient : public string_recorder<int16_receiver> {
  public:
    using string_recorder::string_recorder;
    void length_limit_exceeded(std::uint64_t length) override { lengths.push_back(length); }
    std::vector<std::uint64_t> lengths;
  };
  testing::protocol_fixture<lenient> t;
  t->set_max_length(3);
  t.deliver(framed(2, "abcd") + framed(2, "x"));
  t.deliver(framed(2, "abcde"));
  CHECK(t->lengths == std::vector<std::uint64_t>{4});
  CHECK(t->received.empty());
}

TEST_CASE("a pause holds behind the present string, and what came is delivered by resuming") {
  fixture<int8_receiver> t;
  t->on_string = [&](std::string_view s) {
    if (s.starts_with("p"))
      t->pause_strings();
  };
  t.deliver(framed(1, "p1") + framed(1, "p2") + framed(1, "c") + "\x05" + "un");
  CHECK(t->received == strings{"p1"});
  CHECK(t.transport.producer_state() == testing::producer_state::paused);
  t.deliver("end"); // what was under way when it paused
  CHECK(t->received == strings{"p1"});
  t.enter([&] { t->resume_strings(); });
  CHECK(t->received == strings{"p1", "p2"});
  t.enter([&] { t->resume_strings(); });
  CHECK(t->received == strings{"p1", "p2", "c", "unend"});
  CHECK(t.transport.producer_state() == testing::producer_state::producing);
}

TEST_CASE("pausing at each of many strings costs no copy of all the others") {
  fixture<int8_receiver> t;
  t->on_string = [&](std::string_view) {
    t->pause_strings();
  };
  std::string all;
  for (int i = 0; i < 100'000; ++i)
    all += framed(1, "x");
  t.deliver(all);
  std::size_t resumed = 0;
  t.enter([&] {
    for (; t->paused() && resumed < 200'000; ++resumed)
      t->resume_strings();
  });
  CHECK(t->received.size() == 100'000);
}

TEST_CASE("a callback that closes, aborts or quits ends delivery") {
  for (const std::string how : {"close", "abort", "quit", "throw"}) {
    testing::protocol_fixture<string_recorder<int8_receiver>> t;
    testing::logged_errors errors{t.rt};
    t->on_string = [&](std::string_view) {
      if (how == "close")
        t->transport().lose_connection();
      else if (how == "abort")
        t->transport().abort_connection();
      else if (how == "quit")
        t->quit();
      else
        throw std::runtime_error("on purpose");
    };
    t.deliver(framed(1, "a") + framed(1, "b"));
    t.deliver(framed(1, "c"));
    CHECK(t->received == strings{"a"});
    CHECK((errors.flush().size() == (how == "throw" ? 1 : 0)));
  }
}

TEST_CASE("two receivers understand each other") {
  class answers : public string_recorder<int32_receiver> {
  public:
    using string_recorder::string_recorder;
    void string_received(std::string_view s) override { send_string(std::string{s} + "!"); }
  };
  testing::connected_pair<string_recorder<int32_receiver>, answers> both;
  both.enter(both.client(), [&] {
    both.client().send_string("hello");
    both.client().send_string(std::string(80'000, 'z'));
  });
  both.flush();
  CHECK(both.client().received == strings{"hello!", std::string(80'000, 'z') + "!"});
}
