// An actor ends, by every means, in each state of each thing that can wait for it, with it or on its
// behalf: what waits, holds, owes or is about to call is told or let go.

#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <caf/send.hpp>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/respond.hpp>
#include <troupe/actors/supervisor.hpp>
#include <troupe/actors/topic.hpp>
#include <troupe/runtime/actor_timers.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/deferred_lock.hpp>
#include <troupe/runtime/deferred_queue.hpp>
#include <troupe/runtime/deferred_semaphore.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/looping_call.hpp>
#include <troupe/runtime/threads.hpp>

#include "support/catch.hpp"
#include "support/means.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using ask_atom = caf::atom_constant<caf::atom("ask")>;

/// Does, when it begins, what the case wants, and keeps what it is asked.
class patient : public pinned_actor {
public:
  using code = std::function<void(patient&)>;
  patient(caf::actor_config& cfg, patient** self, code begin)
    : pinned_actor(cfg), begin_(std::move(begin)) {
    *self = this;
  }
  caf::behavior make_behavior() override {
    begin_(*this);
    begun = true;
    return {[this](ask_atom) -> caf::result<int> {
      owed.emplace_back(*this);
      return caf::delegated<int>{};
    }};
  }

  bool begun = false;
  std::vector<owed_response> owed;
  std::shared_ptr<void> keeps; // until its destruction

private:
  code begin_;
};

/// Never answers.
class mute : public floating_actor {
public:
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    return {[this](ask_atom) -> caf::result<int> {
      kept_.emplace_back(*this);
      return caf::delegated<int>{};
    }};
  }

private:
  std::vector<owed_response> kept_;
};

/// One case: a runtime, the actor, and what they leave behind.
struct ward {
  explicit ward(means way) : how(way) {}

  const means how;
  runtime rt{{.loops = 1, .grace = 5s, .install_signal_handlers = false}};
  patient* who = nullptr;
  caf::actor handle;
  std::shared_ptr<int> held = std::make_shared<int>(); // by what must be let go
  int called = 0;                                      // what ran as the actor after its end
  bool ended = false;

  // What a case says.
  patient::code begin;
  std::function<bool()> waits = [] {
    return true;
  };
  std::function<void()> at_end = [] {
  };
  std::function<void()> afterwards = [] {
  }; // what would have met the actor, had it lived
  std::function<bool()> told = [] {
    return true;
  }; // who is to be told

  /// Calls `then` once `is_so`, or after ten seconds. Each look is a turn of its own.
  void once(std::function<bool()> is_so, std::function<void()> then, int looks = 10'000) {
    if (is_so() || looks == 0)
      return then();
    rt.reactor().call_later(1ms, [this, is_so = std::move(is_so), then = std::move(then), looks] {
      once(is_so, then, looks - 1);
    });
  }

  void run() {
    rt.reactor().call_when_running([&] {
      handle = rt.spawn_on<patient>(0, &who, begin);
      handle->attach_functor([&](const caf::error&) {
        ended = true;
        at_end();
      });
      once([&] { return who != nullptr && who->begun && waits(); },
           [&] {
             end(rt, *who, how);
             if (how != means::stop)
               once([&] { return ended; },
                    [&] {
                      afterwards();
                      once(told, [&] { rt.stop(); });
                    });
           });
    });
    rt.run();
    CHECK(ended);
    if (how == means::stop)
      afterwards();
    else
      CHECK(told());
    handle = {};
    begin = {};
    CHECK(called == 0);
    CHECK(held.use_count() == 1);
  }
};

// -- what an actor may wait for -----------------------------------------------------------------

deferred<void> wait_for(patient& self, deferred<void> d, std::shared_ptr<int> held, int* called) {
  static_cast<void>(self);
  co_await std::move(d);
  ++*called;
  static_cast<void>(held);
}

