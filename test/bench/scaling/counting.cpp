// A producer sends increments to a counter, and then asks it how many there were.

#include "benchmarks.hpp"

namespace scaling {
namespace {

class counter : public troupe::floating_actor {
public:
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    return {
      [this](go_atom) { ++count_; },
      [this](report_atom) { return count_; },
    };
  }

private:
  std::int64_t count_ = 0;
};

/// Sends a hundred in a turn, so that its loop serves others too.
class producer : public troupe::floating_actor {
public:
  producer(caf::actor_config& cfg, trial& t, caf::actor to, std::int64_t count)
    : floating_actor(cfg), trial_(t), to_(std::move(to)), left_(count) {}
  caf::behavior make_behavior() override {
    return {
      [this](go_atom) {
        for (int i = 0; i < 100 && left_ > 0; ++i, --left_)
          send(to_, go_atom::value);
        if (left_ > 0)
          send(caf::actor{this}, go_atom::value);
        else
          send(to_, report_atom::value);
      },
      [this](std::int64_t counted) { trial_.end(counted); },
    };
  }

private:
  trial& trial_;
  caf::actor to_;
  std::int64_t left_;
};

} // namespace

plan start_counting(trial& t, std::int64_t messages) {
  const auto to = t.rt().spawn<counter>();
  caf::anon_send(t.rt().spawn<producer>(std::ref(t), to, messages), go_atom::value);
  return {messages, messages};
}

} // namespace scaling
