// Two actors return a number to one another, one higher each time: one pair, or a hundred at once.

#include "benchmarks.hpp"

namespace scaling {
namespace {

class player : public troupe::floating_actor {
public:
  player(caf::actor_config& cfg, caf::actor result, std::int64_t last)
    : floating_actor(cfg), result_(std::move(result)), last_(last) {}
  caf::behavior make_behavior() override {
    return {
      [this](const caf::actor& other) { other_ = other; },
      [this](std::int64_t x) {
        if (x == last_)
          send(result_, x);
        else
          send(other_, x + 1);
      },
    };
  }
  void on_exit() override {
    other_ = nullptr; // they hold one another
    floating_actor::on_exit();
  }

private:
  caf::actor result_;
  caf::actor other_;
  std::int64_t last_;
};

plan start(trial& t, std::int64_t pairs, std::int64_t messages) {
  const auto each = messages / pairs;
  const auto result = t.rt().spawn<collector>(std::ref(t), pairs);
  for (std::int64_t i = 0; i < pairs; ++i) {
    const auto left = t.rt().spawn<player>(result, each);
    const auto right = t.rt().spawn<player>(result, each);
    caf::anon_send(left, right);
    caf::anon_send(right, left);
    caf::anon_send(left, std::int64_t{1});
  }
  return {pairs * each, pairs * each};
}

} // namespace

plan start_ping_pong(trial& t, std::int64_t messages) {
  return start(t, 1, messages);
}

plan start_pairs(trial& t, std::int64_t messages) {
  return start(t, 100, messages);
}

} // namespace scaling