deferred<void> take_from(patient& self, deferred_queue<int>& queue, std::shared_ptr<int> held,
                         int* called) {
  static_cast<void>(self);
  co_await queue.get();
  ++*called;
  static_cast<void>(held);
}

} // namespace

#define EACH_MEANS(name)                                                                           \
  for (const auto how : all_means)                                                                 \
    DYNAMIC_SECTION("ends " << to_string(how))                                                     \
  if (ward name{how}; true)

TEST_CASE("an actor that awaits a deferred ends", "[ends]") {
  EACH_MEANS(w) {
    promise<void> p;
    w.begin = [&](patient& self) {
      wait_for(self, p.get_deferred(), w.held, &w.called).add_both([] {});
    };
    w.afterwards = [&] {
      p.callback();
    };
    w.run();
  }
}

TEST_CASE("an actor in line for a lock ends, and the next one has it", "[ends]") {
  EACH_MEANS(w) {
    deferred_lock lock;
    auto first = lock.acquire();
    bool next = false;
    std::optional<deferred<void>> second;
    w.begin = [&](patient& self) {
      wait_for(self, lock.acquire(), w.held, &w.called).add_both([] {});
      second.emplace(lock.acquire().add_callback([&] { next = true; }));
    };
    w.afterwards = [&] {
      lock.release();
      CHECK(next);
    };
    w.run();
  }
}

TEST_CASE("an actor that holds a lock for a call ends, and the next one has it", "[ends]") {
  EACH_MEANS(w) {
    deferred_lock lock;
    promise<void> never;
    bool next = false;
    std::optional<deferred<void>> second;
    w.begin = [&](patient& self) {
      lock.run([&] { return wait_for(self, never.get_deferred(), w.held, &w.called); })
        .add_both([] {});
      second.emplace(lock.acquire().add_callback([&] { next = true; }));
    };
    w.told = [&] {
      return next;
    };
    w.run();
  }
}

TEST_CASE("an actor in line for a semaphore ends, and the next one has the token", "[ends]") {
  EACH_MEANS(w) {
    deferred_semaphore two{2};
    auto a = two.acquire(), b = two.acquire();
    int next = 0;
    std::vector<deferred<void>> others;
    w.begin = [&](patient& self) {
      wait_for(self, two.acquire(), w.held, &w.called).add_both([] {});
      wait_for(self, two.acquire(), w.held, &w.called).add_both([] {});
      for (int i = 0; i < 2; ++i)
        others.push_back(two.acquire().add_callback([&] { ++next; }));
    };
    w.afterwards = [&] {
      two.release();
      two.release();
      CHECK(next == 2);
    };
    w.run();
  }
}

TEST_CASE("an actor that waits for a value of a queue ends, and the value is not lost", "[ends]") {
  EACH_MEANS(w) {
    deferred_queue<int> queue;
    w.begin = [&](patient& self) {
      take_from(self, queue, w.held, &w.called).add_both([] {});
    };
    w.afterwards = [&] {
      queue.put(7);
      CHECK(queue.size() == 1);
    };
    w.run();
  }
}

TEST_CASE("an actor that has asked ends, and hears no answer", "[ends]") {
  EACH_MEANS(w) {
    const auto other = w.rt.spawn<mute>();
    w.begin = [&](patient& self) {
      ask<int>(self, other, duration::max(), ask_atom::value)
        .add_both([&, held = w.held](outcome<int>) { ++w.called; });
    };
    w.afterwards = [&] {
      caf::anon_send_exit(other, caf::exit_reason::kill);
    };
    w.run();
  }
}

TEST_CASE("an actor that was asked ends, and the asker is told", "[ends]") {
  const bool handled = GENERATE(true, false);
  EACH_MEANS(w) {
    std::optional<failure> why;
    w.begin = [](patient&) {
    };
    bool asked = false;
    w.waits = [&] {
      if (!std::exchange(asked, true))
        ask<int>(w.rt, w.handle, duration::max(), ask_atom::value)
          .add_errback([&](const failure& f) {
            why = f;
            return 0;
          })
          .add_callback([](int) {});
      return !handled || !w.who->owed.empty(); // else the question is on its way
    };
    w.told = [&] {
      return why.has_value();
    };
    w.run();
    if (how != means::stop)
      CHECK(why->check(errc::actor_down));
  }
}

