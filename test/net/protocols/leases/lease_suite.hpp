#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <troupe/leases/leased_child.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "support/catch.hpp"
#include "support/on_loop.hpp"
#include "support/other_process.hpp"
#include "support/running.hpp"

namespace troupe::testing {

/// Short times, but long enough for a busy machine.
inline leases_options quick_leases(const std::string& node) {
  leases_options o;
  o.node = node;
  o.ttl = std::chrono::milliseconds(4000);
  o.margin = std::chrono::milliseconds(700);
  o.renew_every = std::chrono::milliseconds(400);
  o.look_every = std::chrono::milliseconds(150);
  o.patience = std::chrono::milliseconds(800);
  return o;
}

/// One who wants leases, and tells what comes of it.
class lease_seeker : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](int) {
    }};
  }
  lease got;
};

/// A program with leases in a store.
struct lease_program {
  explicit lease_program(const lease_store_ref& store, leases_options o = quick_leases("program"))
    : run(2) {
    locks.emplace(run.rt, store, std::move(o));
    actor = run.rt.spawn_on<lease_seeker>(1);
    run.start();
  }
  ~lease_program() {
    run.stop();
    locks.reset();
  }

  lease_seeker& who() {
    return *static_cast<lease_seeker*>(caf::actor_cast<caf::abstract_actor*>(actor));
  }
  /// Asks; what comes of it is an event: "held NAME", "lost NAME" or "refused NAME".
  void acquire(const std::string& name, duration wait = duration::max()) {
    on_loop(run, 1, [&] {
      who().enter([&] {
        acquire_options o;
        o.wait = wait;
        o.lost = [this, name](const failure& why) {
          if (why.check(errc::runtime_stopped))
            who().got.release();
          else
            what.add("lost " + name);
        };
        locks->acquire(who(), name, std::move(o))
          .add_callbacks(
            [this, name](lease l) {
              who().got = std::move(l);
              what.add("held " + name);
            },
            [this, name](const failure&) { what.add("refused " + name); });
      });
    });
  }
  void release() {
    on_loop(run, 1, [&] { who().got.release(); });
  }
  lease_view view() {
    return on_loop(run, 1, [&] { return who().got.view(); });
  }

  events what;
  running run;
  std::optional<leases> locks;
  caf::actor actor;
};

inline std::int64_t steady_now() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

/// What every store has to do, over real runtimes.
inline void stores_keep_leases(const std::function<lease_store_ref()>& store) {
  lease_program a{store(), quick_leases("a")};
  lease_program b{store(), quick_leases("b")};
  a.acquire("one");
  REQUIRE(a.what.wait_for("held one"));
  const auto first = a.view();
  CHECK(first.held());
  b.acquire("one", std::chrono::seconds(1));
  b.acquire("other \xff*.>"); // any bytes
  REQUIRE(b.what.wait_for("refused one"));
  REQUIRE(b.what.wait_for("held other \xff*.>"));
  CHECK(first.held());
  b.release();

  // Handed to and fro: each token is greater.
  auto token = first.token();
  auto* has = &a;
  auto* wants = &b;
  for (std::size_t round = 1; round <= 10; ++round) {
    wants->acquire("one");
    has->release();
    REQUIRE(wants->what.wait_for("held one", has == &a ? (round + 1) / 2 : round / 2 + 1));
    const auto view = wants->view();
    CHECK(view.held());
    CHECK(view.token() > token);
    token = view.token();
    std::swap(has, wants);
  }

  // At the end of the runtime it is given back while everything still works.
  wants->acquire("one");
  const auto before = std::chrono::steady_clock::now();
  has->run.stop();
  REQUIRE(wants->what.wait_for("held one", 6));
  CHECK(std::chrono::steady_clock::now() - before < wants->locks->options().ttl);
  CHECK(a.what.count("lost one") + b.what.count("lost one") == 0);
}

// -- processes -------------------------------------------------------------------------------------

/// Works in small steps for as long as the lease is held, and tells the first process of each.
class lease_worker : public pinned_actor {
public:
  lease_worker(caf::actor_config& cfg, lease_view held)
    : pinned_actor(cfg), held_(std::move(held)) {}
  caf::behavior make_behavior() override {
    the_first_process()->tell("start " + std::to_string(held_.token()) + ' '
                              + std::to_string(steady_now()));
    work();
    return {[](int) {
    }};
  }
  void on_exit() override {
    the_first_process()->tell("end " + std::to_string(held_.token()) + ' '
                              + std::to_string(steady_now()));
    pinned_actor::on_exit();
  }

private:
  void work() {
    const auto now = steady_now(); // before it looks: if it is held after that, it was then
    if (held_.held())
      the_first_process()->tell("work " + std::to_string(held_.token()) + ' '
                                + std::to_string(now));
    call_later(std::chrono::milliseconds(5), [this] { work(); });
  }
  const lease_view held_;
};

/// What another process does: has a leased child until it is told to stop.
inline void be_a_lease_node(const lease_store_ref& store, const std::string& name) {
  running run{2};
  leases locks{run.rt, store, quick_leases(name)};
  supervisor_options top;
  top.name = name;
  top.intensity = 100;
  run.rt.spawn_on<supervisor>(
    1, top, std::vector<child_spec>{leased_child(locks, "billing", [](const lease_view& held) {
      child_spec c;
      c.id = "billing";
      c.start = start_actor<lease_worker>(held);
      return c;
    })});
  run.start();
  the_first_process()->tell("ready 0 0");
  static_cast<void>(the_first_process()->hear()); // until it says no more
  run.stop();
}

