// Messages that nobody takes, and exceptions: what is counted, what is told, and to whom.

#include <troupe/runtime/basic_actor.hpp>

#include <sstream>
#include <stdexcept>
#include <thread>

#include <caf/send.hpp>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/deferred_debugging.hpp>
#include <troupe/runtime/detail/uncaught.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::manual_runtime;

namespace {

using add_atom = caf::atom_constant<caf::atom("add")>;

struct secret {
  std::string text;
};

template <class Base>
class adder : public Base {
public:
  using Base::Base;
  caf::behavior make_behavior() override {
    return {[](add_atom, std::uint64_t n) { return n; }, [this](caf::unit_t) { this->quit(); },
            [](const std::string& text) { throw std::domain_error("cannot " + text); },
            [this](duration after) {
              this->call_later(after, [] { throw std::string("in vain"); });
            }};
  }
};
using pinned_adder = adder<pinned_actor>;
using floating_adder = adder<floating_actor>;

/// An actor that asks, and keeps what it is answered.
class asker : public floating_actor {
public:
  asker(caf::actor_config& cfg, failure* got) : floating_actor(cfg), got_(got) {}
  caf::behavior make_behavior() override {
    return {[this](const caf::actor& whom) {
      request(whom, 5s, add_atom::value, 1)
        .then([](std::uint64_t) {}, [this](caf::error& e) { *got_ = failure{e}; });
    }};
  }

private:
  failure* got_;
};

struct fixture {
  fixture() {
    const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text);
    sink->set_pattern("%l %v");
    rt.logger().sinks().push_back(sink);
    rt.logger().set_level(spdlog::level::debug);
  }
  ~fixture() { testing::logged_errors{rt}.flush(); } // the tests look at the text
  fixture(const fixture&) = delete;
  fixture& operator=(const fixture&) = delete;
  std::string told() {
    rt.settle();
    auto all = text.str();
    text.str({});
    return all;
  }
  loop_counters counters() { return rt.counters().at(0); }

  std::ostringstream text;
  manual_runtime rt;
};

} // namespace

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(secret)

TEMPLATE_TEST_CASE("a message that no handler takes is counted, and told of once", "[actor]",
                   pinned_adder, floating_adder) {
  fixture f;
  const auto a = f.rt.spawn<TestType>();
  for (int i = 1; i < 4; ++i)
    caf::anon_send(a, add_atom::value, i);
  const auto name = std::is_same_v<TestType, pinned_adder> ? "pinned" : "floating";
  CHECK(f.told()
        == fmt::format("warning [(anonymous namespace)::adder<troupe::{}_actor>, actor {}] no "
                       "handler for ('add', 1)\n",
                       name, a.id()));
  CHECK(f.counters().unhandled_messages == 3);
  caf::anon_send(a, std::uint64_t{7}); // of another kind
  CHECK(f.told().ends_with("no handler for (7)\n"));
  f.rt.advance(1min);
  CHECK(f.told().find("no handler for ('add', 1) (2 more within 60 s)") != std::string::npos);
  CHECK(f.counters().dead_letters == 0);
}

TEST_CASE("who asks what nobody answers gets the message back in words", "[actor]") {
  fixture f;
  failure got;
  const auto a = f.rt.spawn<pinned_adder>();
  caf::anon_send(f.rt.spawn<asker>(&got), caf::actor_cast<caf::actor>(a));
  CHECK(f.told().find("debug [") == 0); // for the asker is told
  CHECK(got.check(errc::no_handler));
  CHECK(got.check(caf::sec::unexpected_message));
  CHECK(got.message() == "no handler for ('add', 1)");
  CHECK(f.counters().unhandled_messages == 1);
}

TEST_CASE("who sends what nobody takes is not ended by that", "[actor]") {
  fixture f;
  const auto a = f.rt.spawn<pinned_adder>();
  const auto b = f.rt.spawn<pinned_adder>();
  f.rt.in_turn([&] {
    auto& self = *static_cast<pinned_adder*>(caf::actor_cast<caf::abstract_actor*>(b));
    self.enter([&] { self.send(a, add_atom::value, 1); });
  });
  CHECK(f.told().find("no handler for ('add', 1)") != std::string::npos);
  caf::anon_send(b, 'x'); // it lives, and says so
  CHECK(f.told().find("no handler for (") != std::string::npos);
  CHECK(f.counters().dead_letters == 0);
}

