// Something that runs on one node at a time: a leased child of two nodes.

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <caf/send.hpp>

#include <troupe/leases/leased_child.hpp>
#include <troupe/leases/memory_leases.hpp>
#include <troupe/testing/manual_runtime.hpp>

using namespace std::chrono_literals;

namespace {

// [child]
/// Sends the invoices: it must not run twice.
class billing : public troupe::pinned_actor {
public:
  billing(caf::actor_config& cfg, std::string node, troupe::lease_view held)
    : pinned_actor(cfg), node_(std::move(node)), held_(std::move(held)) {}
  caf::behavior make_behavior() override {
    std::printf("%s: billing begins, with a %s token\n", node_.c_str(),
                held_.token() > greatest_ ? "greater" : "stale");
    greatest_ = held_.token();
    return {[](caf::unit_t) {
    }};
  }
  void on_exit() override {
    std::printf("%s: billing ends\n", node_.c_str());
    pinned_actor::on_exit();
  }

private:
  static inline std::uint64_t greatest_ = 0; // as whoever is written to would remember it
  const std::string node_;
  const troupe::lease_view held_; // `held_.held()` says at any moment whether it still is
};
// [/child]

// [node]
/// What every node runs.
troupe::child_spec node(troupe::leases& locks, const std::string& name) {
  return troupe::leased_child(locks, "billing", [name](const troupe::lease_view& held) {
    troupe::child_spec child;
    child.id = "billing";
    child.start = troupe::start_actor<billing>(name, held);
    return child;
  });
}
// [/node]

} // namespace

int main() {
  troupe::testing::manual_runtime rt;
  // [main]
  const auto store = std::make_shared<troupe::memory_leases>(); // all that the nodes share
  troupe::leases locks_1{rt, store, {.node = "node-1"}};
  troupe::leases locks_2{rt, store, {.node = "node-2"}};
  const auto start = [&rt](troupe::leases& locks, const std::string& name) {
    const auto made =
      rt.spawn_on<troupe::supervisor>(0, troupe::supervisor_options{.name = name},
                                      std::vector<troupe::child_spec>{node(locks, name)});
    rt.settle();
    return made;
  };
  const auto first = start(locks_1, "node-1");
  const auto second = start(locks_2, "node-2");
  for (int i = 0; i < 60; ++i) {
    rt.advance(1s);
    rt.settle();
  }
  std::puts("a minute later node-1 is stopped");
  caf::anon_send_exit(first, caf::exit_reason::user_shutdown);
  rt.settle(64);
  std::puts("and node-2");
  caf::anon_send_exit(second, caf::exit_reason::user_shutdown);
  rt.settle(64);
  // [/main]
}
