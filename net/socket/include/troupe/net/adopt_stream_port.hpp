#pragma once

#include <troupe/net/factory.hpp>
#include <troupe/net/listening_port.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Accepts at a socket that listens already, TCP or UNIX: one that a parent or systemd has opened and
/// this process inherited, or another process passed to it.
///
/// The port has a descriptor of its own; `fd` stays open, and is the caller's, so that connections wait
/// at it while the port is stopped. The socket does not block from then on, through any descriptor.
///
/// \param options  what is about opening (`interface`, `backlog`, `reuse_port`) is not looked at
/// \throws cannot_listen_error naming the descriptor, if it is none, or no stream socket that listens
/// \throws std::invalid_argument as `listen_tcp` does
/// Thread: loop 0 (or that of the options), or before `run()`.
/// Source: twisted.internet.interfaces.IReactorSocket.adoptStreamPort
listening_port adopt_stream_port(runtime& rt, int fd, const factory_ref& f,
                                 const listen_options& options = {});

} // namespace troupe
