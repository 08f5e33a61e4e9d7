// The actor benchmarks on CAF's own scheduler: caf_actors BENCHMARK THREADS SIZE [MESSAGES_PER_TURN]
// Prints the operations, the seconds, the seconds of CPU time and the result.
// The actors are those of the folder above, as one writes them for CAF.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>
#include <vector>

#include <caf/all.hpp>

#include "process.hpp"

namespace {

using go_atom = caf::atom_constant<caf::atom("go")>;
using caf::event_based_actor;
using number = std::int64_t;

/// Where the actors of a benchmark tell its result, once.
std::promise<number> result;
std::chrono::steady_clock::time_point finished;
double cpu_finished = 0;

void end(number found) {
  finished = std::chrono::steady_clock::now();
  cpu_finished = bench::cpu_ns();
  result.set_value(found);
}

/// Waits for `parts` numbers and ends with their sum.
class collector : public event_based_actor {
public:
  collector(caf::actor_config& cfg, number parts) : event_based_actor(cfg), left_(parts) {}
  caf::behavior make_behavior() override {
    return {[this](number part) {
      sum_ += part;
      if (--left_ == 0)
        end(sum_);
    }};
  }

private:
  number left_;
  number sum_ = 0;
};

class player : public event_based_actor {
public:
  player(caf::actor_config& cfg, number last) : event_based_actor(cfg), last_(last) {}
  caf::behavior make_behavior() override {
    return {
      [this](const caf::actor& other) { other_ = other; },
      [this](number x) {
        if (x == last_)
          end(x);
        else
          send(other_, x + 1);
      },
    };
  }

private:
  caf::actor other_;
  number last_;
};

number ping_pong(event_based_actor* self, number messages) {
  const auto left = self->spawn<player>(messages);
  const auto right = self->spawn<player>(messages);
  self->send(left, right);
  self->send(right, left);
  self->send(left, number{1});
  return messages;
}

class member : public event_based_actor {
public:
  member(caf::actor_config& cfg, number at) : event_based_actor(cfg), at_(at) {}
  caf::behavior make_behavior() override {
    return {
      [this](const caf::actor& next) { next_ = next; },
      [this](number left) {
        if (left == 0)
          end(at_);
        else
          send(next_, left - 1);
      },
    };
  }

private:
  caf::actor next_;
  number at_;
};

number ring(event_based_actor* self, number hops) {
  std::vector<caf::actor> members;
  for (number i = 0; i < 100; ++i)
    members.push_back(self->spawn<member>(i));
  for (std::size_t i = 0; i < members.size(); ++i)
    self->send(members[i], members[(i + 1) % members.size()]);
  self->send(members[0], hops);
  return hops;
}

class adder : public event_based_actor {
public:
  adder(caf::actor_config& cfg, number messages, caf::actor to)
    : event_based_actor(cfg), to_(std::move(to)), left_(messages) {}
  caf::behavior make_behavior() override {
    return {[this](number x) {
      sum_ += x;
      if (--left_ == 0)
        send(to_, sum_);
    }};
  }

private:
  caf::actor to_;
  number left_;
  number sum_ = 0;
};

/// Sends one number to each in a turn of its own.
class sender : public event_based_actor {
public:
  sender(caf::actor_config& cfg, std::vector<caf::actor> to, number rounds)
    : event_based_actor(cfg), to_(std::move(to)), rounds_(rounds) {}
  caf::behavior make_behavior() override {
    return {[this](go_atom) {
      ++round_;
      for (const auto& adder : to_)
        send(adder, round_);
      if (round_ < rounds_)
        send(this, go_atom::value);
    }};
  }

private:
  std::vector<caf::actor> to_;
  number rounds_;
  number round_ = 0;
};

number throughput(event_based_actor* self, number messages) {
  const auto rounds = messages / 60;
  const auto sum = self->spawn<collector>(number{60});
  std::vector<caf::actor> to;
  for (int i = 0; i < 60; ++i)
    to.push_back(self->spawn<adder>(rounds, sum));
  self->send(self->spawn<sender>(std::move(to), rounds), go_atom::value);
  return 60 * rounds;
}

class subscriber : public event_based_actor {
public:
  subscriber(caf::actor_config& cfg, number own) : event_based_actor(cfg), own_(own) {}
  caf::behavior make_behavior() override {
    return {[this](number round) {
      return round + own_;
    }};
  }

private:
  number own_;
};

class publisher : public event_based_actor {
public:
  publisher(caf::actor_config& cfg, std::vector<caf::actor> to, number rounds)
    : event_based_actor(cfg), to_(std::move(to)), rounds_(rounds) {}
  caf::behavior make_behavior() override {
    return {
      [this](go_atom) { publish(); },
      [this](number answer) {
        sum_ += answer;
        if (--due_ > 0)
          return;
        if (round_ == rounds_)
          end(sum_);
        else
          publish();
      },
    };
  }

private:
  void publish() {
    ++round_;
    due_ = to_.size();
    for (const auto& to : to_)
      send(to, round_);
  }
  std::vector<caf::actor> to_;
  number rounds_;
  number round_ = 0;
  std::size_t due_ = 0;
  number sum_ = 0;
};

number fan_out(event_based_actor* self, number deliveries) {
  const auto rounds = deliveries / 1000;
  std::vector<caf::actor> to;
  for (number i = 0; i < 1000; ++i)
    to.push_back(self->spawn<subscriber>(i));
  self->send(self->spawn<publisher>(std::move(to), rounds), go_atom::value);
  return 1000 * rounds;
}

/// Passes its one message on and ends.
class worker : public event_based_actor {
public:
  worker(caf::actor_config& cfg, caf::actor to) : event_based_actor(cfg), to_(std::move(to)) {}
  caf::behavior make_behavior() override {
    return {[this](number x) {
      send(to_, x);
      quit();
    }};
  }

private:
  caf::actor to_;
};

std::atomic<number> gone;

/// Ends at once, and adds its number when it is gone from memory.
class nothing : public event_based_actor {
public:
  nothing(caf::actor_config& cfg, number own, number expected)
    : event_based_actor(cfg), own_(own), expected_(expected) {}
  ~nothing() override {
    if (gone.fetch_add(own_) + own_ == expected_)
      end(expected_);
  }
  caf::behavior make_behavior() override { return {}; }

private:
  number own_;
  number expected_;
};

/// Spawns by the hundred: workers if there is somebody to send to, or what ends by itself.
class spawner : public event_based_actor {
public:
  spawner(caf::actor_config& cfg, number count, caf::actor to)
    : event_based_actor(cfg), to_(std::move(to)), left_(count), sum_(count * (count + 1) / 2) {}
  caf::behavior make_behavior() override {
    return {[this](go_atom) {
      for (int i = 0; i < 100 && left_ > 0; ++i, --left_)
        if (to_)
          send(spawn<worker>(to_), left_);
        else
          spawn<nothing>(left_, sum_);
      if (left_ > 0)
        send(this, go_atom::value);
    }};
  }

private:
  caf::actor to_;
  number left_;
  number sum_;
};

number create(event_based_actor* self, number actors) {
  self->send(self->spawn<spawner>(actors, self->spawn<collector>(actors)), go_atom::value);
  return actors;
}

number spawn_and_end(event_based_actor* self, number actors) {
  self->send(self->spawn<spawner>(actors, caf::actor{}), go_atom::value);
  return actors;
}

struct {
  std::string name;
  number (*start)(event_based_actor*, number size); // returns the operations
} const benchmarks[] = {
  {"ping-pong", ping_pong}, {"ring", ring},     {"fan-out", fan_out},
  {"spawn", spawn_and_end}, {"create", create}, {"throughput", throughput},
};

} // namespace

