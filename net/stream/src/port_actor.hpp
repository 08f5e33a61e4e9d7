#pragma once

#include <memory>
#include <utility>

#include <troupe/net/listening_port.hpp>
#include <troupe/runtime/pinned_actor.hpp>

namespace troupe::detail {

/// The actor behind a `listening_port`.
class port_actor : public pinned_actor {
public:
  virtual chained<void> stop_listening() = 0;
  virtual void start_listening() = 0;

  const char* name() const override { return "port"; }

  /// Returns the handle of `actor`, which is a port's.
  static listening_port port_of(const caf::actor& actor) {
    auto& made = *static_cast<port_actor*>(caf::actor_cast<caf::abstract_actor*>(actor));
    return {caf::actor_cast<caf::strong_actor_ptr>(actor), made.host_};
  }

protected:
  port_actor(caf::actor_config& cfg, net_address host)
    : pinned_actor(cfg), host_(std::make_shared<const net_address>(std::move(host))) {}

  [[nodiscard]] const net_address& host() const noexcept { return *host_; }

  void stop_requested() override {
    enter([this] { quit(caf::exit_reason::user_shutdown); });
  }

private:
  const std::shared_ptr<const net_address> host_;
};

} // namespace troupe::detail
