// A child that runs on one node at a time, in virtual time.

#include <troupe/leases/leased_child.hpp>

#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <caf/send.hpp>

#include <troupe/testing/logged_errors.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

#include "faulty_leases.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// What runs where.
struct journal {
  std::map<std::string, int> running;
  int most = 0;
  std::vector<std::pair<std::string, std::uint64_t>> starts;
  int count() const {
    int all = 0;
    for (const auto& [node, n] : running)
      all += n;
    return all;
  }
};

class worker : public pinned_actor {
public:
  worker(caf::actor_config& cfg, std::string node, lease_view held, journal* into, bool slow)
    : pinned_actor(cfg), node_(std::move(node)), held_(std::move(held)), into_(into), slow_(slow) {
    if (slow_)
      set_exit_handler([](caf::exit_msg&) {}); // does not go unless it is killed
  }
  caf::behavior make_behavior() override {
    ++into_->running[node_];
    into_->most = std::max(into_->most, into_->count());
    into_->starts.emplace_back(node_, held_.token());
    CHECK(held_.held());
    return {[this](caf::ok_atom) { quit(); },
            [this](int) {
              quit(make_error(errc::invalid_argument, "told to"));
            }};
  }
  void on_exit() override {
    --into_->running[node_];
    pinned_actor::on_exit();
  }

private:
  const std::string node_;
  const lease_view held_;
  journal* into_;
  const bool slow_;
};

struct node {
  std::string name;
  std::shared_ptr<faulty_leases> way;
  std::optional<leases> locks;
  caf::actor top; // a supervisor
};

struct nodes {
  ~nodes() {
    for (auto& n : all)
      end(*n);
    for (auto& n : all)
      n->locks.reset();
  }

  node& add(const std::string& name, bool slow = false,
            restart_type restart = restart_type::permanent) {
    auto n = std::make_unique<node>();
    n->name = name;
    n->way = std::make_shared<faulty_leases>(store);
    leases_options o;
    o.node = name;
    n->locks.emplace(rt, n->way, o);
    supervisor_options top;
    top.name = name;
    top.intensity = 100;
    n->top = rt.spawn_on<supervisor>(
      0, top,
      std::vector<child_spec>{
        leased_child(*n->locks, "billing", [this, name, slow, restart](const lease_view& held) {
          child_spec c;
          c.id = "billing";
          c.start = start_actor<worker>(name, held, &what, slow);
          c.restart = restart;
          return c;
        })});
    all.push_back(std::move(n));
    rt.settle();
    return *all.back();
  }

  void end(node& n) {
    if (n.top)
      caf::anon_send_exit(n.top, caf::exit_reason::user_shutdown);
    n.top = nullptr;
    rt.settle(64);
  }
  void pass(duration d) {
    for (; d > 0s; d -= 50ms) {
      rt.advance(std::min<duration>(d, 50ms));
      rt.settle();
    }
  }
  /// Says something to whoever runs.
  template <class T>
  void tell(const T& message) {
    rt.in_turn([&] {
      rt.scheduler().loop(0).each_pinned([&](pinned_actor& a) {
        if (dynamic_cast<worker*>(&a) != nullptr)
          caf::anon_send(caf::actor_cast<caf::actor>(&a), message);
      });
    });
    rt.settle();
  }
  std::string where() const {
    std::string text;
    for (const auto& [name, n] : what.running)
      if (n > 0)
        text += name;
    return text;
  }

  journal what;
  lease_store_ref store = std::make_shared<memory_leases>();
  manual_runtime rt;
  std::vector<std::unique_ptr<node>> all;
};

} // namespace

TEST_CASE("a leased child runs on one node, and on the next at once when that is stopped") {
  nodes s;
  auto& a = s.add("a");
  s.add("b");
  s.add("c");
  s.pass(20s);
  CHECK(s.where() == "a");
  s.end(a);
  CHECK(s.where().size() == 1);
  CHECK(s.where() != "a");
  s.pass(20s);
  CHECK(s.what.most == 1);
  REQUIRE(s.what.starts.size() == 2);
  CHECK(s.what.starts[1].second > s.what.starts[0].second);
}

