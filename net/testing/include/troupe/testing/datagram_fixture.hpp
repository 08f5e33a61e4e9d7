#pragma once

#include <concepts>
#include <cstddef>
#include <string_view>
#include <utility>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>

#include <troupe/net/datagram_protocol.hpp>
#include <troupe/testing/fake_datagram_transport.hpp>
#include <troupe/testing/manual_runtime.hpp>

namespace troupe::testing {

/// Runs a protocol of datagrams on a `fake_datagram_transport`: no socket, no second thread, no
/// waiting, and time stands still but for `advance()`. What `protocol_fixture` is for connections.
///
/// An exception that leaves the protocol fails the test unless it takes it: `logged_errors{t.rt}`.
///
/// ```cpp
/// testing::datagram_fixture<echo> t;
/// t.deliver("hello", net_address::ip("10.0.0.2", 7));
/// CHECK(t.transport.written().at(0).data == "hello");
/// ```
///
/// Thread: one.
template <std::derived_from<datagram_protocol> P>
class datagram_fixture {
public:
  /// Builds `P(cfg, args...)`, and opens its port.
  template <class... Args>
  explicit datagram_fixture(Args&&... args)
    : handle_(rt.spawn_on<P>(0, std::forward<Args>(args)...)),
      protocol_(static_cast<P*>(caf::actor_cast<caf::abstract_actor*>(handle_))) {
    start();
  }

  datagram_fixture(const datagram_fixture&) = delete;
  datagram_fixture& operator=(const datagram_fixture&) = delete;

  ~datagram_fixture() { stop(); }

  /// Lets a datagram arrive, unless the port is closed or about to be.
  void deliver(bytes_view data, const net_address& from) {
    enter([&] {
      if (transport.listening())
        protocol_->deliver(data, from);
    });
  }
  void deliver(std::string_view text, const net_address& from) { deliver(as_bytes(text), from); }

  /// Lets what was sent be refused, as by a host where nobody listens.
  void refuse() {
    enter([&] {
      if (transport.listening())
        protocol_->deliver_refusal();
    });
  }

  /// Closes the port: the protocol is stopped. Without effect if it is closed.
  void stop() {
    in_turn([&] {
      transport.close();
      if (protocol_->listening())
        protocol_->end_connection();
    });
  }

  /// Opens the port again after `stop`.
  void start() {
    in_turn([&] {
      protocol_->enter([&] {
        transport.open(*protocol_);
        protocol_->make_connection(transport, transport.groups_of_port());
      });
    });
  }

  /// Runs `fn()` as the protocol; without effect once it has ended.
  template <class F>
  void enter(F&& fn) {
    in_turn([&] { protocol_->enter(fn); });
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
  fake_datagram_transport transport;

private:
  template <class F>
  void in_turn(F&& fn) {
    rt.in_turn(fn);
  }

  caf::actor handle_;
  P* protocol_;
};

} // namespace troupe::testing
