// An actor for each key, on one of several nodes: counters that move with their numbers.

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include <caf/atom.hpp>

#include <troupe/cluster/memory_backplane.hpp>
#include <troupe/sharded/sharded.hpp>
#include <troupe/testing/manual_runtime.hpp>

using namespace std::chrono_literals;

namespace {

using say_atom = caf::atom_constant<caf::atom("say")>;

// [entity]
/// A room: there is one of each name, on whichever node.
class room : public troupe::entity {
public:
  room(caf::actor_config& cfg, troupe::entity_start begin, std::string node)
    : entity(cfg, std::move(begin)), node_(std::move(node)) {
    if (state().match_elements<std::int64_t>())
      lines_ = state().get_as<std::int64_t>(0); // it has moved here
  }
  caf::behavior make_behavior() override {
    return {[this](say_atom, const std::string& line) {
      ++lines_;
      return key() + ", on " + node_ + ", line " + std::to_string(lines_) + ": " + line;
    }};
  }

protected:
  troupe::deferred<caf::message> hand_over(troupe::entity_end) override {
    return troupe::succeed(caf::make_message(lines_));
  }

private:
  const std::string node_;
  std::int64_t lines_ = 0;
};
// [/entity]

// [node]
/// What every node runs.
struct node {
  node(troupe::runtime& rt, std::string name, troupe::backplane_ref wire)
    : cluster(rt, {.name = name, .via = std::move(wire)}),
      rooms(cluster, {.name = "rooms"}, std::move(name)) {}
  troupe::cluster cluster;
  troupe::sharded<room> rooms;
};
// [/node]

} // namespace

int main() {
  troupe::testing::manual_runtime rt;
  const auto pass = [&rt](troupe::duration span) {
    for (; span > 0s; span -= 10ms)
      rt.advance(10ms);
  };
  // [main]
  const auto wire = std::make_shared<troupe::memory_backplane>();
  node a{rt, "node-a", wire};
  node b{rt, "node-b", wire};
  pass(3s);
  const auto say = [&](node& from, const std::string& where, const std::string& line) {
    ask<std::string>(rt, from.rooms.get(where), 5s, say_atom::value, line)
      .add_both([](const troupe::outcome<std::string>& got) {
        std::puts(got ? got->c_str() : got.error().message().c_str());
      });
    pass(500ms);
  };
  for (const auto* where : {"garden", "lobby", "kitchen"}) {
    say(a, where, "said on node-a");
    say(b, where, "said on node-b");
  }
  rt.in_turn([&] { b.cluster.drain().add_callback([] { std::puts("node-b has drained"); }); });
  pass(2s);
  for (const auto* where : {"garden", "lobby", "kitchen"})
    say(a, where, "said again");
  // [/main]
}
