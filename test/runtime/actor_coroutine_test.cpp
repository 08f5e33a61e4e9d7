#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

#include <troupe/runtime/actor_timers.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/looping_call.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/threads.hpp>
#include <troupe/testing/deferred.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

/// Tells when it is destroyed.
struct witness {
  explicit witness(bool& gone) : gone(&gone) {}
  witness(witness&& other) noexcept : gone(std::exchange(other.gone, nullptr)) {}
  ~witness() {
    if (gone != nullptr)
      *gone = true;
  }
  bool* gone;
};

using wait_atom = caf::atom_constant<caf::atom("wait")>;
using quit_atom = caf::atom_constant<caf::atom("quit")>;

template <class Base>
class sleeper : public Base {
public:
  sleeper(caf::actor_config& cfg, std::function<deferred<void>(sleeper&)> code)
    : Base(cfg), code_(std::move(code)) {}

  caf::behavior make_behavior() override {
    caf::anon_send(caf::actor{this}, wait_atom::value);
    return {
      [this](wait_atom) { code_(*this).add_errback([](const failure&) {}); },
      [this](quit_atom) { this->quit(); },
    };
  }

  deferred<void> wait(deferred<void> for_this, witness held, bool& went_on) {
    co_await std::move(for_this);
    went_on = true;
    static_cast<void>(held);
    inside = this->current_mailbox_element() != nullptr || event_loop::current() != nullptr;
  }

  bool inside = false;

private:
  std::function<deferred<void>(sleeper&)> code_;
};

template <class Base, class F>
void run_with(runtime& rt, F code) {
  rt.spawn<sleeper<Base>>(code);
  rt.run();
}

} // namespace

TEMPLATE_TEST_CASE("an actor's coroutine resumes as that actor", "[coroutine][actors]",
                   floating_actor, pinned_actor) {
  runtime rt{{.loops = 2, .install_signal_handlers = false}};
  bool went_on = false;
  bool gone = false;
  run_with<TestType>(rt, [&](sleeper<TestType>& self) {
    return self.wait(defer_later(self, 1ms), witness{gone}, went_on).add_callback([&] {
      rt.stop();
    });
  });
  CHECK(went_on);
  CHECK(gone);
}

TEMPLATE_TEST_CASE("an actor's coroutine is destroyed with it, wherever it waits",
                   "[coroutine][actors]", floating_actor, pinned_actor) {
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  testing::unhandled_failures unhandled;
  promise<void> outside; // nothing of the actor's
  bool went_on[3] = {};
  bool gone[3] = {};
  bool after = false;
  run_with<TestType>(rt, [&](sleeper<TestType>& self) {
    self.wait(outside.get_deferred(), witness{gone[0]}, went_on[0]).add_both([&] { after = true; });
    self.wait(defer_later(self, 1h), witness{gone[1]}, went_on[1]).add_both([&] { after = true; });
    // One that waits for another one of the same actor.
    self
      .wait(self.wait(defer_later(self, 1h), witness{gone[2]}, went_on[2]), witness{gone[2]},
            went_on[2])
      .add_both([&] { after = true; });
    caf::anon_send(caf::actor{&self}, quit_atom::value);
    self.attach_functor([&](const caf::error&) { // when it has ended
      rt.reactor().call_from_thread([&] {
        outside.callback(); // finds nobody
        rt.stop();
      });
    });
    return succeed();
  });
  for (int i = 0; i < 3; ++i) {
    CAPTURE(i);
    CHECK(gone[i]);
    CHECK_FALSE(went_on[i]);
  }
  CHECK_FALSE(after);
  CHECK(unhandled.empty());
}

TEST_CASE("a pinned actor's coroutine that somebody else wakes runs inside it",
          "[coroutine][actors]") {
  class quitter : public pinned_actor {
  public:
    quitter(caf::actor_config& cfg, promise<void>& p, bool& ended, task waits)
      : pinned_actor(cfg), promise_(p), ended_(ended), waits_(std::move(waits)) {}
    caf::behavior make_behavior() override {
      leave().add_both([] {});
      waits_();
      return {[](int) {
      }};
    }
    void on_exit() override {
      ended_ = true;
      pinned_actor::on_exit();
    }
    deferred<void> leave() {
      co_await promise_.get_deferred();
      quit(); // takes effect at the end of the actor's turn: so there must be one
    }

  private:
    promise<void>& promise_;
    bool& ended_;
    task waits_; // told that it does
  };
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  promise<void> p;
  bool ended = false;
  bool at_once = false;
  const auto a = rt.spawn_on<quitter>(0, p, ended, task{[&] {
                                        rt.reactor().call_from_thread([&] {
                                          p.callback();
                                          at_once = ended;
                                          rt.stop();
                                        });
                                      }});
  rt.run();
  CHECK(at_once);
}

