#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>

#include <troupe/net/datagram_transport.hpp>
#include <troupe/net/net_address.hpp>
#include <troupe/net/transport_actor.hpp>
#include <troupe/runtime/bytes.hpp>
#include <troupe/runtime/detail/buildable.hpp>
#include <troupe/runtime/promise.hpp>

namespace troupe {

class datagram_protocol_ref;
class multicast_transport;

namespace detail {
struct datagram_binding;
}

/// What a port of datagrams speaks: an actor that is pinned to the port's loop.
///
/// One protocol serves all who send to the port. As an actor it may also receive messages
/// (`make_behavior`), send, request, monitor and link. All of it happens one after the other in the
/// loop's thread, so a protocol needs no lock.
///
/// States: idle -> (`start_protocol`) listening -> (`stop_protocol`) idle -> ... -> ended. The end of
/// the actor, by `quit`, by an exit message or by an exception, closes the port. It ends by itself
/// when it does not listen and no `datagram_port` or `datagram_protocol_ref` names it any more.
///
/// An exception that leaves `datagram_received` or `connection_refused` is logged with its owner,
/// and does not end the actor: a datagram comes from anybody, and must not end the service of all
/// others. One that leaves anything else does, as in every actor.
///
/// ```cpp
/// class echo : public troupe::datagram_protocol {
/// public:
///   using datagram_protocol::datagram_protocol;
///   void datagram_received(troupe::bytes_view data, const troupe::net_address& from) override {
///     transport().write(data, from);
///   }
/// };
/// ```
///
/// Thread: its loop's. Source: twisted.internet.protocol.DatagramProtocol
class datagram_protocol : public transport_actor {
public:
  using super = transport_actor;

  explicit datagram_protocol(caf::actor_config& cfg);
  ~datagram_protocol() override;

  /// Names a protocol of class `P`, built as `P(cfg, args...)` by the first port that uses it.
  template <class P, class... Args>
  [[nodiscard]] static datagram_protocol_ref of(Args&&... args);

  // -- what to override -------------------------------------------------------------------------

  /// The port is bound: `transport()` sends from now on. Called again each time it is.
  virtual void start_protocol() {}

  /// The port is closed. Called once for each `start_protocol` that was called (or began, and
  /// threw), never inside `stop_listening`; `transport()` refuses everything by now.
  virtual void stop_protocol() {}

  /// A datagram came; it may be empty, and so may be the path of who sent it to a UNIX port. Both
  /// arguments are good for this call only.
  ///
  /// The sender is what the datagram says, and anybody can write that: it may be this very port, or
  /// another that answers everything. So a protocol that answers whatever comes can be made to answer
  /// itself, or the two each other, for ever: answer what is a question, and never an answer.
  virtual void datagram_received(bytes_view data, const net_address& from);

  /// Nobody listens where this connected port sent to. Called once for all refusals that came
  /// since the last call; the port stays open. A port that is not connected never hears of them.
  virtual void connection_refused() {}

  // -- what it has ------------------------------------------------------------------------------

  /// Returns what sends. Unless the port is open, it refuses everything with `errc::not_listening`.
  [[nodiscard]] datagram_transport& transport() const noexcept { return *transport_; }

  /// Returns what joins groups. \throws std::logic_error if this is no port of `listen_multicast`
  [[nodiscard]] multicast_transport& multicast() const;

  /// Tells whether the port is open: from `start_protocol` until before `stop_protocol`.
  [[nodiscard]] bool listening() const noexcept { return open_; }

  // -- for transports ---------------------------------------------------------------------------

  /// Gets the transport, and calls `start_protocol`. Called by whoever opened the port.
  void make_connection(datagram_transport& t, multicast_transport* m = nullptr);

  /// Calls `datagram_received` or `connection_refused`, and logs what is thrown. Only within
  /// `enter`. Returns false once the actor has quit: then nothing more may be delivered.
  bool deliver(bytes_view data, const net_address& from) noexcept;
  bool deliver_refusal() noexcept;

  /// Calls `stop_protocol`, because the transport has closed the port.
  void end_connection();

  /// Returns a deferred that fires when `stop_protocol` has returned.
  chained<void> when_stopped();

  // -- CAF's side -------------------------------------------------------------------------------

  const char* name() const override;
  void on_exit() final;

private:
  friend struct detail::datagram_binding;

  void stopped();

  datagram_transport* transport_;
  multicast_transport* multicast_ = nullptr;
  std::shared_ptr<detail::datagram_binding> binding_; // while the port is open
  std::vector<promise<void>> stopping_;
  bool open_ = false;
};

/// Names a protocol before it is started and after; copies name the same one. One protocol listens
/// at one port at a time.
///
/// Thread: any, but not two at once until the first port is opened with it.
class datagram_protocol_ref {
public:
  using start_function = std::function<caf::strong_actor_ptr(caf::actor_system&, event_loop&)>;

  explicit datagram_protocol_ref(start_function start);

  /// Returns a handle to send messages to; empty before the first port was opened with it.
  [[nodiscard]] caf::actor actor() const;

  /// For ports.
  [[nodiscard]] const std::shared_ptr<detail::datagram_binding>& binding() const noexcept {
    return binding_;
  }

private:
  std::shared_ptr<detail::datagram_binding> binding_;
};

template <class P, class... Args>
datagram_protocol_ref datagram_protocol::of(Args&&... args) {
  using arguments = decltype(std::make_tuple(std::forward<Args>(args)...));
  static_assert(std::derived_from<P, datagram_protocol>,
                "what a port of datagrams speaks must be a class derived from "
                "troupe::datagram_protocol");
  if constexpr (std::derived_from<P, datagram_protocol>) {
    detail::check_buildable<P, const std::unwrap_ref_decay_t<Args>&...>();
    if constexpr (detail::buildable<P, const std::unwrap_ref_decay_t<Args>&...>)
      return datagram_protocol_ref{
        [args = arguments(std::forward<Args>(args)...)](caf::actor_system& sys, event_loop& loop) {
          caf::actor_config cfg{&loop};
          return std::apply(
            [&](const auto&... a) {
              return caf::actor_cast<caf::strong_actor_ptr>(
                sys.spawn_impl<P, caf::hidden>(cfg, a...));
            },
            args);
        }};
    else
      return datagram_protocol_ref{nullptr};
  } else {
    return datagram_protocol_ref{nullptr};
  }
}

} // namespace troupe
