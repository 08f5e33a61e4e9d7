#include <caf/send.hpp>

#include <troupe/net/line_receiver.hpp>
#include <troupe/testing/connected_pair.hpp>
#include <troupe/testing/memory_network.hpp>

#include "support/catch.hpp"
#include "support/memory_adaptor.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

class greeter : public line_receiver {
public:
  greeter(caf::actor_config& cfg, std::string name) : line_receiver(cfg), name_(std::move(name)) {}
  void connection_made() override { send_line("I am " + name_); }
  void line_received(std::string_view line) override { heard.emplace_back(line); }
  void connection_lost(const failure& why) override { reasons.push_back(why); }
  caf::behavior make_behavior() override {
    return {[this](const std::string& text) {
      send_line(text);
    }};
  }
  std::vector<std::string> heard;
  std::vector<failure> reasons;

private:
  std::string name_;
};

using pair = connected_pair<greeter, greeter>;

} // namespace

TEST_CASE("two protocols talk with each other, one step for each pump", "[F-T4]") {
  pair both{std::tuple{"ann"}, std::tuple{"bob"}};
  CHECK(both.client().heard.empty());
  CHECK(both.pump());
  CHECK(both.client().heard == std::vector<std::string>{"I am bob"});
  CHECK(both.server().heard == std::vector<std::string>{"I am ann"});
  CHECK_FALSE(both.pump());
  CHECK(both.client().transport().get_peer() == both.server().transport().get_host());
}

TEST_CASE("flushing a pair handles messages and what they write") {
  pair both{std::tuple{"ann"}, std::tuple{"bob"}};
  caf::anon_send(caf::actor_cast<caf::actor>(&both.client()), std::string{"by message"});
  both.flush();
  CHECK(both.server().heard.back() == "by message");
}

TEST_CASE("a pair ends as a connection does, and each side hears of it once") {
  const std::string how = GENERATE("lose", "abort", "quit", "nothing");
  std::vector<failure> client;
  std::vector<failure> server;
  {
    pair both{std::tuple{"ann"}, std::tuple{"bob"}};
    both.flush();
    both.enter(both.client(), [&] {
      if (how == "lose")
        both.client().transport().lose_connection();
      else if (how == "abort")
        both.client().transport().abort_connection();
      else if (how == "quit")
        both.client().quit();
    });
    both.flush();
    client = both.client().reasons;
    server = both.server().reasons;
    CHECK(both.server().connected() == (how == "nothing"));
  }
  REQUIRE(client.size() == (how == "nothing" ? 0 : 1));
  REQUIRE(server.size() == client.size());
  if (how == "nothing")
    return;
  CHECK(client[0].check(how == "abort" ? errc::connection_aborted : errc::connection_done));
  CHECK(server[0].check(how == "abort" ? errc::connection_lost : errc::connection_done));
}

TEST_CASE("a pair whose ends never come to rest is noticed") {
  struct restless : protocol {
    using protocol::protocol;
    void connection_made() override { transport().write("x"); }
    void data_received(bytes_view data) override { transport().write(data); }
  };
  connected_pair<restless, restless> both;
  CHECK_THROWS_AS(both.flush(), std::runtime_error);
}

TEST_CASE("a pair's buffer holds so many bytes, and what is more waits in the transport") {
  connected_pair<memory_peer, memory_peer> both{std::tuple{}, std::tuple{}, {.buffer = 1000}};
  both.enter(both.client(), [&] { both.client().transport().write(std::string(1500, 'x')); });
  CHECK(both.client().transport().unsent() == 500);
  both.flush(); // the server does not read
  CHECK(both.client().transport().unsent() == 500);
  both.enter(both.server(), [&] { both.server().transport().resume_producing(); });
  both.flush();
  CHECK(both.client().transport().unsent() == 0);
  CHECK(both.server().received.size() == 1500);
}

TEST_CASE("input that is unread at the close is a reset for the other end") {
  connected_pair<memory_peer, memory_peer> both;
  both.enter(both.client(), [&] {
    both.client().transport().resume_producing();
    both.client().transport().write("unread");
  });
  both.enter(both.server(), [&] { both.server().transport().lose_connection(); });
  both.flush();
  CHECK(both.client().ended);
  CHECK(both.client().broken);
}

TEST_CASE("ports in memory are named, taken and given back", "[F-T3]") {
  memory_network net;
  const auto f = factory::for_protocol<memory_peer>();
  CHECK(net.listen(7, f) == 7);
  CHECK_THROWS_AS(net.listen(7, f), cannot_listen_error);
  const auto any = net.listen(0, f);
  CHECK(net.listening() == std::vector<std::uint16_t>{7, any});
  auto& kept = net.connect<memory_peer>(7);
  net.stop_listening(7);
  CHECK_THROWS_AS(net.stop_listening(7), std::logic_error);
  try {
    net.connect<memory_peer>(7);
    FAIL("connected");
  } catch (const std::system_error& e) {
    CHECK(e.code() == make_error_code(errc::connection_refused));
  }
  CHECK(kept.connected());
  CHECK(net.listen(7, f) == 7);
}

TEST_CASE("connections that wait for room are closed with their port") {
  memory_network net;
  const auto f = factory::for_protocol<memory_peer>();
  net.listen(7, f);
  f.get()->set_max_connections(0);
  auto& c = net.connect<memory_peer>(7);
  net.enter(c, [&] { c.transport().resume_producing(); });
  net.flush();
  CHECK_FALSE(c.ended);
  net.stop_listening(7);
  net.flush();
  CHECK(c.ended);
}
