#pragma once

#include <memory>
#include <tuple>
#include <typeinfo>
#include <utility>
#include <vector>

#include <troupe/net/connector.hpp>
#include <troupe/net/factory.hpp>
#include <troupe/runtime/detail/class_name.hpp>

namespace troupe {

class client_factory_ref;

/// The factory of outgoing connections: it is told how each comes and goes.
///
/// ```cpp
/// class steady : public troupe::client_factory {
/// public:
///   using client_factory::client_factory;
///   troupe::protocol_ptr build_protocol(const troupe::net_address&) override {
///     return make_protocol<greeter>();
///   }
///   void client_connection_lost(troupe::connector& c, const troupe::failure&) override {
///     c.connect(); // again, and at once; reconnecting_client_factory waits longer and longer
///   }
/// };
/// troupe::connect_tcp(rt, "localhost", 8123, troupe::client_factory::of<steady>());
/// ```
///
/// `start_factory` is called before the first of its connectors connects, `stop_factory` when none
/// of them is connecting or connected any more.
///
/// Thread: its loop's, which is that of its connectors (`connect_options::loop`).
/// Source: twisted.internet.protocol.ClientFactory
class client_factory : public factory {
public:
  using factory::factory;

  /// As of `factory`, for connections that this side makes.
  template <class P, class... Args>
  [[nodiscard]] static client_factory_ref for_protocol(Args&&... args);
  template <class F, class... Args>
  [[nodiscard]] static client_factory_ref of(Args&&... args);

  // -- what to override -------------------------------------------------------------------------

  /// An attempt begins. `c` may be told to stop it here.
  virtual void started_connecting(connector& c);

  /// An attempt has come to nothing. There was no protocol, or it had no `connection_made`, unless the
  /// attempt was ended in the moment in which that was called; and there is none any more. Unless
  /// overridden it logs a warning with the reason, if the factory is `noisy` and no supervisor does (`connector::supervised`);
  /// repeats are counted.
  ///
  /// `reason`: `errc::connection_refused`, `no_route`, `timed_out`, `unknown_host`, `bind_failed`,
  /// `no_protocol` (the factory built none), `cancelled` (it was stopped), `tls_failed`,
  /// `certificate_refused`, `connect_failed` for anything else; `runtime_stopped`; and what
  /// `start_factory` threw. Its text names the destination and what each of its addresses said.
  virtual void client_connection_failed(connector& c, const failure& reason);

  /// A connection has ended; `reason` is what its protocol was told.
  virtual void client_connection_lost(connector& c, const failure& reason);

  /// The connection is open, and its protocol has been told; `p` runs on its own loop, and may have
  /// ended already.
  virtual void client_connection_made(connector& c, const protocol_ptr& p);

protected:
  /// Ends the attempts that are under way: each fails with `why`.
  void stop_attempts(const failure& why);

  void stop_requested() override;
  void take_over(factory& old) override;
  [[nodiscard]] bool idle() const noexcept override { return factory::idle() && active_.empty(); }

private:
  friend class detail::connecting;

  std::vector<std::shared_ptr<detail::connecting>> active_; // connecting or connected
};

/// Refers to a client factory, started or not; copies refer to the same one.
class client_factory_ref : public factory_ref {
public:
  explicit client_factory_ref(factory_ref f) : factory_ref(std::move(f)) {}
};

namespace detail {

/// Builds the same kind of protocol from the same arguments every time.
template <class P, class... Args>
class simple_client_factory final : public client_factory {
public:
  simple_client_factory(caf::actor_config& cfg, std::tuple<Args...> args)
    : client_factory(cfg), args_(std::move(args)) {}

  protocol_ptr build_protocol(const net_address&) override {
    return std::apply([this](auto&... args) { return this->template make_protocol<P>(args...); },
                      args_);
  }

  std::string log_prefix() const override { return "client of " + detail::class_name(typeid(P)); }

private:
  std::tuple<Args...> args_;
};

} // namespace detail

template <class F, class... Args>
client_factory_ref client_factory::of(Args&&... args) {
  static_assert(std::derived_from<F, client_factory>,
                "what builds protocols of outgoing connections must be a class derived from "
                "troupe::client_factory");
  if constexpr (std::derived_from<F, client_factory>)
    return client_factory_ref{factory::of<F>(std::forward<Args>(args)...)};
  else
    return client_factory_ref{factory_ref{nullptr}};
}

template <class P, class... Args>
client_factory_ref client_factory::for_protocol(Args&&... args) {
  detail::check_protocol<P, std::decay_t<Args>&...>();
  if constexpr (detail::protocol_class<P, std::decay_t<Args>&...>) {
    using made = detail::simple_client_factory<P, std::decay_t<Args>...>;
    return of<made>(std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...));
  } else {
    return client_factory_ref{factory_ref{nullptr}};
  }
}

} // namespace troupe
