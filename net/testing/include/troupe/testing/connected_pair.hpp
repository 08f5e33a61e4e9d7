#pragma once

#include <concepts>
#include <tuple>
#include <type_traits>
#include <utility>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>

#include <troupe/net/protocol.hpp>
#include <troupe/testing/manual_runtime.hpp>
#include <troupe/testing/memory_connection.hpp>

namespace troupe::testing {

/// Two protocols that are connected with each other in memory.
///
/// The client is connected first, then the server; what they write then moves when the test pumps.
/// Time stands still but for `advance()`. For several connections, or for a factory, there is
/// `memory_network`.
/// An exception that leaves one of them fails the test unless it takes it: `logged_errors{both.rt}`.
///
/// ```cpp
/// testing::connected_pair<question, echo> both;
/// both.flush();
/// CHECK(both.client().answer == "hello");
/// ```
///
/// Thread: one. Source: twisted.test.iosim.connectedServerAndClient, IOPump
template <std::derived_from<protocol> Client, std::derived_from<protocol> Server>
class connected_pair {
public:
  /// Builds `Client(cfg, client_args...)` and `Server(cfg, server_args...)`, and connects them.
  template <class... C, class... S>
  explicit connected_pair(const std::tuple<C...>& client_args = {},
                          const std::tuple<S...>& server_args = {},
                          const memory_options& options = {})
    : client_(spawn<Client>(client_args)), server_(spawn<Server>(server_args)),
      connection_(rt.scheduler().loop(0), options) {
    rt.in_turn([this] {
      connection_.open_client(client());
      connection_.open_server(server());
    });
  }

  connected_pair(const connected_pair&) = delete;
  connected_pair& operator=(const connected_pair&) = delete;

  ~connected_pair() { // ends both, for errc::runtime_stopped
    rt.in_turn([this] {
      for (protocol* const p :
           {static_cast<protocol*>(&client()), static_cast<protocol*>(&server())})
        if (p->connected())
          p->end_connection(errc::runtime_stopped);
    });
  }

  /// Moves what was sent, once each way, and turns the loop; returns whether anything moved.
  bool pump() {
    bool moved = false;
    rt.in_turn([&] { moved = connection_.pump(); });
    return moved;
  }

  /// Pumps until nothing moves any more, and messages that were sent are handled.
  ///
  /// \throws std::runtime_error if that does not come to an end
  void flush() {
    std::size_t steps = 0;
    for (int quiet = 0; quiet < 8; ++quiet) { // messages take turns to be handled, and may write
      if (pump())
        quiet = -1;
      if (++steps > 1'000'000)
        throw std::runtime_error("connected_pair: the two ends never come to rest");
    }
  }

  /// Moves the time by `by`, makes the calls that are due then, and flushes.
  void advance(duration by) {
    rt.advance(by);
    flush();
  }

  /// Runs `fn()` as `p`, one of both; without effect once it has ended. Nothing is pumped.
  template <class F>
  void enter(protocol& p, F&& fn) {
    rt.in_turn([&] { p.enter(fn); });
  }

  /// Return the protocols; good after they have ended too.
  [[nodiscard]] Client& client() const noexcept { return get<Client>(client_); }
  [[nodiscard]] Server& server() const noexcept { return get<Server>(server_); }

  manual_runtime rt;

private:
  template <class P>
  [[nodiscard]] static P& get(const caf::actor& handle) noexcept {
    return *static_cast<P*>(caf::actor_cast<caf::abstract_actor*>(handle));
  }

  template <class P, class Args>
  caf::actor spawn(const Args& args) {
    return std::apply([this](const auto&... a) { return rt.template spawn_on<P>(0, a...); }, args);
  }

  caf::actor client_;
  caf::actor server_;
  memory_connection connection_;
};

} // namespace troupe::testing
