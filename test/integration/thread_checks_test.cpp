// Functions that belong to a loop notice the wrong thread, and say what to call instead.

#include <future>
#include <string>
#include <thread>
#include <vector>

#include <troupe/actors/topic.hpp>
#include <troupe/net/connect_tcp.hpp>
#include <troupe/net/listen_udp.hpp>
#include <troupe/runtime/actor_timers.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/looping_call.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Calls `fn` in a thread of its own, and returns what it was told.
template <class F>
std::string elsewhere(F fn) {
  std::string told = "nothing";
  std::thread([&] {
    try {
      fn();
    } catch (const std::logic_error& e) {
      told = e.what();
    }
  }).join();
  return told;
}

struct echo : protocol {
  echo(caf::actor_config& cfg, std::promise<echo*>* made) : protocol(cfg), made_(made) {}
  void connection_made() override { made_->set_value(this); }
  std::promise<echo*>* made_;
};

struct pinned : pinned_actor {
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](int x) {
      return x;
    }};
  }
};

struct floating : floating_actor {
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    return {[](int x) {
      return x;
    }};
  }
};

struct datagrams : datagram_protocol {
  using datagram_protocol::datagram_protocol;
  void datagram_received(bytes_view, const net_address&) override {}
};

template <class A>
A& object(const caf::actor& a) {
  return *static_cast<A*>(caf::actor_cast<caf::abstract_actor*>(a));
}

void wait_until_running(running& r) {
  std::promise<void> runs;
  r.rt.reactor().call_when_running([&] { runs.set_value(); });
  r.start();
  runs.get_future().get();
}

} // namespace

TEST_CASE("what belongs to the reactor's thread says so in another one") {
  running r{2};
  auto& reactor = r.rt.reactor();
  auto pending = reactor.call_later(1h, [] {});
  const std::string of_loop_0 = ": this is not the thread of loop 0; use call_from_thread";
  wait_until_running(r);
  CHECK(elsewhere([&] { reactor.call_later(1s, [] {}); }) == "call_later" + of_loop_0);
  CHECK(elsewhere([&] { reactor.call_when_running([] {}); }) == "call_when_running" + of_loop_0);
  CHECK(elsewhere([&] {
          reactor.add_system_event_trigger(trigger_phase::before, system_event::shutdown, [] {});
        })
        == "add_system_event_trigger" + of_loop_0);
  CHECK(elsewhere([&] { static_cast<void>(reactor.get_delayed_calls()); })
        == "get_delayed_calls" + of_loop_0);
  CHECK(elsewhere([&] { pending.cancel(); }) == "delayed_call::cancel" + of_loop_0);
  CHECK(elsewhere([&] { pending.delay(1s); }) == "delayed_call::delay" + of_loop_0);
  CHECK(elsewhere([&] { pending.reset(1s); }) == "delayed_call::reset" + of_loop_0);
  CHECK(elsewhere([&] {
          looping_call beat{reactor, [] {
                            }};
          beat.start(1s);
        })
        == "call_later" + of_loop_0);
  CHECK(elsewhere([&] { listen_tcp(r.rt, 0, factory::for_protocol<protocol>()); })
        == "listen" + of_loop_0);
  CHECK(
    elsewhere([&] { connect_tcp(r.rt, "127.0.0.1", 1, client_factory::for_protocol<protocol>()); })
    == "connect" + of_loop_0);
  CHECK(elsewhere([&] { listen_udp(r.rt, 0, datagram_protocol::of<datagrams>()); })
        == "listen" + of_loop_0);
}

TEST_CASE("a loop's thread is the wrong one for another loop") {
  std::promise<std::string> told;
  running r{2};
  wait_until_running(r);
  r.rt.scheduler().loop(1).post([&] {
    try {
      r.rt.reactor().call_later(1s, [] {});
      told.set_value("nothing");
    } catch (const std::logic_error& e) {
      told.set_value(e.what());
    }
  });
  CHECK(told.get_future().get()
        == "call_later: this is not the thread of loop 0; use call_from_thread");
}

TEST_CASE("what belongs to a connection's or an actor's thread says so in another one") {
  std::promise<echo*> made;
  std::promise<void> inside, seen; // also while its own thread is in the middle of its code
  std::promise<void> begun;
  running r{1};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>(&made));
  auto handle = port;
  const auto p = r.rt.spawn_on<pinned>(0);
  const auto f = r.rt.spawn<floating>();
  const topic room{r.rt};
  wait_until_running(r);
  client c{port.get_host().port()};
  auto& e = *made.get_future().get();
  const std::string not_here = ": this is not the thread of loop 0; ";
  const auto message = not_here + "send this actor a message, or use run_as";
  const auto to_protocol = not_here + "send the protocol a message, or use run_as";
  CHECK(elsewhere([&] { e.transport().write("x"); }) == "write" + to_protocol);
  CHECK(elsewhere([&] { e.transport().lose_connection(); }) == "lose_connection" + to_protocol);
  CHECK(elsewhere([&] { e.transport().abort_connection(); }) == "abort_connection" + to_protocol);
  CHECK(elsewhere([&] { e.transport().pause_producing(); }) == "pause_producing" + to_protocol);
  CHECK(elsewhere([&] { e.enter([] {}); }) == "enter" + not_here + "use run_as");
  CHECK(elsewhere([&] { e.call_later(1s, [] {}); }) == "call_later" + message);
  CHECK(elsewhere([&] { object<pinned>(p).call_later(1s, [] {}); }) == "call_later" + message);
  CHECK(elsewhere([&] {
          actor_timers timers{object<pinned>(p)};
          looping_call beat{timers, [] {
                            }};
          beat.start(1s);
        })
        == "call_later" + message);
  basic_actor::run_as(caf::actor_cast<caf::strong_actor_ptr>(p), [&] {
    inside.set_value();
    seen.get_future().wait();
  });
  inside.get_future().wait();
  CHECK(elsewhere([&] { object<pinned>(p).enter([] {}); }) == "enter" + not_here + "use run_as");
  seen.set_value();
  basic_actor::run_as(caf::actor_cast<caf::strong_actor_ptr>(f), [&] { begun.set_value(); });
  begun.get_future().get();
  CHECK(elsewhere([&] { object<floating>(f).call_later(1s, [] {}); }) == "call_later" + message);
  CHECK(elsewhere([&] { room.subscribe(&e); })
        == "subscribe" + not_here + "subscribe its handle, a caf::actor");
  CHECK(elsewhere([&] { room.subscribe(caf::actor_cast<caf::actor>(&e)); }) == "nothing");
  CHECK(elsewhere([&] { handle.stop_listening(); })
        == "stop_listening" + not_here + "use call_from_thread");
}

TEST_CASE("before and after it runs, a runtime belongs to the thread that made it") {
  running r{2};
  int made = 0;
  auto port = listen_tcp(r.rt, 0, factory::for_protocol<protocol>());
  r.rt.reactor().call_later(0ms, [&] { ++made; });
  CHECK(elsewhere([&] { r.rt.reactor().call_later(1s, [] {}); })
        == "call_later: this is not the thread of loop 0; use call_from_thread");
  wait_until_running(r);
  r.stop();
  CHECK(made == 1);
  CHECK_NOTHROW(r.rt.reactor().call_later(1s, [] {}));
  CHECK_NOTHROW(port.stop_listening());
}
