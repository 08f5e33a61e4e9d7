// A publisher sends to a thousand subscribers; when all have answered it sends the next.

#include "benchmarks.hpp"

namespace scaling {
namespace {

constexpr std::int64_t subscribers = 1'000;

class subscriber : public troupe::floating_actor {
public:
  subscriber(caf::actor_config& cfg, std::int64_t number) : floating_actor(cfg), number_(number) {}
  caf::behavior make_behavior() override {
    return {[this](std::int64_t round) {
      return round + number_;
    }};
  }

private:
  std::int64_t number_;
};

class publisher : public troupe::floating_actor {
public:
  publisher(caf::actor_config& cfg, trial& t, std::vector<caf::actor> to, std::int64_t rounds)
    : floating_actor(cfg), trial_(t), to_(std::move(to)), rounds_(rounds) {}
  caf::behavior make_behavior() override {
    return {
      [this](go_atom) { publish(); },
      [this](std::int64_t answer) {
        sum_ += answer;
        if (--due_ > 0)
          return;
        if (round_ == rounds_)
          trial_.end(sum_);
        else
          publish();
      },
    };
  }

private:
  void publish() {
    ++round_;
    due_ = subscribers;
    for (const auto& to : to_)
      send(to, round_);
  }
  trial& trial_;
  std::vector<caf::actor> to_;
  std::int64_t rounds_;
  std::int64_t round_ = 0;
  std::int64_t due_ = 0; // answers of this round
  std::int64_t sum_ = 0;
};

} // namespace

plan start_fan_out(trial& t, std::int64_t deliveries) {
  const auto rounds = deliveries / subscribers;
  std::vector<caf::actor> to;
  for (std::int64_t i = 0; i < subscribers; ++i)
    to.push_back(t.rt().spawn<subscriber>(i));
  caf::anon_send(t.rt().spawn<publisher>(std::ref(t), std::move(to), rounds), go_atom::value);
  return {rounds * subscribers, subscribers * (rounds * (rounds + 1) / 2)
                                  + rounds * (subscribers * (subscribers - 1) / 2)};
}

} // namespace scaling
