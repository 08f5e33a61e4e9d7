#pragma once

#include <cstdint>

#include <troupe/net/factory.hpp>
#include <troupe/net/listening_port.hpp>
#include <troupe/net/tls_context.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Listens at a TCP port for connections that speak TLS from the start.
///
/// As `listen_tcp`; the protocol's `connection_made` comes when the handshake is done, so it can ask
/// `transport().tls()` who is there. A handshake that fails or takes too long is logged with the
/// peer and the reason, at debug level, for any peer can make one fail; the protocol is never
/// connected. Until then it counts as a connection of its factory, so the limit of that bounds
/// handshakes too.
///
/// `transport` keeps its rules. A clean end is one that both ends of TLS agreed on: a peer that is
/// cut off without is `errc::tls_truncated`. `lose_write_connection` ends one direction of TLS.
///
/// Whatever is odd about the context, such as an expired certificate, is logged as a warning.
///
/// \throws cannot_listen_error as `listen_tcp` does
/// Thread: loop 0, or before `run()`.
/// Source: twisted.internet.interfaces.IReactorSSL.listenSSL
listening_port listen_ssl(runtime& rt, std::uint16_t port, const factory_ref& f,
                          const tls_server_context& tls, const listen_options& options = {});

} // namespace troupe
