#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <troupe/net/builder.hpp>
#include <troupe/net/connector.hpp>
#include <troupe/net/endpoint.hpp>
#include <troupe/net/tls_context.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/websocket/websocket_handshake.hpp>
#include <troupe/websocket/websocket_options.hpp>
#include <troupe/websocket/websocket_protocol.hpp>
#include <troupe/websocket/websocket_url.hpp>

namespace troupe {

/// How a client connects.
struct websocket_client_options {
  websocket_options socket{}; ///< its `subprotocols` are offered, and `deflate`

  /// Fields to be added to the request: Cookie, Authorization, Origin.
  std::vector<std::pair<std::string, std::string>> fields{};

  /// For the handshake, once the connection is there.
  duration handshake_timeout = std::chrono::seconds(10);
};

/// Connects to a WebSocket, and lets what `make` builds speak there.
///
/// ```cpp
/// troupe::connect_websocket(rt, "wss://chat.example/room", troupe::build<listener>())
///   .add_errback([&](const troupe::failure& why) { rt.logger().error("{}", why.message()); });
/// ```
///
/// Redirects are not followed. Nothing is offered but subprotocols and `deflate`.
///
/// \param url  `ws://` or `wss://`; with `tls`, or else by what the system trusts
/// \returns a deferred of the protocol, which is open then. It fails as `client_endpoint::connect` does; with
///          `errc::connection_refused`, and the status in the text, if the server answers anything but 101; with
///          `errc::malformed_input` if its answer is none to this handshake; with `errc::timed_out`; with
///          `errc::connection_lost` if it hangs up. Cancelling it stops the attempt.
/// \throws std::invalid_argument if `url`, a field or a subprotocol makes no sense
///
/// Thread: any loop's, or before `run()`.
[[nodiscard]] deferred<connected_protocol>
connect_websocket(runtime& rt, std::string_view url, builder<websocket_protocol> make,
                  websocket_client_options options = {}, std::optional<tls_client_context> tls = {},
                  connect_options connecting = {});

/// As above, by an endpoint of any kind: a UNIX socket, a proxy, memory. Only host and target of `url` matter then.
[[nodiscard]] deferred<connected_protocol> connect_websocket(client_endpoint& to,
                                                             const websocket_url& url,
                                                             builder<websocket_protocol> make,
                                                             websocket_client_options options = {});

} // namespace troupe
