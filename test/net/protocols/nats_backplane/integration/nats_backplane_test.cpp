// Nodes of a cluster that meet at a real nats-server. Without that program the tests are skipped.

#include <troupe/nats_backplane/nats_backplane.hpp>

#include <csignal>
#include <optional>

#include <caf/send.hpp>

#include <troupe/actors/topics.hpp>
#include <troupe/cluster/cluster.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "../../nats/served_nats.hpp"
#include "support/log_watch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Tells what is published.
class reader final : public pinned_actor {
public:
  reader(caf::actor_config& cfg, events* into) : pinned_actor(cfg), into_(into) {}
  caf::behavior make_behavior() override {
    return {[this](const published& p) {
      into_->add(std::string{p.bytes.text()});
    }};
  }

private:
  events* const into_;
};

/// Tells what happens to nodes.
class observer final : public pinned_actor {
public:
  observer(caf::actor_config& cfg, troupe::cluster* of, events* into)
    : pinned_actor(cfg), of_(of), into_(into) {}
  caf::behavior make_behavior() override {
    of_->observe(*this, [this](const node_event& e) {
      into_->add(std::string{to_string(e.kind)} + ' ' + e.node);
    });
    return {[](int) {
    }};
  }

private:
  troupe::cluster* const of_;
  events* const into_;
};

struct node {
  node(const std::string& name, nats_options o) : run(2) {
    cluster.emplace(run.rt, cluster_options{.name = name,
                                            .via = std::make_shared<nats_backplane>(std::move(o)),
                                            .heartbeat = 100ms,
                                            .down_after = 10s});
    rooms.emplace(*cluster);
    rooms->get("room").subscribe(caf::actor_cast<caf::actor>(run.rt.spawn_on<reader>(1, &heard)));
    run.rt.spawn_on<observer>(0, &*cluster, &told);
    run.start();
  }
  ~node() {
    run.stop();
    rooms.reset();
    cluster.reset();
  }
  bool knows_topic() {
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (cluster->topics_elsewhere() == 0)
      if (std::chrono::steady_clock::now() > end)
        return false;
      else
        std::this_thread::sleep_for(1ms);
    return true;
  }

  events heard, told;
  running run;
  std::optional<troupe::cluster> cluster;
  std::optional<topics> rooms;
};

} // namespace

TEST_CASE("nodes find each other at a server, talk, and are seen to leave", "[cluster]") {
  if (!nats_server_installed())
    return;
  served_nats s;
  const auto there = s.address().url;
  node a{"a", {.servers = {there}}};
  {
    node b{"b", {.servers = {there}}};
    REQUIRE(a.told.wait_for("up b"));
    REQUIRE(b.told.wait_for("up a"));
    REQUIRE(a.knows_topic());
    REQUIRE(b.knows_topic());
    for (int i = 0; i < 1000; ++i)
      a.rooms->get("room").publish(std::to_string(i));
    b.rooms->get("room").publish("back");
    REQUIRE(b.heard.wait(1001));
    REQUIRE(a.heard.wait_for("back"));
    auto all = b.heard.all();
    std::erase(all, "back");
    for (int i = 0; i < 1000; ++i)
      if (all.at(static_cast<std::size_t>(i)) != std::to_string(i))
        FAIL("out of order: " << all[static_cast<std::size_t>(i)] << " at " << i);
    CHECK(a.cluster->counters().publications_missed == 0);
    CHECK(b.cluster->counters().publications_missed == 0);
  }
  CHECK(a.told.wait_for("left b"));
}

TEST_CASE("a server that is killed isolates the nodes for a moment, and then they go on",
          "[cluster]") {
  if (!nats_server_installed())
    return;
  served_nats s;
  const auto there = s.address().url;
  node a{"a", {.servers = {there}}};
  node b{"b", {.servers = {there}}};
  REQUIRE(a.told.wait_for("up b"));
  REQUIRE(b.told.wait_for("up a"));
  ::kill(s.address().pid, SIGKILL);
  REQUIRE(a.told.wait_for("isolated a"));
  REQUIRE(b.told.wait_for("isolated b"));
  REQUIRE(a.told.wait_for("rejoined a"));
  REQUIRE(b.told.wait_for("rejoined b"));
  REQUIRE(a.knows_topic());
  a.rooms->get("room").publish("again");
  CHECK(b.heard.wait_for("again"));
  CHECK(a.told.count("down b") == 0);
  CHECK(b.told.count("down a") == 0);
}

TEST_CASE("a node may speak under its own name only, where the server is told so", "[cluster]") {
  if (!nats_server_installed())
    return;
  served_nats s{
    {.users = {nats_backplane::user_of("troupe", "a", {.name = "a", .password = "pa"}),
               nats_backplane::user_of("troupe", "b", {.name = "b", .password = "pb"})}}};
  const auto there = s.address().url;
  node a{"a", {.servers = {there}, .credentials = nats_user{"a", "pa"}}};
  {
    node forger{"b",
                {.servers = {there}, .credentials = nats_user{"a", "pa"}}}; // says it is b, as a
    REQUIRE(forger.told.wait_for("up a")); // that may be heard by all
    CHECK(a.told.count("up b") == 0);
  }
  CHECK(a.told.count("up b") == 0);
  node b{"b", {.servers = {there}, .credentials = nats_user{"b", "pb"}}};
  REQUIRE(a.told.wait_for("up b"));
  REQUIRE(b.told.wait_for("up a"));
}

TEST_CASE("what the connection does not take is lost, and the log tells why", "[cluster]") {
  if (!nats_server_installed())
    return;
  struct : backplane_events {
    events told;
    void backplane_up() override { told.add("up"); }
    void backplane_down(const failure&) override { told.add("down"); }
    void backplane_received(std::string_view, bytes_view) override {}
  } hears;
  served_nats s;
  log_watch log{s.run};
  nats_backplane wire{{.servers = {s.address().url}, .max_unsent = 150'000}};
  std::unique_ptr<backplane_link> link;
  on_loop(s.run, [&] { link = wire.attach({s.run.rt, "troupe", "a"}, hears); });
  REQUIRE(hears.told.wait_for("up"));
  const std::string message(100'000, 'x');
  on_loop(s.run, [&] { link->send("b", as_bytes(message)); });
  CHECK(log.count("lost a message") == 0);
  on_loop(s.run, [&] {
    for (int i = 0; i < 10; ++i)
      link->send("b", as_bytes(message));
  });
  CHECK(log.count("node a lost a message of 100000 bytes") == 1);
  on_loop(s.run, [&] { link.reset(); });
}

TEST_CASE("a second process of a name is refused, and the first one goes on", "[cluster]") {
  if (!nats_server_installed())
    return;
  served_nats s;
  const auto there = s.address().url;
  node a{"a", {.servers = {there}}};
  node b{"b", {.servers = {there}}};
  REQUIRE(a.told.wait_for("up b")); // which may be while it still claims its name
  REQUIRE(b.told.wait_for("up a"));
  node second{"a", {.servers = {there}}};
  CHECK(second.told.wait_for("refused a"));
  CHECK(a.cluster->state() == own_state::up);
}
