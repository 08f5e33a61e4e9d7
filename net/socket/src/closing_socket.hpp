#pragma once

#include <chrono>
#include <cstddef>

#include <troupe/runtime/event_loop.hpp>

#include "unique_fd.hpp"

namespace troupe::detail {

/// How long, and for how much input, a socket stays open that is closed while its peer still sends.
constexpr std::chrono::seconds closing_time{2};
constexpr std::size_t closing_bytes = 16u << 20;

/// How many of them there are at most, each loop having its part: they hold descriptors, and no limit
/// of connections counts them. Whoever closes one more ends the oldest, which has had the longest time.
constexpr std::size_t closing_at_most = 64;
constexpr std::size_t closing_at_least = 8; // a loop may have

/// What was found when input that nobody wants was taken away.
enum class discarded {
  nothing, ///< there was none
  some,    ///< there was, and there may be more
  all,     ///< the peer has ended its side, or the connection is broken: none will come
};

/// Takes away what is there to read, up to a limit, without waiting.
///
/// \param count  is added to: how much it was
discarded discard_input(int fd, std::size_t& count) noexcept;

/// Closes a TCP socket whose peer still sends. If it were closed at once, Linux would answer with a
/// reset, which destroys what the peer has not received, or not read, yet. So our side ends, and what
/// comes is taken away until the peer's side has ended too, within the limits above.
///
/// The runtime, if it stops, gives it that time too.
///
/// Thread: that of `loop`.
void close_while_peer_sends(event_loop& loop, unique_fd fd) noexcept;

} // namespace troupe::detail
