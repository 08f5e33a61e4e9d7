#pragma once

#include <functional>
#include <memory>
#include <optional>

#include <troupe/actors/supervisor.hpp>
#include <troupe/net/connector.hpp>

#include "connecting.hpp"

namespace troupe::detail {

/// The actor that stands for a supervised connection: it begins when that is made, and ends when it
/// ends. Told to end, it closes the connection, and waits for its end.
///
/// Thread: its supervisor's loop.
class connector_actor final : public pinned_actor, public connection_watcher {
public:
  connector_actor(caf::actor_config& cfg, std::shared_ptr<connecting> of);

  /// Lets `of` connect. Cancelled, the attempt is given up.
  ///
  /// \returns the actor, once the connection is made
  /// Fails with: see `client_factory::client_connection_failed`.
  static deferred<caf::actor> start(supervisor& parent, std::shared_ptr<connecting> of,
                                    std::function<void(const connector&)> connected);

  void begin();

  caf::behavior make_behavior() override;
  void on_exit() override;
  const char* name() const override { return "connector"; }

  void connection_opened() override {}
  void connection_over(const failure& why) override;

protected:
  void stop_requested() override;

private:
  void stop(caf::error reason);

  std::shared_ptr<connecting> of_;        // until it is over
  std::optional<caf::error> told_to_end_; // and why
};

} // namespace troupe::detail
