// Which handler takes which message, and what it is handed.

#include <troupe/runtime/detail/match_case.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <caf/message_handler.hpp>
#include <caf/param.hpp>
#include <caf/result.hpp>
#include <caf/send.hpp>
#include <caf/skip.hpp>

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

namespace {

/// Two types for which CAF has no number, so that their messages have the same.
struct apple {
  int weight;
};
struct pear {
  int weight;
};

} // namespace

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(apple)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pear)

namespace {

using namespace troupe;
using testing::manual_runtime;

using one_atom = caf::atom_constant<caf::atom("one")>;
using two_atom = caf::atom_constant<caf::atom("two")>;

/// What the handlers tell of the messages that they got, through a message of CAF's own.
struct told {
  std::vector<std::string> lines;
  caf::message_handler handlers{
    [this](one_atom, int x) { lines.push_back("one " + std::to_string(x)); },
    [this](two_atom, int x) { lines.push_back("two " + std::to_string(x)); },
    [this](const apple& a) { lines.push_back("apple " + std::to_string(a.weight)); },
    [this](const pear& p) { lines.push_back("pear " + std::to_string(p.weight)); },
    [this](const apple&, int, int, int, int, const pear&) { lines.push_back("fruit"); },
    [this](int, int, int, int, int, int) { lines.push_back("six"); },
    [this](int, int, int, int, int, std::int64_t) { lines.push_back("five and a long one"); },
    [this](one_atom, int, int, int, int, int) { lines.push_back("one and five"); },
    [this](std::string& text) {
      text += "!";
      lines.push_back(text);
    },
    [this](caf::param<double> x) { lines.push_back(x.get() > 1 ? "much" : "little"); },
    [](float) { return caf::skip(); },
  };

  bool take(caf::message m) { return static_cast<bool>(m.apply(handlers)); }
};

} // namespace

TEST_CASE("a handler takes the messages of its types and atoms, and no others") {
  told t;
  CHECK(t.take(caf::make_message(two_atom::value, 1)));
  CHECK(t.take(caf::make_message(one_atom::value, 2)));
  CHECK_FALSE(t.take(caf::make_message(caf::atom("three"), 3)));
  CHECK(t.take(caf::make_message(pear{4})));
  CHECK(t.take(caf::make_message(apple{5})));
  CHECK_FALSE(t.take(caf::make_message(std::int64_t{6})));
  CHECK_FALSE(t.take(caf::make_message(one_atom::value)));
  CHECK_FALSE(t.take(caf::make_message(one_atom::value, 1, 2)));
  CHECK(t.take(caf::make_message(1.5)));
  CHECK_FALSE(t.take(caf::make_message(1.5F)));
  CHECK(t.lines == std::vector<std::string>{"two 1", "one 2", "pear 4", "apple 5", "much"});
}

TEST_CASE("of more elements than a message's number tells of, each is looked at") {
  told t;
  CHECK(t.take(caf::make_message(1, 2, 3, 4, 5, 6)));
  CHECK(t.take(caf::make_message(1, 2, 3, 4, 5, std::int64_t{6})));
  CHECK(t.take(caf::make_message(one_atom::value, 2, 3, 4, 5, 6)));
  CHECK_FALSE(t.take(caf::make_message(two_atom::value, 2, 3, 4, 5, 6)));
  CHECK_FALSE(t.take(caf::make_message(std::int64_t{1}, 2, 3, 4, 5, 6)));
  CHECK_FALSE(t.take(caf::make_message(1, 2, 3, 4, 5, 6, 7)));
  CHECK(t.take(caf::make_message(apple{1}, 2, 3, 4, 5, pear{6})));
  CHECK_FALSE(t.take(caf::make_message(pear{1}, 2, 3, 4, 5, pear{6})));
  CHECK(t.lines == std::vector<std::string>{"six", "five and a long one", "one and five", "fruit"});
}

TEST_CASE("a handler that changes a message changes its own copy of one that others have") {
  told t;
  const auto shared = caf::make_message(std::string{"text"});
  CHECK(t.take(shared));
  CHECK(t.take(shared));
  CHECK(t.lines == std::vector<std::string>{"text!", "text!"});
  CHECK(shared.get_as<std::string>(0) == "text");
}

TEST_CASE("what a handler returns goes to who asked, or to who sent, once") {
  struct answerer : floating_actor {
    using floating_actor::floating_actor;
    caf::behavior make_behavior() override {
      return {
        [](int x) { return x + 1; },
        [](const std::string& text) { return text + "?"; },
        [](bool yes) { return yes; },
        [](one_atom) {},
        [](two_atom) -> caf::result<int> { return caf::make_error(caf::sec::invalid_argument); },
        [this](double) { // it has answered already
          make_response_promise().deliver(std::string{"first"});
          return 2;
        },
      };
    }
  };
  struct asker : floating_actor {
    asker(caf::actor_config& cfg, std::vector<std::string>& got) : floating_actor(cfg), got_(got) {}
    caf::behavior make_behavior() override {
      return {
        [this](const caf::actor& whom) {
          const auto failed = [this](const caf::error& why) {
            got_.push_back(to_string(why));
          };
          request(whom, caf::infinite, 1).then([this](int x) { note("asked", x); }, failed);
          request(whom, caf::infinite, "who")
            .then([this](const std::string& text) { got_.push_back(text); }, failed);
          request(whom, caf::infinite, true).then([this](bool yes) { note("yes", yes); }, failed);
          request(whom, caf::infinite, one_atom::value).then([this] { note("empty", 0); }, failed);
          request(whom, caf::infinite, two_atom::value)
            .then([](int) {},
                  [this](const caf::error& why) {
                    note("failed", why == caf::sec::invalid_argument ? 1 : 0);
                  });
          request(whom, caf::infinite, 1.5)
            .then([this](const std::string& text) { got_.push_back(text); }, failed);
          send(whom, 5);
          send(whom, one_atom::value);
        },
        [this](int x) { note("told", x); },
      };
    }
    void note(const std::string& what, int x) { got_.push_back(what + " " + std::to_string(x)); }
    std::vector<std::string>& got_;
  };
  std::vector<std::string> got;
  manual_runtime rt;
  const auto whom = caf::actor_cast<caf::actor>(rt.spawn<answerer>());
  const auto self = caf::actor_cast<caf::actor>(rt.spawn<asker>(got));
  caf::anon_send(self, whom);
  caf::anon_send(whom, 7); // to nobody
  rt.settle();
  CHECK(got
        == std::vector<std::string>{"asked 2", "who?", "yes 1", "empty 0", "failed 1", "first",
                                    "told 6"});
}
