#pragma once

#include <string>
#include <vector>

#include <caf/actor.hpp>

#include <troupe/net/builder.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/net/spawn_process.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Starts a program, and connects an ordinary protocol to its standard input and output, on one of
/// the loops, in turn. Standard error is that of this process.
///
/// The connection ends when the program has exited and closed its output: `connection_lost` gets
/// `errc::connection_done` after exit code 0, else `errc::process_terminated` (`status_of`). If this
/// side ends it first, that closes the pipes, and the program notices or decides;
/// `abort_connection` kills it. `lose_write_connection` closes its standard input, and so does the end
/// of its output, behind what was written, unless the protocol is `half_closeable`, which hears
/// `read_connection_lost` instead, also if the program has exited. What is written after the program
/// has closed its input is dropped.
///
/// ```cpp
/// troupe::connect_process(rt, troupe::build<chat_client>(), "ssh", {"host", "chat"});
/// ```
///
/// \param options  `child_fds` is not looked at
/// \returns the protocol, to send messages to or to monitor
/// Fails with: the protocol ends with the exit reason `errc::spawn_failed`, with a text, without
/// `connection_made`.
/// Thread: any. Before `run()`, it begins once that runs.
/// Source: twisted.internet.endpoints.ProcessEndpoint
caf::actor connect_process(runtime& rt, const builder<protocol>& p, const std::string& executable,
                           std::vector<std::string> args = {}, process_options options = {});

} // namespace troupe
