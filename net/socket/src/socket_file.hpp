#pragma once

#include <string>

#include <sys/types.h>

#include "listening_socket.hpp"

namespace troupe::detail {

/// Binds a socket of `type` to a path, or an abstract name, as `listen_unix` tells it. What belongs
/// to it is the socket's file, and its lock.
///
/// \param mode    who may connect, or send: from the moment at which the file is there
/// \param locked  takes the lock `path.lock`, and removes a socket that was left behind; a server
///                that lives there sees nothing of being looked for
/// \throws cannot_listen_error
listening_socket bind_unix(int type, const std::string& path, mode_t mode, bool locked);

} // namespace troupe::detail
