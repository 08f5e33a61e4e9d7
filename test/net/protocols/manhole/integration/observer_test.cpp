// What an observer sees of a process with several loops, one of which may be blocked.

#include <algorithm>
#include <array>
#include <future>
#include <string>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/topics.hpp>
#include <troupe/net/connect_tcp.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/observer.hpp>

#include "support/catch.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

struct served : protocol {
  using protocol::protocol;
  void connection_made() override {
    call_later(1h, [] {});
    transport().write("hello");
  }
};

struct client : protocol {
  client(caf::actor_config& cfg, testing::events& told) : protocol(cfg), told_(told) {}
  void data_received(bytes_view) override { told_.add("data"); }
  void connection_lost(const failure&) override { told_.add("lost"); }
  testing::events& told_;
};

/// Asks on loop 0, and waits for the answer.
template <class Ask>
auto answer(runtime& rt, Ask ask) {
  using result = typename std::invoke_result_t<Ask&>::value_type;
  std::promise<result> got;
  rt.reactor().call_from_thread(
    [&] { ask().add_callback([&got](result r) { got.set_value(std::move(r)); }); });
  return got.get_future().get();
}

} // namespace

TEST_CASE("observer: connections, factories and timers of all loops, and their ends") {
  testing::events told;
  testing::running r{3};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<served>());
  for (int i = 0; i < 6; ++i)
    connect_tcp(r.rt, "127.0.0.1", port.get_host().port(),
                client_factory::for_protocol<client>(std::ref(told)));
  r.start();
  REQUIRE(told.wait(6));
  const observer seen{r.rt};
  const auto connections = answer(r.rt, [&] { return seen.connections(); });
  CHECK(connections.silent.empty());
  std::vector<observed_connection> servers;
  for (const auto& c : connections.all)
    if (c.protocol.ends_with("served"))
      servers.push_back(c);
  REQUIRE(servers.size() == 6);
  std::array<int, 3> by_loop{};
  for (const auto& c : servers) {
    ++by_loop[c.loop];
    CHECK(c.host == port.get_host());
    CHECK(c.bytes_written == 5);
    CHECK_FALSE(c.tls);
  }
  CHECK(by_loop == std::array{2, 2, 2});

  const auto factories = answer(r.rt, [&] { return seen.factories(); });
  const auto f = std::find_if(factories.all.begin(), factories.all.end(),
                              [&](const auto& one) { return one.id == servers.front().factory; });
  REQUIRE(f != factories.all.end());
  CHECK(f->connections == 6);
  CHECK(answer(r.rt, [&] { return seen.set_max_connections(f->id, 9); }));
  const auto limited = answer(r.rt, [&] { return seen.factories(); });
  CHECK(limited.all.size() == factories.all.size());
  CHECK(std::any_of(limited.all.begin(), limited.all.end(), [&](const observed_factory& one) {
    return one.id == f->id && one.max_connections == 9;
  }));

  const auto timers = answer(r.rt, [&] { return seen.timers(); });
  CHECK(std::count_if(timers.all.begin(), timers.all.end(),
                      [&](const observed_timer& t) { return t.due_in > 50min && t.actor != 0; })
        == 6);
  const auto actors = answer(r.rt, [&] { return seen.actors(); });
  CHECK(std::count_if(actors.all.begin(), actors.all.end(),
                      [&](const observed_actor& a) {
                        return a.id == servers.front().id && a.kind == "connection"
                               && a.timers == 1;
                      })
        == 1);
  const auto loops = answer(r.rt, [&] { return seen.loops(); });
  REQUIRE(loops.all.size() == 3);
  CHECK(loops.all[2].number == 2);
  CHECK(loops.all[1].timers >= 2);

  CHECK(answer(r.rt, [&] { return seen.close_connection(servers[0].id); }));
  CHECK(answer(r.rt, [&] { return seen.close_connection(servers[1].id, true); }));
  REQUIRE(told.wait(8)); // two were lost
  CHECK_FALSE(answer(r.rt, [&] { return seen.close_connection(4'000'000'000); }));
  CHECK_FALSE(
    answer(r.rt, [&] { return seen.set_max_connections(servers[2].id, 1); })); // no factory
}

TEST_CASE("observer: a loop that is blocked is told of, and holds nobody up") {
  testing::running r{2};
  r.start();
  std::promise<void> blocked, go_on;
  r.rt.scheduler().loop(1).post([&, free = go_on.get_future().share()] {
    blocked.set_value();
    free.wait();
  });
  blocked.get_future().wait();
  const observer seen{r.rt, 1s};
  const auto got = answer(r.rt, [&] { return seen.loops(); });
  CHECK(got.all.size() == 1);
  CHECK(got.silent == std::vector<std::size_t>{1});
  go_on.set_value();
  const observer patient{r.rt, 20s};
  CHECK(answer(r.rt, [&] { return patient.loops(); }).all.size() == 2);
}

TEST_CASE("observer: what is too much is counted") {
  testing::events told;
  testing::running r{1};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<served>());
  for (int i = 0; i < 4; ++i)
    connect_tcp(r.rt, "127.0.0.1", port.get_host().port(),
                client_factory::for_protocol<client>(std::ref(told)));
  r.start();
  REQUIRE(told.wait(4));
  const observer seen{r.rt, 20s, 3};
  const auto got = answer(r.rt, [&] { return seen.connections(); });
  CHECK(got.all.size() == 3);
  CHECK(got.omitted == 5);
}

TEST_CASE("observer: children that are too many are counted, and are nobody's roots") {
  testing::running r{1};
  std::vector<child_spec> children;
  for (const auto* id : {"a", "b", "c", "d"}) {
    children.push_back(supervisor::as_child({.name = id}, {}));
    children.back().id = id;
  }
  const auto top = r.rt.spawn_on<supervisor>(0, supervisor_options{.name = "top"}, children);
  r.start();
  answer(r.rt, [&] { return ask<child_counts>(r.rt, top, 20s, count_children_atom::value); });
  const auto whole = answer(r.rt, [&] { return observer{r.rt, 20s}.supervisors(); });
  REQUIRE(whole.all.size() == 1);
  CHECK(whole.all[0].children.size() == 4);
  CHECK(whole.omitted == 0);
  // Of five supervisors three are listed, and three of four children.
  const auto part = answer(r.rt, [&] { return observer{r.rt, duration::max(), 3}.supervisors(); });
  CHECK(part.omitted == 3);
  REQUIRE(part.all.size() == 1);
  CHECK(part.all[0].id == "top");
  CHECK(part.all[0].children.size() == 3);
}

TEST_CASE("observer: topics that were added, and the level of the log") {
  testing::running r{1};
  const observer seen{r.rt};
  CHECK(seen.topics().empty());
  const topics rooms{r.rt};
  const auto lobby = rooms.get("lobby"), attic = rooms.get("attic");
  seen.add_topics("rooms", rooms);
  const auto got = seen.topics();
  REQUIRE(got.size() == 2);
  CHECK(got[0].name == "attic");
  CHECK(got[1].directory == "rooms");
  CHECK(got[1].subscribers == 0);
  CHECK(seen.set_log_level("error"));
  CHECK(seen.log_level() == "error");
  CHECK_FALSE(seen.set_log_level("loud"));
  CHECK(seen.set_log_level("off"));
  CHECK(seen.log_level() == "off");
}
