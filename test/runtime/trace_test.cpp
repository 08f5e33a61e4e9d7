// The way of a message through actors and loops.

#include <troupe/runtime/trace.hpp>

#include <algorithm>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <caf/send.hpp>

#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/logged_errors.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::manual_runtime;

namespace {

using open_atom = caf::atom_constant<caf::atom("open")>;

/// Notes the trace of each number that it gets, and sends it on.
template <class Base>
class relay : public Base {
public:
  relay(caf::actor_config& cfg, std::vector<trace_context>& seen, caf::actor to = {})
    : Base(cfg), seen_(seen), to_(std::move(to)) {}
  caf::behavior make_behavior() override {
    return {[this](int x) {
              seen_.push_back(current_trace());
              if (to_)
                this->send(to_, x);
            },
            [](double x) {
              return x + 1;
            }};
  }

private:
  std::vector<trace_context>& seen_;
  caf::actor to_;
};

using pinned_relay = relay<pinned_actor>;
using floating_relay = relay<floating_actor>;

struct traced {
  std::vector<trace_span> spans; // outlives the runtime
  manual_runtime rt;

  traced() {
    trace_messages(rt, [this](const trace_span& s) { spans.push_back(s); });
  }
  event_loop& loop() { return rt.scheduler().loop(0); }
};

template <class A>
A& object(const caf::actor& handle) {
  return *static_cast<A*>(caf::actor_cast<caf::abstract_actor*>(handle));
}

} // namespace

TEMPLATE_TEST_CASE("what is sent in a scope belongs to its trace, and so does what comes of that",
                   "[trace]", pinned_relay, floating_relay) {
  std::vector<trace_context> first;
  std::vector<trace_context> second;
  traced t;
  const auto b = caf::actor_cast<caf::actor>(t.rt.template spawn<TestType>(second));
  const auto a = caf::actor_cast<caf::actor>(t.rt.template spawn<TestType>(first, b));
  t.rt.settle();
  trace_context root;
  t.rt.in_turn([&] {
    caf::anon_send(a, 0); // belongs to none
    const trace_scope all{t.loop(), "begin"};
    root = all.context();
    CHECK(current_trace() == root);
    caf::anon_send(a, 1);
  });
  t.rt.settle();
  CHECK_FALSE(current_trace());
  REQUIRE(first.size() == 2);
  REQUIRE(second.size() == 2);
  CHECK_FALSE(first[0]);
  CHECK_FALSE(second[0]);
  REQUIRE(t.spans.size() == 3);
  CHECK(t.spans[0].name == "begin");
  CHECK(t.spans[0].here == root);
  CHECK(t.spans[0].parent == 0);
  CHECK(t.spans[0].actor == 0);
  CHECK(t.spans[1].here == first[1]);
  CHECK(t.spans[1].parent == root.span);
  CHECK(t.spans[1].actor == a.id());
  CHECK(t.spans[1].message == "(1)");
  CHECK(t.spans[2].here == second[1]);
  CHECK(t.spans[2].parent == first[1].span);
  CHECK(t.spans[2].here.trace == root.trace);
}

TEST_CASE("a span has the time that its message waited, and that of its handler", "[trace]") {
  std::vector<trace_context> seen;
  traced t;
  const auto a = caf::actor_cast<caf::actor>(t.rt.spawn<pinned_relay>(seen));
  t.rt.settle();
  t.rt.in_turn([&] {
    const trace_scope all{t.loop(), "begin"};
    basic_actor::run_as(caf::actor_cast<caf::strong_actor_ptr>(a), [] {});
    caf::anon_send(a, 1);
  });
  t.rt.settle();
  REQUIRE(t.spans.size() == 3);
  CHECK(t.spans[1].message == "a call");
  for (const auto& s : t.spans) {
    CHECK(s.sent <= s.began);
    CHECK(s.began <= s.ended);
    CHECK(s.loop == 0);
  }
}

TEST_CASE("a request and its response are steps of one trace", "[trace]") {
  std::vector<trace_context> seen;
  std::vector<trace_context> answered;
  traced t;
  const auto b = caf::actor_cast<caf::actor>(t.rt.spawn<floating_relay>(seen));
  const auto a = caf::actor_cast<caf::actor>(t.rt.spawn<pinned_relay>(seen));
  t.rt.settle();
  trace_context root;
  t.rt.in_turn([&] {
    auto& self = object<pinned_relay>(a);
    self.enter([&] {
      const trace_scope all{t.loop(), "begin"};
      root = all.context();
      self.request(b, 5s, 1.0).then([&](double) { answered.push_back(current_trace()); });
    });
  });
  t.rt.settle();
  REQUIRE(answered.size() == 1);
  CHECK(answered[0].trace == root.trace);
  REQUIRE(t.spans.size() == 3);
  CHECK(t.spans[1].actor == b.id());
  CHECK(t.spans[1].parent == root.span);
  CHECK(t.spans[2].actor == a.id());
  CHECK(t.spans[2].parent == t.spans[1].here.span);
  CHECK(t.spans[2].here == answered[0]);
}

