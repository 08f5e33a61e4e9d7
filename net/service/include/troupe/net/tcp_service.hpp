#pragma once

#include <cstdint>

#include <troupe/actors/service.hpp>
#include <troupe/net/listen_tcp.hpp>

namespace troupe {

/// A TCP port as a service: it listens while the service runs.
///
/// The privileged start binds the port, so a number below 1024 needs rights only then. Connections
/// stay when it stops; a factory's own `drain` closes them.
///
/// ```cpp
/// app.add_service(std::make_shared<troupe::tcp_service>(rt, 8123, chats));
/// ```
///
/// Thread: loop 0, or before `run()`. Lifetime: no longer than the runtime's.
/// Source: twisted.application.internet.TCPServer, StreamServerEndpointService
class tcp_service final : public service {
public:
  tcp_service(runtime& rt, std::uint16_t port, factory_ref f, listen_options options = {});

  /// \throws cannot_listen_error as `listen_tcp` does
  void privileged_start_service() override;

  /// Fails with: a cannot_listen_error.
  [[nodiscard]] deferred<void> start_service() override;

  [[nodiscard]] deferred<void> stop_service() override;

  /// Returns the port; it names none before the first start.
  [[nodiscard]] listening_port& port() noexcept { return port_; }

private:
  void listen();

  runtime& rt_;
  const std::uint16_t number_;
  const factory_ref factory_;
  const listen_options options_;
  listening_port port_;
  bool listening_ = false;
};

} // namespace troupe
