#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "load.hpp"
#include "server.hpp"

namespace bench {

struct connect_load {
  std::uint16_t socks_to = 0; // the port that a server of SOCKS 5 is asked for; 0: no SOCKS
  std::chrono::milliseconds warm_up{200};
  std::chrono::milliseconds time{1000};
};

/// Connects through a server that passes connections on to an echo, has 64 bytes sent back, and ends the
/// connection; one after the other. An operation is a connection.
///
/// \throws std::runtime_error if the echo is wrong, or the server of SOCKS refuses
figures run_connects(const server& s, const connect_load& load);

} // namespace bench
