// A drain that gives back leases, in virtual time.

#include <troupe/leases/leased_child.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/send.hpp>

#include <troupe/cluster/cluster.hpp>
#include <troupe/leases/memory_leases.hpp>
#include <troupe/testing/cluster_fixture.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

class worker final : public pinned_actor {
public:
  worker(caf::actor_config& cfg, std::string node, std::string* journal)
    : pinned_actor(cfg), node_(std::move(node)), journal_(journal) {}
  caf::behavior make_behavior() override {
    *journal_ += '+' + node_;
    set_exit_handler([this](caf::exit_msg&) { // it has something to finish
      if (!ends_.active())
        ends_ = call_later(100ms, [this] { quit(); });
    });
    return {[](caf::unit_t) {
    }};
  }
  void on_exit() override {
    *journal_ += '-' + node_;
    pinned_actor::on_exit();
  }

private:
  const std::string node_;
  std::string* const journal_;
  delayed_call ends_;
};

} // namespace

TEST_CASE("a drain gives leases back, behind what they were for, and before the node leaves",
          "[sharded][drain]") {
  cluster_fixture net{{.nodes = 2}};
  auto& rt = net.runtime();
  std::string journal;
  const lease_store_ref store = std::make_shared<memory_leases>();
  std::vector<std::unique_ptr<leases>> locks;
  std::vector<caf::actor> tops;
  net.run_for(1s);
  for (const auto* const name : {"a", "b"}) {
    leases_options o;
    o.node = name;
    locks.push_back(std::make_unique<leases>(rt, store, o));
    tops.push_back(rt.spawn_on<supervisor>(
      0, supervisor_options{.name = name},
      std::vector<child_spec>{
        leased_child(*locks.back(), "billing", [&journal, node = std::string{name}](auto&) {
          child_spec c;
          c.id = "billing";
          c.start = start_actor<worker>(node, &journal);
          return c;
        })}));
    net.run_for(1s);
  }
  CHECK(journal == "+a");
  bool left = false;
  rt.in_turn([&] {
    net.node(0).before_leaving([&] { return locks[0]->give_back(); });
    net.node(0).drain({.grace = 30s}).add_callback([&] {
      left = true;
      journal += " left ";
    });
  });
  net.run_for(50ms);
  CHECK(journal == "+a");
  net.run_for(2s); // much less than others wait for a lease that is not given back
  CHECK(left);
  CHECK((journal == "+a-a left +b" || journal == "+a-a+b left "));
  CHECK(locks[0]->counters().held == 0);
  CHECK(locks[1]->counters().held == 1);
  for (const auto& top : tops)
    caf::anon_send_exit(top, caf::exit_reason::user_shutdown);
  net.run_for(1s);
}
