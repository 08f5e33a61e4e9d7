// A hundred creatures meet in a mall, two at a time; both must have counted each meeting.

#include "benchmarks.hpp"

namespace scaling {
namespace {

constexpr std::int64_t creatures = 100;

using meet_atom = caf::atom_constant<caf::atom("meet")>;
using change_atom = caf::atom_constant<caf::atom("change")>;

/// Returns the colour (0, 1, 2) that who meets another one takes: the third, if they differ.
std::int64_t complement(std::int64_t mine, std::int64_t other) {
  return mine == other ? mine : 3 - mine - other;
}

class creature : public troupe::floating_actor {
public:
  creature(caf::actor_config& cfg, caf::actor mall, caf::actor result, std::int64_t colour)
    : floating_actor(cfg), mall_(std::move(mall)), result_(std::move(result)), colour_(colour) {}
  caf::behavior make_behavior() override {
    return {
      [this](go_atom) { go(); },
      [this](meet_atom, const caf::actor& other, std::int64_t colour) {
        met(colour);
        send(other, change_atom::value, was_);
      },
      [this](change_atom, std::int64_t colour) { met(colour); },
      [this](report_atom) { send(result_, meetings_); },
    };
  }

private:
  void go() { send(mall_, meet_atom::value, caf::actor{this}, colour_); }
  void met(std::int64_t colour) {
    was_ = colour_;
    colour_ = complement(colour_, colour);
    ++meetings_;
    go();
  }
  caf::actor mall_;
  caf::actor result_;
  std::int64_t colour_;
  std::int64_t was_ = 0; // before the last meeting
  std::int64_t meetings_ = 0;
};

/// Sends the first who waits to the second; closed, it asks everyone who comes for a report.
class mall : public troupe::floating_actor {
public:
  mall(caf::actor_config& cfg, std::int64_t meetings) : floating_actor(cfg), left_(meetings) {}
  caf::behavior make_behavior() override {
    return {[this](meet_atom, const caf::actor& who, std::int64_t colour) {
      if (left_ == 0) {
        send(who, report_atom::value);
      } else if (!waiting_) {
        waiting_ = who;
      } else {
        send(waiting_, meet_atom::value, who, colour);
        waiting_ = nullptr;
        --left_;
      }
    }};
  }
  void on_exit() override {
    waiting_ = nullptr;
    floating_actor::on_exit();
  }

private:
  caf::actor waiting_;
  std::int64_t left_;
};

} // namespace

plan start_chameneos(trial& t, std::int64_t meetings) {
  const auto result = t.rt().spawn<collector>(std::ref(t), creatures);
  const auto place = t.rt().spawn<mall>(meetings);
  for (std::int64_t i = 0; i < creatures; ++i)
    caf::anon_send(t.rt().spawn<creature>(place, result, i % 3), go_atom::value);
  return {meetings, 2 * meetings};
}

} // namespace scaling
