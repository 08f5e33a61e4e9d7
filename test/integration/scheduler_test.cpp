// CAF's actors on the loops: what CAF promises must hold, and what the loops add to it.

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <set>

#include <asio/post.hpp>
#include <caf/all.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/publish.hpp>
#include <caf/io/remote_actor.hpp>

#include <troupe/runtime/floating_actor.hpp>

#include "support/catch.hpp"
#include "support/directory.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using work_atom = caf::atom_constant<caf::atom("work")>;

caf::behavior adder(caf::event_based_actor*) {
  return {[](int x) {
    return x + 1;
  }};
}

/// Asks `to` from a plain thread, and returns the answer.
int ask_from_thread(runtime& rt, const caf::actor& to, int x) {
  int result = 0;
  {
    caf::scoped_actor self{rt.system()};
    self->request(to, 10s, x)
      .receive([&](int y) { result = y; }, [&](caf::error& e) { FAIL(rt.system().render(e)); });
  }
  CAF_SET_LOGGER_SYS(nullptr); // CAF leaves it in the thread, and the system's end waits for it
  return result;
}

/// Returns the threads that this process has.
std::set<std::string> threads() {
  std::set<std::string> result;
  for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"})
    result.insert(task.path());
  return result;
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
  running r{3};
  events log;
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
  const auto before = threads().size();
  running r{2};
  events log;
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
  CHECK(threads().size() == before + 2); // the loops'
}

TEST_CASE("CAF's printer begins with the first text for it") {
  constexpr std::size_t actors = 20;
  const auto before = threads().size();
  const directory folder;
  {
    running r{1};
    r.start();
    CHECK(ask_from_thread(r.rt, r.rt.spawn(adder), 1) == 2);
    CHECK(threads().size() == before + 1); // the loop's
    events log;
    for (std::size_t i = 0; i < actors; ++i)
      r.rt.spawn([&log, file = folder / std::to_string(i)](caf::event_based_actor* self) {
        caf::actor_ostream::redirect(self, file);
        caf::aout(self) << "line 1\n"
                        << "line 2"; // printed when the actor ends
        log.add("said");
      });
    REQUIRE(log.wait(actors));
    CHECK(threads().size() == before + 2);
  } // waits for what was said
  CHECK(threads().size() == before);
  for (std::size_t i = 0; i < actors; ++i) {
    std::ifstream in{folder / std::to_string(i)};
    CHECK(std::string{std::istreambuf_iterator<char>{in}, {}} == "line 1\nline 2");
  }
}

