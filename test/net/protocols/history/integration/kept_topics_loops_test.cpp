#include <troupe/history/kept_topics.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <troupe/history/memory_history.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "support/catch.hpp"
#include "support/on_loop.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using begin_atom = caf::atom_constant<caf::atom("begin")>;

/// Leaves and comes back again and again, and looks at each message that it gets.
class restless : public pinned_actor {
public:
  restless(caf::actor_config& cfg, kept_topic room, std::size_t rounds, std::uint64_t until,
           std::function<void(std::string)> done)
    : pinned_actor(cfg), room_(std::move(room)), rounds_(rounds), until_(until),
      done_(std::move(done)) {}

  caf::behavior make_behavior() override {
    return {[this](begin_atom) {
      come();
    }};
  }

private:
  void come() {
    room_.resume(this, at_, 1'000'000, [this](const kept_message& m) { got(m); })
      .add_callback([this](const resumed& r) {
        if (!r.complete)
          fault("told that something is missing at " + to_string(r.at));
        if (r.at.sequence != has_)
          fault("has " + std::to_string(has_) + ", and is told to have " + to_string(r.at));
        at_ = r.at;
      });
    if (--rounds_ > 0)
      call_later(duration::zero(), [this] {
        if (ended_)
          return;
        room_.leave(*this);
        at_.sequence = has_;
        come();
      });
  }

  void got(const kept_message& m) {
    if (m.previous != has_)
      fault("got " + std::to_string(m.at.sequence) + " behind " + std::to_string(has_));
    has_ = m.at.sequence;
    at_ = m.at;
    if (has_ == until_)
      end("");
  }

  void fault(std::string what) { end(std::move(what)); }
  void end(std::string what) {
    if (!std::exchange(ended_, true))
      done_(std::move(what));
  }

  kept_topic room_;
  std::size_t rounds_;
  const std::uint64_t until_;
  std::function<void(std::string)> done_;
  history_position at_;
  std::uint64_t has_ = 0;
  bool ended_ = false;
};

/// Appends as fast as answers come.
class talker : public pinned_actor {
public:
  talker(caf::actor_config& cfg, kept_topic room, std::size_t count, std::size_t in_flight)
    : pinned_actor(cfg), room_(std::move(room)), left_(count), in_flight_(in_flight) {}
  caf::behavior make_behavior() override {
    return {[this](begin_atom) {
      for (std::size_t i = 0; i < in_flight_; ++i)
        next();
    }};
  }

private:
  void next() {
    if (left_ == 0)
      return;
    --left_;
    room_.append(*this, "x").add_callback([this](history_position) { next(); });
  }
  kept_topic room_;
  std::size_t left_;
  const std::size_t in_flight_;
};

} // namespace

TEST_CASE("on several loops, whoever comes and goes meanwhile has each message once, in order",
          "[history]") {
  constexpr std::size_t talkers = 3, each = 2000, clients = 9;
  const auto total = load_size(each) * talkers;
  events told;
  running server{3};
  kept_topics topics{server.rt,
                     std::make_shared<memory_history>(memory_history_options{.per_topic = total}),
                     {.ring_messages = 20, .max_replay = total, .patience = 30s}};
  const auto room = topics.get("lobby");
  server.start();
  std::vector<caf::actor> all;
  for (std::size_t i = 0; i < clients; ++i)
    all.push_back(
      server.rt.spawn_on<restless>(i % 3, room, std::size_t{1000}, std::uint64_t{total},
                                   [&](std::string what) { told.add(std::move(what)); }));
  for (std::size_t i = 0; i < talkers; ++i)
    all.push_back(server.rt.spawn_on<talker>(i % 3, room, load_size(each), std::size_t{50}));
  for (const auto& a : all)
    caf::anon_send(a, begin_atom::value);
  REQUIRE(told.wait(clients));
  server.stop();
  for (const auto& what : told.all())
    CHECK(what == "");
  CHECK(topics.counters().gaps == 0);
  CHECK(topics.counters().appended == total);
}
