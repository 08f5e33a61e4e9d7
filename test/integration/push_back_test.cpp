// Connections that feed an actor without room are not read, over real sockets.

#include <array>
#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <caf/send.hpp>

#include <troupe/net/line_receiver.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/runtime/mailbox_bound.hpp>
#include <troupe/runtime/metrics.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Takes numbered lines of several connections; each must come once, and in order.
class taker : public pinned_actor {
public:
  taker(caf::actor_config& cfg, std::size_t wanted, std::promise<bool>& all)
    : pinned_actor(cfg), left_(wanted), all_(all) {
    bound_mailbox(*this, 10, full_mailbox::push_back);
  }
  caf::behavior make_behavior() override {
    return {[this](int connection, const std::string& line) {
      auto& next = next_.at(static_cast<std::size_t>(connection));
      ordered_ = ordered_ && line == std::to_string(next);
      ++next;
      if (--left_ == 0)
        all_.set_value(ordered_);
    }};
  }

private:
  std::array<int, 3> next_{};
  std::size_t left_;
  bool ordered_ = true;
  std::promise<bool>& all_;
};

class feeds : public line_receiver {
public:
  feeds(caf::actor_config& cfg, caf::actor to, std::atomic<int>* made)
    : line_receiver(cfg), to_(std::move(to)), number_(made->fetch_add(1)) {
    set_delimiter("\n");
  }
  void line_received(std::string_view line) override { send(to_, number_, std::string{line}); }

private:
  const caf::actor to_;
  const int number_;
};

} // namespace

TEST_CASE(
  "lines of connections on two loops all come, and in order, to an actor with a small mailbox") {
  const auto lines = load_size(20'000);
  std::promise<bool> all;
  std::atomic<int> made{0};
  running server{2};
  const auto to = caf::actor_cast<caf::actor>(server.rt.spawn_on<taker>(1, 3 * lines, all));
  auto port = listen_tcp(server.rt, 0, factory::for_protocol<feeds>(to, &made));
  server.start();
  std::string text;
  for (std::size_t i = 0; i < lines; ++i)
    text += std::to_string(i) + '\n';
  std::vector<std::thread> clients;
  for (int c = 0; c < 3; ++c)
    clients.emplace_back([&] {
      client peer{port.get_host().port()};
      peer.send(text);
      peer.shut_write();
      peer.rest();
    });
  auto came = all.get_future();
  REQUIRE(came.wait_for(60s) == std::future_status::ready);
  CHECK(came.get());
  for (auto& c : clients)
    c.join();
  server.stop();
  CHECK(server.rt.metrics()
          .add_counter("troupe_dead_letters_total", "", {{"reason", "mailbox_full"}})
          .value()
        == 0);
}
