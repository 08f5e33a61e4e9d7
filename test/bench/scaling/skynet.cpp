// A tree of actors, ten below each; the leaves, a million, are numbered and summed up on the way back.

#include "benchmarks.hpp"

namespace scaling {
namespace {

class node : public troupe::floating_actor {
public:
  node(caf::actor_config& cfg, caf::actor parent)
    : floating_actor(cfg), parent_(std::move(parent)) {}
  caf::behavior make_behavior() override {
    return {
      [this](std::int64_t first, std::int64_t leaves) {
        if (leaves == 1)
          return end(first);
        for (std::int64_t i = 0; i < 10; ++i)
          send(spawn<node>(caf::actor{this}), first + i * (leaves / 10), leaves / 10);
      },
      [this](std::int64_t sum) {
        sum_ += sum;
        if (--left_ == 0)
          end(sum_);
      },
    };
  }

private:
  void end(std::int64_t sum) {
    send(parent_, sum);
    quit();
  }
  caf::actor parent_;
  std::int64_t sum_ = 0;
  int left_ = 10;
};

} // namespace

plan start_skynet(trial& t, std::int64_t size) {
  std::int64_t leaves = 10; // a power of ten
  while (leaves * 10 <= size)
    leaves *= 10;
  const auto result = t.rt().spawn<collector>(std::ref(t), std::int64_t{1});
  caf::anon_send(t.rt().spawn<node>(result), std::int64_t{0}, leaves);
  return {leaves + (leaves - 1) / 9, leaves * (leaves - 1) / 2};
}

} // namespace scaling