TEST_CASE(
  "a message that is skipped is a step when it is handled, also when nobody traces any more",
  "[trace]") {
  class door : public floating_actor {
  public:
    door(caf::actor_config& cfg, std::vector<int>& got) : floating_actor(cfg), got_(got) {
      set_default_handler(caf::skip);
    }
    caf::behavior make_behavior() override {
      return {[this](open_atom) {
        become([this](int x) { got_.push_back(x); });
      }};
    }

  private:
    std::vector<int>& got_;
  };
  std::vector<int> got;
  traced t;
  const auto a = caf::actor_cast<caf::actor>(t.rt.spawn<door>(got));
  t.rt.in_turn([&] {
    const trace_scope all{t.loop(), "begin"};
    caf::anon_send(a, 7);
  });
  t.rt.settle();
  CHECK(t.spans.size() == 1);
  SECTION("traced") {
    t.rt.in_turn([&] { caf::anon_send(a, open_atom::value); });
    t.rt.settle();
    CHECK(t.spans.size() == 2);
  }
  SECTION("no more") {
    trace_messages(t.rt, {});
    t.rt.in_turn([&] { caf::anon_send(a, open_atom::value); });
    t.rt.settle();
    CHECK(t.spans.size() == 1);
  }
  CHECK(got == std::vector<int>{7});
}

TEST_CASE("without a hook a scope is nothing; a hook that throws or sends harms nobody",
          "[trace]") {
  std::vector<trace_context> seen;
  manual_runtime rt;
  const auto a = caf::actor_cast<caf::actor>(rt.spawn<pinned_relay>(seen));
  rt.settle();
  const auto once = [&] {
    rt.in_turn([&] {
      const trace_scope all{rt.scheduler().loop(0), "begin"};
      caf::anon_send(a, 1);
    });
    rt.settle();
  };
  once();
  REQUIRE(seen.size() == 1);
  CHECK_FALSE(seen[0]);
  int told = 0;
  trace_messages(rt, [&](const trace_span&) {
    CHECK_FALSE(current_trace());
    if (++told < 5)
      caf::anon_send(a, 2);
    if (told == 1)
      throw std::runtime_error("not well");
  });
  once();
  const auto logged = testing::logged_errors{rt}.flush("hook of trace_messages: not well");
  CHECK(logged.size() == 1);
  CHECK(told == 2);
  CHECK(seen.size() == 4);
  CHECK(seen[1]);
  CHECK_FALSE(seen[2]);
  CHECK_FALSE(seen[3]);
}

TEST_CASE("a trace goes on with what came in a message of the user's", "[trace]") {
  traced t;
  trace_context inner;
  t.rt.in_turn([&] {
    const trace_scope other{t.loop(), "here", trace_context{5, 6}};
    const trace_scope deeper{t.loop(), "deeper"};
    inner = deeper.context();
  });
  REQUIRE(t.spans.size() == 2);
  CHECK(t.spans[0].here == inner);
  CHECK(t.spans[0].here.trace == 5);
  CHECK(t.spans[0].parent == t.spans[1].here.span);
  CHECK(t.spans[1].parent == 6);
}

TEST_CASE("a trace goes over loops", "[trace]") {
  std::mutex mutex;
  std::vector<trace_span> spans;
  std::vector<trace_context> first;
  std::vector<trace_context> second;
  std::promise<void> all;
  testing::running server{2};
  trace_messages(server.rt, [&](const trace_span& s) {
    const std::lock_guard hold{mutex};
    spans.push_back(s);
    if (spans.size() == 3)
      all.set_value();
  });
  const auto b = caf::actor_cast<caf::actor>(server.rt.spawn_on<pinned_relay>(1, second));
  const auto a = caf::actor_cast<caf::actor>(server.rt.spawn_on<pinned_relay>(0, first, b));
  server.start();
  server.rt.reactor().call_from_thread([&] {
    const trace_scope scope{server.rt.scheduler().loop(0), "begin"};
    caf::anon_send(a, 1);
  });
  REQUIRE(all.get_future().wait_for(30s) == std::future_status::ready);
  server.stop();
  const auto of = [&](caf::actor_id id) {
    return *std::find_if(spans.begin(), spans.end(), [&](const auto& s) { return s.actor == id; });
  };
  CHECK(of(0).here.trace == of(b.id()).here.trace);
  CHECK(of(a.id()).loop == 0);
  CHECK(of(b.id()).loop == 1);
  CHECK(of(b.id()).parent == of(a.id()).here.span);
}
