// Spawns actors by the hundred; each gets one number, passes it on and ends.

#include "benchmarks.hpp"

namespace scaling {
namespace {

class worker : public troupe::floating_actor {
public:
  worker(caf::actor_config& cfg, caf::actor result)
    : floating_actor(cfg), result_(std::move(result)) {}
  caf::behavior make_behavior() override {
    return {[this](std::int64_t x) {
      send(result_, x);
      quit();
    }};
  }

private:
  caf::actor result_;
};

class spawner : public troupe::floating_actor {
public:
  spawner(caf::actor_config& cfg, caf::actor result, std::int64_t count)
    : floating_actor(cfg), result_(std::move(result)), left_(count) {}
  caf::behavior make_behavior() override {
    return {[this](go_atom) {
      for (int i = 0; i < 100 && left_ > 0; ++i, --left_)
        send(spawn<worker>(result_), left_);
      if (left_ > 0)
        send(caf::actor{this}, go_atom::value);
    }};
  }

private:
  caf::actor result_;
  std::int64_t left_;
};

} // namespace

plan start_create(trial& t, std::int64_t actors) {
  const auto result = t.rt().spawn<collector>(std::ref(t), actors);
  caf::anon_send(t.rt().spawn<spawner>(result, actors), go_atom::value);
  return {actors, actors * (actors + 1) / 2};
}

} // namespace scaling
