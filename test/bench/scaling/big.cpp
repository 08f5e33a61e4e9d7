// A hundred actors, each of which asks others at random, one at a time, and answers who asks it.

#include "benchmarks.hpp"

namespace scaling {
namespace {

constexpr std::int64_t actors = 100;

using ask_atom = caf::atom_constant<caf::atom("ask")>;
using answer_atom = caf::atom_constant<caf::atom("answer")>;

class member : public troupe::floating_actor {
public:
  member(caf::actor_config& cfg, caf::actor result, std::uint64_t seed, std::int64_t questions)
    : floating_actor(cfg), result_(std::move(result)), random_(seed + 1), left_(questions) {}
  caf::behavior make_behavior() override {
    return {
      [this](const caf::actor& other) { others_.push_back(other); },
      [this](go_atom) { next(); },
      [](ask_atom, std::int64_t x) { return caf::make_message(answer_atom::value, x + 1); },
      [this](answer_atom, std::int64_t x) {
        right_ += x == left_ + 1; // the answer to the last question
        --left_;
        next();
      },
    };
  }
  void on_exit() override {
    others_.clear(); // all hold all
    floating_actor::on_exit();
  }

private:
  void next() {
    if (left_ == 0)
      return send(result_, right_);
    random_ ^= random_ << 13; // xorshift: the same choices in every run
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    send(others_[random_ % others_.size()], ask_atom::value, left_);
  }
  caf::actor result_;
  std::vector<caf::actor> others_;
  std::uint64_t random_;
  std::int64_t left_;
  std::int64_t right_ = 0;
};

} // namespace

plan start_big(trial& t, std::int64_t questions) {
  const auto each = questions / actors;
  const auto result = t.rt().spawn<collector>(std::ref(t), actors);
  std::vector<caf::actor> all;
  for (std::int64_t i = 0; i < actors; ++i)
    all.push_back(t.rt().spawn<member>(result, static_cast<std::uint64_t>(i), each));
  for (const auto& one : all)
    for (const auto& other : all)
      if (one != other)
        caf::anon_send(one, other);
  for (const auto& one : all)
    caf::anon_send(one, go_atom::value);
  return {actors * each, actors * each};
}

} // namespace scaling
