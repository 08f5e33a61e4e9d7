#pragma once

#include <memory>
#include <utility>

#include <troupe/net/factory.hpp>
#include <troupe/net/protocol_wrapper.hpp>

namespace troupe {

/// Builds what another factory builds, and puts a wrapper around it: the base of policies that any
/// factory can be given.
///
/// ```cpp
/// auto f = troupe::factory::for_protocol<chat>(room);
/// f = troupe::factory::of<troupe::timeout_factory>(f, 30min);
/// f = troupe::factory::of<troupe::limit_total_connections_factory>(f, 1000);
/// troupe::listen_tcp(rt, 8123, f);
/// ```
///
/// Both factories start and stop together, count the connection, and limit how many there are; the
/// protocol's `factory()` is the inner one.
///
/// Thread: that of its port's loop. Source: twisted.protocols.policies.WrappingFactory
class wrapping_factory : public factory {
public:
  using super = factory;

  wrapping_factory(caf::actor_config& cfg, factory_ref inner);

  /// Returns the factory whose protocols are wrapped.
  [[nodiscard]] troupe::factory& wrapped_factory() const noexcept { return *inner_.get(); }

  // -- what to override -------------------------------------------------------------------------

  /// Returns the wrapper for one protocol. It passes everything on unless overridden.
  [[nodiscard]] virtual std::unique_ptr<protocol_wrapper> make_wrapper();

  /// Tells whether a connection from `peer` may be; otherwise it is closed. All may be unless
  /// overridden.
  [[nodiscard]] virtual bool admits(const net_address& peer);

  /// An override that wants the inner factory started and stopped calls these.
  void start_factory() override;
  void stop_factory() override;

  protocol_ptr build_protocol(const net_address& peer) override;

  // -- for ports --------------------------------------------------------------------------------

  [[nodiscard]] bool has_room() const noexcept override;
  void when_room(task fn) override;

protected:
  /// Lets `f` build a protocol, and wraps it. Only within `build_protocol`.
  [[nodiscard]] protocol_ptr wrap_protocol_of(troupe::factory& f, const net_address& peer);

private:
  const factory_ref inner_;
};

} // namespace troupe
