#pragma once

#include "socket_address.hpp"

namespace troupe::detail {

/// The two ends of a connection as its protocol sees them: those of the socket, or those that a proxy
/// has told.
struct connection_ends {
  connection_ends(const socket_address& of_peer = {}) : peer(of_peer) {}
  connection_ends(const socket_address& client, const socket_address& destination)
    : peer(client), host(destination), told(true) {}

  socket_address peer;
  socket_address host; // if `told`; else it is asked for
  bool told = false;
};

} // namespace troupe::detail
