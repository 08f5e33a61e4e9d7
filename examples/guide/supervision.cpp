// A tree that heals: who crashed is started again, and its name finds the new one.

#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/root_supervisor.hpp>
#include <troupe/runtime/floating_actor.hpp>

using namespace std::chrono_literals;

using next_atom = caf::atom_constant<caf::atom("next")>;

// [worker]
/// Counts, and cannot count to three.
class counter : public troupe::floating_actor {
public:
  using floating_actor::floating_actor;

  caf::behavior make_behavior() override {
    return {[this](next_atom) {
      if (++value_ == 3)
        throw std::runtime_error("cannot count to three");
      return value_;
    }};
  }

private:
  int value_ = 0;
};
// [/worker]

// [client]
void count(troupe::runtime& rt) {
  troupe::ask<int>(rt, rt.names().get("counter"), 1s, next_atom::value)
    .add_callback([](int value) { std::printf("%d\n", value); })
    .add_errback(
      [](const troupe::failure& why) { std::printf("no answer: %s\n", why.message().c_str()); })
    .add_callback([&rt] { rt.reactor().call_later(20ms, [&rt] { count(rt); }); });
}
// [/client]

// [tree]
int main() {
  troupe::runtime rt{{.loops = 1}};

  troupe::supervisor_options options;
  options.name = "numbers";
  options.intensity = 2; // restarts within the period; one more, and it gives up
  options.period = 1min;
  options.observer = [](const troupe::supervisor_event& event) {
    using kind = troupe::supervisor_event_kind;
    if (event.kind == kind::child_restarting || event.kind == kind::intensity_reached)
      std::puts(to_string(event).c_str());
  };

  troupe::root_supervisor(rt, {.name = "root", .intensity = 0})
    ->start_child(troupe::supervisor::as_child(
      options, {{.id = "counter", .start = troupe::start_actor<counter>(), .name = "counter"}}))
    .add_callback([&rt](const caf::actor&) { count(rt); });
  const troupe::run_result ended = rt.run();
  std::printf("exit code %d\n", ended.exit_code());
}
// [/tree]
