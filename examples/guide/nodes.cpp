// The chat on two nodes: what is said on one is read on the other.

#include <cstdio>
#include <memory>
#include <string>

#include <troupe/cluster/cluster.hpp>
#include <troupe/cluster/memory_backplane.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/testing/memory_network.hpp>

#include "chat3/chat.hpp"

using namespace std::chrono_literals;

// [node]
/// One process of the cluster, in memory: in production it is a runtime and a port.
struct node {
  node(const std::string& name, const troupe::backplane_ref& wire)
    : cluster(net.rt, {.name = name, .via = wire}), rooms(cluster) {
    (void)net.rt.names().put("users", net.rt.spawn<registry>());
    net.listen(8123, troupe::factory::for_protocol<chat>(net.rt.names().get("users"), rooms));
  }

  troupe::testing::memory_network net;
  troupe::cluster cluster;
  troupe::topics rooms; // was: rooms{rt}
};
// [/node]

// [watcher]
/// Tells what happens to the other nodes.
class watcher : public troupe::floating_actor {
public:
  watcher(caf::actor_config& cfg, troupe::cluster* of) : floating_actor(cfg), of_(of) {}

  caf::behavior make_behavior() override {
    of_->observe(*this, [](const troupe::node_event& what) { std::puts(to_string(what).c_str()); });
    return {[](caf::unit_t) {
    }};
  }

private:
  troupe::cluster* of_;
};
// [/watcher]

class terminal : public troupe::text_line_receiver {
public:
  terminal(caf::actor_config& cfg, std::string owner)
    : text_line_receiver(cfg), owner_(std::move(owner)) {}
  void line_received(std::string_view line) override {
    std::printf("%s reads  %s\n", owner_.c_str(), std::string{line}.c_str());
  }

private:
  const std::string owner_;
};

void pass(node& a, node& b, troupe::duration span) {
  for (; span > 0ms; span -= 10ms) {
    a.net.advance(10ms);
    b.net.advance(10ms);
  }
}

int main() {
  // [main]
  const auto wire = std::make_shared<troupe::memory_backplane>();
  node a{"a", wire};
  node b{"b", wire};
  const auto seen = a.net.rt.spawn<watcher>(&a.cluster); // it lives as long as this handle
  pass(a, b, 1s);                                        // they find each other

  const auto types = [&](node& where, terminal& who, const char* line) {
    where.net.enter(who, [&] { who.send_line(line); });
    pass(a, b, 20ms);
  };
  auto& ann = a.net.connect<terminal>(8123, "ann");
  types(a, ann, "ann");
  auto& bob = b.net.connect<terminal>(8123, "bob");
  types(b, bob, "bob");
  types(b, bob, "is anybody there?");
  types(a, ann, "yes, on the other node");

  b.net.rt.in_turn([&] { b.cluster.leave().add_callback([] {}); });
  pass(a, b, 20ms);
  // [/main]
}