TEST_CASE("pinned actors never leave their loop, whoever sends to them") {
  class stayer : public pinned_actor {
  public:
    stayer(caf::actor_config& cfg, std::atomic<int>* w, std::atomic<int>* d)
      : pinned_actor(cfg), wrong(w), done(d) {}
    caf::behavior make_behavior() override {
      return {[this](int x) {
        if (event_loop::current() != &loop())
          ++*wrong;
        ++*done;
        return x + 1;
      }};
    }
    std::atomic<int>* wrong;
    std::atomic<int>* done;
  };
  std::atomic<int> wrong{0}, done{0};
  running r{4};
  std::vector<caf::actor> all;
  for (std::size_t i = 0; i < 8; ++i)
    all.push_back(r.rt.spawn_on<stayer>(i % 4, &wrong, &done));
  r.start();
  const auto each = static_cast<int>(load_size(20'000));
  std::vector<std::thread> senders;
  for (int t = 0; t < 3; ++t)
    senders.emplace_back([&] {
      for (int i = 0; i < each; ++i)
        caf::anon_send(all[static_cast<std::size_t>(i) % all.size()], i);
    });
  for (auto& s : senders)
    s.join();
  for (const auto& a : all)
    ask_from_thread(r.rt, a, 1);
  CHECK(done == 3 * each + 8);
  CHECK(wrong == 0);
  CHECK_THROWS_AS((r.rt.spawn_on<stayer>(4, &wrong, &done)), std::out_of_range);
}

TEST_CASE("idle loops steal actors that have much to do") {
  running r{2};
  std::atomic<int> left{64};
  std::mutex mutex;
  std::set<std::thread::id> workers;
  std::promise<void> done;
  // All are woken on one loop; each works long enough for the other loop to wake up.
  const auto starter = r.rt.spawn([&](caf::event_based_actor* self) -> caf::behavior {
    return {[&, self](work_atom) {
      for (int i = 0; i < 64; ++i)
        self->spawn([&](caf::event_based_actor*) {
          const auto end = std::chrono::steady_clock::now() + 2ms;
          while (std::chrono::steady_clock::now() < end) {
          }
          {
            const std::lock_guard hold{mutex};
            workers.insert(std::this_thread::get_id());
          }
          if (--left == 0)
            done.set_value();
        });
    }};
  });
  caf::anon_send(starter, work_atom::value);
  r.start();
  done.get_future().get();
  CHECK(workers.size() == 2);
}

TEST_CASE("an idle loop takes the one actor that a blocked loop woke") {
  running r{2};
  std::promise<void> ran;
  std::promise<bool> done;
  const auto quick = r.rt.spawn([&](caf::event_based_actor*) -> caf::behavior {
    return {[&](work_atom) {
      ran.set_value();
    }};
  });
  const auto blocker = r.rt.spawn([&, quick](caf::event_based_actor* self) -> caf::behavior {
    return {[&, self, quick](work_atom) {
      self->send(quick, work_atom::value);
      done.set_value(ran.get_future().wait_for(20s) == std::future_status::ready);
    }};
  });
  r.start();
  CHECK(ask_from_thread(r.rt, r.rt.spawn(adder), 1) == 2);
  caf::anon_send(blocker, work_atom::value);
  CHECK(done.get_future().get());
}

TEST_CASE("an idle loop takes what threads send while another one is blocked") {
  running r{2};
  constexpr int count = 20;
  std::atomic<int> handled{0};
  std::promise<void> all;
  std::promise<void> blocked;
  std::promise<bool> done;
  std::vector<caf::actor> quick;
  for (int i = 0; i < count; ++i)
    quick.push_back(r.rt.spawn([&](caf::event_based_actor*) -> caf::behavior {
      return {[&](work_atom) {
        if (++handled == count)
          all.set_value();
      }};
    }));
  r.start();
  CHECK(ask_from_thread(r.rt, r.rt.spawn(adder), 1) == 2);
  const auto block = [&] {
    blocked.set_value();
    done.set_value(all.get_future().wait_for(20s) == std::future_status::ready);
  };
  SECTION("by an actor") {
    const auto blocker = r.rt.spawn([&](caf::event_based_actor*) -> caf::behavior {
      return {[&](work_atom) {
        block();
      }};
    });
    caf::anon_send(blocker, work_atom::value);
  }
  SECTION("by a function from another thread") {
    r.rt.scheduler().loop(1).post(block);
  }
  SECTION("by the handler of the first event after its sleep") {
    asio::post(r.rt.scheduler().loop(1).io(), [&] {
      event_loop::handler_begins();
      block();
    });
  }
  blocked.get_future().get();
  for (const auto& a : quick) {
    caf::anon_send(a, work_atom::value);
    std::this_thread::sleep_for(1ms); // so that some find the other loop awake, some asleep
  }
  CHECK(done.get_future().get());
}

TEST_CASE("an actor that floods itself starves neither timers nor others") {
  running r{1};
  r.rt.spawn([](caf::event_based_actor* self) -> caf::behavior {
    self->send(self, 1);
    return {[self](int x) {
      self->send(self, x);
    }};
  });
  const auto other = r.rt.spawn(adder);
  std::promise<void> timer;
  r.rt.reactor().call_later(5ms, [&] { timer.set_value(); });
  r.start();
  timer.get_future().get();
  CHECK(ask_from_thread(r.rt, other, 1) == 2);
} // and the runtime ends although that actor never would

TEST_CASE("a loop among several takes what has come before it writes to many connections") {
  using row = std::tuple<std::size_t, std::size_t, std::string>;
  const auto [loops, count, first] =
    GENERATE(row{2, 16, "posted"}, row{2, 15, "written"}, row{1, 16, "written"});
  CAPTURE(loops, count);
  struct connection : end_of_turn {
    explicit connection(events& log) : log_(log) {}
    void turn_ended() noexcept override { log_.add("written"); }
    events& log_;
  };
  events log;
  std::vector<connection> connections(count, connection{log});
  running r{loops};
  r.start();
  r.rt.reactor().call_from_thread([&] {
    auto& loop = *event_loop::current();
    for (auto& c : connections)
      loop.at_end_of_turn(c);
    loop.post([&] { log.add("posted"); });
  });
  REQUIRE(log.wait(count + 1));
  CHECK(log.all().front() == first);
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
  auto ours = threads();
  std::erase_if(ours, [&](const std::string& task) { return others.contains(task); });
  CHECK(ours.size() == 4); // the loops'
  // The loops come to rest within their polling time; from then on nothing moves.
  std::this_thread::sleep_for(50ms);
  const auto before = switches(ours);
  std::this_thread::sleep_for(500ms);
  CHECK(switches(ours) == before);
}

TEST_CASE("requests that are answered leave no timers behind") {
  running r{1};
  std::promise<std::size_t> pending;
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

TEST_CASE("chaos from foreign threads does not run a pinned actor elsewhere") {
  class target : public pinned_actor {
  public:
    target(caf::actor_config& cfg, std::atomic<int>* m, std::atomic<int>* e, std::atomic<int>* o)
      : pinned_actor(cfg), made(m), ended(e), elsewhere(o) {}
    caf::behavior make_behavior() override {
      ++*made;
      return {[](int x) {
        return x;
      }};
    }
    void on_exit() override {
      if (getf(is_initialized_flag) && event_loop::current() != &loop())
        ++*elsewhere;
      if (!std::exchange(told, true))
        ++*ended;
      pinned_actor::on_exit();
    }
    bool told = false;
    std::atomic<int>* made;
    std::atomic<int>* ended;
    std::atomic<int>* elsewhere;
  };
  std::atomic<int> made{0}, ended{0}, elsewhere{0};
  const int rounds = static_cast<int>(load_size(10));
  for (int round = 0; round <= rounds; ++round) {
    running r{2};
    r.start();
    std::vector<std::thread> foreign;
    for (int t = 0; t < 3; ++t)
      foreign.emplace_back([&, t] {
        std::vector<caf::actor> mine;
        for (int i = 0; i < 50; ++i) {
          mine.push_back(
            r.rt.spawn_on<target>(static_cast<std::size_t>(i) % 2, &made, &ended, &elsewhere));
          const auto& a = mine[static_cast<std::size_t>(i * (t + 3)) % mine.size()];
          switch (i % 5) {
          case 0:
            caf::anon_send_exit(a, caf::exit_reason::kill);
            break;
          case 1:
            a->attach_functor([] {});
            break;
          case 2:
            static_cast<caf::monitorable_actor*>(caf::actor_cast<caf::abstract_actor*>(mine.back()))
              ->link_to(a.address());
            break;
          case 3:
            caf::anon_send(a, i);
            break;
          default: {
            caf::scoped_actor self{r.rt.system(), true};
            self->monitor(a);
            self->request(a, 10s, i).receive([](int) {}, [](caf::error&) {});
            self->demonitor(a);
          }
          }
        }
        CAF_SET_LOGGER_SYS(nullptr);
      });
    for (auto& t : foreign)
      t.join();
  }
  CHECK(elsewhere == 0);
  CHECK(made > 0);
  CHECK(ended >= made);
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
