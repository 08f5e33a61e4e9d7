#pragma once

#include <caf/actor.hpp>

#include <troupe/net/builder.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Which descriptors stand for the user, and what the connection starts with.
struct stdio_options {
  int input = 0;
  int output = 1;
  output_limits limits{};
};

/// Connects an ordinary protocol to standard input and output, on one of the loops, in turn: the
/// user, or a pipe, is its peer. Each may be a terminal, a pipe, a socket or a file.
///
/// The end of input ends the connection once everything written is sent, unless the protocol is
/// `half_closeable`. The descriptors stay open and blocking as they were: the connection has its own.
/// Where the system cannot give it others (a socket), theirs do not block meanwhile.
/// `lose_write_connection` puts /dev/null in place of the output, and shuts a socket down, so that who
/// reads it meets its end.
///
/// ```cpp
/// troupe::open_stdio(rt, troupe::build<shell>());
/// ```
///
/// \returns the protocol, to send messages to or to monitor
/// Fails with: the protocol ends with the exit reason `errc::not_connected`, with a text, without
/// `connection_made`, if one of the descriptors is closed, or was when the runtime was made, or the
/// system has none left for the connection.
/// Thread: any. Before `run()`, it begins once that runs.
/// Source: twisted.internet.stdio.StandardIO
caf::actor open_stdio(runtime& rt, const builder<protocol>& p, const stdio_options& options = {});

} // namespace troupe
