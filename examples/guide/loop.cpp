// What one turn of a loop does, in which order.

#include <cstdio>

#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/runtime.hpp>

using namespace std::chrono_literals;

// [listener]
class listener : public troupe::floating_actor {
public:
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    return {[](const std::string& text) {
      std::puts(text.c_str());
    }};
  }
};
// [/listener]

// [main]
int main() {
  troupe::runtime rt{{.loops = 1}};
  auto& reactor = rt.reactor();
  const auto actor = rt.spawn<listener>();
  reactor.call_when_running([&] {
    std::puts("turn 1, step 3: the loop runs");
    caf::anon_send(actor, std::string{"turn 1, step 4: an actor has a message"});
    reactor.call_from_thread(
      [] { std::puts("turn 2, step 3: what was handed to the loop, by any thread"); });
    reactor.call_later(0s, [] { std::puts("turn 2, step 2: a delayed call that is due"); });
    std::puts("nothing of that has happened yet");
    reactor.call_later(10ms, [&] { rt.stop(); });
  });
  return rt.run().exit_code();
}
// [/main]
