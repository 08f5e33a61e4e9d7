#include <troupe/basic/stateful_protocol.hpp>

#include <stdexcept>
#include <string>
#include <vector>

#include <malloc.h>

#include <troupe/basic/netstring_receiver.hpp>
#include <troupe/basic/stateful_string_protocol.hpp>
#include <troupe/testing/protocol_fixture.hpp>
#include <troupe/testing/split_feed.hpp>

#include "support/catch.hpp"

using namespace troupe;
using strings = std::vector<std::string>;

namespace {

// Records of a digit, which is a size, and a body; "0" has an empty one.
class records : public stateful_protocol {
public:
  using stateful_protocol::stateful_protocol;

  state initial_state() override { return {&records::header, 1}; }
  state header(std::string_view bytes) {
    const auto size = static_cast<std::size_t>(bytes.front() - '0');
    return {&records::body, size == 9 ? 1'000'000 : size};
  }
  state body(std::string_view bytes) {
    received.emplace_back(bytes);
    if (bytes == "p")
      pause_states();
    if (bytes == "close")
      transport().lose_connection();
    if (bytes == "throw")
      throw std::runtime_error("on purpose");
    return {&records::header, 1};
  }
  void connection_lost(const failure& why) override { reason = why; }

  strings received;
  failure reason;
};

using fixture = testing::protocol_fixture<records>;

class endless : public stateful_protocol {
public:
  using stateful_protocol::stateful_protocol;
  state initial_state() override { return {&endless::one, 0}; }
  state one(std::string_view) { return {&endless::two, 0}; }
  state two(std::string_view) { return {&endless::one, 0}; }
  void connection_lost(const failure& why) override { reason = why; }
  failure reason;
};

class thirds : public stateful_protocol {
public:
  using stateful_protocol::stateful_protocol;
  state initial_state() override { return {&thirds::third, 3}; }
  state third(std::string_view bytes) {
    total += bytes.size();
    return {&thirds::third, 3};
  }
  std::size_t total = 0;
};

class login : public stateful_string_protocol<netstring_receiver> {
public:
  using stateful_string_protocol::stateful_string_protocol;
  state initial_state() override { return &login::user; }
  state user(std::string_view name) {
    said.push_back("user " + std::string{name});
    return name == "nobody" ? state{&login::user} : state{&login::password};
  }
  state password(std::string_view word) {
    said.push_back("password " + std::string{word});
    return done;
  }
  strings said;
};

} // namespace

TEST_CASE("states get what they want, the same for every split") {
  const auto run = [](const testing::split_input& input) {
    fixture t;
    input.feed([&](std::string_view piece) { t.deliver(piece); });
    return t->received;
  };
  const std::string input = "3abc0"
                            "1x05hello2";
  CHECK(run({input, {}}) == strings{"abc", "", "x", "", "hello"});
  CHECK(testing::split_difference(input, run, {.all_pairs = 0, .random = 20}) == "");
}

TEST_CASE("input that never ends where a part does takes no more memory the longer it goes on") {
  testing::protocol_fixture<thirds> t;
  const auto in_use = [] {
    const auto now = ::mallinfo2(); // a sanitizer's allocator says 0
    return now.uordblks + now.hblkhd;
  };
  t.deliver("x");
  const auto before = in_use();
  const std::string piece(999, 'x');
  for (int i = 0; i < 10'000; ++i)
    t.deliver(piece);
  CHECK(in_use() < before + 1'000'000);
  CHECK(t->total == 9'990'000);
}

TEST_CASE("a state that pauses holds the rest back until it is resumed, in order") {
  fixture t;
  t.deliver("1p1p3a");
  t.deliver("bc1p");
  CHECK(t->received == strings{"p"});
  t.enter([&] { t->resume_states(); });
  CHECK(t->received == strings{"p", "p"});
  t.enter([&] { t->resume_states(); });
  CHECK(t->received == strings{"p", "p", "abc", "p"});
  t.deliver("1x");
  t.enter([&] { t->resume_states(); });
  CHECK(t->received.back() == "x");
}

TEST_CASE("nothing is delivered behind a close, nor behind an exception") {
  fixture t;
  t.deliver("5close1x");
  t.deliver("1y");
  CHECK(t->received == strings{"close"});

  fixture thrown;
  testing::logged_errors errors{thrown.rt};
  thrown.deliver("5throw1x");
  CHECK(thrown->received == strings{"throw"});
  CHECK(errors.flush().size() == 1);
}

TEST_CASE("a state that wants more than the maximum closes the connection") {
  fixture t;
  t.deliver("9");
  CHECK(t.transport.disconnecting());
  t.lose();
  CHECK(t->reason.check(errc::message_too_long));
  CHECK(t->reason.context() == "a part of 1000000 bytes; the maximum is 99999");

  fixture roomy;
  roomy->set_max_length(1'000'000);
  roomy.deliver("9" + std::string(1'000'000, 'x'));
  CHECK(roomy->received.size() == 1);
}

TEST_CASE("states that go round without input are found, and end the connection") {
  testing::protocol_fixture<endless> t;
  testing::logged_errors errors{t.rt};
  t.deliver("x");
  CHECK(t->reason.check<std::logic_error>());
  CHECK(errors.flush().size() == 1);
}

TEST_CASE("each string goes to the present state, and done closes") {
  testing::protocol_fixture<login> t;
  t.deliver("6:nobody,5:alice,6:secret,5:more?,");
  CHECK(t->said == strings{"user nobody", "user alice", "password secret"});
  CHECK(t.transport.disconnecting());
}
