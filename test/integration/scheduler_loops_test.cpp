// CAF's actors on the loops: what the loops add, pinning, stealing and fairness.

#include <atomic>
#include <future>
#include <set>

#include <asio/post.hpp>
#include <caf/all.hpp>

#include "support/caf_actors.hpp"
#include "support/catch.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

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
  std::atomic<int> left{64};
  std::promise<void> done;
  running r{2};
  std::mutex mutex;
  std::set<std::thread::id> workers;
  // All are woken on one loop, and work until the other one does as well.
  const auto end = std::chrono::steady_clock::now() + 20s;
  const auto starter = r.rt.spawn([&](caf::event_based_actor* self) -> caf::behavior {
    return {[&, self](work_atom) {
      for (int i = 0; i < 64; ++i)
        self->spawn([&](caf::event_based_actor*) {
          const auto others = [&] {
            const std::lock_guard hold{mutex};
            workers.insert(std::this_thread::get_id());
            return workers.size() > 1;
          };
          while (!others() && std::chrono::steady_clock::now() < end) {
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
  std::promise<void> ran;
  std::promise<bool> done;
  running r{2};
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
  std::atomic<int> handled{0};
  std::promise<void> all;
  std::promise<void> blocked;
  std::promise<bool> done;
  running r{2};
  constexpr int count = 20;
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
  std::promise<void> timer;
  running r{1};
  r.rt.spawn([](caf::event_based_actor* self) -> caf::behavior {
    self->send(self, 1);
    return {[self](int x) {
      self->send(self, x);
    }};
  });
  const auto other = r.rt.spawn(adder);
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
