// How messages come in and are handled: CAF's ways on Troupe's, and what a bound does.

#include <troupe/runtime/mailbox_bound.hpp>

#include <algorithm>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <caf/after.hpp>
#include <caf/attach_stream_sink.hpp>
#include <caf/attach_stream_source.hpp>
#include <caf/send.hpp>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <troupe/runtime/dead_letter.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/metrics.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/logged_errors.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::manual_runtime;

namespace {

using go_atom = caf::atom_constant<caf::atom("go")>;
using numbers = std::vector<int>;

/// Keeps the numbers that it gets, and what is answered to it.
template <class Base>
class keeper : public Base {
public:
  keeper(caf::actor_config& cfg, numbers& got, std::size_t most = 0,
         full_mailbox then = full_mailbox::refuse)
    : Base(cfg), got_(got) {
    if (most > 0)
      bound_mailbox(*this, most, then);
  }
  caf::behavior make_behavior() override {
    return {[this](int x) { got_.push_back(x); }, [](double x) { return x + 1; },
            [](const std::string& text) {
              throw std::domain_error(text);
            }};
  }

private:
  numbers& got_;
};

using pinned_keeper = keeper<pinned_actor>;
using floating_keeper = keeper<floating_actor>;

/// Asks with a number, and keeps the failure.
class asker : public pinned_actor {
public:
  asker(caf::actor_config& cfg, failure& got) : pinned_actor(cfg), got_(got) {}
  caf::behavior make_behavior() override {
    return {[this](const caf::actor& whom, int x) {
      request(whom, 5s, x).then([] {}, [this](caf::error& e) { got_ = failure{e}; });
    }};
  }

private:
  failure& got_;
};

/// Runs a function as its behavior is made, and has what that returns.
template <class Base>
class made_by : public Base {
public:
  made_by(caf::actor_config& cfg, std::function<caf::behavior(Base&)> fn)
    : Base(cfg), fn_(std::move(fn)) {}
  caf::behavior make_behavior() override { return fn_(*this); }

private:
  std::function<caf::behavior(Base&)> fn_;
};

template <class A>
A& object(const caf::actor& handle) {
  return *static_cast<A*>(caf::actor_cast<caf::abstract_actor*>(handle));
}

std::uint64_t letters(runtime& rt, dead_letter_reason why) {
  return rt.metrics()
    .add_counter("troupe_dead_letters_total", "", {{"reason", std::string{name(why)}}})
    .value();
}

/// What came of dead letters.
struct letter {
  dead_letter_reason reason;
  caf::actor_id receiver;
  std::string content;
  bool asked;
};

struct observed {
  std::vector<letter> letters;
  std::ostringstream text;
  runtime rt{options()};

  runtime_options options() {
    runtime_options o;
    o.loops = 1;
    o.warn_turn = duration::max(); // on a busy machine a turn of 100,000 messages is long
    const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text);
    sink->set_pattern("%l %v");
    o.logger = std::make_shared<spdlog::logger>("", sink);
    return o;
  }
  observed() {
    observe_dead_letters(rt, [this](const dead_letter& l) {
      letters.push_back(
        {l.reason, l.receiver.id(), caf::deep_to_string(caf::message::copy(l.content)), l.asked});
      if (l.reason == dead_letter_reason::actor_ended)
        caf::anon_send(caf::actor_cast<caf::actor>(l.receiver.address()), 'x');
      throw std::runtime_error("dropped");
    });
  }
  void turn() {
    for (int i = 0; i < 200; ++i)
      rt.reactor().iterate();
  }
};

} // namespace

