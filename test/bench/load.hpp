#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "server.hpp"

namespace bench {

/// What a load measured of the server.
struct figures {
  double cpu_us = 0;     // CPU time of the server, for each operation
  double per_second = 0; // operations
  std::uint64_t count = 0;
};

/// What stands around the strings that are sent.
enum class framing : std::uint8_t { line, netstring, int32 };

struct echo_load {
  std::size_t connections = 50;
  std::size_t bytes = 64; // of a message: a multiple of 64
  std::size_t in_flight = 1;
  std::chrono::milliseconds warm_up{200};
  std::chrono::milliseconds time{1000};
  std::size_t operation = 0; // bytes of what counts as one operation; 0: a message
  bool tls = false;
  framing frame = framing::line;
};

/// Has every connection send messages, as many at once as `in_flight`, and compares every byte that
/// comes back, also of what was still on its way when the time was over. Messages are lines of 64
/// bytes, or framed strings, that differ by connection and position.
///
/// \throws std::runtime_error at the first byte that is wrong, missing or too many
figures run_echo(const server& s, const echo_load& load);

struct chat_load {
  std::size_t users = 100;
  std::size_t senders = 10;
  std::size_t lines = 20; // that each sender writes at once in a round
  std::chrono::milliseconds warm_up{300};
  std::chrono::milliseconds time{1500};
};

/// Lets users join the seed's chat and the senders talk in rounds; a round ends when every user has
/// every line of the others. An operation is a line delivered to one user.
///
/// \throws std::runtime_error if a line is lost, doubled, reordered or damaged
figures run_chat(const server& s, const chat_load& load);

struct idle_figures {
  double bytes = 0;           // resident, for each connection
  std::uint64_t switches = 0; // context switches while nothing happened
};

/// Opens `count` connections, uses each once (an echo, or joining the chat), and watches the server
/// while nothing happens for `time`.
idle_figures run_idle(const server& s, std::size_t count, bool chat, std::chrono::seconds time,
                      bool tls = false);

} // namespace bench
