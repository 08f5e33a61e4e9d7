#pragma once

#include <optional>
#include <string_view>

#include <sys/types.h>

#include <troupe/net/transport.hpp>
#include <troupe/runtime/bytes.hpp>
#include <troupe/runtime/failure.hpp>

namespace troupe {

/// The pipes to a child process, and what can be done to it. Output is collected and sent as by a
/// `transport`; what is said of "standard input" concerns the child's descriptor 0.
///
/// Thread: that of the protocol's loop.
/// Lifetime: from `connection_made` until `process_ended` has returned.
/// Source: twisted.internet.interfaces.IProcessTransport
class process_transport {
public:
  virtual ~process_transport() = default;

  // -- output -----------------------------------------------------------------------------------

  /// Sends a copy of `data` to the child's standard input. Without effect if that is no pipe, or
  /// closed.
  void write(bytes_view data) { write_if_open(0, data); }
  void write(std::string_view text) { write(as_bytes(text)); }

  /// Sends to a pipe that the child reads from, as its descriptor `fd`. Without effect if it is
  /// closed.
  ///
  /// \throws std::logic_error if the child never had such a pipe
  virtual void write_to_child(int fd, bytes_view data) = 0;
  void write_to_child(int fd, std::string_view text) { write_to_child(fd, as_bytes(text)); }

  /// Lets `p` be asked for output to standard input, as `transport::register_producer`. If that is
  /// no pipe, or closed, `p` is told to stop at once.
  ///
  /// \throws std::logic_error if one is registered already
  virtual void register_producer(producer& p, bool streaming) = 0;
  virtual void unregister_producer() = 0;

  /// Limits what is held for each pipe. A pipe over the hard limit with `overflow_policy::close` is
  /// closed, and what is unsent forgotten.
  virtual void set_output_limits(const output_limits& limits) = 0;

  /// Returns how many bytes are written to all pipes and not sent.
  [[nodiscard]] virtual std::size_t unsent() const noexcept = 0;

  // -- input ------------------------------------------------------------------------------------

  /// Stops reading from all pipes until `resume_producing`: a child that goes on writing waits.
  virtual void pause_producing() = 0;
  virtual void resume_producing() = 0;

  // -- closing ----------------------------------------------------------------------------------

  /// Closes the pipe to standard input once everything written is sent, also what is written later
  /// in the same turn. If a producer is registered, once that has unregistered itself.
  void close_stdin() { close_child_fd(0); }

  /// Closes the pipe from standard output, or error; what the child writes then is an error to it.
  void close_stdout() { close_child_fd(1); }
  void close_stderr() { close_child_fd(2); }

  /// Closes any pipe; without effect if there is none. The protocol is told, not inside this call.
  virtual void close_child_fd(int fd) = 0;

  /// Closes 0, 1 and 2. The child lives until it notices, or decides.
  void lose_connection();

  // -- the process ------------------------------------------------------------------------------

  /// Sends a signal.
  ///
  /// \returns nothing wrong; or `errc::process_exited_already`, or what the system says
  virtual failure signal_process(int signal) = 0;

  /// Sends a signal to the process and all that it has started and that is still of its group: see
  /// `process_options::own_group`.
  ///
  /// \returns also `errc::not_supported` if it has no group of its own. Once the process has exited,
  ///          there is nothing left of the group
  virtual failure signal_group(int signal) = 0;

  /// As `signal_process`, by name: "HUP", "INT", "KILL", "STOP", "TERM" and the like.
  /// \returns also `errc::invalid_argument` for a name that is none
  failure signal_process(std::string_view name);

  /// Returns the number of the process; empty once it has exited, when the number may be another's.
  [[nodiscard]] virtual std::optional<pid_t> pid() const noexcept = 0;

  // -- for protocols ----------------------------------------------------------------------------

  /// Closes all pipes, those that are written to once all is sent; then `process_ended` follows with
  /// `errc::runtime_stopped`, whether the process has exited or not.
  virtual void stop() = 0;

  /// Closes everything because the protocol has ended. The process goes on, and is waited for.
  virtual void protocol_ended() = 0;

protected:
  virtual void write_if_open(int fd, bytes_view data) = 0;
};

} // namespace troupe
