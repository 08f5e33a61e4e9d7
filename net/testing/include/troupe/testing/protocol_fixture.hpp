#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <utility>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>

#include <troupe/net/protocol.hpp>
#include <troupe/testing/manual_runtime.hpp>
#include <troupe/testing/string_transport.hpp>

namespace troupe::testing {

/// Runs a protocol on a `string_transport`: no socket, no second thread, no waiting.
///
/// It owns a runtime of one loop that is never run: each of its functions does its work inside a
/// turn of that loop, in which `event_loop::current()` is set. Actors that the test spawns in
/// `rt` get their messages in `settle()`; time stands still but for `advance()`. An exception that
/// leaves the protocol fails the test unless it takes it: `logged_errors{t.rt}`.
///
/// ```cpp
/// testing::protocol_fixture<echo> t;
/// t.deliver("hello");
/// CHECK(t.transport.value() == "hello");
/// ```
///
/// Thread: one.
template <std::derived_from<protocol> P>
class protocol_fixture {
public:
  /// Builds `P(cfg, args...)` and connects it.
  template <class... Args>
  explicit protocol_fixture(Args&&... args)
    : handle_(rt.spawn_on<P>(0, std::forward<Args>(args)...)),
      protocol_(static_cast<P*>(caf::actor_cast<caf::abstract_actor*>(handle_))) {
    in_turn([this] { protocol_->enter([this] { protocol_->make_connection(transport); }); });
  }

  protocol_fixture(const protocol_fixture&) = delete;
  protocol_fixture& operator=(const protocol_fixture&) = delete;

  ~protocol_fixture() { lose(errc::runtime_stopped); }

  /// Lets `bytes` arrive in one piece, unless the connection has ended or was told to.
  void deliver(bytes_view bytes) {
    in_turn([&] {
      protocol_->enter([&] {
        if (protocol_->connected() && !transport.disconnecting())
          protocol_->receive(bytes);
      });
    });
  }
  void deliver(std::string_view text) { deliver(as_bytes(text)); }

  /// Lets `text` arrive in pieces of `size` bytes.
  void deliver_in_pieces(std::string_view text, std::size_t size) {
    for (; !text.empty(); text.remove_prefix(std::min(size, text.size())))
      deliver(text.substr(0, size));
  }

  /// Runs `fn()` as the protocol; without effect once it has ended.
  template <class F>
  void enter(F&& fn) {
    in_turn([&] { protocol_->enter(fn); });
  }

  /// Ends the connection with `reason`. Without effect if it has ended.
  void lose(const failure& reason = errc::connection_done) {
    in_turn([&] {
      if (!protocol_->connected())
        return;
      transport.close();
      protocol_->end_connection(reason);
    });
  }

  /// Turns the loop until the messages that were sent are handled, at most `turns` times.
  void settle(std::size_t turns = 16) { rt.settle(turns); }

  /// Moves the time by `by`, and makes the calls that are due then.
  void advance(duration by) { rt.advance(by); }

  /// Returns the protocol; good after it has ended too.
  P& operator*() const noexcept { return *protocol_; }
  P* operator->() const noexcept { return protocol_; }

  /// Returns a handle to send messages to.
  [[nodiscard]] const caf::actor& actor() const noexcept { return handle_; }

  manual_runtime rt;
  string_transport transport;

private:
  template <class F>
  void in_turn(F&& fn) {
    rt.in_turn(fn);
  }

  caf::actor handle_;
  P* protocol_;
};

} // namespace troupe::testing
