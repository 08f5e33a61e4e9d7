// Which loop serves a connection.

#include <list>
#include <map>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Greets with the number of its loop, and of the loop of its factory.
class where_am_i : public protocol {
public:
  where_am_i(caf::actor_config& cfg, std::size_t factory_loop, events* ends)
    : protocol(cfg), factory_loop_(factory_loop), ends_(ends) {}

  void connection_made() override {
    transport().write(std::to_string(loop().index()) + std::to_string(factory_loop_) + "\r\n");
  }
  void data_received(bytes_view) override {}
  void connection_lost(const failure&) override { ends_->add("end"); }

private:
  const std::size_t factory_loop_;
  events* ends_;
};

factory_ref greeters(std::size_t factory_loop, events& ends) {
  return factory::for_protocol<where_am_i>(factory_loop, &ends);
}

/// A client, and what it was greeted with.
struct guest {
  explicit guest(const listening_port& port) : connection(port.get_host().port()) {
    const auto line = connection.line();
    loop = static_cast<std::size_t>(line.at(0) - '0');
    factory_loop = static_cast<std::size_t>(line.at(1) - '0');
  }
  client connection;
  std::size_t loop;
  std::size_t factory_loop;
};

} // namespace

TEST_CASE("connections go to the loops in turn", "[placement]") {
  events ends;
  running r{3};
  const auto port = listen_tcp(r.rt, 0, greeters(0, ends));
  r.start();
  std::map<std::size_t, int> served;
  for (int i = 0; i < 9; ++i)
    ++served[guest{port}.loop];
  CHECK(served == std::map<std::size_t, int>{{0, 3}, {1, 3}, {2, 3}});
  CHECK(ends.wait(9));
}

TEST_CASE("least_loaded places connections where the fewest actors are", "[placement]") {
  events ends;
  events over;
  running r{3};
  const auto port = listen_tcp(r.rt, 0, greeters(0, ends), {.placement = placement::least_loaded});
  r.start();
  std::list<guest> guests;
  std::map<std::size_t, int> served;
  while (served[0] == 0 || served[1] < 5)
    ++served[guests.emplace_back(port).loop];
  for (const std::size_t other : {1u, 2u}) // loop 0 has the port and the factory, too
    CHECK(r.rt.scheduler().loop(other).load() + 1 >= r.rt.scheduler().loop(0).load());

  const auto leave = std::erase_if(guests, [](const guest& g) { return g.loop == 1; });
  REQUIRE(ends.wait(leave));
  r.rt.scheduler().loop(1).post([&] { over.add("over"); });
  REQUIRE(over.wait(1)); // so they are gone
  for (std::size_t i = 0; i < leave; ++i)
    CHECK(guests.emplace_back(port).loop == 1);
}

TEST_CASE("a port on each loop accepts for its own", "[placement]") {
  events ends;
  events closed; // a port that stops leaves the address to the others
  running r{3};
  std::uint16_t number = 0;
  std::vector<listening_port> ports;
  for (std::size_t i = 0; i < r.rt.loops(); ++i) {
    ports.push_back(listen_tcp(r.rt, number, greeters(i, ends),
                               {.placement = placement::same_loop, .loop = i, .reuse_port = true}));
    number = ports.back().get_host().port();
  }
  r.start();
  std::map<std::size_t, int> served;
  for (int i = 0; i < 60; ++i) {
    const guest g{ports.front()};
    CHECK(g.loop == g.factory_loop);
    ++served[g.loop];
  }
  CHECK(served.size() == 3);
  REQUIRE(ends.wait(60));

  r.rt.scheduler().loop(1).post(
    [&] { ports[1].stop_listening().add_callback([&] { closed.add("closed"); }); });
  REQUIRE(closed.wait(1));
  for (int i = 0; i < 20; ++i)
    CHECK(guest{ports.front()}.loop != 1);
  CHECK(ends.wait(80));
}

TEST_CASE("a port on another loop is opened there, or before the runtime runs", "[placement]") {
  events ends;
  events told;
  running r{2};
  r.start();
  r.rt.scheduler().loop(0).post([&] {
    try {
      listen_tcp(r.rt, 0, greeters(1, ends), {.loop = 1});
    } catch (const std::logic_error& e) {
      told.add(e.what());
    }
  });
  REQUIRE(told.wait(1));
  CHECK(told.all().front()
        == "listen: this is loop 0; a port on loop 1 is opened there, or before run()");
}

TEST_CASE("a port on a loop that is not there, or not the factory's, is refused", "[placement]") {
  events ends;
  runtime rt{{.loops = 2, .install_signal_handlers = false}};
  const auto f = greeters(0, ends);
  CHECK_THROWS_WITH(listen_tcp(rt, 0, f, {.loop = 2}),
                    "listen: there is no loop 2; the runtime has 2");
  const auto port = listen_tcp(rt, 0, f);
  CHECK_THROWS_WITH(listen_tcp(rt, 0, f, {.loop = 1}),
                    "listen: the factory runs on loop 0, the port on loop 1; a port needs a "
                    "factory on its own loop");
  CHECK_THROWS_AS(
    listen_tcp(rt, port.get_host().port(), greeters(1, ends), {.loop = 1, .reuse_port = true}),
    cannot_listen_error); // the first one did not say that it shares
}
