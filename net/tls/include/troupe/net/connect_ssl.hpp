#pragma once

#include <cstdint>
#include <string>

#include <troupe/net/client_factory.hpp>
#include <troupe/net/connector.hpp>
#include <troupe/net/tls_context.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Connects to a TCP port that speaks TLS, and lets `f` build the protocol of the connection.
///
/// As `connect_tcp`; the protocol's `connection_made` comes when the handshake is done and the
/// server has proved to be `host` (unless the context is told not to ask), so nothing is ever sent
/// to somebody else. The handshake counts in `connect_options::timeout`.
///
/// With TLS 1.3 a server looks at the client's certificate behind that: one that it refuses ends the
/// connection, and `connection_lost` is told `errc::tls_failed` and the server's alert.
///
/// ```cpp
/// const troupe::tls_client_context tls; // trusts whom the system trusts
/// troupe::connect_ssl(rt, "chat.example", 6697, troupe::client_factory::for_protocol<chat>(), tls);
/// ```
///
/// \throws std::logic_error, std::invalid_argument as `connect_tcp`
/// Fails with, through `client_connection_failed`, besides what `connect_tcp` does:
/// `errc::certificate_refused`, with what is wrong with the certificate; `errc::tls_failed` if the
/// two cannot agree, with the server's alert if it sent one; `errc::connection_lost`.
/// Thread: any loop's, or before `run()`, and then it begins once that runs.
/// Source: twisted.internet.interfaces.IReactorSSL.connectSSL, optionsForClientTLS
connector connect_ssl(runtime& rt, const std::string& host, std::uint16_t port,
                      const client_factory_ref& f, const tls_client_context& tls,
                      const connect_options& options = {});

} // namespace troupe
