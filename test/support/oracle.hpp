#pragma once

#include <functional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <caf/atom.hpp>
#include <caf/send.hpp>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/respond.hpp>
#include <troupe/runtime/actor_timers.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

namespace troupe::testing {

using hold_atom = caf::atom_constant<caf::atom("hold")>;
using drop_atom = caf::atom_constant<caf::atom("drop")>;
using quit_atom = caf::atom_constant<caf::atom("quit")>;
using throw_atom = caf::atom_constant<caf::atom("throw")>;
using later_atom = caf::atom_constant<caf::atom("later")>;

/// Answers, or fails to, in every way there is.
class oracle : public floating_actor {
public:
  using floating_actor::floating_actor;

  caf::behavior make_behavior() override {
    return {
      [](int x) { return x + 1; },
      [this](hold_atom) { held_.emplace_back(*this); },
      [this](drop_atom) -> caf::result<int> {
        owed_response{*this};
        return caf::delegated<int>{};
      },
      [this](quit_atom) -> caf::result<int> {
        held_.emplace_back(*this);
        quit();
        return caf::delegated<int>{};
      },
      [](throw_atom) -> int { throw std::runtime_error("no idea"); },
      [this](later_atom, int x) {
        promise<int> later;
        auto result = later.get_deferred();
        call_later(std::chrono::milliseconds(1),
                   [p = std::make_shared<promise<int>>(std::move(later)), x] {
                     if (x < 0)
                       p->errback(failure{errc::malformed_input, "negative"});
                     else
                       p->callback(x * 2);
                   });
        return respond_with(*this, std::move(result));
      },
    };
  }

private:
  std::vector<owed_response> held_; // never answered: as many requests as wait when the actor ends
};

/// Runs one piece of code as itself.
template <class Base>
class asker : public Base {
public:
  asker(caf::actor_config& cfg, std::function<void(asker&)> code)
    : Base(cfg), code_(std::move(code)) {}

  caf::behavior make_behavior() override {
    caf::anon_send(caf::actor{this}, 0);
    return {[this](int) {
      code_(*this);
    }};
  }

private:
  std::function<void(asker&)> code_;
};

/// Runs `code` as an actor until it stops the runtime.
template <class Base = floating_actor>
void run_as_actor(runtime& rt, std::function<void(basic_actor&)> code) {
  const auto self = rt.spawn<asker<Base>>([code](asker<Base>& a) { code(a); });
  rt.run();
}

/// A runtime that the test turns; its code asks.
struct asking {
  template <class T, class Handle, class... Args>
  outcome<T> ask_now(const Handle& whom, Args... args) {
    outcome<T> got = failure{errc::none, {}};
    bool over = false;
    rt.in_turn([&] {
      ask<T>(rt, whom, std::chrono::seconds(1), args...).add_both([&](outcome<T> o) {
        over = true;
        got = std::move(o);
      });
    });
    rt.settle();
    CHECK(over);
    return got;
  }
  manual_runtime rt;
};

} // namespace troupe::testing
