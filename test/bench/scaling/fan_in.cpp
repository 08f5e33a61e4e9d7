// A thousand actors send to one, each ten numbers in a turn.

#include "benchmarks.hpp"

namespace scaling {
namespace {

constexpr std::int64_t sources = 1'000;

class source : public troupe::floating_actor {
public:
  source(caf::actor_config& cfg, caf::actor to, std::int64_t count)
    : floating_actor(cfg), to_(std::move(to)), left_(count) {}
  caf::behavior make_behavior() override {
    return {[this](go_atom) {
      for (int i = 0; i < 10 && left_ > 0; ++i, --left_)
        send(to_, left_);
      if (left_ > 0)
        send(caf::actor{this}, go_atom::value);
    }};
  }

private:
  caf::actor to_;
  std::int64_t left_;
};

} // namespace

plan start_fan_in(trial& t, std::int64_t messages) {
  const auto each = messages / sources;
  const auto to = t.rt().spawn<collector>(std::ref(t), sources * each);
  for (std::int64_t i = 0; i < sources; ++i)
    caf::anon_send(t.rt().spawn<source>(to, each), go_atom::value);
  return {sources * each, sources * (each * (each + 1) / 2)};
}

} // namespace scaling
