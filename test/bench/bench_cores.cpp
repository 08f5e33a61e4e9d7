// What a second core costs: bench_cores [REPEAT]
// Prints the costs from which scaling/simulate.py predicts more cores: median, least and greatest.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <caf/send.hpp>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/runtime.hpp>

#include "process.hpp"

namespace {

using go_atom = caf::atom_constant<caf::atom("go")>;

void stop(troupe::runtime& rt) {
  rt.reactor().call_from_thread([&rt] { rt.stop(); });
}

constexpr int batch = 100;

/// Counts what it is sent, and says of each batch that it has come.
class receiver : public troupe::pinned_actor {
public:
  receiver(caf::actor_config& cfg, troupe::runtime& rt, int count)
    : pinned_actor(cfg), rt_(rt), left_(count) {}
  caf::behavior make_behavior() override {
    return {[this](int) {
      if (--left_ == 0)
        stop(rt_);
      else if (left_ % batch == 0)
        send(caf::actor_cast<caf::actor>(current_sender()), go_atom::value);
    }};
  }

private:
  troupe::runtime& rt_;
  int left_;
};

/// Sends a batch whenever one has come, so that two are on their way: nothing piles up.
class sender : public troupe::pinned_actor {
public:
  sender(caf::actor_config& cfg, caf::actor to) : pinned_actor(cfg), to_(std::move(to)) {}
  caf::behavior make_behavior() override {
    send(this, go_atom::value);
    send(this, go_atom::value);
    return {[this](go_atom) {
      for (int i = 0; i < batch; ++i)
        send(to_, i);
    }};
  }

private:
  const caf::actor to_;
};

/// Returns every number to its sender, one less.
class player : public troupe::pinned_actor {
public:
  player(caf::actor_config& cfg, troupe::runtime& rt) : pinned_actor(cfg), rt_(rt) {}
  caf::behavior make_behavior() override {
    return {[this](int left) {
              if (left == 0)
                return stop(rt_);
              caf::anon_send(other_, left - 1);
            },
            [this](const caf::actor& other) {
              other_ = other;
            }};
  }

private:
  troupe::runtime& rt_;
  caf::actor other_;
};

std::atomic<int> work_left = 0; // of this round

// The same work each time, half a microsecond, whoever else is on the machine.
void work() {
  for (int i = 0; i < 500; ++i)
    asm volatile("" ::: "memory");
}

/// Works a little at each message; the last of a round says so.
class worker : public troupe::floating_actor {
public:
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    return {[this](int) {
      work();
      if (work_left.fetch_sub(1) == 1)
        send(caf::actor_cast<caf::actor>(current_sender()), go_atom::value);
    }};
  }
};

/// Gives all work of a round out on its own loop, so that others have to steal theirs.
class giver : public troupe::pinned_actor {
public:
  giver(caf::actor_config& cfg, troupe::runtime& rt, std::vector<caf::actor> workers, int rounds)
    : pinned_actor(cfg), rt_(rt), workers_(std::move(workers)), left_(rounds) {}
  caf::behavior make_behavior() override {
    send(this, go_atom::value);
    return {[this](go_atom) {
      if (left_-- == 0)
        return stop(rt_);
      work_left = static_cast<int>(workers_.size());
      for (const auto& w : workers_)
        send(w, 1);
    }};
  }

private:
  troupe::runtime& rt_;
  const std::vector<caf::actor> workers_;
  int left_;
};

struct took {
  double cpu = 0;  // ns
  double time = 0; // ns
  double stolen = 0;
};

took measure(std::size_t loops, const std::function<void(troupe::runtime&)>& begin) {
  troupe::runtime_options options;
  options.loops = loops;
  options.logger =
    std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
  troupe::runtime rt{options};
  begin(rt);
  const auto cpu = bench::cpu_ns();
  const auto start = std::chrono::steady_clock::now();
  rt.run();
  const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
  took all{bench::cpu_ns() - cpu, time.count()};
  for (const auto& c : rt.counters())
    all.stolen += static_cast<double>(c.actors_stolen);
  return all;
}

took stream(std::size_t to, int count) {
  return measure(2, [=](troupe::runtime& rt) {
    const caf::actor r = rt.spawn_on<receiver>(to, std::ref(rt), count);
    rt.spawn_on<sender>(0, r);
  });
}

took rally(int count) {
  return measure(2, [=](troupe::runtime& rt) {
    const caf::actor a = rt.spawn_on<player>(0, std::ref(rt));
    const caf::actor b = rt.spawn_on<player>(1, std::ref(rt));
    caf::anon_send(a, b);
    caf::anon_send(b, a);
    caf::anon_send(a, count);
  });
}

took steals(std::size_t loops, int workers, int rounds) {
  return measure(loops, [=](troupe::runtime& rt) {
    std::vector<caf::actor> all;
    for (int i = 0; i < workers; ++i)
      all.push_back(rt.spawn<worker>());
    rt.spawn_on<giver>(0, std::ref(rt), std::move(all), rounds);
  });
}

/// Two threads add to one counter, or each to its own; ns for each addition.
double additions(bool shared, int count) {
  struct alignas(128) line {
    std::atomic<long> value = 0;
  };
  std::array<line, 2> lines;
  std::atomic<int> ready = 0;
  const auto add = [&](std::size_t which) {
    ready.fetch_add(1);
    while (ready.load() < 2)
      ;
    for (int i = 0; i < count; ++i)
      lines[which].value.fetch_add(1, std::memory_order_relaxed);
  };
  std::thread other;
  const auto start = std::chrono::steady_clock::now();
  other = std::thread{add, shared ? 0 : 1};
  add(0);
  other.join();
  const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
  return time.count() / count;
}

void print(const char* what, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::printf("%-44s %8.1f ns  %8.1f .. %8.1f\n", what, values[values.size() / 2], values.front(),
              values.back());
}

} // namespace

int main(int argc, char** argv) {
  const int repeat = std::max(1, argc > 1 ? std::atoi(argv[1]) : 5);
  constexpr int messages = 1'000'000;
  constexpr int hops = 200'000;
  constexpr int workers = 1000;
  constexpr int rounds = 300;
  constexpr int adds = 5'000'000;
  std::vector<double> local, remote, remote_time, hop, steal, often, own, shared;
  for (int i = 0; i < repeat; ++i) {
    local.push_back(stream(0, messages).cpu / messages);
    const auto far = stream(1, messages);
    remote.push_back(far.cpu / messages);
    remote_time.push_back(far.time / messages);
    hop.push_back(rally(hops).time / hops);
    const auto one = steals(1, workers, rounds);
    const auto two = steals(2, workers, rounds);
    often.push_back(two.stolen / (workers * rounds));
    if (two.stolen > 0)
      steal.push_back((two.cpu - one.cpu) / two.stolen);
    own.push_back(additions(false, adds));
    shared.push_back(additions(true, adds));
  }
  print("a message on one loop, CPU", local);
  print("a message to another loop, CPU of both", remote);
  print("the same, by the clock", remote_time);
  print("a hop to a loop that waits, by the clock", hop);
  if (!steal.empty())
    print("an actor that is stolen, CPU", steal);
  std::sort(often.begin(), often.end());
  std::printf("of the actors that ran, %.3f were stolen\n", often[often.size() / 2]);
  print("an addition to a line of one's own", own);
  print("an addition to a line that two share", shared);
}