/// Processes with one leased child among them, and what they tell.
class lease_processes {
public:
  struct told {
    std::size_t by;
    std::string what;
    std::uint64_t token;
    std::int64_t at;
  };

  lease_processes(const std::string& test_case, std::size_t count,
                  std::vector<std::string> first_words)
    : test_case_(test_case), words_(std::move(first_words)) {
    for (std::size_t i = 0; i < count; ++i)
      start();
  }
  ~lease_processes() {
    for (auto& p : processes_)
      p->child.kill();
    for (auto& p : processes_)
      p->reader.join();
  }

  std::size_t start() {
    const auto index = processes_.size();
    auto p = std::make_unique<process>(test_case_);
    for (const auto& w : words_)
      p->child.tell(w);
    p->child.tell("node" + std::to_string(index));
    p->reader = std::thread([this, index, raw = p.get()] { listen(index, *raw); });
    processes_.push_back(std::move(p));
    return index;
  }

  void signal(std::size_t which, int number) { ::kill(processes_[which]->child.pid(), number); }
  /// Ends it in an orderly way: its runtime is stopped.
  void end(std::size_t which) { processes_[which]->child.tell("end"); }

  /// Waits for a start after the `seen`th that was told; returns it.
  std::optional<told> wait_for_start(std::size_t seen) {
    std::unique_lock lock{mutex_};
    std::optional<told> found;
    const auto look = [&] {
      std::size_t n = 0;
      for (const auto& t : all_)
        if (t.what == "start" && n++ == seen) {
          found = t;
          return true;
        }
      return false;
    };
    changed_.wait_for(lock, std::chrono::seconds(40), look);
    return found;
  }

  /// Waits until a process has told that something of this token.
  bool wait_for(const std::string& what, std::uint64_t token) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, std::chrono::seconds(40), [&] {
      for (const auto& t : all_)
        if (t.what == what && t.token == token)
          return true;
      return false;
    });
  }

  std::vector<told> all() {
    const std::lock_guard hold{mutex_};
    return all_;
  }

  /// No work of a token at or after the start of a greater one, by the clock of the machine.
  static int overlaps(const std::vector<told>& all) {
    int count = 0;
    for (const auto& start : all)
      if (start.what == "start")
        for (const auto& work : all)
          if (work.what == "work" && work.token < start.token && work.at >= start.at)
            ++count;
    return count;
  }

private:
  struct process {
    explicit process(const std::string& test_case) : child(test_case) {}
    other_process child;
    std::thread reader;
  };

  void listen(std::size_t index, process& p) {
    for (auto line = p.child.hear(); !line.empty(); line = p.child.hear()) {
      told t{index, line.substr(0, line.find(' ')), 0, 0};
      std::sscanf(line.c_str() + t.what.size(), "%lu %ld", &t.token, &t.at);
      const std::lock_guard hold{mutex_};
      all_.push_back(std::move(t));
      changed_.notify_all();
    }
  }

  const std::string test_case_;
  const std::vector<std::string> words_;
  std::vector<std::unique_ptr<process>> processes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<told> all_;
};

/// A leased child among processes of which one after the other is killed, stopped for longer than its lease, and ended.
inline void processes_share_a_child(const std::string& test_case,
                                    const std::vector<std::string>& words) {
  lease_processes p{test_case, 3, words};
  const auto ttl = quick_leases("x").ttl;
  auto has = p.wait_for_start(0);
  REQUIRE(has);
  const auto seconds_to = [](std::int64_t from, std::int64_t to) {
    return static_cast<double>(to - from) / 1e9;
  };
  std::string times;

  // kill -9: another starts when the lease is over.
  REQUIRE(p.wait_for("work", has->token));
  auto at = steady_now();
  p.signal(has->by, SIGKILL);
  auto next = p.wait_for_start(1);
  REQUIRE(next);
  CHECK(next->by != has->by);
  CHECK(next->token > has->token);
  times += "killed " + std::to_string(seconds_to(at, next->at));
  CHECK(next->at - at <= std::chrono::nanoseconds(ttl + std::chrono::seconds(2)).count());

  // SIGSTOP for longer than the lease: another starts; the first, when it goes on, does no more as the holder.
  has = next;
  p.start();
  REQUIRE(p.wait_for("work", has->token));
  at = steady_now();
  p.signal(has->by, SIGSTOP);
  next = p.wait_for_start(2);
  REQUIRE(next);
  CHECK(next->by != has->by);
  times += " s, stopped " + std::to_string(seconds_to(at, next->at));
  p.signal(has->by, SIGCONT);
  CHECK(p.wait_for("end", has->token));

  // An orderly end: the next one starts at once.
  has = next;
  REQUIRE(p.wait_for("work", has->token));
  at = steady_now();
  p.end(has->by);
  next = p.wait_for_start(3);
  REQUIRE(next);
  times += " s, ended " + std::to_string(seconds_to(at, next->at)) + " s";
  CHECK(next->at - at < std::chrono::nanoseconds(ttl - std::chrono::milliseconds(500)).count());
  REQUIRE(p.wait_for("work", next->token));
  CHECK(lease_processes::overlaps(p.all()) == 0);
  WARN(times);
}

} // namespace troupe::testing
