#include <troupe/testing/accumulating_protocol.hpp>

#include <troupe/testing/deferred.hpp>
#include <troupe/testing/memory_network.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

TEST_CASE(
  "an accumulating protocol counts its start and end, and keeps what came and why it ended") {
  memory_network net;
  const auto made = factory::of<accumulating_factory<>>();
  const auto port = net.listen(0, made);
  auto& client = net.connect<accumulating_protocol>(port);
  auto& f = *static_cast<accumulating_factory<>*>(made.get());
  REQUIRE(f.protocols.size() == 1);
  auto& server = *f.protocols.front();
  CHECK(f.started == 1);
  CHECK(f.peers.front() == client.transport().get_host());
  CHECK(client.made == 1);
  CHECK(server.made == 1);

  const auto closed = server.when_closed();
  net.enter(client, [&] { client.transport().write("hel"); });
  net.flush();
  net.enter(client, [&] { client.transport().write("lo"); });
  net.flush();
  CHECK(server.data == "hello");
  assert_no_result(closed);
  CHECK(server.closed == 0);

  net.enter(client, [&] { client.transport().lose_connection(); });
  net.flush();
  CHECK(closed.ready());
  CHECK(success_result_of(server.when_closed()) == "hello");
  CHECK(server.closed == 1);
  CHECK(server.closed_reason->check(errc::connection_done));
  CHECK(client.closed == 1);
  net.stop_listening(port);
  CHECK(f.stopped == 1);
}

TEST_CASE("a half-closing protocol is told of each direction, and writes on") {
  memory_network net;
  const auto made = factory::of<accumulating_factory<half_closing_protocol>>();
  const auto port = net.listen(0, made);
  auto& client = net.connect<half_closing_protocol>(port);
  auto& server =
    *static_cast<accumulating_factory<half_closing_protocol>*>(made.get())->protocols[0];
  net.enter(client, [&] { client.transport().lose_write_connection(); });
  net.flush();
  CHECK(client.write_closed == 1);
  CHECK(server.read_closed == 1);
  CHECK(server.closed == 0);
  net.enter(server, [&] { server.transport().write("still"); });
  net.flush();
  CHECK(client.data == "still");
}
