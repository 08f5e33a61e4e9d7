// States: an actor that takes other messages at other times, keeps some for later, and does things in time.

#include <cstdio>
#include <string>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/state_machine.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/defer_later.hpp>
#include <troupe/runtime/deferred_list.hpp>
#include <troupe/runtime/mailbox_bound.hpp>
#include <troupe/runtime/react.hpp>
#include <troupe/runtime/runtime.hpp>

using namespace std::chrono_literals;
using say_atom = caf::atom_constant<caf::atom("say")>;

// [phone]
/// A line that is dialled when somebody has something to say, and that hangs up when nobody says anything.
class phone : public troupe::state_machine<> {
public:
  explicit phone(caf::actor_config& cfg) : state_machine(cfg) {
    troupe::bound_mailbox(*this, 100); // of what waits for the line, too
  }
  caf::behavior make_behavior() override { return start_in(&phone::idle); }

private:
  caf::behavior idle() {
    std::puts("idle");
    return {[this](say_atom, const std::string&) -> caf::result<std::string> {
      next_state(&phone::dialling);
      return postpone();
    }};
  }

  caf::behavior dialling() {
    std::puts("dialling");
    state_timeout(20ms, [this] { next_state(&phone::talking); }); // somebody answers
    return {[](say_atom, const std::string&) -> caf::result<std::string> {
      return postpone(); // until the state changes
    }};
  }

  caf::behavior talking() {
    std::puts("talking");
    hang_up_later();
    return {[this](say_atom, const std::string& text) {
      hang_up_later();
      return text + ", " + text;
    }};
  }

  void hang_up_later() {
    event_timeout(50ms, [this] { next_state(&phone::idle); });
  }
};
// [/phone]

// [talk]
troupe::deferred<void> talk(troupe::runtime& rt) {
  const auto line = rt.spawn<phone>();
  auto hello = troupe::ask<std::string>(rt, line, 5s, say_atom::value, std::string{"hello"});
  auto there = troupe::ask<std::string>(rt, line, 5s, say_atom::value, std::string{"there"});
  std::puts((co_await std::move(hello)).c_str());
  std::puts((co_await std::move(there)).c_str());
  co_await troupe::defer_later(rt.reactor(), 200ms, [] { std::puts("so much for that"); });
}
// [/talk]

int main() {
  troupe::runtime rt{{.loops = 1}};
  return troupe::react(rt, talk);
}
