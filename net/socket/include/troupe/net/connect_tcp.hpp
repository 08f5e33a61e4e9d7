#pragma once

#include <cstdint>
#include <string>

#include <troupe/net/client_factory.hpp>
#include <troupe/net/connector.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Connects to a TCP port, and lets `f` build the protocol of the connection.
///
/// An address in numbers is used as it is. A name is looked up, in no loop's thread, and its
/// addresses are tried one after the other, IPv6 and IPv4 in turn, each with a head start; the first
/// that answers wins (RFC 8305).
///
/// The connection is made and runs on the caller's loop; called before `run()`, on the loops in turn
/// (`connect_options::loop`).
///
/// ```cpp
/// troupe::connect_tcp(rt, "localhost", 7, troupe::client_factory::for_protocol<greeter>());
/// ```
///
/// \param host  an address or a name
/// \returns what stops the attempt, or ends and renews the connection
/// \throws std::logic_error if a time among the options is negative, or they name the loop of another
///         thread
/// \throws std::invalid_argument if they name a loop that is not there, or `f` runs on another one
/// Fails with: see `client_factory::client_connection_failed`. An empty name, a name with a NUL, or
/// a bind address that is none, fail in that way too.
/// Thread: any loop's, or before `run()`, and then it begins once that runs.
/// Source: twisted.internet.interfaces.IReactorTCP.connectTCP, HostnameEndpoint
connector connect_tcp(runtime& rt, const std::string& host, std::uint16_t port,
                      const client_factory_ref& f, const connect_options& options = {});

} // namespace troupe
