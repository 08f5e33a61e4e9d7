// Actors by name, and presence, between nodes that meet at a real nats-server. Without that program the tests are skipped.

#include <troupe/nats_backplane/nats_backplane.hpp>

#include <optional>

#include <caf/atom.hpp>
#include <caf/send.hpp>

#include <troupe/cluster/cluster.hpp>
#include <troupe/cluster/presence.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "../../nats/served_nats.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using double_atom = caf::atom_constant<caf::atom("double")>;
using go_atom = caf::atom_constant<caf::atom("go")>;

/// Doubles numbers, to the bit.
class doubler final : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](double_atom, double n) {
      return 2 * n;
    }};
  }
};

/// Asks, watches, and is in the lobby.
class user final : public pinned_actor {
public:
  user(caf::actor_config& cfg, troupe::cluster* of, std::string key, events* into)
    : pinned_actor(cfg), of_(of), here_(*of), key_(std::move(key)), into_(into) {}
  caf::behavior make_behavior() override {
    here_.track(*this, "lobby", key_);
    here_.watch(*this, "lobby", [this](const presence_change& c) {
      for (const auto& one : c.joins)
        into_->add('+' + one.key);
      for (const auto& one : c.leaves)
        into_->add('-' + one.key + ' ' + std::string{to_string(c.cause)});
    });
    return {[this](go_atom, int times) {
      of_->watch(*this, of_->actor("doubler"), [this](const failure& why) {
        into_->add("ended " + std::string{troupe::name(static_cast<errc>(why.code().value()))});
      });
      for (int i = 0; i < times; ++i)
        ask<double>(*this, of_->actor("doubler"), 10s, double_atom::value, i * 0.5)
          .add_callback([this, i](double n) {
            if (n == i)
              into_->add("right");
          })
          .add_errback([this](const failure& why) { into_->add(why.message()); });
    }};
  }

private:
  troupe::cluster* const of_;
  presence here_;
  const std::string key_;
  events* const into_;
};

constexpr int rooms = 12; // with a thousand in each
constexpr std::size_t crowded = 12'000;

/// Tells when all are there; it may be all of them itself.
class crowd final : public pinned_actor {
public:
  crowd(caf::actor_config& cfg, troupe::cluster* of, bool is_there, events* into)
    : pinned_actor(cfg), here_(*of), is_there_(is_there), into_(into) {}
  caf::behavior make_behavior() override {
    for (int i = 0; i < rooms; ++i) {
      const auto room = "room " + std::to_string(i);
      here_.watch(*this, room, [this](const presence_change& c) {
        seen_ += c.joins.size();
        if (seen_ == crowded && !c.joins.empty())
          into_->add("all");
      });
      for (int k = 0; is_there_ && k < 1000; ++k)
        here_.track(*this, room, std::to_string(k), std::string(1000, 'x'));
    }
    return {[](go_atom) {
    }};
  }

private:
  presence here_;
  const bool is_there_;
  events* const into_;
  std::size_t seen_ = 0;
};

struct node {
  /// \param doubles  it serves a doubler, which others know of before they see its user
  node(const std::string& name, const std::string& url, bool doubles = false) : run(2) {
    cluster.emplace(run.rt, cluster_options{.name = name,
                                            .via = std::make_shared<nats_backplane>(
                                              nats_options{.servers = {url}}),
                                            .heartbeat = 100ms,
                                            .down_after = 10s});
    if (doubles) {
      served = run.rt.spawn_on<doubler>(1);
      REQUIRE(cluster->serve("doubler", served));
    }
    who =
      caf::actor_cast<caf::actor>(run.rt.spawn_on<user>(1, &*cluster, "user of " + name, &told));
    run.start();
  }
  ~node() {
    run.stop();
    who = {};
    served = {};
    cluster.reset();
  }

  events told;
  running run;
  std::optional<troupe::cluster> cluster;
  caf::actor who;
  caf::actor served;
};

} // namespace

TEST_CASE("actors are asked by name, and users are seen, over a server", "[cluster]") {
  if (!nats_server_installed())
    return;
  served_nats s;
  node a{"a", s.address().url};
  {
    node b{"b", s.address().url, true};
    REQUIRE(a.told.wait_for("+user of b"));
    REQUIRE(b.told.wait_for("+user of a"));
    REQUIRE(a.cluster->actor("doubler").is_served());
    caf::anon_send(a.who, go_atom::value, 5000);
    REQUIRE(a.told.wait(5000 + 2));
    CHECK(a.told.count("right") == 5000);
    caf::anon_send_exit(b.served, caf::exit_reason::kill);
    REQUIRE(a.told.wait_for("ended actor_down"));
  }
  CHECK(a.told.wait_for("-user of b node_left"));
}

TEST_CASE("more presence than a connection takes at once is known to a node that comes",
          "[cluster]") {
  if (!nats_server_installed())
    return;
  served_nats s;
  events seen; // outlives who tells it
  node a{"a", s.address().url};
  a.run.rt.spawn_on<crowd>(0, &*a.cluster, true, &seen);
  REQUIRE(seen.wait_for("all"));
  node b{"b", s.address().url};
  b.run.rt.spawn_on<crowd>(0, &*b.cluster, false, &seen);
  CHECK(seen.wait_for("all", 2)); // 12 MB, of which a connection keeps 8
}
