#pragma once

#include <csignal>
#include <string>
#include <vector>

#include <troupe/actors/child_spec.hpp>
#include <troupe/net/spawn_process.hpp>

namespace troupe {

/// How a program is kept by a supervisor.
struct process_child_options {
  /// How long it may take to end once it was told to; then its whole group is killed. 0 kills it at
  /// once, `duration::max()` never.
  duration kill_after = std::chrono::seconds(5);

  /// What tells it to end: sent to its whole group.
  int signal = SIGTERM;

  restart_type restart = restart_type::permanent;

  /// How it is started. Unless said otherwise it reads nothing (/dev/null), and writes where this
  /// process writes. `own_group` is set in any case.
  process_options process{
    .child_fds = {{0, child_fd::nothing()}, {1, child_fd::ours(1)}, {2, child_fd::ours(2)}}};
};

/// Returns a spec of a program as a supervisor's child: it runs for as long as the child does.
///
/// It has started when the program runs: one that is missing, or may not be run, is a start that
/// failed, with `errc::spawn_failed` and a text. The child ends with the program: normally after exit
/// code 0, and otherwise as after a crash, with `errc::process_terminated` and the code or signal. So a
/// permanent one is started again whenever it ends, a transient one only if it failed; how long to wait,
/// and when to give up, is the supervisor's `backoff` and `intensity`.
///
/// It has a session and a process group of its own, so signals of our terminal do not reach it. Told to
/// end, the group is sent `signal`, and after `kill_after` SIGKILL. When the program itself has exited,
/// however that came, what is left of its group is killed: the next one meets nothing of the one before.
/// A child that leaves the group, by a session of its own, is not ours.
///
/// When the runtime stops, it is told to end in the same way, within the grace time; whatever ends the
/// child, no process of the group is left behind. If this process itself is killed, the program goes on, unless `process.parent_death_signal` is set.
///
/// ```cpp
/// troupe::root_supervisor(rt)->start_child(
///   troupe::process_child("indexer", "./indexer", {"--follow"}, {.kill_after = 10s}));
/// ```
///
/// \param command  a path, or a name that is looked for in the PATH of its environment
/// \param args     what follows the name of the program
/// Source: a port program under OTP's supervisor, as `muontrap` runs it; systemd's KillMode=mixed
[[nodiscard]] child_spec process_child(std::string id, std::string command,
                                       std::vector<std::string> args = {},
                                       process_child_options options = {});

} // namespace troupe
