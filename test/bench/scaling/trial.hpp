#pragma once

// One measured run of a benchmark, and what a benchmark is.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

#include <caf/actor.hpp>
#include <caf/atom.hpp>
#include <caf/send.hpp>

#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/runtime.hpp>

#include "process.hpp"

namespace scaling {

using go_atom = caf::atom_constant<caf::atom("go")>;
using report_atom = caf::atom_constant<caf::atom("report")>;

/// One run, in a runtime of its own. The actors of a benchmark tell it their result.
class trial {
public:
  /// Gives it its runtime, which ends before it: actors may look at it until they are gone.
  void begin(troupe::runtime& rt) {
    rt_ = &rt;
    restart_clock();
  }

  /// Leaves out what a benchmark had to prepare. Call it before anything is spawned.
  void restart_clock() {
    cpu_started = bench::cpu_ns();
    started = std::chrono::steady_clock::now();
  }

  [[nodiscard]] troupe::runtime& rt() const { return *rt_; }

  /// Takes the time and the result, and stops the runtime. Thread: any. Later calls spoil the run.
  void end(std::int64_t result) {
    if (ends_.fetch_add(1) == 0) {
      finished = std::chrono::steady_clock::now();
      cpu_finished = bench::cpu_ns();
      found = result;
    }
    rt_->reactor().call_from_thread([rt = rt_] { rt->stop(); });
  }
  [[nodiscard]] int ends() const { return ends_.load(); }

  std::chrono::steady_clock::time_point started;
  std::chrono::steady_clock::time_point finished;
  double cpu_started = 0; // nanoseconds of all threads
  double cpu_finished = 0;
  std::int64_t found = 0;

private:
  troupe::runtime* rt_ = nullptr;
  std::atomic<int> ends_{0};
};

/// What a started benchmark will do.
struct plan {
  std::int64_t operations; // what the rate counts
  std::int64_t expected;   // what trial::end() must be told
};

struct benchmark {
  const char* name;
  const char* operation; // what the rate counts, for the table
  std::int64_t size;     // usual; smoke runs take little_size
  std::int64_t little_size;
  plan (*start)(trial&, std::int64_t size); // on loop 0, the clock already running
};

/// Waits for `parts` numbers and ends the trial with their sum.
class collector : public troupe::floating_actor {
public:
  collector(caf::actor_config& cfg, trial& t, std::int64_t parts)
    : floating_actor(cfg), trial_(t), left_(parts) {}
  caf::behavior make_behavior() override {
    return {[this](std::int64_t part) {
      sum_ += part;
      if (--left_ == 0)
        trial_.end(sum_);
    }};
  }

private:
  trial& trial_;
  std::int64_t left_;
  std::int64_t sum_ = 0;
};

} // namespace scaling
