// CAF's actors on the loops: what CAF promises must hold.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <limits>
#include <set>
#include <utility>

#include <caf/all.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/publish.hpp>
#include <caf/io/remote_actor.hpp>

#include <troupe/runtime/floating_actor.hpp>

#include "support/caf_actors.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Tells whether a thread has ended: one that was joined is in the list for a moment longer.
bool has_ended(const std::string& task) {
  constexpr unsigned long exiting = 4; // PF_EXITING of the kernel
  std::ifstream in{task + "/stat"};
  in.ignore(std::numeric_limits<std::streamsize>::max(), ')');
  std::string field;
  unsigned long flags = exiting;
  for (int i = 0; i < 6; ++i) // state, and five numbers
    in >> field;
  return !(in >> flags) || (flags & exiting) != 0;
}

/// Returns the threads that this process has.
std::set<std::string> threads() {
  std::set<std::string> result;
  for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"})
    if (!has_ended(task.path()))
      result.insert(task.path());
  return result;
}

/// Returns those that it did not have.
std::set<std::string> threads_since(const std::set<std::string>& others) {
  auto ours = threads();
  std::erase_if(ours, [&](const std::string& task) { return others.contains(task); });
  return ours;
}

/// Tells whether these end: whoever is told that a thread has ended may be told a moment before it has.
bool all_end(const std::set<std::string>& tasks) {
  const auto until = std::chrono::steady_clock::now() + 30s;
  while (!std::all_of(tasks.begin(), tasks.end(), has_ended))
    if (std::chrono::steady_clock::now() > until)
      return false;
    else
      std::this_thread::sleep_for(1ms);
  return true;
}

/// Tells whether each of these threads waits for something.
bool all_sleep(const std::set<std::string>& tasks) {
  return std::all_of(tasks.begin(), tasks.end(), [](const std::string& task) {
    std::ifstream in{task + "/status"};
    std::string word;
    while (in >> word && word != "State:")
      ;
    in >> word;
    return word == "S";
  });
}

/// Returns how often these threads were switched to or from.
std::size_t switches(const std::set<std::string>& tasks) {
  std::size_t sum = 0;
  for (const auto& task : tasks) {
    std::ifstream in{task + "/status"};
    for (std::string word; in >> word;)
      if (word.find("_ctxt_switches:") != std::string::npos) {
        std::size_t n = 0;
        in >> n;
        sum += n;
      }
  }
  return sum;
}

} // namespace

TEST_CASE("requests work from any thread, to actors of every kind") {
  const std::size_t loops = GENERATE(1, 3);
  running r{loops};
  r.start();
  CHECK(ask_from_thread(r.rt, r.rt.spawn(adder), 1) == 2);
  CHECK(ask_from_thread(r.rt, r.rt.spawn<caf::lazy_init>(adder), 1) == 2);
  const auto detached = r.rt.spawn<caf::detached>(adder);
  CHECK(ask_from_thread(r.rt, detached, 2) == 3);
  caf::anon_send_exit(detached, caf::exit_reason::kill);
  const auto blocking = r.rt.spawn([](caf::blocking_actor* self) {
    bool more = true;
    self->receive_while(more)([&](int x) {
      more = false;
      return x + 1;
    });
  });
  CHECK(ask_from_thread(r.rt, blocking, 3) == 4);
}

TEST_CASE("links and monitors reach across loops") {
  events log;
  running r{3};
  class watcher : public pinned_actor {
  public:
    watcher(caf::actor_config& cfg, events* log, caf::actor other, bool last)
      : pinned_actor(cfg), log_(log), other_(std::move(other)), last_(last) {}
    caf::behavior make_behavior() override {
      set_down_handler([this](caf::down_msg&) { log_->add("down"); });
      set_exit_handler([this](caf::exit_msg&) {
        log_->add("exit");
        if (last_) // the other one stays, or it might end between its two messages
          quit();
      });
      monitor(other_);
      link_to(other_);
      return {[](int) {
      }};
    }

  private:
    events* log_;
    caf::actor other_;
    bool last_;
  };
  const auto other = r.rt.spawn_on<watcher>(1, &log, r.rt.spawn(adder), true);
  const auto one = r.rt.spawn_on<watcher>(2, &log, other, false);
  r.start();
  caf::anon_send_exit(other, caf::exit_reason::user_shutdown);
  REQUIRE(log.wait(3));
  CHECK(log.count("exit") == 2); // `other` by the message, `one` by the link
  CHECK(log.count("down") == 1);
}

TEST_CASE("receive timeouts, delayed sends and request timeouts fire without a clock thread") {
  const auto others = threads();
  events log;
  running r{2};
  r.rt.spawn([&log](caf::event_based_actor* self) -> caf::behavior {
    self->delayed_send(self, 100ms, std::string{"delayed"});
    const auto silent = self->spawn([](caf::event_based_actor* s) -> caf::behavior {
      auto held = std::make_shared<caf::response_promise>();
      return {[=](int) {
        *held = s->make_response_promise();
        return *held;
      }};
    });
    self->request(silent, 2ms, 1)
      .then(
        [](int) {},
        [&log](caf::error& e) { log.add(e == caf::sec::request_timeout ? "timed out" : "wrong"); });
    const auto timed_out = [&log, self, silent] {
      log.add("after");
      self->send_exit(silent, caf::exit_reason::kill); // what it holds keeps it alive
      self->quit();
    };
    return {
      [&log](const std::string& text) { log.add(text); },
      caf::after(300ms) >> timed_out,
    };
  });
  r.start();
  REQUIRE(log.wait(3));
  CHECK(log.all() == std::vector<std::string>{"timed out", "delayed", "after"});
  CHECK(threads_since(others).size() == 2); // the loops'
}