TEMPLATE_TEST_CASE("a full mailbox refuses what comes, and has room again when some was handled",
                   "[mailbox]", pinned_keeper, floating_keeper) {
  numbers got;
  manual_runtime rt;
  const auto a = caf::actor_cast<caf::actor>(rt.spawn<TestType>(got, 3u));
  rt.settle();
  const auto send_five = [&] {
    rt.in_turn([&] {
      for (int i = 1; i <= 5; ++i)
        caf::anon_send(a, i);
    });
    rt.settle();
  };
  send_five();
  CHECK(got == numbers{1, 2, 3});
  CHECK(letters(rt, dead_letter_reason::mailbox_full) == 2);
  send_five();
  CHECK(got == numbers{1, 2, 3, 1, 2, 3});
  CHECK(letters(rt, dead_letter_reason::mailbox_full) == 4);
  CHECK(letters(rt, dead_letter_reason::dropped) == 0);
  CHECK(rt.counters().at(0).dead_letters == 0);
}

TEST_CASE("who asks an actor whose mailbox is full fails with queue_overflow", "[mailbox]") {
  numbers got;
  failure why;
  manual_runtime rt;
  const auto a = caf::actor_cast<caf::actor>(rt.spawn<pinned_keeper>(got, 1u));
  const auto b = rt.spawn<asker>(why);
  rt.settle();
  rt.in_turn([&] {
    caf::anon_send(b, a, 2); // handled first, when the other mailbox is full
    caf::anon_send(a, 1);
  });
  rt.settle();
  CHECK(got == numbers{1});
  CHECK(why.check(errc::queue_overflow));
  CHECK(letters(rt, dead_letter_reason::mailbox_full) == 1);
}

TEMPLATE_TEST_CASE("a mailbox that drops the oldest keeps the newest, in their order", "[mailbox]",
                   pinned_keeper, floating_keeper) {
  numbers got;
  manual_runtime rt;
  const auto a =
    caf::actor_cast<caf::actor>(rt.spawn<TestType>(got, 4u, full_mailbox::drop_oldest));
  rt.settle();
  rt.in_turn([&] {
    for (int i = 1; i <= 7; ++i)
      caf::anon_send(a, i);
  });
  rt.settle();
  CHECK(got == numbers{4, 5, 6, 7});
  CHECK(letters(rt, dead_letter_reason::dropped) == 3);
  CHECK(letters(rt, dead_letter_reason::mailbox_full) == 0);
  got.clear();
  rt.in_turn([&] { // it does not come while they are sent: twice its bound is all that it holds
    for (int i = 1; i <= 20; ++i)
      caf::anon_send(a, i);
  });
  rt.settle();
  CHECK(got == numbers{5, 6, 7, 8});
  CHECK(letters(rt, dead_letter_reason::dropped) == 7);
  CHECK(letters(rt, dead_letter_reason::mailbox_full) == 12);
}

TEMPLATE_TEST_CASE("the end, urgent messages and calls come in where a mailbox is full",
                   "[mailbox]", pinned_keeper, floating_keeper) {
  numbers got;
  manual_runtime rt;
  const auto a = caf::actor_cast<caf::actor>(rt.spawn<TestType>(got, 2u));
  rt.settle();
  bool called = false;
  rt.in_turn([&] {
    for (int i = 1; i <= 4; ++i)
      caf::anon_send(a, i);
    caf::anon_send<caf::message_priority::high>(a, 7);
    basic_actor::run_as(caf::actor_cast<caf::strong_actor_ptr>(a), [&] { called = true; });
  });
  rt.settle();
  CHECK(got == numbers{7, 1, 2});
  CHECK(called);
  rt.in_turn([&] {
    for (int i = 1; i <= 4; ++i)
      caf::anon_send(a, i);
    caf::anon_send_exit(a, caf::exit_reason::kill);
  });
  rt.settle();
  CHECK(got == numbers{7, 1, 2, 1, 2});
  CHECK(object<TestType>(a).getf(caf::abstract_actor::is_cleaned_up_flag));
}