int main(int argc, char** argv) {
  if (argc >= 4)
    for (const auto& b : benchmarks) {
      if (b.name != argv[1])
        continue;
      caf::actor_system_config cfg;
      cfg.set("scheduler.policy", caf::atom("stealing"));
      cfg.set("scheduler.max-threads", static_cast<std::size_t>(std::atoi(argv[2])));
      if (argc > 4)
        cfg.set("scheduler.max-throughput", static_cast<std::size_t>(std::atoi(argv[4])));
      caf::actor_system sys{cfg};
      const auto size = std::atoll(argv[3]);
      std::atomic<number> operations{0};
      const auto cpu = bench::cpu_ns();
      const auto start = std::chrono::steady_clock::now();
      // Set up by an actor, so that a worker owns what is spawned, as a loop does.
      sys.spawn([&](event_based_actor* self) { operations = b.start(self, size); });
      const auto found = result.get_future().get();
      const std::chrono::duration<double> time = finished - start;
      std::printf("%lld %.9f %.9f %lld\n", static_cast<long long>(operations), time.count(),
                  (cpu_finished - cpu) / 1e9, static_cast<long long>(found));
      std::fflush(stdout);
      std::_Exit(0); // actors that wait for more would keep the system
    }
  std::fprintf(stderr, "caf_actors BENCHMARK THREADS SIZE [MESSAGES_PER_TURN]\n");
  return 2;
}
