// Spawns actors by the hundred, which end at once; each adds its number when it is gone from memory.

#include "benchmarks.hpp"

namespace scaling {
namespace {

std::atomic<std::int64_t> sum; // one run at a time

class nothing : public troupe::floating_actor {
public:
  nothing(caf::actor_config& cfg, trial& t, std::int64_t number, std::int64_t expected)
    : floating_actor(cfg), trial_(t), number_(number), expected_(expected) {}
  ~nothing() override {
    if (sum.fetch_add(number_) + number_ == expected_)
      trial_.end(expected_);
  }
  caf::behavior make_behavior() override { return {}; }

private:
  trial& trial_;
  std::int64_t number_;
  std::int64_t expected_;
};

class spawner : public troupe::floating_actor {
public:
  spawner(caf::actor_config& cfg, trial& t, std::int64_t count, std::int64_t expected)
    : floating_actor(cfg), trial_(t), left_(count), expected_(expected) {}
  caf::behavior make_behavior() override {
    return {[this](go_atom) {
      for (int i = 0; i < 100 && left_ > 0; ++i, --left_)
        spawn<nothing>(std::ref(trial_), left_, expected_);
      if (left_ > 0)
        send(caf::actor{this}, go_atom::value);
    }};
  }

private:
  trial& trial_;
  std::int64_t left_;
  std::int64_t expected_;
};

} // namespace

plan start_spawn(trial& t, std::int64_t actors) {
  const auto expected = actors * (actors + 1) / 2;
  sum = 0;
  caf::anon_send(t.rt().spawn<spawner>(std::ref(t), actors, expected), go_atom::value);
  return {actors, expected};
}

} // namespace scaling