TEST_CASE("a message is told with a bounded text, and shows nothing that it should not",
          "[actor]") {
  fixture f;
  const auto a = f.rt.spawn<pinned_adder>();
  caf::anon_send(a, std::string(1'000'000, 'x'), 7);
  CHECK(f.told().ends_with("no handler for (\"" + std::string(64, 'x')
                           + " ... and 999936 bytes more\", 7)\n"));
  caf::anon_send(a, "\x1b[2J", true);
  CHECK(f.told().ends_with("no handler for (\"\\x1b[2J\", true)\n"));
  caf::anon_send(a, secret{"hidden"});
  CHECK(f.told().ends_with("no handler for (<(anonymous namespace)::secret>)\n"));
  caf::anon_send(a, 1, 2, 3, 4, 5, 6, 7, 8, 9);
  CHECK(f.told().ends_with("no handler for (1, 2, 3, 4, 5, 6, 7, 8, ...)\n"));
}

TEMPLATE_TEST_CASE("messages to an actor that has ended are counted as dead letters", "[actor]",
                   pinned_adder, floating_adder) {
  fixture f;
  const auto a = f.rt.spawn<TestType>();
  f.rt.in_turn([&] {
    caf::anon_send(a, caf::unit);                         // ends it
    caf::anon_send(a, add_atom::value, std::uint64_t{1}); // waits for it then
  });
  const auto text = f.told();
  CHECK(text.starts_with("debug [(anonymous namespace)::adder<"));
  CHECK(text.ends_with("] has ended, and does not get ('add', 1)\n"));
  CHECK(f.counters().dead_letters == 1);
  caf::anon_send(a, add_atom::value, std::uint64_t{2});
  std::thread{[&] {
    caf::anon_send(a, add_atom::value, std::uint64_t{3});
  }}.join();
  CHECK(f.counters().dead_letters == 3);
  CHECK(f.told().empty());
  caf::anon_send_exit(a, caf::exit_reason::kill); // nobody misses that
  CHECK(f.counters().dead_letters == 3);
  CHECK(f.counters().unhandled_messages == 0);
}

TEST_CASE("the handle of an actor that has ended may get messages when its runtime is gone",
          "[actor]") {
  caf::actor a;
  {
    manual_runtime rt;
    a = caf::actor_cast<caf::actor>(rt.spawn<floating_adder>());
    caf::anon_send(a, caf::unit);
    rt.settle();
  }
  caf::anon_send(a, add_atom::value, std::uint64_t{1});
}

TEMPLATE_TEST_CASE("an exception is logged with the class of its actor and the message", "[actor]",
                   pinned_adder, floating_adder) {
  fixture f;
  const auto a = f.rt.spawn<TestType>();
  const auto name = std::is_same_v<TestType, pinned_adder> ? "pinned" : "floating";
  const auto owner =
    fmt::format("error [(anonymous namespace)::adder<troupe::{}_actor>, actor {}] ", name, a.id());
  SECTION("from a handler") {
    caf::anon_send(a, "fly");
    CHECK(f.told()
          == owner
               + "unhandled exception in the handler of (\"fly\"): std::domain_error: "
                 "cannot fly\n");
  }
  SECTION("from a delayed call, also one that throws what is no std::exception") {
    caf::anon_send(a, duration{1s});
    f.rt.settle();
    f.rt.advance(1s);
    CHECK(f.told().starts_with(owner + "unhandled exception in a delayed call: "));
  }
  SECTION("as the child that it is") {
    f.rt.scheduler().set_role(a.id(), "child sums of books");
    caf::anon_send(a, "fly");
    CHECK(f.told().find("_actor>, child sums of books] unhandled exception in the handler of ")
          != std::string::npos);
  }
}

TEST_CASE("the deepest callback that an exception left is told", "[actor]") {
  fixture f;
  const auto a = f.rt.spawn_on<pinned_adder>(0);
  auto& self = *static_cast<pinned_adder*>(caf::actor_cast<caf::abstract_actor*>(a));
  f.rt.in_turn([&] {
    self.enter([] {
      troupe::detail::in_callback("data_received", [] {
        try {
          troupe::detail::in_callback("another", [] { throw std::runtime_error("bang"); });
        } catch (const std::runtime_error&) { // dealt with; the next one will lie where it was
        }
        troupe::detail::in_callback("line_received", [] { throw std::runtime_error("boom"); });
      });
    });
  });
  CHECK(f.told().ends_with("] unhandled exception in line_received: std::runtime_error: boom\n"));
}

TEST_CASE("an unhandled failure is logged by the runtime in whose turn it is dropped", "[actor]") {
  fixture f;
  const auto before = set_unhandled_hook(nullptr);
  f.rt.in_turn([] { (void)fail<int>(errc::no_route); });
  set_unhandled_hook(before);
  CHECK(f.told().starts_with("error unhandled failure in a deferred: "));
}

TEST_CASE("a loop that is not there is told by its number", "[actor]") {
  manual_runtime rt;
  CHECK_THROWS_WITH(rt.spawn_on<pinned_adder>(9),
                    "spawn_on: there is no loop 9; this runtime has 1");
}
