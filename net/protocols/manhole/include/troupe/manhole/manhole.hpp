#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <troupe/manhole/commands.hpp>
#include <troupe/net/factory.hpp>
#include <troupe/net/listening_port.hpp>

namespace troupe {

/// How a manhole is opened.
struct manhole_options {
  /// What the process is called in the greeting.
  std::string name = "troupe";

  /// Lets commands change something: close connections, set limits, stop the process. Otherwise it is only for
  /// looking.
  bool allow_changes = false;

  /// Lets users in that are neither the process's own nor root, where the system tells who a peer is; the
  /// socket's permissions keep them out before, unless it is an abstract one.
  bool any_user = false;

  /// How much one command may say; the rest is cut off, and counted.
  std::size_t longest_answer = 1024 * 1024;

  /// After how long a command is let go on in the background: "<Deferred #1>".
  duration patience = std::chrono::milliseconds(1100);

  manhole_commands commands{};

  /// What is looked into; by default a new one, without topics.
  std::optional<observer> seen{};
};

/// Opens a console into this process at a UNIX socket that only its own user and root may connect to.
///
/// ```cpp
/// troupe::listen_manhole(rt, "/run/chat/manhole", {.name = "chat"});
/// ```
///
/// People reach it with `console PATH` (an example), which edits lines, with `nc -U PATH`, and from elsewhere
/// over ssh: `ssh -t host console PATH`. Programs may write commands to it, one a line, and close their half.
/// Every command is logged, with who gave it.
///
/// \returns the port
/// \throws cannot_listen_error as `listen_unix` does
/// Thread: loop 0, or before `run()`. Lifetime: the commands and the observer are kept by the port.
/// Source: twisted.conch.manhole, twisted.conch.telnet's ShellFactory
listening_port listen_manhole(runtime& rt, const std::string& path, manhole_options options = {});

/// Returns the factory of such consoles, for a port of another kind. Who connects to it is trusted, so it
/// belongs behind something that asks who that is: TLS with certificates of clients, or loopback.
[[nodiscard]] factory_ref manhole_factory(runtime& rt, manhole_options options = {});

} // namespace troupe
