#pragma once

#include <chrono>
#include <cstddef>

#include "load.hpp"
#include "server.hpp"

namespace bench {

struct udp_load {
  std::size_t sockets = 16;
  std::size_t in_flight = 8; // datagrams, of each socket; all together fit the server's buffer
  std::chrono::milliseconds warm_up{200};
  std::chrono::milliseconds time{1000};
};

/// Has every socket send `in_flight` datagrams of 64 bytes at once, and again when all of them are
/// back, and requires that each comes back whole, once, and in order. An operation is a datagram sent back.
///
/// \throws std::runtime_error if a datagram is lost, doubled, reordered or damaged
figures run_udp_echo(const server& s, const udp_load& load);

} // namespace bench
