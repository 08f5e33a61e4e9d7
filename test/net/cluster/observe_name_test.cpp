#include <troupe/cluster/cluster.hpp>

#include <string>
#include <vector>

#include <caf/send.hpp>

#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/cluster_fixture.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using told = std::vector<std::vector<std::string>>;

/// Notes who serves a name.
class name_watcher final : public pinned_actor {
public:
  name_watcher(caf::actor_config& cfg, troupe::cluster* of, told* into)
    : pinned_actor(cfg), of_(of), into_(into) {}
  caf::behavior make_behavior() override {
    of_->observe_name(*this, "users",
                      [this](const std::vector<std::string>& nodes) { into_->push_back(nodes); });
    return {[](caf::unit_t) {
    }};
  }

private:
  troupe::cluster* const of_;
  told* const into_;
};

class nobody final : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](caf::unit_t) {
    }};
  }
};

struct observed : cluster_fixture {
  using cluster_fixture::cluster_fixture;
  void watch(std::size_t number, told& into) {
    runtime().spawn_on<name_watcher>(0, &node(number), &into);
    runtime().settle();
  }
  caf::actor serve(std::size_t number, while_draining how = while_draining::withdrawn) {
    const caf::actor who = runtime().spawn_on<nobody>(0);
    runtime().in_turn([&] { CHECK(node(number).serve("users", who, how)); });
    run_for(20ms);
    return who;
  }
};

} // namespace

TEST_CASE("who serves a name is told at first, and after each change", "[cluster][names]") {
  observed net{{.nodes = 3}};
  told here, there;
  net.watch(0, here);
  net.run_for(1s);
  const auto first = net.serve(0);
  const auto second = net.serve(2);
  net.watch(1, there);
  net.run_for(20ms);
  CHECK(here == told{{}, {"n0"}, {"n0", "n2"}});
  CHECK(there == told{{"n0", "n2"}});
  caf::anon_send_exit(first, caf::exit_reason::kill);
  net.run_for(20ms);
  net.crash(2);
  net.run_for(1s);
  CHECK(there == told{{"n0", "n2"}, {"n2"}}); // suspected at most
  net.run_for(2s);
  CHECK(there == told{{"n0", "n2"}, {"n2"}, {}});
  CHECK(here == told{{}, {"n0"}, {"n0", "n2"}, {"n2"}, {}});
}

TEST_CASE("a node that drains or leaves serves nothing but what it keeps", "[cluster][names]") {
  const auto how = GENERATE(while_draining::withdrawn, while_draining::kept);
  observed net{{.nodes = 2}};
  net.run_for(1s);
  told here, there;
  net.watch(0, here);
  net.watch(1, there);
  const auto who = net.serve(0, how);
  const auto client = net.runtime().spawn_on<nobody>(0);
  net.runtime().in_turn([&] {
    auto& self = *static_cast<nobody*>(caf::actor_cast<caf::abstract_actor*>(client));
    net.node(0).on_drain(self, [] {});
    net.node(0).drain({.grace = 5s}).add_callback([] {});
  });
  net.run_for(4s);
  const bool kept = how == while_draining::kept;
  const auto during = kept ? told{{}, {"n0"}} : told{{}, {"n0"}, {}};
  CHECK(here == during);
  CHECK(there == during);
  CHECK(net.node(1).actor("users", "n0").is_served() == kept);
  net.run_for(2s);
  CHECK(here == told{{}, {"n0"}, {}});
  CHECK(there == told{{}, {"n0"}, {}});
}
