#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

#include <troupe/net/factory.hpp>
#include <troupe/net/listening_port.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// How a UNIX port listens, and what its connections start with.
struct unix_listen_options {
  /// How many connections the system keeps waiting until they are accepted: see `listen_options`.
  /// One that finds the queue full is refused at once. Source: listenUNIX, whose default is 50
  int backlog = 4096;

  /// Who may connect: the permissions of the socket's file. Source: listenUNIX
  mode_t mode = 0666;

  /// Takes the lock `path.lock` first, and then removes a socket that a process left behind when it
  /// died. One that somebody still has is in use, also without a lock: that is looked at in a way that
  /// a server does not notice. A lock that Twisted has made is not taken, though its process may
  /// have died: remove it then. Without `lock_file`, any file at the path is in the way.
  /// Source: listenUNIX's wantPID, which makes a symbolic link
  bool lock_file = true;

  /// How much unsent output each connection may hold at first.
  output_limits output{};

  /// As in `listen_options`.
  std::size_t accepts_per_turn = 100;
  std::chrono::milliseconds pause_without_descriptors{100};

  /// Whether those who connect are proxies that say whose their connections are: `{.proxies = {"unix"}}`.
  /// Who can be one is decided by the permissions of the socket's file.
  proxy_protocol_options proxy_protocol{};
};

/// Listens at a UNIX socket, and lets `f` build a protocol for every connection.
///
/// The socket's file, and its lock, are removed when the port stops listening.
///
/// \param path  at most 107 bytes; `"@name"` is a name without a file (Linux's abstract sockets),
///              for which there is neither mode nor lock
/// \throws cannot_listen_error naming the path, if it is in use, is too long, is taken by a file
///         that is no socket, or its directory cannot be written
/// Thread: loop 0, or before `run()`.
/// Source: twisted.internet.interfaces.IReactorUNIX.listenUNIX
listening_port listen_unix(runtime& rt, const std::string& path, const factory_ref& f,
                           const unix_listen_options& options = {});

} // namespace troupe
