// One actor sends to sixty others, in turn; each adds up what it got.

#include "benchmarks.hpp"

namespace scaling {
namespace {

constexpr std::int64_t workers = 60;

class worker : public troupe::floating_actor {
public:
  worker(caf::actor_config& cfg, caf::actor result, std::int64_t messages)
    : floating_actor(cfg), result_(std::move(result)), left_(messages) {}
  caf::behavior make_behavior() override {
    return {[this](std::int64_t x) {
      sum_ += x;
      if (--left_ == 0)
        send(result_, sum_);
    }};
  }

private:
  caf::actor result_;
  std::int64_t left_;
  std::int64_t sum_ = 0;
};

/// Sends one number to each worker in a turn of its own, so that its loop serves others too.
class sender : public troupe::floating_actor {
public:
  sender(caf::actor_config& cfg, std::vector<caf::actor> to, std::int64_t rounds)
    : floating_actor(cfg), to_(std::move(to)), rounds_(rounds) {}
  caf::behavior make_behavior() override {
    return {[this](go_atom) {
      ++round_;
      for (const auto& worker : to_)
        send(worker, round_);
      if (round_ < rounds_)
        send(caf::actor{this}, go_atom::value);
    }};
  }

private:
  std::vector<caf::actor> to_;
  std::int64_t rounds_;
  std::int64_t round_ = 0;
};

} // namespace

plan start_throughput(trial& t, std::int64_t messages) {
  const auto each = messages / workers;
  const auto result = t.rt().spawn<collector>(std::ref(t), workers);
  std::vector<caf::actor> to;
  for (std::int64_t i = 0; i < workers; ++i)
    to.push_back(t.rt().spawn<worker>(result, each));
  caf::anon_send(t.rt().spawn<sender>(std::move(to), each), go_atom::value);
  return {workers * each, workers * (each * (each + 1) / 2)};
}

} // namespace scaling