TEST_CASE("a coroutine that waits after its actor's end is destroyed at once",
          "[coroutine][actors]") {
  class late : public pinned_actor {
  public:
    late(caf::actor_config& cfg, runtime& rt, bool& gone, bool& went_on)
      : pinned_actor(cfg), rt_(rt), gone_(gone), went_on_(went_on) {}
    caf::behavior make_behavior() override {
      quit();
      return {[](int) {
      }};
    }
    void on_exit() override {
      pinned_actor::on_exit();
      wait(witness{gone_}).add_both([] {});
      rt_.reactor().call_from_thread([&rt = rt_] { rt.stop(); });
    }
    deferred<void> wait(witness) {
      promise<void> never;
      co_await never.get_deferred();
      went_on_ = true;
    }

  private:
    runtime& rt_;
    bool& gone_;
    bool& went_on_;
  };
  bool gone = false;
  bool went_on = false;
  {
    runtime rt{{.loops = 1, .install_signal_handlers = false}};
    rt.spawn_on<late>(0, std::ref(rt), gone, went_on);
    rt.run();
  }
  CHECK(gone);
  CHECK_FALSE(went_on);
}

TEMPLATE_TEST_CASE("a result of a thread comes back as the actor, or not at all",
                   "[H03][threads][actors]", floating_actor, pinned_actor) {
  runtime rt{{.loops = 2, .install_signal_handlers = false}};
  int got = 0;
  failure why;
  std::thread::id where;
  bool ran_late = false;
  std::atomic<bool> in_thread = false;
  const auto held = std::make_shared<int>();
  run_with<TestType>(rt, [&, held](sleeper<TestType>& self) {
    defer_to_thread(self,
                    [&] {
                      where = std::this_thread::get_id();
                      return 7;
                    })
      .add_callback([&](int x) {
        got = x;
        return defer_to_thread(self, []() -> int { throw std::runtime_error("no"); });
      })
      .add_errback([&](const failure& f) {
        why = f;
        return 0;
      })
      .add_callback([&, held](int) {
        // The actor ends while a thread works for it.
        defer_to_thread(self, [&] {
          while (!in_thread.load())
            std::this_thread::yield();
          return 1;
        }).add_both([&, held](outcome<int>) { ran_late = true; });
        self.quit();
        rt.reactor().call_from_thread([&] {
          rt.reactor().call_later(5ms, [&] {
            in_thread = true;
            rt.stop();
          });
        });
      });
    return succeed();
  });
  CHECK(got == 7);
  CHECK(why.check<std::runtime_error>());
  CHECK(where != std::this_thread::get_id());
  CHECK_FALSE(ran_late);
}

TEST_CASE("an actor's timers are a clock for whatever needs one", "[timers][actors]") {
  class ticker : public floating_actor {
  public:
    ticker(caf::actor_config& cfg, runtime& rt, int& ticks)
      : floating_actor(cfg), rt_(rt), ticks_(ticks) {}
    caf::behavior make_behavior() override {
      beat_.start(1ms).add_errback([](const failure&) {});
      return {[](int) {
      }};
    }

  private:
    runtime& rt_;
    int& ticks_;
    actor_timers timers_{*this};
    looping_call beat_{timers_, [this] {
                         if (++ticks_ == 3) {
                           CHECK(timers_.get_delayed_calls().empty());
                           beat_.stop();
                           rt_.stop();
                         }
                       }};
  };
  int ticks = 0;
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  rt.spawn<ticker>(std::ref(rt), std::ref(ticks));
  rt.run();
  CHECK(ticks == 3);
}

TEST_CASE("what a coroutine waits for is cancelled when its actor ends, and nobody is told",
          "[coroutine][actors]") {
  class waits final : public pinned_actor {
  public:
    waits(caf::actor_config& cfg, deferred<int>& d, bool& told)
      : pinned_actor(cfg), d_(d), told_(told) {}
    caf::behavior make_behavior() override {
      outer().add_errback([] {});
      return {[](caf::unit_t) {
      }};
    }
    deferred<void> outer() { co_await inner(); }
    deferred<void> inner() {
      co_await std::move(d_).add_both([this](outcome<int>) { told_ = true; });
    }

  private:
    deferred<int>& d_;
    bool& told_;
  };
  testing::unhandled_failures unhandled;
  testing::manual_runtime rt;
  int cancelled = 0;
  bool told = false;
  promise<int> p{[&](promise<int>&) {
    ++cancelled;
  }};
  auto d = p.get_deferred();
  const auto handle = rt.spawn_on<waits>(0, std::ref(d), std::ref(told));
  rt.settle();
  CHECK(cancelled == 0);
  caf::anon_send_exit(handle, caf::exit_reason::kill);
  rt.settle();
  CHECK(cancelled == 1);
  CHECK_FALSE(told);
  CHECK(unhandled.empty());
}

TEST_CASE("an actor's own time limits what it waits for", "[actors]") {
  testing::manual_runtime rt;
  class limited final : public floating_actor {
  public:
    limited(caf::actor_config& cfg, deferred<void>& d, failure& why)
      : floating_actor(cfg), d_(d), why_(why) {}
    caf::behavior make_behavior() override {
      with_timeout(std::move(d_), 2s, *this).add_errback([this](failure f) {
        why_ = std::move(f);
      });
      return {[](caf::unit_t) {
      }};
    }

  private:
    deferred<void>& d_;
    failure& why_;
  };
  promise<void> p;
  auto d = p.get_deferred();
  failure why;
  rt.spawn<limited>(std::ref(d), std::ref(why));
  rt.settle();
  rt.advance(2s - 1ns);
  rt.settle();
  CHECK_FALSE(why);
  rt.advance(1ns);
  rt.settle();
  CHECK(why.check(errc::timed_out));
}
