// Forwarding over real sockets: bulk, ends in each direction, resets, and a target that is not there.

#include <atomic>
#include <string>
#include <thread>

#include <troupe/basic/proxy_factory.hpp>
#include <troupe/basic/wire.hpp>
#include <troupe/net/tcp_endpoint.hpp>
#include <troupe/net/unix_endpoint.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/directory.hpp"
#include "support/on_loop.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

struct forwarded {
  explicit forwarded(factory_ref target, std::size_t loops = 2)
    : server(loops), back(listen_tcp(server.rt, 0, target)),
      front(listen_tcp(server.rt, 0,
                       factory::of<proxy_factory>(std::make_shared<tcp_client_endpoint>(
                                                    server.rt, "127.0.0.1", back.get_host().port()),
                                                  false))) {
    server.start();
  }
  [[nodiscard]] client connect() const { return client{front.get_host().port()}; }
  events log;
  running server;
  listening_port back;
  listening_port front;
};

class answering : public protocol, public half_closeable {
public:
  answering(caf::actor_config& cfg, events* log) : protocol(cfg), log_(log) {}
  void data_received(bytes_view data) override { got_ += as_text(data); }
  void read_connection_lost() override {
    transport().write("got " + std::to_string(got_.size()) + " bytes");
    transport().lose_connection();
  }
  void write_connection_lost() override {}
  void connection_lost(const failure& why) override { log_->add(why.message()); }

private:
  events* log_;
  std::string got_;
};

class resetting : public protocol {
public:
  using protocol::protocol;
  void data_received(bytes_view) override { transport().abort_connection(); }
};

} // namespace

TEST_CASE("megabytes go through both ways at once, on all loops, and come back whole") {
  forwarded f{factory::for_protocol<wire::echo>()};
  std::string sent;
  for (std::size_t i = 0; sent.size() < load_size(20'000'000); ++i)
    sent += std::to_string(i) + ' ';
  std::atomic<int> whole = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      auto c = f.connect();
      std::thread writer{[&] {
        c.send(sent);
        c.shut_write();
      }};
      if (c.rest() == sent)
        ++whole;
      writer.join();
    });
  for (auto& t : threads)
    t.join();
  CHECK(whole == 3);
}

TEST_CASE("the end of the input goes through, and the answer comes back behind it") {
  events log;
  forwarded f{factory::for_protocol<answering>(&log)};
  auto c = f.connect();
  c.send(std::string(1'000'000, 'x'));
  c.shut_write();
  CHECK(c.rest() == "got 1000000 bytes");
  CHECK_FALSE(c.was_reset());
  REQUIRE(log.wait(1));
}

TEST_CASE("a reset of either side reaches the other as one") {
  events log;
  {
    forwarded f{factory::for_protocol<answering>(&log)};
    auto c = f.connect();
    c.send("x");
    c.reset();
    REQUIRE(log.wait(1));
    CHECK_THAT(log.all().front(), Catch::Contains("reset"));
  }
  forwarded f{factory::for_protocol<resetting>()};
  auto c = f.connect();
  c.send("x");
  c.rest();
  CHECK(c.was_reset());
}

TEST_CASE("where nobody listens the peer is closed, and nothing is left") {
  const auto before = open_descriptors();
  {
    running server{1};
    auto gone = listen_tcp(server.rt, 0, factory::for_protocol<wire::discard>());
    const auto port = gone.get_host().port();
    gone.stop_listening();
    const auto front =
      listen_tcp(server.rt, 0,
                 factory::of<proxy_factory>(
                   std::make_shared<tcp_client_endpoint>(server.rt, "127.0.0.1", port), false));
    server.start();
    client c{front.get_host().port()};
    c.send("hello");
    CHECK(c.rest() == "");
  }
  CHECK(comes_down_to(before));
}

TEST_CASE("a UNIX socket is forwarded to a TCP port, and a stop ends what runs") {
  directory folder;
  running server{2};
  const auto back = listen_tcp(server.rt, 0, factory::for_protocol<wire::echo>());
  unix_server_endpoint from{server.rt, folder / "front"};
  from
    .listen(factory::of<proxy_factory>(
      std::make_shared<tcp_client_endpoint>(server.rt, "127.0.0.1", back.get_host().port())))
    .add_callback([](const listening_port&) {});
  const auto entrance =
    listen_tcp(server.rt, 0,
               factory::of<proxy_factory>(
                 std::make_shared<unix_client_endpoint>(server.rt, folder / "front")));
  server.start();
  client c{entrance.get_host().port()};
  c.send("through four connections");
  CHECK(c.receive(24) == "through four connections");
  server.stop();
  CHECK(c.rest() == "");
}