TEST_CASE("what an actor skips counts as waiting, and the oldest of it goes first", "[mailbox]") {
  numbers got;
  manual_runtime rt;
  class skipper : public floating_actor {
  public:
    skipper(caf::actor_config& cfg, numbers& n) : floating_actor(cfg), got_(n) {
      bound_mailbox(*this, 3, full_mailbox::drop_oldest);
      set_default_handler(caf::skip);
    }
    caf::behavior make_behavior() override {
      return {[this](go_atom) {
        become([this](int x) { got_.push_back(x); });
      }};
    }

  private:
    numbers& got_;
  };
  const auto a = caf::actor_cast<caf::actor>(rt.spawn<skipper>(got));
  for (int i = 1; i <= 5; ++i) {
    caf::anon_send(a, i);
    rt.settle();
  }
  CHECK(letters(rt, dead_letter_reason::dropped) == 2); // 1 and 2
  caf::anon_send(a, go_atom::value);                    // 3 makes room for it
  rt.settle();
  CHECK(got == numbers{4, 5});
}

TEST_CASE("a bound is for the constructor, and not zero", "[mailbox]") {
  numbers got;
  manual_runtime rt;
  using one = pinned_keeper;
  const auto a = caf::actor_cast<caf::actor>(rt.spawn<one>(got, 2u));
  rt.settle();
  CHECK_THROWS_AS(bound_mailbox(object<one>(a), 3), std::logic_error);
  CHECK_THROWS_AS(bound_mailbox(object<one>(a), 0), std::invalid_argument);
}

TEST_CASE("a message at which a bounded actor throws is no longer in its mailbox", "[mailbox]") {
  numbers got;
  manual_runtime rt;
  const auto a = caf::actor_cast<caf::actor>(rt.spawn<floating_keeper>(got, 1u));
  caf::anon_send(a, std::string("no"));
  rt.settle();
  CHECK(testing::logged_errors{rt}.flush<std::domain_error>().size() == 1);
  CHECK(object<floating_keeper>(a).getf(caf::abstract_actor::is_cleaned_up_flag));
  caf::anon_send(a, 1);
  CHECK(rt.counters().at(0).dead_letters == 1); // not refused
  CHECK(letters(rt, dead_letter_reason::mailbox_full) == 0);
}

