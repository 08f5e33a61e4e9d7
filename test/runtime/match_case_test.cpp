// Which handler takes which message, and what it is handed.

#include <troupe/runtime/detail/match_case.hpp>

#include <algorithm>
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

TEST_CASE("a message that a handler returns is the answer, and goes to who asked or sent, once") {
  const auto kept = caf::make_message(two_atom::value, std::string{"kept"});
  struct answerer : floating_actor {
    answerer(caf::actor_config& cfg, caf::message kept, std::vector<std::string>& got)
      : floating_actor(cfg), kept_(std::move(kept)), got_(got) {}
    caf::behavior make_behavior() override {
      return {
        [](int x) { return caf::make_message(one_atom::value, x + 1); },
        [this](bool) { return kept_; },
        [this](double) { // it has answered already
          make_response_promise().deliver(std::string{"first"});
          return caf::make_message(std::string{"second"});
        },
        [](float) { return caf::make_message(); },
        [this](one_atom, int x) {
          got_.push_back("back " + std::to_string(x));
        }, // an answer to none
      };
    }
    caf::message kept_;
    std::vector<std::string>& got_;
  };
  struct passer : floating_actor {
    passer(caf::actor_config& cfg, caf::actor to) : floating_actor(cfg), to_(std::move(to)) {}
    caf::behavior make_behavior() override {
      return {[this](int x) {
        return delegate(to_, x);
      }};
    }
    caf::actor to_;
  };
  struct doubler : floating_actor {
    using floating_actor::floating_actor;
    caf::behavior make_behavior() override {
      return {[](one_atom, int x) {
        return caf::make_message(one_atom::value, 2 * x);
      }};
    }
  };
  struct asker : floating_actor {
    asker(caf::actor_config& cfg, std::vector<std::string>& got) : floating_actor(cfg), got_(got) {}
    caf::behavior make_behavior() override {
      return {
        [this](const caf::actor& whom, const caf::actor& over, const caf::actor& through) {
          const auto failed = [this](const caf::error& why) {
            got_.push_back(to_string(why));
          };
          const auto one = [this](one_atom, int x) {
            note("one", x);
          };
          request(whom, caf::infinite, 1).then(one, failed);
          request(over, caf::infinite, 3).then(one, failed);
          request(whom, caf::infinite, 1.5)
            .then([this](const std::string& text) { got_.push_back(text); }, failed);
          request(whom, caf::infinite, 1.5F).then([this] { note("empty", 0); }, failed);
          request(through, caf::infinite, 10).then(one, failed);
          send(whom, 1.5);
          send(whom, 5);
          send(whom, true);
          send(whom, true);
          send(whom, 1.5F);
        },
        [this](one_atom, int x) { note("told", x); },
        [this](const std::string& text) { got_.push_back("told " + text); },
        [this](two_atom, std::string& text) { // its own
          text += "!";
          got_.push_back(text);
        },
      };
    }
    void note(const std::string& what, int x) { got_.push_back(what + " " + std::to_string(x)); }
    std::vector<std::string>& got_;
  };
  std::vector<std::string> got;
  manual_runtime rt;
  const auto whom = caf::actor_cast<caf::actor>(rt.spawn<answerer>(kept, got));
  const auto over = caf::actor_cast<caf::actor>(rt.spawn<passer>(whom));
  const auto twice = caf::actor_cast<caf::actor>(rt.spawn<doubler>());
  const auto self = caf::actor_cast<caf::actor>(rt.spawn<asker>(got));
  const auto references = caf::actor_cast<caf::strong_actor_ptr>(whom)->strong_refs.load();
  caf::anon_send(self, whom, over, twice * whom);
  caf::anon_send(whom, 7); // to nobody
  rt.settle();
  std::sort(got.begin(), got.end());
  CHECK(got
        == std::vector<std::string>{"empty 0", "first", "kept!", "kept!", "one 2", "one 22",
                                    "one 4", "told 6", "told first"});
  CHECK(kept.get_as<std::string>(1) == "kept");
  CHECK(kept.cvals()->get_reference_count() == 2); // its own and the actor's
  CHECK(caf::actor_cast<caf::strong_actor_ptr>(whom)->strong_refs.load() == references);
}

TEST_CASE("of a behavior's handlers the first that takes a message has it") {
  std::vector<std::string> lines;
  bool takes = false;
  const auto line = [&lines](const char* text) {
    return [&lines, text](int) {
      lines.emplace_back(text);
    };
  };
  const caf::message_handler first{
    [&](int) -> caf::result<void> {
      if (!takes)
        return caf::skip();
      lines.emplace_back("first");
      return caf::unit;
    },
    line("second"),
  };
  auto number = caf::make_message(1);
  CHECK_FALSE(caf::message_handler{first}(number)); // skipped, and the second is not asked
  CHECK(lines.empty());
  takes = true;
  CHECK(caf::message_handler{first}(number));
  const auto both = first.or_else([&](bool) { lines.emplace_back("bool"); }, line("third"));
  auto truth = caf::make_message(true);
  auto other = caf::make_message(1.5);
  CHECK(caf::message_handler{both}(number));
  CHECK(caf::message_handler{both}(truth));
  CHECK_FALSE(caf::message_handler{both}(other));
  CHECK(lines == std::vector<std::string>{"first", "first", "bool"});
}

TEST_CASE("a behavior's memory is used again") {
  const auto make = [] {
    return caf::behavior{[](int) {},
                         [](bool yes) {
                           return yes;
                         }};
  };
  make(); // the thread has a block for it
  const auto before = troupe::detail::block_mark();
  {
    const auto one = make();
    const auto taken = troupe::detail::blocks_taken_since(before);
    CHECK((taken == 1 || troupe::detail::block_mark() == 0)); // 0: none is kept, for the sanitizer
  }
  CHECK(troupe::detail::blocks_taken_since(before) == 0);
}
