// Actors by name, and who is there, over the nodes of a cluster.

#include <cstdio>
#include <memory>
#include <string>

#include <troupe/actors/handlers.hpp>
#include <troupe/cluster/cluster.hpp>
#include <troupe/cluster/memory_backplane.hpp>
#include <troupe/cluster/presence.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/testing/manual_runtime.hpp>

using namespace std::chrono_literals;

using next_atom = caf::atom_constant<caf::atom("next")>;
using end_atom = caf::atom_constant<caf::atom("end")>;

/// One process of the cluster, in memory.
struct node {
  node(const std::string& name, const troupe::backplane_ref& wire)
    : cluster(rt, {.name = name, .via = wire}) {}

  troupe::testing::manual_runtime rt;
  troupe::cluster cluster;
};

void pass(node& a, node& b, troupe::duration span) {
  for (; span > 0ms; span -= 10ms) {
    a.rt.advance(10ms);
    b.rt.advance(10ms);
  }
}

// [counter]
class counter : public troupe::floating_actor {
public:
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    return {[this](next_atom) { return ++value_; },
            [this](end_atom) {
              quit();
            }};
  }

private:
  int value_ = 0;
};
// [/counter]

// [user]
/// Is in the lobby for as long as it lives.
class user : public troupe::floating_actor {
public:
  user(caf::actor_config& cfg, const troupe::cluster& of, std::string name)
    : floating_actor(cfg), here_(of), name_(std::move(name)) {}
  caf::behavior make_behavior() override {
    here_.track(*this, "lobby", name_);
    return {[this](end_atom) {
      quit();
    }};
  }

private:
  troupe::presence here_;
  const std::string name_;
};
// [/user]

// [watcher]
/// Prints who comes and goes, on all nodes.
class watcher : public troupe::floating_actor {
public:
  watcher(caf::actor_config& cfg, const troupe::cluster& of) : floating_actor(cfg), here_(of) {}
  caf::behavior make_behavior() override {
    here_.watch(*this, "lobby", [](const troupe::presence_change& change) {
      const std::string why{to_string(change.cause)};
      for (const auto& who : change.joins)
        std::printf("%s, on node %s: %s\n", who.key.c_str(), who.node.c_str(), why.c_str());
      for (const auto& who : change.leaves)
        std::printf("%s has gone: %s\n", who.key.c_str(), why.c_str());
      std::printf("in the lobby: %zu\n", change.count);
    });
    return {[](caf::unit_t) {
    }};
  }

private:
  troupe::presence here_;
};
// [/watcher]

void names(node& a, node& b) {
  // [names]
  const auto ours = a.rt.spawn<counter>();
  a.cluster.serve("counter", ours);
  pass(a, b, 1s); // node b hears of it

  const auto asks = [&] {
    b.rt.in_turn([&] {
      troupe::ask<int>(b.rt, b.cluster.actor("counter"), 5s, next_atom::value)
        .add_callbacks([](int value) { std::printf("%d\n", value); },
                       [](const troupe::failure& why) {
                         std::printf("no answer: %s\n", why.message().c_str());
                       });
    });
    pass(a, b, 100ms);
  };
  asks();
  asks();
  b.rt.in_turn([&] { (void)b.cluster.actor("counter").send(end_atom::value); });
  pass(a, b, 1s);
  asks();
  // [/names]
}

void who_is_there(node& a, node& b) {
  // [presence]
  const auto seen = a.rt.spawn<watcher>(a.cluster);
  const auto ann = a.rt.spawn<user>(a.cluster, "ann");
  const auto bob = b.rt.spawn<user>(b.cluster, "bob");
  const auto carl = b.rt.spawn<user>(b.cluster, "carl");
  pass(a, b, 1s);
  b.rt.in_turn([&] { caf::anon_send(carl, end_atom::value); });
  pass(a, b, 1s);
  b.rt.in_turn([&] { b.cluster.leave().add_callback([] {}); }); // and bob with it
  pass(a, b, 1s);
  // [/presence]
}

int main(int argc, char**) {
  const auto wire = std::make_shared<troupe::memory_backplane>();
  node a{"a", wire};
  node b{"b", wire};
  pass(a, b, 1s);
  if (argc > 1)
    who_is_there(a, b);
  else
    names(a, b);
}
