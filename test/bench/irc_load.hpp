#pragma once

#include <cstddef>
#include <string>

#include "load.hpp"
#include "server.hpp"

namespace bench {

/// What clients of IRC do that `run_irc` has.
struct irc_load {
  chat_load talk;
  std::string capabilities{}; // that each asks for with CAP REQ; empty: none
};

/// Lets users join one channel and the senders talk in rounds, as `run_chat` does.
///
/// \throws std::runtime_error if a line is lost, doubled, reordered or damaged, or another one comes
figures run_irc(const server& s, const irc_load& load);

/// Has `count` users register, each in a channel with 99 others, and watches the server's memory. \returns bytes for each
double run_idle_irc(const server& s, std::size_t count);

} // namespace bench
