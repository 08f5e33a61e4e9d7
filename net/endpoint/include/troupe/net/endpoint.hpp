#pragma once

#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>

#include <troupe/net/factory.hpp>
#include <troupe/net/listening_port.hpp>
#include <troupe/runtime/deferred.hpp>

namespace troupe {

/// Refers to the protocol of a connection, which lives on its own loop: that of whoever connected,
/// unless `connect_options::loop` says otherwise.
///
/// Copies refer to the same one; dropping one changes nothing. Once the connection has ended,
/// everything here has no effect.
///
/// Thread: any, unless a member says otherwise.
class connected_protocol {
public:
  explicit connected_protocol(caf::strong_actor_ptr of) noexcept : actor_(std::move(of)) {}

  /// Returns the protocol's actor, to send messages to, to monitor or link.
  [[nodiscard]] caf::actor actor() const { return caf::actor_cast<caf::actor>(actor_); }

  /// Ends the connection as `transport::lose_connection` does, soon.
  void lose_connection() const;

  /// Returns the protocol itself, to whoever is on its loop; null if it has ended, or is no `P`. It is
  /// good for as long as this handle, and works until `connection_lost`.
  ///
  /// ```cpp
  /// void connection_made() override { // of a proxy's one side, which connects the other
  ///   troupe::connect_protocol<upstream>(*to_, this).add_callback(
  ///     [this](const troupe::connected_protocol& p) { other_ = p.local<upstream>(); });
  /// }
  /// ```
  ///
  /// \throws std::logic_error in any other thread: there is `enter`
  template <class P = protocol>
  [[nodiscard]] P* local() const {
    return dynamic_cast<P*>(local_protocol());
  }

  /// Runs `fn(P&)` as the protocol, in its loop's thread, soon; never if it has ended. Nothing
  /// happens if it is no `P`.
  template <class P = protocol, class F>
  void enter(F fn) const {
    target().loop().post([actor = actor_, fn = std::move(fn)]() mutable {
      auto& p = *static_cast<protocol*>(caf::actor_cast<caf::abstract_actor*>(actor));
      if (auto* as = dynamic_cast<P*>(&p))
        p.enter([&] { fn(*as); });
    });
  }

  /// Runs `fn(reason)` in the thread of `where` once the actor has ended, or soon if it has.
  template <class F>
  void when_ended(event_loop& where, F fn) const {
    target().attach_functor(
      [&where, fn = std::move(fn)](const caf::error& why) { where.post([fn, why] { fn(why); }); });
  }

  friend bool operator==(const connected_protocol&, const connected_protocol&) noexcept = default;

private:
  protocol* local_protocol() const;
  protocol& target() const {
    if (!actor_)
      throw std::logic_error("this connected_protocol refers to no connection");
    return *static_cast<protocol*>(caf::actor_cast<caf::abstract_actor*>(actor_));
  }

  caf::strong_actor_ptr actor_;
};

/// A way to listen, that is known before it is used: `tcp_server_endpoint` and its kin, or
/// `server_from_string`.
///
/// Thread: loop 0, or before `run()`. Source: IStreamServerEndpoint
class server_endpoint {
public:
  virtual ~server_endpoint() = default;

  /// Listens, and lets `f` build a protocol for every connection. It may be called again.
  ///
  /// \returns a deferred of the port. It fails with a `cannot_listen_error`, and with what the
  ///          factory throws when it is started; nothing is thrown
  [[nodiscard]] virtual deferred<listening_port> listen(const factory_ref& f) = 0;
};

/// A way to connect, that is known before it is used: `tcp_client_endpoint` and its kin, or
/// `client_from_string`.
///
/// Thread: any loop's, or before `run()`. Source: IStreamClientEndpoint
class client_endpoint {
public:
  virtual ~client_endpoint() = default;

  /// Connects, and lets `f` build the protocol. It may be called again, also at once, and from other
  /// loops: each call is about the loop of its caller (`connect_options::loop`), where its deferred
  /// fires.
  ///
  /// The factory may be of any class. A `client_factory` is not told how its connectors fare: the
  /// deferred tells. It is started before the attempt, and stopped when the connection has ended.
  ///
  /// \returns a deferred of the protocol, which is connected then. It fails as
  ///          `client_factory::client_connection_failed` says: with `errc::no_protocol` if the
  ///          factory builds none, and so on. Cancelling it stops the attempt, and it fails with
  ///          `errc::cancelled`; a connection that was made in that moment is closed. A factory that
  ///          runs on another loop is refused with std::invalid_argument, as a failure.
  [[nodiscard]] virtual deferred<connected_protocol> connect(const factory_ref& f) = 0;
};

/// Connects, and uses one `P(cfg, args...)` as the protocol. Called on a loop, the protocol is on that
/// loop too, so that the two may hold pointers to each other (`connected_protocol::local`).
///
/// ```cpp
/// auto greeting = troupe::connect_protocol<greeter>(*endpoint).add_callback(
///   [](const troupe::connected_protocol& p) {
///     p.enter<greeter>([](greeter& g) { g.send_line("hello"); });
///   });
/// ```
///
/// Source: twisted.internet.endpoints.connectProtocol
template <class P, class... Args>
[[nodiscard]] deferred<connected_protocol> connect_protocol(client_endpoint& to, Args&&... args) {
  detail::check_protocol<P, std::decay_t<Args>&...>();
  if constexpr (detail::protocol_class<P, std::decay_t<Args>&...>) {
    class quiet final : public detail::simple_factory<P, std::decay_t<Args>...> {
    public:
      quiet(caf::actor_config& cfg, std::tuple<std::decay_t<Args>...> args)
        : detail::simple_factory<P, std::decay_t<Args>...>(cfg, std::move(args)) {
        this->noisy = false;
      }
      // Nobody else has it, so it ends with its last connection.
      void stop_factory() override { this->quit(); }
    };
    return to.connect(
      factory::of<quiet>(std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)));
  } else {
    return to.connect(factory_ref{nullptr});
  }
}

} // namespace troupe
