#pragma once

#include <cstdint>

#include <troupe/net/datagram_port.hpp>
#include <troupe/net/datagram_protocol.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Listens at a UDP port, for a server and for a client alike.
///
/// The port is bound when this returns; `start_protocol` is called when the runtime runs: at once, if
/// this is the loop of the port.
///
/// ```cpp
/// troupe::runtime rt;
/// troupe::listen_udp(rt, 7, troupe::datagram_protocol::of<echo>());
/// rt.run();
/// ```
///
/// As the child of a supervisor it needs a start function, and no more. Each start makes a new protocol;
/// what waits in the socket of one that crashed is lost.
///
/// ```cpp
/// troupe::child_spec{
///   .id = "time",
///   .start = [&rt](troupe::supervisor& s) {
///     return troupe::listen_udp(rt, 37, troupe::datagram_protocol::of<time_server>(),
///                               {.loop = s.loop().index()}).actor();
///   }}
/// ```
///
/// \param port  0 takes a free one, which `get_host` tells
/// \throws cannot_listen_error if the address is in use, not ours, or not an address
/// \throws std::logic_error if the protocol listens at another port, or has ended, or an option makes
///         no sense
/// Thread: any loop's, or before `run()`.
/// Source: twisted.internet.interfaces.IReactorUDP.listenUDP
datagram_port listen_udp(runtime& rt, std::uint16_t port, const datagram_protocol_ref& protocol,
                         const datagram_options& options = {});

} // namespace troupe
