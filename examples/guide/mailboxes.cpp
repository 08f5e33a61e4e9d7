// A mailbox with a bound, and the messages that nobody handles.

#include <cstdio>
#include <string>

#include <troupe/actors/ask.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/dead_letter.hpp>
#include <troupe/runtime/defer_later.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/mailbox_bound.hpp>
#include <troupe/runtime/react.hpp>

using namespace std::chrono_literals;

using job_atom = caf::atom_constant<caf::atom("job")>;
using end_atom = caf::atom_constant<caf::atom("end")>;

// [worker]
class worker : public troupe::floating_actor {
public:
  explicit worker(caf::actor_config& cfg) : floating_actor(cfg) {
    troupe::bound_mailbox(*this, 2); // so many may wait; more are refused
  }

  caf::behavior make_behavior() override {
    return {[](job_atom, int number) { return number; },
            [this](end_atom) {
              quit();
            }};
  }
};
// [/worker]

// [ask]
void ask_for(troupe::runtime& rt, const caf::actor& whom, int job) {
  troupe::ask<int>(rt, whom, 5s, job_atom::value, job)
    .add_callbacks([](int done) { std::printf("job %d is done\n", done); },
                   [job](const troupe::failure& why) {
                     std::printf("job %d: %s\n", job, why.message().c_str());
                   });
}

troupe::deferred<void> too_many(troupe::runtime& rt) {
  const auto whom = rt.spawn<worker>();
  for (int job = 1; job <= 4; ++job) // faster than anybody works: this turn is not over yet
    ask_for(rt, whom, job);
  co_await troupe::defer_later(rt.reactor(), 10ms);
}
// [/ask]

// [push]
class writer : public troupe::floating_actor {
public:
  explicit writer(caf::actor_config& cfg) : floating_actor(cfg) {
    troupe::bound_mailbox(*this, 2, troupe::full_mailbox::push_back);
  }

  caf::behavior make_behavior() override {
    return {[](job_atom, int number) {
      std::printf("job %d is done\n", number);
    }};
  }
};

class reader
  : public troupe::floating_actor { // knows nothing of bounds: it is stopped, and goes on
public:
  reader(caf::actor_config& cfg, caf::actor to) : floating_actor(cfg), to_(std::move(to)) {}

  caf::behavior make_behavior() override {
    return {[this](job_atom, int number) {
      std::printf("job %d is sent\n", number);
      send(to_, job_atom::value, number);
    }};
  }

private:
  caf::actor to_;
};
// [/push]

troupe::deferred<void> push_back(troupe::runtime& rt) {
  const auto from = rt.spawn<reader>(rt.spawn<writer>());
  for (int job = 1; job <= 6; ++job)
    caf::anon_send(from, job_atom::value, job);
  co_await troupe::defer_later(rt.reactor(), 10ms);
}

// [letters]
troupe::deferred<void> nobody_handles(troupe::runtime& rt) {
  troupe::observe_dead_letters(rt, [](const troupe::dead_letter& letter) {
    std::printf("%s: %s\n", std::string{name(letter.reason)}.c_str(),
                letter.content.stringify().c_str());
  });
  const auto whom = rt.spawn<worker>();
  caf::anon_send(whom, job_atom::value, 1L); // takes an int, and this is a long
  co_await troupe::defer_later(rt.reactor(), 10ms);
  caf::anon_send(whom, end_atom::value);
  co_await troupe::defer_later(rt.reactor(), 10ms);
  caf::anon_send(whom, job_atom::value, 2); // it has ended
}
// [/letters]

int main(int argc, char** argv) {
  const std::string which = argc > 1 ? argv[1] : "";
  troupe::runtime rt{{.loops = 1}};
  if (which == "push")
    return troupe::react(rt, push_back);
  return which == "letters" ? troupe::react(rt, nobody_handles) : troupe::react(rt, too_many);
}
