#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <troupe/basic/socks_message.hpp>
#include <troupe/net/endpoint.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// Connects through a server of SOCKS, which another endpoint reaches: over TCP, TLS, a UNIX socket, or
/// through a further server.
///
/// The protocol hears of its connection when that is there; its transport is the one to the server, whose
/// `get_peer` tells the target. A `start_tls` on it is not possible.
///
/// ```cpp
/// auto via = std::make_shared<troupe::tcp_client_endpoint>(rt, "localhost", 1080);
/// troupe::socks_client_endpoint to{rt, via, "chat.example", 8123};
/// troupe::connect_protocol<greeter>(to)...
/// ```
///
/// Source: twisted has none; RFC 1928, RFC 1929
class socks_client_endpoint final : public client_endpoint {
public:
  /// \param host     an address, or a name; which the server looks up unless `remote_names` is off
  /// \param timeout  for the handshake with the server, once that is reached
  socks_client_endpoint(runtime& rt, std::shared_ptr<client_endpoint> via, std::string_view host,
                        std::uint16_t port, socks_client_options options = {},
                        duration timeout = std::chrono::seconds(30));

  /// As of any endpoint. Besides, it fails with `errc::invalid_argument` before anything is sent, if host
  /// or user do not fit; with what the server says, and a text such as "SOCKS server: connection refused
  /// (5)": `errc::connection_refused`, `no_route`, `timed_out`, and `connect_failed` for anything else, as
  /// for a password that is refused; with `errc::malformed_input` if that is no server of SOCKS; with
  /// `errc::connection_lost` if it hangs up.
  deferred<connected_protocol> connect(const factory_ref& f) override;

private:
  runtime& rt_;
  std::shared_ptr<client_endpoint> via_;
  net_address target_;
  socks_client_options options_;
  duration timeout_;
};

/// As `client_from_string`, which it calls for all other kinds:
///
/// | description | arguments, in the order in which they may come without a keyword |
/// | --- | --- |
/// | `socks5:example.org:80:via=tcp\:localhost\:1080` | host, port, via, user, password, timeout (30 seconds) |
/// | `socks4a:...`, `socks4:...` | the same without password; `socks4` looks the name up here |
///
/// `via` is itself such a description, in which each `:` is written `\:` (`quote_string_argument`).
///
/// \throws as `client_from_string` does
[[nodiscard]] std::unique_ptr<client_endpoint>
proxied_client_from_string(runtime& rt, std::string_view description);

} // namespace troupe
