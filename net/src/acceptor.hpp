#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>

#include <troupe/net/factory.hpp>
#include <troupe/net/listening_port.hpp>

#include "socket_address.hpp"
#include "transport_kind.hpp"
#include "unique_fd.hpp"

namespace troupe::detail {

/// Binds a TCP socket and listens.
unique_fd open_tcp_listener(std::uint16_t port, const listen_options& options);

/// The actor behind a `listening_port`: accepts connections and brings them together with the
/// protocols that its factory builds. Pinned to loop 0, as the factory is.
///
/// It accepts only while the factory has room, so what is too much waits in the system's queue.
class acceptor final : public pinned_actor {
public:
  acceptor(caf::actor_config& cfg, unique_fd fd, factory_ref f,
           std::shared_ptr<const transport_kind> kind, listen_options options,
           std::shared_ptr<const net_address> host);

  static listening_port make_port(caf::actor_system& sys, event_loop& loop, std::uint16_t port,
                                  const factory_ref& f, const listen_options& options);

  caf::behavior make_behavior() override;
  void on_exit() override;
  const char* name() const override { return "port"; }

  chained<void> stop_listening();
  void start_listening();

protected:
  void stop_requested() override;

private:
  void begin();
  void wait();
  void accept_some();
  void retry_later(int error);
  void admit(unique_fd fd, const sockaddr_storage& peer);
  void close();

  unique_fd fd_; // until the loop turns
  const factory_ref factory_;
  const std::shared_ptr<const transport_kind> kind_;
  const listen_options options_;
  const std::shared_ptr<const net_address> host_;
  std::optional<asio::posix::basic_stream_descriptor<asio::io_context::executor_type>> listener_;
  std::uint64_t epoch_ = 0; // counts starts; what waits for an older one is void
  bool counted_ = false;    // by the factory
};

} // namespace troupe::detail
