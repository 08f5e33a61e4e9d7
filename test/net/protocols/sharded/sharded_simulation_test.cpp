// Many nodes and all that goes wrong, in virtual time. With leases no two entities of a key ever run at once; with and without, no
// message is dealt with twice, those of one sender come in order, and each question has one end.

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "entity_net.hpp"
#include "support/catch.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Asks from everywhere, while things go wrong.
class storm {
public:
  storm(std::uint64_t seed, bool leased)
    : random_(seed), net_({.nodes = 3 + seed % 3, .seed = seed}, kind(), leased), leased_(leased),
      alive_(net_.size(), true) {
    net_.run_for(2s);
  }

  void run(int events) {
    for (int i = 0; i < events; ++i) {
      if (pick(0, 11) == 0)
        disturb();
      for (auto n = pick(0, 6); n > 0; --n)
        ask();
      net_.run_for(std::chrono::milliseconds(pick(1, 250)));
    }
  }

  /// Mends everything; then all answers come, each node finds the same entities, and there is one of each.
  void calm() {
    for (std::size_t i = 0; i < net_.size(); ++i) {
      if (!alive_[i])
        start(i);
      if (net_.parts[i].store)
        net_.parts[i].store->now = faulty_leases::fault::none;
    }
    net_.settle();
    net_.run_for(25s);
    for (const auto& one : asked_) {
      CHECK(one->times == 1);
      answered += one->why ? 0 : 1;
    }
    for (int k = 0; k < keys; ++k) {
      const auto key = "key" + std::to_string(k);
      const auto from_0 = net_.which(0, key);
      CHECK(from_0.substr(0, 3) == net_.all(0).where(key) + ' ');
      for (std::size_t i = 1; i < net_.size(); ++i)
        CHECK(net_.which(i, key) == from_0);
      CHECK(net_.log.running[key].size() == 1);
    }
    for (std::size_t i = 0; i < net_.size(); ++i)
      CHECK(net_.all(i).counters().held == 0);
  }

  [[nodiscard]] const entity_log& log() const { return net_.log; }
  [[nodiscard]] std::size_t asked() const { return asked_.size(); }
  std::size_t answered = 0;
  int crashes = 0;

private:
  static constexpr int keys = 12;
  static sharded_options kind() {
    sharded_options o;
    o.shards = 8;
    o.idle_after = 20s;
    return o;
  }
  std::uint64_t pick(std::uint64_t from, std::uint64_t to) {
    return std::uniform_int_distribution<std::uint64_t>{from, to}(random_);
  }
  bool runs(std::size_t i) { return alive_[i] && net_.runs(i); }
  void start(std::size_t i) {
    net_.start_again(i);
    alive_[i] = true;
    ++lives_;
  }

  void ask() {
    const auto from = pick(0, net_.size() - 1);
    if (!runs(from))
      return;
    const auto key = "key" + std::to_string(pick(0, keys - 1));
    // A process is a sender of its own: what a dead one has sent may come behind.
    const auto sender = std::to_string(from) + '/' + std::to_string(lives_of(from));
    asked_.push_back(
      net_.add(from, key, sender, ++last_, std::chrono::milliseconds(pick(300, 15'000))));
  }
  std::uint64_t lives_of(std::size_t i) { return net_.node(i).incarnation(); }

  void disturb() {
    const auto i = pick(0, net_.size() - 1);
    switch (pick(0, leased_ ? 11 : 9)) {
    case 0:
      if (runs(i)) {
        net_.kill(i);
        alive_[i] = false;
        ++crashes;
      }
      return;
    case 1:
    case 2:
      if (!alive_[i])
        start(i);
      return;
    case 3:
      if (i > 0)
        net_.cut(i, pick(0, i - 1));
      return;
    case 4:
      net_.mend_all();
      return;
    case 5:
      if (runs(i) && !net_.parts[i].store)
        net_.stop(i);
      return;
    case 6:
      if (alive_[i])
        net_.go_on(i);
      return;
    case 7:
      net_.set_loss(pick(0, 1) == 0 ? 0.0 : 0.02);
      return;
    case 8:
      if (runs(i))
        net_.slow_down(i, std::chrono::milliseconds(pick(50, 1'500)));
      return;
    case 9:
      if (alive_[i])
        net_.slow_down(i, duration::zero());
      return;
    case 10:
      if (alive_[i])
        net_.parts[i].store->now = static_cast<faulty_leases::fault>(pick(1, 3));
      return;
    case 11:
      if (alive_[i])
        net_.parts[i].store->now = faulty_leases::fault::none;
      return;
    default:
      return;
    }
  }

  std::mt19937_64 random_;
  entity_net net_;
  const bool leased_;
  std::vector<bool> alive_;
  std::uint64_t lives_ = 0;
  std::uint64_t last_ = 0;
  std::vector<std::shared_ptr<entity_net::result>> asked_;
};

} // namespace

TEST_CASE("with leases there are never two of a key, whatever is cut, killed, late or lost",
          "[sharded]") {
  std::size_t asked = 0;
  std::size_t answered = 0;
  int crashes = 0;
  for (std::uint64_t seed = 1; seed <= load_size(40); ++seed) {
    INFO("seed " << seed);
    storm s{seed, true};
    s.run(400);
    s.calm();
    CHECK(s.log().overlaps == 0);
    CHECK(s.log().without_lease == 0);
    CHECK(s.log().twice == 0);
    CHECK(s.log().disorder == 0);
    asked += s.asked();
    answered += s.answered;
    crashes += s.crashes;
  }
  CHECK(answered > asked / 3);
  WARN(asked << " questions, " << answered << " answered, " << crashes << " crashes");
}

TEST_CASE("without leases nothing is dealt with twice, and all agree in the end", "[sharded]") {
  std::size_t asked = 0;
  std::size_t answered = 0;
  for (std::uint64_t seed = 1; seed <= load_size(40); ++seed) {
    INFO("seed " << seed);
    storm s{seed, false};
    s.run(400);
    s.calm();
    CHECK(s.log().twice == 0);
    asked += s.asked();
    answered += s.answered;
    CHECK(s.log().disorder_in_one == 0);
  }
  CHECK(answered > asked / 3);
  WARN(asked << " questions, " << answered << " answered");
}
