#pragma once

#include <memory>
#include <string>

#include <troupe/net/listening_port.hpp>
#include <troupe/net/tls_context.hpp>

#include "tls_settings.hpp"
#include "transport_kind.hpp"

namespace troupe::detail {

/// TLS over TCP.
class tls_kind final : public tcp_kind {
public:
  /// \param host         of a client: whom to verify
  /// \param destination  of a client: under what its session is remembered
  tls_kind(std::shared_ptr<const tls_settings> settings, bool no_delay, bool keep_alive,
           const output_limits& output, std::string host = {}, std::string destination = {})
    : tcp_kind(no_delay, keep_alive, output), settings_(std::move(settings)),
      host_(std::move(host)), destination_(std::move(destination)) {}

  [[nodiscard]] const char* scheme() const noexcept override { return "ssl"; }

  void open(event_loop& where, unique_fd fd, const connection_ends& ends, const protocol_ptr& p,
            opened told) const override;

private:
  const std::shared_ptr<const tls_settings> settings_;
  const std::string host_;
  const std::string destination_;
};

/// Returns what carries the connections of a port of `tcp_listener`: that has set `no_delay` for them.
inline std::shared_ptr<const transport_kind> accepted_tls(const tls_server_context& tls,
                                                          const listen_options& options) {
  return std::make_shared<const tls_kind>(tls.settings(), false, options.keep_alive,
                                          options.output);
}

} // namespace troupe::detail