TEST_CASE("an actor that is a topic's subscriber ends, and is none any more", "[ends]") {
  EACH_MEANS(w) {
    topic room{w.rt};
    w.begin = [&](patient& self) {
      self.keeps = w.held;
      room.subscribe(caf::actor_cast<caf::actor>(&self));
    };
    w.waits = [&] {
      return room.subscribers() == 1;
    };
    w.afterwards = [&] {
      room.publish("late");
    };
    w.told = [&] {
      return room.subscribers() == 0;
    };
    w.run();
    CHECK(room.subscribers() == 0);
  }
}

TEST_CASE("an actor with calls and loops that are due ends, and they are not made", "[ends]") {
  EACH_MEANS(w) {
    w.begin = [&](patient& self) {
      auto timers = std::make_shared<actor_timers>(self);
      auto loop = std::make_shared<looping_call>(*timers, [&w, held = w.held] {
        if (w.ended)
          ++w.called;
      });
      loop->start(1ms).add_both([] {});
      self.call_later(1h, [&w, held = w.held] { ++w.called; });
      self.keeps = std::make_shared<std::pair<decltype(timers), decltype(loop)>>(timers, loop);
    };
    w.run();
  }
}

TEST_CASE("an actor that waits for a thread ends, and hears no result", "[ends]") {
  EACH_MEANS(w) {
    std::latch go{1};
    w.begin = [&](patient& self) {
      defer_to_thread(self, [&] { go.wait(); }).add_both([&w, held = w.held](outcome<void>) {
        ++w.called;
      });
    };
    w.at_end = [&] {
      go.count_down();
    };
    w.run();
  }
}

TEST_CASE("an actor for which a thread waits ends, and the thread is told", "[ends]") {
  EACH_MEANS(w) {
    promise<void> never;
    std::atomic<bool> told = false, waiting = false;
    std::error_code why;
    w.begin = [&](patient& self) {
      w.rt.reactor().call_in_thread([&] {
        try {
          blocking_call_from_thread(w.rt.reactor(), [&] {
            waiting = true;
            return wait_for(self, never.get_deferred(), w.held, &w.called);
          });
        } catch (const std::system_error& e) {
          why = e.code();
        }
        told = true;
      });
    };
    w.waits = [&] {
      return waiting.load();
    };
    w.told = [&] {
      return told.load();
    };
    w.run();
    CHECK(told);
    CHECK(why
          == make_error_code(how == means::stop ? errc::runtime_stopped : errc::broken_promise));
  }
}

TEST_CASE("an actor that is a supervisor's child ends, and is started again", "[ends]") {
  for (const auto how : all_means)
    DYNAMIC_SECTION("ends " << to_string(how)) {
      runtime rt{{.loops = 1, .grace = 5s, .install_signal_handlers = false}};
      int starts = 0, ends = 0;
      patient* child = nullptr;
      const auto boss = rt.spawn_on<supervisor>(0, supervisor_options{.name = "boss"});
      auto& s = *static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(boss));
      rt.reactor().call_when_running([&] {
        s.start_child({.id = "child",
                       .start = [&](supervisor& by) -> caf::actor {
                         auto made = by.spawn<patient>(&child, [&](patient&) {
                           if (++starts == 2)
                             rt.stop();
                         });
                         made->attach_functor([&](const caf::error&) { ++ends; });
                         return made;
                       }})
          .add_both([&](outcome<caf::actor>) {
            rt.reactor().call_later(1ms, [&] { end(rt, *child, how); });
          });
      });
      rt.run();
      CHECK(starts == (how == means::stop ? 1 : 2));
      CHECK(ends == starts);
    }
}
