#pragma once

#include <cstdint>

#include <troupe/net/factory.hpp>
#include <troupe/net/listening_port.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Listens at a TCP port, and lets `f` build a protocol for every connection.
///
/// The port is bound when this returns; connections are accepted while the runtime runs, and
/// spread over its loops in turn (`listen_options::placement`).
///
/// ```cpp
/// troupe::runtime rt;
/// troupe::listen_tcp(rt, 7, troupe::factory::for_protocol<echo>());
/// rt.run();
/// ```
///
/// \param port  0 takes a free one, which `get_host` tells
/// \throws cannot_listen_error if the address is in use, not ours, or not an address
/// \throws std::invalid_argument if there is no such loop, or `f` runs on another one
/// Thread: loop 0 (or that of the options), or before `run()`.
/// Source: twisted.internet.interfaces.IReactorTCP.listenTCP
listening_port listen_tcp(runtime& rt, std::uint16_t port, const factory_ref& f,
                          const listen_options& options = {});

} // namespace troupe
