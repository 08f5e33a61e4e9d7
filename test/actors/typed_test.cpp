#include <troupe/actors/typed.hpp>

#include <string>

#include <caf/send.hpp>

#include <troupe/actors/ask.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/deferred.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::manual_runtime;

namespace {

using balance_atom = caf::atom_constant<caf::atom("balance")>;
using deposit_atom = caf::atom_constant<caf::atom("deposit")>;
using take_atom = caf::atom_constant<caf::atom("take")>;

using account =
  caf::typed_actor<caf::replies_to<balance_atom>::with<int>, caf::reacts_to<deposit_atom, int>,
                   caf::replies_to<take_atom, int>::with<std::string>>;

template <class Base>
class safe : public typed<account, Base> {
public:
  using typed<account, Base>::typed;

  typed_behavior<account> make_typed_behavior() override {
    return typed_handlers<account>(
      *this, &safe::balance, [this](deposit_atom, int x) { total_ += x; }, &safe::take);
  }

private:
  deferred<int> balance(balance_atom) const { co_return total_; }
  outcome<std::string> take(take_atom, int x) {
    if (x > total_)
      return failure{errc::invalid_argument, "too much"};
    total_ -= x;
    return std::to_string(x);
  }
  int total_ = 0;
};

/// Has a typed handle of another, and of itself.
class owner : public pinned_actor {
public:
  owner(caf::actor_config& cfg, account of, std::string& told)
    : pinned_actor(cfg), of_(std::move(of)), told_(told) {}
  caf::behavior make_behavior() override {
    send(of_, deposit_atom::value, 10);
    ask<std::string>(*this, of_, 5s, take_atom::value, 3)
      .add_callback([this](const std::string& s) { told_ += "took " + s; });
    ask<std::string>(*this, of_, 5s, take_atom::value, 30).add_errback([this](const failure& why) {
      told_ += why.check(errc::invalid_argument) ? ", refused" : ", ?";
    });
    ask<int>(*this, of_, 5s, balance_atom::value).add_callback([this](int left) {
      told_ += ", left " + std::to_string(left);
    });
    return {[](caf::unit_t) {
    }};
  }

private:
  account of_;
  std::string& told_;
};

} // namespace

TEMPLATE_TEST_CASE(
  "messages through a typed handle reach its handlers, and their answers come back", "[typed]",
  floating_actor, pinned_actor) {
  std::string told;
  manual_runtime rt;
  const account a = rt.in_turn([&] { return spawn_typed<safe<TestType>>(rt); });
  const auto b = rt.spawn<owner>(a, told);
  rt.settle();
  CHECK(told == "took 3, refused, left 7");
}
