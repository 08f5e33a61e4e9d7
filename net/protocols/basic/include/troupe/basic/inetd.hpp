#pragma once

#include <cstddef>
#include <map>
#include <string>

#include <troupe/basic/inetd_config.hpp>
#include <troupe/net/net_address.hpp>
#include <troupe/net/spawn_process.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// How the services of inetd listen.
struct inetd_options {
  /// The local address, as a number. Only this machine can reach the default.
  std::string interface = "127.0.0.1";

  /// How many programs of one service run at once; more clients wait.
  std::size_t max_children = 40;

  /// The environment of the programs, all of it.
  environment env{{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};
};

/// Listens for a service: a program is started for each connection, with that as its standard input, output
/// and errors; the internal ones are served by this process (`wire`, `wire_udp`).
///
/// A program runs as its user if that is another than ours, without supplementary groups, in a process group
/// of its own, and has no other descriptor open. When it has exited, that is logged, and what it left of its
/// group is killed. One that cannot be started closes its connection, which is logged with the reason, and
/// the service goes on. While `max_children` run, or once it was started `max_per_minute` times within a
/// minute, nothing is accepted.
///
/// When the runtime stops, the ports close, and programs go on with their connections.
///
/// ```cpp
/// for (const auto& s : troupe::inetd_config::parse(text).services)
///   troupe::listen_inetd(rt, s);
/// ```
///
/// \returns where it listens
/// \throws cannot_listen_error if the address is in use, not ours, or not an address
/// \throws std::invalid_argument if there is no such internal service, or the user or group is 4294967295
/// Thread: loop 0, or before `run()`. Source: twisted.runner.inetd
net_address listen_inetd(runtime& rt, const inetd_service& s, const inetd_options& options = {});

} // namespace troupe
