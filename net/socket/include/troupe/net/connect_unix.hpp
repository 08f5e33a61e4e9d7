#pragma once

#include <string>

#include <troupe/net/client_factory.hpp>
#include <troupe/net/connector.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// How a connection to a UNIX socket is made, and what it starts with.
struct unix_connect_options {
  /// How long connecting may take, which is not negative; `duration::max()` is for ever.
  /// Source: connectUNIX
  duration timeout = std::chrono::seconds(30);

  /// Looks at the socket's lock first, and fails with `errc::connection_refused` if nobody holds it.
  /// A lock that Twisted has made is held as long as there is a process of its number; one that this
  /// user may not read, as that of another user's server, is taken for held.
  /// Source: connectUNIX's checkPID
  bool check_lock = false;

  /// How much unsent output the connection may hold at first.
  output_limits output{};

  /// On which loop: see `connect_options::loop`.
  std::size_t loop = current_loop;
};

/// Connects to a UNIX socket, and lets `f` build the protocol of the connection.
///
/// While the server's listen queue is full, it tries again, until the time is over.
///
/// \param path  as of `listen_unix`
/// \throws std::logic_error if a time among the options is negative
/// \throws std::invalid_argument, std::logic_error as `connect_tcp`
/// Fails with: see `client_factory::client_connection_failed`; `errc::invalid_address` if the path
/// is too long; `errc::connect_failed` with the system's reason, such as that there is no such file.
/// Thread: any loop's, or before `run()`.
/// Source: twisted.internet.interfaces.IReactorUNIX.connectUNIX
connector connect_unix(runtime& rt, const std::string& path, const client_factory_ref& f,
                       const unix_connect_options& options = {});

} // namespace troupe
