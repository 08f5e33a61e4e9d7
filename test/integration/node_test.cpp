// Questions between two processes, over CAF's middleman.

#include <thread>

#include <unistd.h>

#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/publish.hpp>
#include <caf/io/remote_actor.hpp>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/handlers.hpp>
#include <troupe/actors/topic.hpp>
#include <troupe/runtime/actor_timers.hpp>
#include <troupe/runtime/deferred_list.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/threads.hpp>

#include "support/catch.hpp"
#include "support/other_process.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using hold_atom = caf::atom_constant<caf::atom("hold")>;
using drop_atom = caf::atom_constant<caf::atom("drop")>;
using throw_atom = caf::atom_constant<caf::atom("throw")>;
using wait_atom = caf::atom_constant<caf::atom("wait")>;
using quit_atom = caf::atom_constant<caf::atom("quit")>;
using exit_atom = caf::atom_constant<caf::atom("exit")>;

const auto with_middleman = [](caf::actor_system_config& cfg) {
  cfg.load<caf::io::middleman>();
};

/// Answers from another process.
class far_actor : public floating_actor {
public:
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    return handlers(
      *this, [](int x) { return x + 1; },
      [](throw_atom) -> int { throw std::runtime_error("far"); },
      [this](wait_atom) -> deferred<int> { return defer_later(*this, 1ms, [] { return 7; }); },
      [this](hold_atom) -> deferred<int> { return defer_later(*this, 1h, [] { return 0; }); },
      [](drop_atom) -> deferred<int> { return promise<int>{}.get_deferred(); },
      [this](quit_atom) -> deferred<int> {
        quit();
        return defer_later(*this, 1h, [] { return 0; });
      },
      [](exit_atom) -> int { ::_exit(0); });
  }
};

/// The other process: this program again, which runs the hidden case below.
class node : public other_process {
public:
  node() : other_process("[.node]"), port_(static_cast<std::uint16_t>(std::stoul(hear()))) {}
  std::uint16_t port() const { return port_; }

private:
  const std::uint16_t port_;
};

/// Connects to `n` and asks its actor, from a plain thread.
class connection {
public:
  explicit connection(const node& n) {
    near_.start();
    const auto proxy = near_.rt.system().middleman().remote_actor("127.0.0.1", n.port());
    CAF_SET_LOGGER_SYS(nullptr); // CAF leaves it in the thread
    REQUIRE(proxy);
    far_ = *proxy;
  }

  template <class... Args>
  outcome<int> ask_far(duration timeout, Args... args) {
    outcome<int> result = 0;
    blocking_call_from_thread(near_.rt.reactor(), [&] {
      return start(timeout, args...).add_both([&](outcome<int> x) { result = std::move(x); });
    });
    return result;
  }

  template <class... Args>
  deferred<int> start(duration timeout, Args... args) {
    return ask<int>(near_.rt, far_, timeout, args...);
  }

  running& near() { return near_; }
  const caf::actor& far() const { return far_; }

private:
  running near_{2, 5s, with_middleman};
  caf::actor far_;
};

} // namespace

TEST_CASE("the other process", "[.node]") {
  const auto* const first = the_first_process();
  if (first == nullptr)
    return; // was selected by its file, and not started by `node`
  runtime rt{{.loops = 2, .install_signal_handlers = false, .configure = with_middleman}};
  const auto port = rt.system().middleman().publish(rt.spawn<far_actor>(), 0, "127.0.0.1");
  REQUIRE(port);
  std::thread watchdog{[&] { // an orphan does not stay
    while (!first->hear().empty()) {
    }
    ::_exit(1);
  }};
  watchdog.detach();
  rt.reactor().call_when_running([&] { first->tell(std::to_string(*port)); });
  rt.run();
}

TEST_CASE("questions to an actor of another process are answered as near ones are") {
  const node other;
  connection to{other};
  CHECK(*to.ask_far(10s, 41) == 42);
  CHECK(*to.ask_far(10s, wait_atom::value) == 7);
  CHECK(to.ask_far(10ms, hold_atom::value).error().check(errc::timed_out));
  CHECK(to.ask_far(10s, drop_atom::value).error().check(errc::broken_promise));
  const auto thrown = to.ask_far(10s, throw_atom::value);
  CHECK(thrown.error().message().find("far") != std::string::npos);
}

TEST_CASE("a far actor that ends with a question unanswered fails it") {
  const node other;
  connection to{other};
  const auto got = to.ask_far(10s, quit_atom::value);
  CHECK((got.error().check(errc::actor_down) || got.error().check(errc::broken_promise)));
  CHECK(to.ask_far(10s, 1).error().check(errc::actor_down));
}

TEST_CASE("a process that dies fails the questions to its actors") {
  const node other;
  connection to{other};
  CHECK(to.ask_far(10s, exit_atom::value).error().check(errc::actor_down));
}

TEST_CASE("a thousand questions to another process are all answered") {
  const node other;
  connection to{other};
  std::atomic<long> sum = 0;
  auto& rt = to.near().rt;
  blocking_call_from_thread(rt.reactor(), [&] {
    std::vector<deferred<void>> all;
    for (int i = 0; i < 1000; ++i)
      all.push_back(to.start(10s, i).add_callback([&](int x) { sum += x; }));
    return gather_results(std::move(all));
  });
  CHECK(sum == 1000L * 1001 / 2);
}

TEST_CASE("an actor of another process cannot subscribe") {
  const node other;
  connection to{other};
  const topic room{to.near().rt};
  CHECK_THROWS_AS(room.subscribe(to.far()), std::logic_error);
  CHECK_THROWS_AS(room.observe_drops(to.far()), std::logic_error);
  room.unsubscribe(to.far()); // which it never was
  CHECK(room.subscribers() == 0);
  room.publish("to nobody");
  CHECK(*to.ask_far(10s, 1) == 2);
}
