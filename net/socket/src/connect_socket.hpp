#pragma once

#include <optional>
#include <system_error>

#include <sys/socket.h>

#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/event_loop.hpp>

#include "unique_fd.hpp"

namespace troupe::detail {

/// A socket that is connected.
struct connected_socket {
  unique_fd fd;
  sockaddr_storage peer{};
};

/// Connects a stream socket to `to`, from `from` if that is given. Cancelling the deferred closes
/// the socket.
///
/// Fails with: `errc::connection_refused`, `no_route`, `timed_out`; `connection_limit_reached` if the
/// listen queue of a UNIX socket is full; `bind_failed` if the local address cannot be bound, or a
/// connection from the port that was chosen to `to` exists; `connect_failed` for anything else, with
/// the system's reason as context.
/// Thread: that of `loop`.
deferred<connected_socket> connect_socket(event_loop& loop, const sockaddr_storage& to,
                                          const std::optional<sockaddr_storage>& from);

/// Makes a failure of what the system says of a connect to `to`, from `from` if that was chosen.
failure connect_failure(int error, const sockaddr_storage& to,
                        const std::optional<sockaddr_storage>& from);

} // namespace troupe::detail
