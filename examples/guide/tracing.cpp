// The way of one request through actors, step by step.

#include <cstdio>
#include <map>
#include <string>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/handlers.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/defer_later.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/react.hpp>
#include <troupe/runtime/trace.hpp>

using namespace std::chrono_literals;

using find_atom = caf::atom_constant<caf::atom("find")>;
using seen_atom = caf::atom_constant<caf::atom("seen")>;

class audit : public troupe::floating_actor {
public:
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    return {[](seen_atom, const std::string&) {
    }};
  }
};

class store : public troupe::floating_actor {
public:
  store(caf::actor_config& cfg, caf::actor watched_by)
    : floating_actor(cfg), audit_(std::move(watched_by)) {}
  caf::behavior make_behavior() override {
    return {[this](find_atom, const std::string& name) {
      send(audit_, seen_atom::value, name);
      return static_cast<int>(name.size());
    }};
  }

private:
  caf::actor audit_;
};

// [scope]
class front : public troupe::pinned_actor {
public:
  front(caf::actor_config& cfg, caf::actor of) : pinned_actor(cfg), store_(std::move(of)) {}
  caf::behavior make_behavior() override {
    return {[](seen_atom, const std::string&) {
    }};
  }

  void request_came(std::string name) { // as a connection would have it
    enter([&] {
      const troupe::trace_scope all{loop(), "request"};
      troupe::ask<int>(*this, store_, 5s, find_atom::value, name)
        .add_callbacks([](int) {}, [](const troupe::failure&) {});
    });
  }

private:
  caf::actor store_;
};
// [/scope]

// [hook]
void print_traces(troupe::runtime& rt) {
  troupe::trace_messages(
    rt, [names = std::map<std::uint64_t, std::string>{}](const troupe::trace_span& span) mutable {
      names[span.here.span] = span.name;
      std::printf("%s %s", span.name.c_str(), span.message.c_str());
      if (span.parent != 0)
        std::printf(" from %s", names[span.parent].c_str());
      std::printf("\n"); // span.sent, began and ended say how long it waited, and took
    });
}
// [/hook]

troupe::deferred<void> program(troupe::runtime& rt) {
  print_traces(rt);
  const auto of = rt.spawn<front>(rt.spawn<store>(rt.spawn<audit>()));
  co_await troupe::defer_later(rt.reactor(), 1ms);
  static_cast<front*>(caf::actor_cast<caf::abstract_actor*>(of))->request_came("alice");
  co_await troupe::defer_later(rt.reactor(), 10ms);
}

int main() {
  troupe::runtime rt{{.loops = 1}};
  return troupe::react(rt, program);
}