TEST_CASE("a node that loses its store ends the child before another starts it") {
  nodes s;
  auto& a = s.add("a");
  s.add("b");
  s.pass(3s);
  a.way->now = faulty_leases::fault::answers_nothing;
  s.pass(3s);
  CHECK(s.where() == "a");
  s.pass(900ms); // 4 s after the last renewal, in which another second may have passed
  s.pass(200ms);
  CHECK(s.where().empty());
  s.pass(1500ms);
  CHECK(s.where() == "b");
  a.way->now = faulty_leases::fault::none;
  s.pass(30s);
  CHECK(s.where() == "b"); // it does not come back
  CHECK(s.what.most == 1);
}

TEST_CASE("a child that does not go is killed within the margin") {
  nodes s;
  auto& a = s.add("a", true);
  s.add("b");
  s.pass(3s);
  a.way->now = faulty_leases::fault::fails;
  s.pass(10s);
  CHECK(s.where() == "b");
  CHECK(s.what.most == 1);
}

TEST_CASE("a child that crashes is started here again, with the same lease; too often, elsewhere") {
  nodes s;
  logged_errors errors{s.rt};
  s.add("a");
  s.add("b");
  s.tell(1);
  CHECK(s.where() == "a");
  REQUIRE(s.what.starts.size() == 2);
  CHECK(s.what.starts[1].second == s.what.starts[0].second);
  s.tell(1); // the intensity is 1
  s.pass(100ms);
  REQUIRE(s.what.starts.size() == 3);
  CHECK(s.what.starts[2].second > s.what.starts[1].second);
  CHECK(s.what.most == 1);
  errors.flush();
}

TEST_CASE("a child that ends and is not to be started again gives its lease back") {
  nodes s;
  s.add("a", false, restart_type::transient);
  s.add("b", false, restart_type::transient);
  s.tell(caf::ok_atom::value);
  s.pass(100ms);
  CHECK(s.where() == "b");
  s.tell(caf::ok_atom::value);
  s.pass(20s);
  CHECK(s.where().empty());
  CHECK(s.what.most == 1);
}

TEST_CASE("a child that cannot be made leaves the lease to others") {
  nodes s;
  leases locks{s.rt, std::make_shared<faulty_leases>(s.store), {.node = "x"}};
  int tried = 0;
  supervisor_options few;
  few.name = "few";
  few.intensity = 2;
  const caf::actor top = s.rt.spawn_on<supervisor>(
    0, few,
    std::vector<child_spec>{leased_child(locks, "billing", [&](const lease_view&) -> child_spec {
      ++tried;
      throw std::runtime_error("there is none");
    })});
  s.add("b");
  s.pass(20s);
  CHECK(tried >= 1);
  CHECK(s.where() == "b");
  caf::anon_send_exit(top, caf::exit_reason::kill);
  s.rt.settle();
  logged_errors{s.rt}.flush();
}

TEST_CASE("a node whose keeper is killed leaves the lease to its time") {
  nodes s;
  auto& a = s.add("a");
  s.add("b");
  s.pass(2s);
  caf::anon_send_exit(a.top, caf::exit_reason::kill);
  a.top = nullptr;
  s.rt.settle();
  s.pass(3s);
  CHECK(s.where().empty());
  s.pass(3s);
  CHECK(s.where() == "b");
  CHECK(s.what.most == 1);
}

TEST_CASE("leases that are asked back end their children first") {
  nodes s;
  auto& a = s.add("a");
  s.add("b");
  bool done = false;
  s.rt.in_turn([&] { a.locks->give_back().add_callback([&] { done = true; }); });
  s.rt.settle(64);
  CHECK(done);
  CHECK(s.where() == "b");
  CHECK(s.what.most == 1);
}
