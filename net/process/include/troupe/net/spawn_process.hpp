#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include <caf/actor.hpp>

#include <troupe/net/builder.hpp>
#include <troupe/net/process_protocol.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// What a descriptor of a child process is connected to.
///
/// Source: the values of childFDs: "w", "r", and numbers
class child_fd {
public:
  enum class kind : std::uint8_t { we_write, we_read, ours, nothing };

  /// A pipe that the child reads from and we write to; and the reverse.
  [[nodiscard]] static child_fd we_write() noexcept { return {kind::we_write, -1}; }
  [[nodiscard]] static child_fd we_read() noexcept { return {kind::we_read, -1}; }

  /// The same file that `fd` is in this process. It is duplicated when the process is spawned, so it
  /// may be closed after `connection_made`.
  [[nodiscard]] static child_fd ours(int fd) noexcept { return {kind::ours, fd}; }

  /// /dev/null, for reading and writing.
  [[nodiscard]] static child_fd nothing() noexcept { return {kind::nothing, -1}; }

  [[nodiscard]] kind type() const noexcept { return kind_; }
  [[nodiscard]] int fd() const noexcept { return fd_; } ///< of `ours`

private:
  child_fd(kind k, int fd) noexcept : kind_(k), fd_(fd) {}
  kind kind_;
  int fd_;
};

using environment = std::map<std::string, std::string>;

/// How a process is started. Signals that this process ignores are not ignored in it, none is
/// blocked, and no descriptor is open but those of `child_fds`.
struct process_options {
  /// Its environment, all of it; absent, that of this process.
  std::optional<environment> env{};

  /// Where it starts; empty: where this process is.
  std::string directory{};

  /// Its descriptors, by number. The highest must leave room for as many as there are, below the
  /// limit of open files (RLIMIT_NOFILE).
  std::map<int, child_fd> child_fds{
    {0, child_fd::we_write()}, {1, child_fd::we_read()}, {2, child_fd::we_read()}};

  /// Gives it a terminal of its own as 0, 1 and 2, in a session of its own, in place of what
  /// `child_fds` says of these. What it writes to either comes as `out_received`.
  bool use_pty = false;

  /// Starts it in a session and process group of its own, without a terminal unless there is
  /// `use_pty`: `process_transport::signal_group` reaches all of the group, and when the process has
  /// exited, what is left of it is killed.
  bool own_group = false;

  /// What the system sends it when the thread that started it ends, so also when this process is killed, and nobody is
  /// left to end what it started: SIGKILL, say; 0: nothing. The thread is that of its loop, and so ends with the
  /// runtime; that of loop 0 is the one that calls `run()`. What it starts itself is sent nothing, and a program that
  /// changes its user or has rights of its own (set-user-ID, capabilities of its file) loses it.
  int parent_death_signal = 0;

  /// Who it runs as; supplementary groups are dropped. With `uid` alone it keeps our group: give
  /// both. This process must have the right to do so.
  std::optional<uid_t> uid{};
  std::optional<gid_t> gid{};

  /// What it sees as its own name; absent: `executable`.
  std::optional<std::string> argv0{};

  /// How much unsent output each pipe may hold at first.
  output_limits output{};
};

/// Refers to a child process that was asked for. Copies refer to the same one; dropping it changes
/// nothing.
///
/// Thread: any. Lifetime: as handles of actors.
class child_process {
public:
  explicit child_process(caf::strong_actor_ptr p) noexcept : protocol_(std::move(p)) {}

  /// Sends it a signal; nothing if it has exited, or was not started.
  void signal_process(int signal) const;

  /// Closes its 0, 1 and 2.
  void lose_connection() const;

  /// Returns the protocol, to send messages to.
  [[nodiscard]] caf::actor actor() const { return caf::actor_cast<caf::actor>(protocol_); }

private:
  caf::strong_actor_ptr protocol_;
};

/// Starts a program, and connects `p` to it, on one of the loops, in turn.
///
/// ```cpp
/// troupe::spawn_process(rt, troupe::build<word_count>(), "wc", {"-w"});
/// ```
///
/// A process that ignores SIGCHLD (SIG_IGN or SA_NOCLDWAIT), as it may have been started to, does so
/// no more from then on: the system would not keep how its children end.
///
/// \param executable  a path, or a name that is looked for in the PATH of the child's environment
/// \param args        what follows the name of the program
///
/// Fails with: `process_ended` gets `errc::spawn_failed` with a text: the program is missing or may
/// not be run, the directory is missing, a string contains a NUL, a descriptor is out of range, the
/// system has none left.
/// Thread: any. Before `run()`, it begins once that runs.
/// Source: twisted.internet.interfaces.IReactorProcess.spawnProcess
child_process spawn_process(runtime& rt, const builder<process_protocol>& p,
                            const std::string& executable, std::vector<std::string> args = {},
                            process_options options = {});

} // namespace troupe
