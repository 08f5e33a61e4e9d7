// An actor whose messages the compiler knows.

#include <cstdio>
#include <string>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/typed.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/react.hpp>

using namespace std::chrono_literals;

// [handle]
using balance_atom = caf::atom_constant<caf::atom("balance")>;
using deposit_atom = caf::atom_constant<caf::atom("deposit")>;
using take_atom = caf::atom_constant<caf::atom("take")>;

using account =
  caf::typed_actor<caf::replies_to<balance_atom>::with<int>, //
                   caf::reacts_to<deposit_atom, int>, caf::replies_to<take_atom, int>::with<int>>;
// [/handle]

// [actor]
class safe : public troupe::typed<account> {
public:
  using typed::typed;

protected:
  troupe::typed_behavior<account> make_typed_behavior() override {
    return troupe::typed_handlers<account>(
      *this, [this](balance_atom) { return total_; },
      [this](deposit_atom, int amount) { total_ += amount; }, &safe::take);
  }

private:
  troupe::outcome<int> take(take_atom, int amount) {
    if (amount > total_)
      return troupe::failure{troupe::errc::invalid_argument, "there is not so much"};
    total_ -= amount;
    return amount;
  }

  int total_ = 0;
};
// [/actor]

// [use]
troupe::deferred<void> program(troupe::runtime& rt) {
  const account mine = troupe::spawn_typed<safe>(rt);
  caf::anon_send(mine, deposit_atom::value, 10);
  const int got = co_await troupe::ask<int>(rt, mine, 5s, take_atom::value, 3);
  const int left = co_await troupe::ask<int>(rt, mine, 5s, balance_atom::value);
  std::printf("%d taken, %d left\n", got, left);
  // caf::anon_send(mine, deposit_atom::value, "ten");         do not compile
  // troupe::ask<std::string>(rt, mine, 5s, balance_atom::value);
}
// [/use]

int main() {
  troupe::runtime rt{{.loops = 1}};
  return troupe::react(rt, program);
}