TEST_CASE("CAF's printer begins with the first text for it") {
  constexpr std::size_t actors = 20;
  const auto others = threads();
  std::set<std::string> ours;
  const directory folder;
  {
    running r{1};
    r.start();
    CHECK(ask_from_thread(r.rt, r.rt.spawn(adder), 1) == 2);
    CHECK(threads_since(others).size() == 1); // the loop's
    events log;
    for (std::size_t i = 0; i < actors; ++i)
      r.rt.spawn([&log, file = folder / std::to_string(i)](caf::event_based_actor* self) {
        caf::actor_ostream::redirect(self, file);
        caf::aout(self) << "line 1\n"
                        << "line 2"; // printed when the actor ends
        log.add("said");
      });
    REQUIRE(log.wait(actors));
    ours = threads_since(others);
    CHECK(ours.size() == 2);
  } // waits for what was said
  CHECK(all_end(ours));
  CHECK(threads_since(others).empty());
  for (std::size_t i = 0; i < actors; ++i) {
    std::ifstream in{folder / std::to_string(i)};
    CHECK(std::string{std::istreambuf_iterator<char>{in}, {}} == "line 1\nline 2");
  }
}

TEST_CASE("an idle process sleeps") {
  const auto others = threads();
  running r{4};
  const auto actor = r.rt.spawn(adder);
  r.start();
  ask_from_thread(r.rt, actor, 1);
  for (std::size_t i = 0; i < r.rt.loops(); ++i) { // each has begun
    std::promise<void> turns;
    r.rt.scheduler().loop(i).post([&] { turns.set_value(); });
    turns.get_future().get();
  }
  const auto ours = threads_since(others);
  CHECK(ours.size() == 4); // the loops'
  // The loops come to rest when their polling time is over; from then on nothing moves.
  auto before = switches(ours);
  for (const auto until = std::chrono::steady_clock::now() + 30s;
       std::chrono::steady_clock::now() < until;) {
    std::this_thread::sleep_for(50ms);
    const auto last = std::exchange(before, switches(ours));
    if (all_sleep(ours) && before == last)
      break;
  }
  std::this_thread::sleep_for(500ms);
  CHECK(switches(ours) == before);
}

TEST_CASE("requests that are answered leave no timers behind") {
  std::promise<std::size_t> pending;
  running r{1};
  class requester : public floating_actor {
  public:
    requester(caf::actor_config& cfg, caf::actor to, std::function<void()> d)
      : floating_actor(cfg), to_(std::move(to)), done_(std::move(d)) {}
    caf::behavior make_behavior() override {
      for (int i = 0; i < 1000; ++i)
        request(to_, 30s, i).then([this](int) {
          if (++answers_ == 1000)
            done_();
        });
      return {[](work_atom) {
      }};
    }

  private:
    caf::actor to_;
    std::function<void()> done_;
    int answers_ = 0;
  };
  const auto actor = r.rt.spawn<requester>(r.rt.spawn(adder), [&] {
    r.rt.reactor().call_from_thread(
      [&] { pending.set_value(r.rt.reactor().get_delayed_calls().size()); });
  });
  r.start();
  CHECK(pending.get_future().get() == 0);
}

TEST_CASE("CAF's middleman works on the loops") {
  const auto load = [](caf::actor_system_config& cfg) {
    cfg.load<caf::io::middleman>();
  };
  runtime server{{.loops = 2, .install_signal_handlers = false, .configure = load}};
  const auto published = server.spawn(adder);
  std::thread server_thread([&] { server.run(); });
  {
    runtime near{{.loops = 1, .install_signal_handlers = false, .configure = load}};
    std::thread near_thread([&] { near.run(); });
    const auto port = server.system().middleman().publish(published, 0, "127.0.0.1");
    REQUIRE(port);
    const auto proxy = near.system().middleman().remote_actor("127.0.0.1", *port);
    REQUIRE(proxy);
    CHECK(ask_from_thread(near, *proxy, 41) == 42);
    while (!near.reactor().running())
      std::this_thread::yield();
    near.reactor().call_from_thread([&] { near.stop(); });
    near_thread.join();
  }
  while (!server.reactor().running())
    std::this_thread::yield();
  server.reactor().call_from_thread([&] { server.stop(); });
  server_thread.join();
  CAF_SET_LOGGER_SYS(nullptr);
}

TEST_CASE("a runtime ends in which groups of CAF's were used") {
  const std::size_t loops = GENERATE(1, 3);
  const bool runs = GENERATE(true, false);
  const bool keeps = GENERATE(true, false); // a handle of the group, to the end
  events log;
  std::vector<caf::group> kept;
  {
    running r{loops};
    auto& groups = r.rt.system().groups();
    std::vector<caf::group> made{groups.anonymous(), groups.get_local("lobby")};
    for (const auto& group : made)
      r.rt.spawn([&log, group](caf::event_based_actor* self) -> caf::behavior {
        self->join(group);
        log.add("joined");
        return {[&log](int) {
          log.add("got");
        }};
      });
    if (runs) {
      r.start();
      REQUIRE(log.wait_for("joined", 2));
      for (const auto& group : made)
        caf::anon_send(group, 1);
      CHECK(log.wait_for("got", 2));
    }
    r.stop();
    if (keeps)
      kept = made;
    CAF_SET_LOGGER_SYS(nullptr); // making a group leaves it in the thread
  }
  CHECK(log.count("got") == (runs ? 2 : 0));
}
