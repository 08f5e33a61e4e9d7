// A token goes round a hundred actors, counted down; who has it at zero is known in advance.

#include "benchmarks.hpp"

namespace scaling {
namespace {

constexpr std::int64_t members = 100;

class member : public troupe::floating_actor {
public:
  member(caf::actor_config& cfg, trial& t, std::int64_t number)
    : floating_actor(cfg), trial_(t), number_(number) {}
  caf::behavior make_behavior() override {
    return {
      [this](const caf::actor& next) { next_ = next; },
      [this](std::int64_t left) {
        if (left == 0)
          trial_.end(number_);
        else
          send(next_, left - 1);
      },
    };
  }
  void on_exit() override {
    next_ = nullptr; // the ring holds itself
    floating_actor::on_exit();
  }

private:
  trial& trial_;
  caf::actor next_;
  std::int64_t number_;
};

} // namespace

plan start_ring(trial& t, std::int64_t hops) {
  std::vector<caf::actor> ring;
  for (std::int64_t i = 0; i < members; ++i)
    ring.push_back(t.rt().spawn<member>(std::ref(t), i));
  for (std::size_t i = 0; i < ring.size(); ++i)
    caf::anon_send(ring[i], ring[(i + 1) % ring.size()]);
  caf::anon_send(ring[0], hops);
  return {hops, hops % members};
}

} // namespace scaling
