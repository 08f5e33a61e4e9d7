#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <troupe/cluster/cluster.hpp>
#include <troupe/cluster/memory_backplane.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/cluster_fixture.hpp>

namespace troupe::testing {

using told = std::vector<std::string>;

/// Writes down what a cluster tells, as "down n2".
class watcher final : public pinned_actor {
public:
  watcher(caf::actor_config& cfg, troupe::cluster* of, told* events)
    : pinned_actor(cfg), of_(of), events_(events) {}
  caf::behavior make_behavior() override {
    of_->observe(*this, [this](const node_event& e) {
      events_->push_back(std::string{to_string(e.kind)} + ' ' + e.node);
    });
    return {[](caf::unit_t) {
    }};
  }

private:
  troupe::cluster* const of_;
  told* const events_;
};

struct watched : cluster_fixture {
  using cluster_fixture::cluster_fixture;
  told watch(std::size_t number, told& events) {
    runtime().spawn_on<watcher>(0, &node(number), &events);
    runtime().settle();
    return events;
  }
  static told taken(told& events) { return std::exchange(events, {}); }
};

inline cluster_options named(std::string name) {
  cluster_options options;
  options.name = std::move(name);
  options.via = std::make_shared<memory_backplane>();
  return options;
}

} // namespace troupe::testing
