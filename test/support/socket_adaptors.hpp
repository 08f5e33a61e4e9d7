#pragma once

#include <future>
#include <string>

#include <troupe/net/listen_tcp.hpp>

#include "support/client.hpp"
#include "support/running.hpp"

namespace troupe::testing {

/// What the adaptors of the system's sockets share: a runtime in a thread, and a client that blocks.
struct over_sockets {
  static constexpr bool tells_reset = true;
  static constexpr bool half_closes = true;

  over_sockets() : server(1) {}

  void run(const std::function<void()>& fn) {
    std::promise<void> ran;
    server.rt.reactor().call_from_thread([&] {
      fn();
      ran.set_value();
    });
    if (ran.get_future().wait_for(std::chrono::seconds(10)) != std::future_status::ready)
      std::terminate(); // `fn` is gone when this returns
  }
  bool wait(events& log, std::size_t count) { return log.wait(count); }
  void send(std::string_view data) { peer->send(data); }
  std::string receive(std::size_t size) { return peer->receive(size); }
  std::string rest() { return peer->rest(); }
  [[nodiscard]] bool was_reset() const { return peer->was_reset(); }
  void shut_write() { peer->shut_write(); }
  void reset() { peer->reset(); }
  void close() { peer->close(); }

  running server;
  std::optional<client> peer;
};

struct over_tcp : over_sockets {
  explicit over_tcp(const factory_ref& f) {
    const auto port = listen_tcp(server.rt, 0, f);
    server.start();
    peer.emplace(port.get_host().port());
  }
};

} // namespace troupe::testing