TEST_CASE("a mailbox that grows long is told of once, with the actor's name", "[mailbox]") {
  numbers got;
  observed o;
  const auto a = o.rt.spawn<pinned_keeper>(got);
  const auto send = [&](int n) {
    for (int i = 0; i < n; ++i)
      caf::anon_send(a, i);
    while (got.size() < static_cast<std::size_t>(n))
      o.turn();
    got.clear();
  };
  send(100'000);
  CHECK(o.text.str().empty());
  send(100'001);
  const auto text =
    "warning [(anonymous namespace)::keeper<troupe::pinned_actor>, actor " + std::to_string(a.id())
    + "] has 100001 messages in its mailbox: they come faster than it handles them\n";
  CHECK(o.text.str() == text);
  send(100'002);
  CHECK(o.text.str() == text);
}

TEST_CASE("the observer of dead letters sees each kind, and what it throws or sends harms nobody",
          "[mailbox]") {
  numbers got;
  observed o;
  const auto a =
    caf::actor_cast<caf::actor>(o.rt.spawn<pinned_keeper>(got, 2u, full_mailbox::drop_oldest));
  for (int i = 1; i <= 5; ++i)
    caf::anon_send(a, i); // 5 is refused, 1 and 2 are dropped
  o.turn();
  caf::anon_send(a, true); // no handler
  o.turn();
  caf::anon_send_exit(a, caf::exit_reason::kill);
  o.turn();
  caf::anon_send(a, 6);
  std::vector<std::string> seen;
  for (const auto& l : o.letters) {
    CHECK(l.receiver == a.id());
    CHECK_FALSE(l.asked);
    seen.push_back(std::string{name(l.reason)} + ' ' + l.content);
  }
  CHECK(seen.size() == 5);
  CHECK(seen.at(0) == "mailbox_full (5)");
  CHECK(seen.at(1) == "dropped (1)");
  CHECK(seen.at(2) == "dropped (2)");
  CHECK(seen.at(3) == "no_handler (true)");
  CHECK(seen.at(4) == "actor_ended (6)");
  CHECK(o.rt.counters().at(0).dead_letters == 2); // with what the observer sent
  CHECK(letters(o.rt, dead_letter_reason::actor_ended) == 2);
  observe_dead_letters(o.rt, {});
  caf::anon_send(a, 7);
  CHECK(o.letters.size() == 5);
  CHECK(letters(o.rt, dead_letter_reason::actor_ended) == 3);
}

// -- CAF's ways ---------------------------------------------------------------------------------

TEMPLATE_TEST_CASE("an awaited response comes before all other messages, which keep their order",
                   "[mailbox]", pinned_actor, floating_actor) {
  numbers got;
  manual_runtime rt;
  const auto slow = rt.spawn([](caf::event_based_actor* self) -> caf::behavior {
    return {[self](int x) {
      auto rp = self->make_response_promise<int>();
      self->delayed_send(self, 1s, go_atom::value);
      self->become([rp, x](go_atom) mutable { rp.deliver(x + 100); });
      return rp;
    }};
  });
  const auto a = rt.spawn<made_by<TestType>>([&](TestType& self) -> caf::behavior {
    return {[&](int x) { got.push_back(x); },
            [&](go_atom) {
              self.request(slow, 5s, 1).await([&](int x) { got.push_back(x); });
            }};
  });
  caf::anon_send(a, 1);
  caf::anon_send(a, go_atom::value);
  caf::anon_send(a, 2);
  caf::anon_send<caf::message_priority::high>(a, 3);
  rt.settle();
  caf::anon_send(a, 4);
  rt.settle();
  CHECK(got.size() == 2); // 3 and 1
  rt.advance(1s);
  CHECK(got == numbers{3, 1, 101, 2, 4});
}

TEMPLATE_TEST_CASE("a receive timeout counts from the last message, also after one that is skipped",
                   "[mailbox]", pinned_actor, floating_actor) {
  numbers got;
  manual_runtime rt;
  const auto a = rt.spawn<made_by<TestType>>([&](TestType& self) -> caf::behavior {
    self.set_default_handler(caf::skip);
    return {[&](int x) { got.push_back(x); },
            caf::after(std::chrono::seconds(2)) >>
              [&] {
                got.push_back(-1);
                self.become([&](double x) { got.push_back(static_cast<int>(x)); });
              }};
  });
  rt.settle();
  rt.advance(1s);
  caf::anon_send(a, 1);
  rt.settle();
  rt.advance(1500ms);
  caf::anon_send(a, 7.0); // skipped: moves nothing
  rt.settle();
  CHECK(got == numbers{1});
  rt.advance(500ms);
  CHECK(got == numbers{1, -1, 7});
  rt.advance(10s);
  CHECK(got == numbers{1, -1, 7});
}

TEMPLATE_TEST_CASE("what a handler returns goes back to who sent or asked; nothing does not",
                   "[mailbox]", pinned_actor, floating_actor) {
  std::vector<std::string> got;
  manual_runtime rt;
  const auto answers = rt.spawn<made_by<TestType>>([](TestType&) -> caf::behavior {
    return {[](int x) -> caf::result<int> {
              if (x < 0)
                return caf::sec::invalid_argument;
              return x + 1;
            },
            [](double) {},
            [](char) -> caf::result<int> {
              return caf::skip;
            }};
  });
  const auto a = rt.spawn<made_by<TestType>>([&](TestType& self) -> caf::behavior {
    self.set_error_handler([&](caf::scheduled_actor*, caf::error& e) {
      got.push_back("error " + self.system().render(e));
    });
    self.send(answers, 1);
    self.send(answers, 2.0);
    self.send(answers, -1);
    self.request(answers, 5s, 10).then([&](int x) { got.push_back("asked " + std::to_string(x)); });
    self.request(answers, 5s, 2.0).then([&] { got.push_back("asked nothing"); });
    self.request(answers, 5s, -1)
      .then([](int) {},
            [&](caf::error& e) {
              got.push_back(e == caf::sec::invalid_argument ? "asked in vain" : "?");
            });
    return {[&](int x) {
      got.push_back("sent " + std::to_string(x));
    }};
  });
  rt.settle();
  CHECK(got.size() == 5);
  CHECK(got.at(0) == "sent 2");
  CHECK(got.at(1).starts_with("error "));
  CHECK(got.at(2) == "asked 11");
  CHECK(got.at(3) == "asked nothing");
  CHECK(got.at(4) == "asked in vain");
}

TEMPLATE_TEST_CASE(
  "one who asks is told by which exception the actor ended; others that wait, that it did",
  "[mailbox]", pinned_actor, floating_actor) {
  std::vector<failure> got(3);
  manual_runtime rt;
  const auto breaks = rt.spawn<made_by<TestType>>([](TestType&) -> caf::behavior {
    return {[](int) -> int {
      throw std::domain_error("broken");
    }};
  });
  const auto a = rt.spawn<made_by<TestType>>([&](TestType& self) -> caf::behavior {
    for (std::size_t i = 0; i < got.size(); ++i)
      self.request(breaks, 5s, 1)
        .then([](int) {}, [&got, i](caf::error& e) { got[i] = failure{e}; });
    return {[](int) {
    }};
  });
  rt.settle();
  CHECK(testing::logged_errors{rt}.template flush<std::domain_error>().size() == 1);
  CHECK(got[0].message().find("broken") != std::string::npos);
  CHECK(got[1].check(errc::actor_down));
  CHECK(got[2].check(errc::actor_down));
}

TEMPLATE_TEST_CASE("an actor that never runs dry lets its loop go on after its share", "[mailbox]",
                   pinned_actor, floating_actor) {
  int handled = 0;
  manual_runtime rt;
  const auto a = rt.spawn<made_by<TestType>>([&](TestType& self) -> caf::behavior {
    return {[&](go_atom) {
      ++handled;
      self.send(caf::actor{&self}, go_atom::value);
    }};
  });
  rt.settle(); // begins
  caf::anon_send(a, go_atom::value);
  rt.settle(1);
  CHECK(handled >= 50);
  CHECK(handled <= 100 * 50);
  caf::anon_send_exit(a, caf::exit_reason::kill);
  rt.settle();
}

TEMPLATE_TEST_CASE("streams of CAF's go through Troupe's actors, beside messages", "[mailbox]",
                   pinned_actor, floating_actor) {
  int sum = 0;
  numbers got;
  manual_runtime rt;
  const auto sink = rt.spawn<made_by<TestType>>([&](TestType& self) -> caf::behavior {
    return {[&](int x) { got.push_back(x); },
            [&](const caf::stream<int>& in) {
              return caf::attach_stream_sink(
                &self, in, [](caf::unit_t&) {}, [&](caf::unit_t&, int x) { sum += x; },
                [&](caf::unit_t&, const caf::error&) { got.push_back(-1); });
            }};
  });
  const auto source = rt.spawn<made_by<TestType>>([&](TestType& self) -> caf::behavior {
    return {[&](go_atom) {
      caf::attach_stream_source(
        &self, sink, [](int& n) { n = 0; },
        [](int& n, caf::downstream<int>& out, std::size_t most) {
          for (; most > 0 && n < 200; --most)
            out.push(++n);
        },
        [](const int& n) { return n == 200; });
    }};
  });
  rt.advance(1s); // the beginning of time is none for CAF's streams
  caf::anon_send(source, go_atom::value);
  caf::anon_send(sink, 1);
  for (int i = 0; i < 200 && (got.empty() || got.back() != -1); ++i) {
    rt.settle();
    rt.advance(50ms);
  }
  CHECK(sum == 200 * 201 / 2);
  CHECK(got == numbers{1, -1});
  caf::anon_send(sink, 2);
  rt.settle();
  CHECK(got == numbers{1, -1, 2});
}
